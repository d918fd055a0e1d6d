package webrtc

import (
	"sync"
	"sync/atomic"
	"time"

	rtpwire "github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// noPayloadType stands where a codec was not negotiated; a real one has 7 bits.
const noPayloadType = 0xff

// voice is what we say: a Pion track that may change its codec with every packet. Pion
// binds it to the negotiated connection; the payload type is ours to choose among those
// of the answer.
type voice struct {
	payloadTypes [media.NumCodecs]atomic.Uint32 // by media.Codec: 1 + payload type, 0 = not negotiated

	mu      sync.Mutex // also keeps packets in the order they were numbered
	sender  *rtp.Sender
	stream  pion.TrackLocalWriter
	own     pion.TrackLocalWriter // in place of Pion's; nil: Pion's
	isOpen  bool
	header  rtpwire.Header
	refused uint64

	reserved rtp.Reservation
}

var _ pion.TrackLocal = (*voice)(nil)

// Bind is called by Pion when the negotiation is done.
func (v *voice) Bind(ctx pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if len(codecs) == 0 {
		return pion.RTPCodecParameters{}, pion.ErrUnsupportedCodec
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stream, v.sender = ctx.WriteStream(), rtp.NewSender(uint32(ctx.SSRC()))
	if v.own != nil {
		v.stream = v.own
	}
	return codecs[0], nil
}

// Unbind is called by Pion when the connection goes.
func (v *voice) Unbind(pion.TrackLocalContext) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stream = nil
	return nil
}

// ID, RID, StreamID and Kind are what the SDP says of the track.
func (v *voice) ID() string { return "audio" }

// RID is empty: there is no simulcast.
func (v *voice) RID() string { return "" }

// StreamID groups tracks; there is one.
func (v *voice) StreamID() string { return "headroom" }

// Kind is audio.
func (v *voice) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }

func (v *voice) offer(c media.Codec, payloadType uint8) {
	v.payloadTypes[c].Store(1 + uint32(payloadType))
}

func (v *voice) payloadType(c media.Codec) uint8 {
	if int(c) < len(v.payloadTypes) {
		if pt := v.payloadTypes[c].Load(); pt != 0 {
			return uint8(pt - 1)
		}
	}
	return noPayloadType
}

func (v *voice) accepts(c media.Codec) bool { return v.payloadType(c) != noPayloadType }

func (v *voice) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.isOpen = true
}

func (v *voice) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.isOpen = false
}

// send runs on the other leg's reader or the pacer: no wait, no garbage.
func (v *voice) send(p *media.Packet) {
	payloadType := v.payloadType(p.Codec)
	v.mu.Lock()
	defer v.mu.Unlock()
	if payloadType == noPayloadType {
		v.refused++
		return
	}
	if !v.isOpen || v.stream == nil || v.reserved.Bars(p) {
		return
	}
	seq, timestamp, marker, ok := v.sender.Next(p)
	if !ok {
		return
	}
	v.header = rtpwire.Header{
		Version: 2, Marker: marker, PayloadType: payloadType,
		SequenceNumber: seq, Timestamp: timestamp, SSRC: v.sender.SSRC(),
	}
	_, _ = v.stream.WriteRTP(&v.header, p.Payload) // an error means the connection is going; Done tells
}

// numbering is the sender behind the stream, nil before the negotiation is done.
func (v *voice) numbering() *rtp.Sender {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sender
}

func (v *voice) count(s *media.Stats) {
	v.mu.Lock()
	s.Refused = v.refused
	v.mu.Unlock()
	if sender := v.numbering(); sender != nil {
		s.PacketsOut, s.BytesOut = sender.Counters()
		s.RoundTrip = sender.RoundTrip()
	}
}

// ears is what we hear.
type ears struct {
	codecs   atomic.Pointer[[128]media.Codec] // by payload type; nil until negotiated
	sink     atomic.Pointer[media.Sink]
	receiver rtp.Receiver
	keys     *keypad
}

func (e *ears) route(s media.Sink) {
	if s == nil {
		e.sink.Store(nil)
		return
	}
	e.sink.Store(&s)
}

// packet runs on the connection's reader. A payload type that was not negotiated is
// counted as a packet without audio.
func (e *ears) packet(wire *rtpwire.Packet, out *media.Packet, arrival time.Time) {
	codec := media.NoCodec
	if codecs := e.codecs.Load(); codecs != nil && len(wire.Payload) > 0 {
		codec = codecs[wire.PayloadType&0x7f]
	}
	if !e.receiver.Accept(&wire.Header, wire.Payload, arrival, codec, out) {
		return
	}
	if codec == media.NoCodec {
		e.keys.hear(&wire.Header, wire.Payload, out.Source)
		return
	}
	if sink := e.sink.Load(); sink != nil {
		(*sink).Packet(out)
	}
}
