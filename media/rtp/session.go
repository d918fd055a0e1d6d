package rtp

import (
	"context"
	"net/netip"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// Params is what the two sides agreed on (an SDP answer).
type Params struct {
	Remote          netip.AddrPort        // where the party says it listens; zero: wait for its first packets
	RemoteRTCP      netip.AddrPort        // zero: Remote's port + 1
	Codecs          []media.Codec         // both sides can, the preferred one first; [0] is what to encode
	PayloadTypes    map[media.Codec]uint8 // both directions; PCMU and PCMA default to 0 and 8
	PTime           time.Duration         // the party asked for; 20 ms by default
	DTMFPayloadType uint8                 // of telephone-event (RFC 4733); 0: none
}

// Session is one party's RTP and RTCP over a pair of UDP ports, a media.Leg.
type Session struct {
}

var _ media.Leg = (*Session)(nil)

// Open takes a port pair. Close it, or Run it to its end.
func Open(ports *Ports) (*Session, error) { return &Session{}, nil }

// LocalPort is the RTP port; RTCP is on the next.
func (s *Session) LocalPort() int { return 0 }

// Configure sets or changes what was agreed on. A changed Remote unlocks the source.
func (s *Session) Configure(p Params) error { return nil }

// OnDigit has every key press reported once, as '0'-'9', '*', '#', 'A'-'D', on the
// reader goroutine: the function must not block. Call it before Run.
func (s *Session) OnDigit(digit func(rune)) {}

// Run receives until ctx ends, then closes the sockets and gives the ports back.
func (s *Session) Run(ctx context.Context) error { return nil }

// Close ends a session that will not be Run, and does no harm to one that was.
func (s *Session) Close() error { return nil }

// Accepts is part of media.Leg.
func (s *Session) Accepts(media.Codec) bool { return false }

// Preferred is part of media.Leg.
func (s *Session) Preferred() media.Codec { return media.NoCodec }

// PacketTime is part of media.Leg.
func (s *Session) PacketTime() time.Duration { return 0 }

// Send is part of media.Leg.
func (s *Session) Send(p *media.Packet) {}

// SetSink is part of media.Leg.
func (s *Session) SetSink(media.Sink) {}

// Stats is part of media.Leg.
func (s *Session) Stats() media.Stats { return media.Stats{} }
