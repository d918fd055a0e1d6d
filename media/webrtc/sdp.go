package webrtc

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
)

// Bounds on what a peer may describe.
const (
	maxSDP     = 16 << 10 // bytes; Chromium's audio-only offer is about 2 KiB
	maxFormats = 64       // payload types in the audio section
	maxPacket  = 1500     // bytes of an SRTP packet
)

// offer is a session description that has passed the checks.
type offer struct {
	sdp        string
	packetTime time.Duration
}

// readOffer takes exactly one audio section and nothing else that is alive. What an
// ICE-lite endpoint has no use for is cut out before Pion sees it: candidates (the
// peer's checks tell where it is, and no address of its choosing is ever contacted)
// and simulcast.
func readOffer(text string) (offer, error) {
	if text == "" || len(text) > maxSDP {
		return offer{}, fmt.Errorf("%w: %d bytes, at most %d", ErrOffer, len(text), maxSDP)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return offer{}, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if len(d.MediaDescriptions) != 1 || d.MediaDescriptions[0].MediaName.Media != "audio" {
		return offer{}, fmt.Errorf("%w: exactly one audio section is needed", ErrOffer)
	}
	m := d.MediaDescriptions[0]
	if n := len(m.MediaName.Formats); n == 0 || n > maxFormats {
		return offer{}, fmt.Errorf("%w: %d payload types", ErrOffer, n)
	}
	if _, lite := d.Attribute(sdp.AttrKeyICELite); lite {
		return offer{}, fmt.Errorf("%w: one side must do full ICE", ErrOffer)
	}
	o := offer{packetTime: packetTime(m)}
	d.Attributes = without(d.Attributes, "candidate", "end-of-candidates")
	m.Attributes = without(m.Attributes, "candidate", "end-of-candidates", "remote-candidates", "rid", "simulcast")
	clean, err := d.Marshal()
	if err != nil {
		return offer{}, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	o.sdp = string(clean)
	return o, nil
}

// packetTime reads a=ptime in whole milliseconds; 20 ms (RFC 3551, RFC 7587) when absent or odd.
func packetTime(m *sdp.MediaDescription) time.Duration {
	if text, ok := m.Attribute("ptime"); ok {
		if ms, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && ms >= 10 && ms <= 60 && ms%10 == 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 20 * time.Millisecond
}

func without(attributes []sdp.Attribute, keys ...string) []sdp.Attribute {
	kept := attributes[:0]
next:
	for _, a := range attributes {
		for _, key := range keys {
			if a.Key == key {
				continue next
			}
		}
		kept = append(kept, a)
	}
	return kept
}

// advertise puts the given addresses in place of the answer's candidates; tcpPort 0 is none.
func advertise(answer string, addrs []netip.Addr, port, tcpPort uint16) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", fmt.Errorf("advertise: %w", err)
	}
	for _, m := range d.MediaDescriptions {
		m.Attributes = without(m.Attributes, "candidate", "end-of-candidates")
		for i, addr := range addrs {
			// RFC 8445 section 5.1.2: type preference 126 for a host, the local preference orders them.
			priority := 126<<24 | (65535-i)<<8 | 255
			m.Attributes = append(m.Attributes, sdp.NewAttribute("candidate",
				fmt.Sprintf("%d 1 udp %d %s %d typ host", i+1, priority, addr, port)))
			if tcpPort != 0 { // RFC 6544 section 4.2: below UDP; passive is direction preference 4
				priority = 99<<24 | (4<<13+8191-i)<<8 | 255
				m.Attributes = append(m.Attributes, sdp.NewAttribute("candidate",
					fmt.Sprintf("%d 1 tcp %d %s %d typ host tcptype passive", len(addrs)+i+1, priority, addr, tcpPort)))
			}
		}
		m.Attributes = append(m.Attributes, sdp.NewPropertyAttribute("end-of-candidates"))
	}
	text, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("advertise: %w", err)
	}
	return string(text), nil
}
