package agentclient

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/rtp"
)

// upRate is what the microphone is encoded at: the service decodes Opus at 16 kHz, and a
// headset's microphone has little above 8 kHz.
const upRate = 16000

// voice is the audio path both ways. Its goroutines are the sound devices' and the
// network's; the client's own goroutine sets the switches and takes the readings.
type voice struct {
	leg   atomic.Pointer[media.Leg] // the media connection, nil while there is none
	onAir atomic.Bool               // between calls nothing leaves the desk
	muted atomic.Bool
	held  atomic.Bool // the caller hears music

	meter    *meter
	readings chan headset.Reading // the newest seconds; a late reader loses the oldest

	// The microphone's goroutine only.
	encoder codec.Encoder
	toUp    *resample.Resampler
	pending []float32 // at upRate, less than a packet
	bitRate int       // of the encoder; 0 is the usual
	opus    []byte
	packet  media.Packet

	// The earphone's goroutine only, but for the jitter buffer's own lock.
	jitter *rtp.JitterBuffer
	toEar  *resample.Resampler
	pulled []float32 // at the jitter buffer's rate, 20 ms
	played []float32 // at the earphone's rate, not yet taken
}

func newVoice(mic audio.Source, ear audio.Sink) (*voice, error) {
	m, err := newMeter(mic.Rate(), ear.Rate())
	if err != nil {
		return nil, err
	}
	v := &voice{meter: m, readings: make(chan headset.Reading, 4)}
	if v.encoder, err = codec.NewEncoder(media.Opus, upRate); err != nil {
		return nil, fmt.Errorf("microphone: %w", err)
	}
	if v.toUp, err = resample.New(mic.Rate(), upRate); err != nil {
		return nil, fmt.Errorf("microphone: %w", err)
	}
	playRate := jitterRate(ear.Rate())
	if v.jitter, err = rtp.NewJitterBuffer(rtp.JitterConfig{Rate: playRate}); err != nil {
		return nil, fmt.Errorf("earphone: %w", err)
	}
	if v.toEar, err = resample.New(playRate, ear.Rate()); err != nil {
		return nil, fmt.Errorf("earphone: %w", err)
	}
	v.pending = make([]float32, 0, 8*audio.FrameSize(upRate))
	v.opus = make([]byte, 1500)
	v.packet = media.Packet{Source: media.NewSource(), Codec: media.Opus}
	v.pulled = make([]float32, audio.FrameSize(playRate))
	v.played = make([]float32, 0, 4*audio.FrameSize(ear.Rate()))
	return v, nil
}

// jitterRate is the lowest rate at which nothing is lost that the earphone could play.
func jitterRate(ear int) int {
	switch {
	case ear <= 8000:
		return 8000
	case ear <= 16000:
		return 16000
	}
	return 48000
}

// take is the microphone's: measure, encode, send.
func (v *voice) take(frame []float32, mark dsp.Mark) {
	if v.muted.Load() {
		mark |= dsp.Muted
	}
	if v.held.Load() {
		mark |= dsp.Held
	}
	if r, ok := v.meter.near(frame, mark); ok {
		v.offer(r)
	}
	leg := v.leg.Load()
	v.pending = v.toUp.Process(v.pending, frame)
	size := v.packetSize(leg)
	at := 0
	for ; len(v.pending)-at >= size; at += size {
		if leg == nil || !v.onAir.Load() {
			v.packet.Marker = true // the next one begins a talk spurt (RFC 3551 section 4.1)
		} else {
			v.send(*leg, v.pending[at:at+size])
		}
		// The timestamp runs on through silence, so that the far side knows how long it was.
		v.packet.Timestamp += uint64(size * media.Opus.ClockRate() / upRate)
	}
	v.pending = v.pending[:copy(v.pending, v.pending[at:])]
}

// packetSize is how many samples go into one packet, and sees to it that the encoder keeps to
// what the network has room for.
func (v *voice) packetSize(leg *media.Leg) int {
	if leg == nil {
		return audio.FrameSize(upRate)
	}
	if bitRate := media.BitRateOf(*leg); bitRate != v.bitRate {
		v.bitRate = bitRate
		codec.SetBitRate(v.encoder, bitRate)
	}
	return int(codec.PacketTime(media.Opus, (*leg).PacketTime()) * upRate / time.Second)
}

func (v *voice) send(leg media.Leg, pcm []float32) {
	if v.muted.Load() {
		clear(pcm)
	}
	n, err := v.encoder.Encode(pcm, v.opus)
	if err != nil {
		return // 20 ms are lost; the next call encodes anew
	}
	v.packet.Payload = v.opus[:n]
	leg.Send(&v.packet)
	v.packet.Seq++
	v.packet.Marker = false
}

func (v *voice) offer(r headset.Reading) {
	select {
	case v.readings <- r:
		return
	default:
	}
	select {
	case <-v.readings:
	default:
	}
	select {
	case v.readings <- r:
	default:
	}
}

// Packet is the network's: it implements media.Sink.
func (v *voice) Packet(p *media.Packet) { v.jitter.Push(p, time.Now()) }

// fill is the earphone's: pull, resample, show the meter what the headset plays.
func (v *voice) fill(frame []float32) {
	for len(v.played) < len(frame) {
		v.jitter.Pull(v.pulled)
		v.played = v.toEar.Process(v.played, v.pulled)
	}
	copy(frame, v.played)
	v.played = v.played[:copy(v.played, v.played[len(frame):])]
	v.meter.heard(frame)
}

// connect sends and hears through leg from now on; nil for nobody.
func (v *voice) connect(leg media.Leg) {
	if leg == nil {
		v.leg.Store(nil)
		return
	}
	leg.SetSink(v)
	v.leg.Store(&leg)
}
