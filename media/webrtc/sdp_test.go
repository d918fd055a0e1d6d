package webrtc

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// chromiumOffer has the shape of Chromium 140's audio-only offer: dynamic payload
// types, RED, telephone-event, header extensions, mDNS candidates.
var chromiumOffer = strings.ReplaceAll(`v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:3021388231 1 udp 2113937151 5a1ad8bf-1b7a-4b6a-8a46-58c5a47a8ddc.local 45236 typ host generation 0 network-cost 999
a=ice-ufrag:aF1d
a=ice-pwd:8d0Jb7SkUvT6kW7T2bTe1xZb
a=ice-options:trickle
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6
a=ssrc:3570614608 msid:stream track
`, "\n", "\r\n")

func TestChromiumsOfferIsAnsweredOpusFirst(t *testing.T) {
	g := newGateway(t, Config{})
	peer, answer, err := g.Accept(t.Context(), chromiumOffer)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 9 13 110 126\r\n") {
		t.Errorf("codecs in the answer:\n%s", answer)
	}
	for _, want := range []string{"a=ice-lite", "a=setup:passive", "a=sendrecv", "a=rtcp-mux", "maxplaybackrate=16000"} {
		if !strings.Contains(answer, want) {
			t.Errorf("answer lacks %s", want)
		}
	}
	if got := peer.PacketTime(); got != 20*time.Millisecond {
		t.Errorf("packet time %v", got)
	}
}

func TestOffersThatAreRefused(t *testing.T) {
	g := newGateway(t, Config{})
	section := chromiumOffer[strings.Index(chromiumOffer, "m=audio"):]
	noCodec := chromiumOffer
	for _, pt := range []string{" 111", " 9 0 8 13"} {
		noCodec = strings.Replace(noCodec, pt, "", 1)
	}
	for _, bad := range []struct{ name, sdp string }{
		{"nothing", ""},
		{"noise", "\x00\x01\x02"},
		{"too large", chromiumOffer + strings.Repeat("a=x\r\n", maxSDP/5)},
		{"no audio", chromiumOffer[:strings.Index(chromiumOffer, "m=audio")]},
		{"two audio sections", chromiumOffer + strings.Replace(section, "a=mid:0", "a=mid:1", 1)},
		{"video", strings.Replace(chromiumOffer, "m=audio", "m=video", 1)},
		{"data", chromiumOffer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n"},
		{"lite on both sides", strings.Replace(chromiumOffer, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 1)},
		{"too many payload types", strings.Replace(chromiumOffer, " 126\r\n", strings.Repeat(" 126", 64)+"\r\n", 1)},
		{"no codec in common", noCodec},
		{"no fingerprint", strings.Replace(chromiumOffer, "a=fingerprint", "a=x-fingerprint", 1)},
		{"no ICE password", strings.Replace(chromiumOffer, "a=ice-pwd", "a=x-ice-pwd", 1)},
	} {
		t.Run(bad.name, func(t *testing.T) {
			if _, _, err := g.Accept(t.Context(), bad.sdp); !errors.Is(err, ErrOffer) {
				t.Errorf("got %v, want ErrOffer", err)
			}
		})
	}
	if n := g.Peers(); n != 0 {
		t.Errorf("%d peers held by refused offers", n)
	}
}

func TestPacketTimeIsTheOffers(t *testing.T) {
	for text, want := range map[string]time.Duration{"40": 40 * time.Millisecond, "10": 10 * time.Millisecond, "0": 20 * time.Millisecond, "61": 20 * time.Millisecond, "x": 20 * time.Millisecond} {
		o, err := readOffer(chromiumOffer + "a=ptime:" + text + "\r\n")
		if err != nil || o.packetTime != want {
			t.Errorf("ptime %s: %v, %v", text, o.packetTime, err)
		}
	}
}

// FuzzOffer: whatever comes, readOffer keeps its promises: one audio section, no
// candidate, no growth past the bound that its own check would refuse again.
func FuzzOffer(f *testing.F) {
	f.Add(chromiumOffer)
	f.Add("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=ptime:30\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := readOffer(text)
		if err != nil {
			if !errors.Is(err, ErrOffer) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if strings.Contains(o.sdp, "\na=candidate") || strings.Count(o.sdp, "\nm=") != 1 {
			t.Fatalf("kept a candidate or a second section:\n%s", o.sdp)
		}
		if o.packetTime < 10*time.Millisecond || o.packetTime > 60*time.Millisecond {
			t.Fatalf("packet time %v", o.packetTime)
		}
	})
}
