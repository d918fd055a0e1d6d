package bridge

import (
	"time"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// packetizer turns samples into packets of the codec and packet time a leg asks for.
type packetizer struct {
	codec      media.Codec
	ptime      time.Duration
	bitRate    int // 0 is the usual
	encoder    codec.Encoder
	resamplers [2]*resample.Resampler // from 8 and 16 kHz to the encoder's rate
	size       int                    // samples a packet
	fifo       []float32              // not sent yet, at the encoder's rate
	packet     media.Packet           // the next one
	payload    [1500]byte
}

// restart begins a new source with the next packet: the time since the last one is
// unknown here, and Sender will see to it.
func (k *packetizer) restart() {
	k.fifo = k.fifo[:0]
	k.packet.Source = media.NewSource()
	k.packet.Marker = true
}

// prepare makes the encoder the leg asks for, unless it is there already.
func (k *packetizer) prepare(to media.Leg) bool {
	c, ptime, bitRate := to.Preferred(), to.PacketTime(), media.BitRateOf(to)
	if k.encoder != nil && c == k.codec && ptime == k.ptime && bitRate == k.bitRate {
		return true
	}
	rate := codec.EncodeRate(c)
	encoder, err := codec.NewEncoder(c, rate)
	if err != nil {
		return false
	}
	for i, from := range [...]int{narrowband, wideband} {
		if k.resamplers[i], err = resample.New(from, rate); err != nil {
			return false
		}
	}
	codec.SetBitRate(encoder, bitRate)
	k.codec, k.ptime, k.bitRate, k.encoder = c, ptime, bitRate, encoder
	k.size = int(codec.PacketTime(c, ptime) * time.Duration(rate) / time.Second)
	k.fifo = make([]float32, 0, k.size+(codec.MaxFrame+1)*rate/1000)
	k.packet.Codec = c
	k.restart()
	return true
}

// write takes samples at 8 or 16 kHz and sends every packet they complete.
func (k *packetizer) write(pcm []float32, rate int, to media.Leg) {
	if !k.prepare(to) {
		return
	}
	resampler := k.resamplers[0]
	if rate == wideband {
		resampler = k.resamplers[1]
	}
	k.fifo = resampler.Process(k.fifo, pcm)
	sent := 0
	for ; len(k.fifo)-sent >= k.size; sent += k.size {
		k.send(k.fifo[sent:sent+k.size], to)
	}
	k.fifo = k.fifo[:copy(k.fifo, k.fifo[sent:])]
}

// leap lets n samples of time at rate go by without a packet. What was begun is
// completed with silence.
func (k *packetizer) leap(n, rate int, to media.Leg) {
	if !k.prepare(to) {
		return
	}
	n = n * k.encoder.Rate() / rate
	if begun := len(k.fifo); begun > 0 {
		k.fifo = k.fifo[:k.size]
		clear(k.fifo[begun:])
		k.send(k.fifo, to)
		k.fifo = k.fifo[:0]
		n -= k.size - begun
	}
	k.packet.Timestamp += uint64(max(n, 0) * k.codec.ClockRate() / k.encoder.Rate())
	k.packet.Marker = true
}

func (k *packetizer) send(pcm []float32, to media.Leg) {
	n, err := k.encoder.Encode(pcm, k.payload[:])
	if err == nil {
		k.packet.Payload = k.payload[:n]
		to.Send(&k.packet)
		k.packet.Seq++
		k.packet.Marker = false
	}
	k.packet.Timestamp += uint64(len(pcm) * k.codec.ClockRate() / k.encoder.Rate())
}
