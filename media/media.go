package media

import (
	"math/rand/v2"
	"time"

	"github.com/headroom-voice/headroom/dsp"
)

// Codec names an audio encoding.
type Codec uint8

// The codecs. NoCodec is the zero value.
const (
	NoCodec Codec = iota
	PCMU          // G.711 mu-law, 8 kHz
	PCMA          // G.711 A-law, 8 kHz
	Opus          // RFC 6716, RTP clock 48 kHz (RFC 7587)
	G722          // G.722 at 64 kbit/s, sampled at 16 kHz, RTP clock 8 kHz all the same (RFC 3551 section 4.5.2)
	CN            // comfort noise (RFC 3389) beside a codec of the same clock: what a pause sounds like, not a voice
)

// NumCodecs is the size of a table by Codec.
const NumCodecs = int(CN) + 1

// String gives the encoding name as SDP has it (RFC 3551, RFC 7587).
func (c Codec) String() string {
	switch c {
	case PCMU:
		return "PCMU"
	case PCMA:
		return "PCMA"
	case Opus:
		return "opus"
	case G722:
		return "G722"
	case CN:
		return "CN"
	default:
		return "none"
	}
}

// ClockRate gives the RTP clock in Hz.
func (c Codec) ClockRate() int {
	switch c {
	case PCMU, PCMA, G722, CN:
		return 8000
	case Opus:
		return 48000
	default:
		return 0
	}
}

// Packet is one packet of encoded audio. Payload belongs to whoever hands the packet
// over and may be reused as soon as the call that carries it returns.
type Packet struct {
	Source    uint32 // changes whenever a different stream starts (an SSRC, or NewSource)
	Seq       uint64 // sequence number, extended beyond 16 bits, per source
	Timestamp uint64 // in units of Codec.ClockRate, extended beyond 32 bits, per source
	Codec     Codec
	Marker    bool // first packet of a talk spurt
	Payload   []byte
}

// NewSource draws an identity for a stream that starts now, to be a Packet's Source.
func NewSource() uint32 { return rand.Uint32() }

// Sink takes what a party says. Packet is called on the leg's reader goroutine, in
// order of arrival (not yet of sequence): it must not block, log or keep p.
type Sink interface {
	Packet(p *Packet)
}

// Leg is one party's audio. All methods may be called from any goroutine; none blocks.
type Leg interface {
	// Accepts reports whether the party can be sent this codec.
	Accepts(Codec) bool
	// Preferred is the codec to encode for this party when nothing it accepts is at hand.
	Preferred() Codec
	// PacketTime is the packet duration the party asked for (ptime), 10 to 60 ms.
	PacketTime() time.Duration
	// Send writes one packet to the party, renumbered so that a change of Source is
	// seamless. A codec the party does not accept is dropped and counted.
	Send(p *Packet)
	// SetSink routes what the party says; nil discards it.
	SetSink(Sink)
	// Stats is a snapshot of the leg's counters.
	Stats() Stats
}

// Tap hears a decoded stream in order, and which codec it came in; rate is that of pcm, in
// Hz. Offer copies pcm and returns at once; when the listener is behind, the frame is shed
// and counted, never waited for.
type Tap interface {
	Offer(pcm []float32, rate int, from Codec, mark dsp.Mark)
}

// Stats counts what a leg carried. Loss and jitter are of what the party sent us
// (RFC 3550 section 6.4.1); RoundTrip is zero until a report came back.
type Stats struct {
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
	Lost                  int64         // expected - received
	Late, Duplicate       uint64        // arrived too late to be played, or twice
	Stranger              uint64        // packets from an address that is not the party's
	Forged                uint64        // packets that the agreed key did not encrypt (SRTP)
	Refused               uint64        // packets handed to Send in a codec the party does not accept
	Jitter                time.Duration // interarrival jitter
	RoundTrip             time.Duration
	LastIn                time.Time // when the last packet arrived; zero if none has
	Codec                 Codec     // of the last packet in
	MOS                   float64   // listening quality of what the party sent, as its loss leaves it (ITU-T G.107), 1 to 4.5; 0 before anything came
}
