package sip

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

var both = []media.Codec{media.PCMU, media.PCMA}

func describe(lines ...string) []byte {
	return []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + strings.Join(lines, "\r\n"))
}

func TestWhatAnOfferSays(t *testing.T) {
	for _, c := range []struct {
		name    string
		lines   []string
		codec   media.Codec
		pt      uint8
		ptime   time.Duration
		event   uint8
		remote  string
		held    bool
		dir     direction
		allowed []media.Codec
	}{
		{name: "static types need no rtpmap", lines: []string{"m=audio 4000 RTP/AVP 8 0"}, codec: media.PCMA, pt: 8},
		{name: "the trunk's codecs bound the choice", lines: []string{"m=audio 4000 RTP/AVP 8 0"}, codec: media.PCMU, allowed: both[:1]},
		{name: "dynamic type", lines: []string{"m=audio 4000 RTP/AVP 18 100", "a=rtpmap:100 pcmu/8000/1"}, codec: media.PCMU, pt: 100},
		{name: "type 0 renamed", lines: []string{"m=audio 4000 RTP/AVP 0 8", "a=rtpmap:0 X/8000"}, codec: media.PCMA, pt: 8},
		{name: "stereo is not G.711", lines: []string{"m=audio 4000 RTP/AVP 100 8", "a=rtpmap:100 PCMU/8000/2"}, codec: media.PCMA, pt: 8},
		{name: "events on the voice clock", lines: []string{"m=audio 4000 RTP/AVP 96 97 0", "a=rtpmap:96 telephone-event/48000", "a=rtpmap:97 telephone-event/8000"}, codec: media.PCMU, event: 97},
		{name: "ptime", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:40"}, codec: media.PCMU, ptime: 40 * time.Millisecond},
		{name: "ptime with a point", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:10.0"}, codec: media.PCMU, ptime: 10 * time.Millisecond},
		{name: "ptime too long", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:200"}, codec: media.PCMU, ptime: 60 * time.Millisecond},
		{name: "ptime too short", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:1"}, codec: media.PCMU, ptime: 10 * time.Millisecond},
		{name: "ptime odd", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:35"}, codec: media.PCMU, ptime: 30 * time.Millisecond},
		{name: "maxptime below ptime", lines: []string{"m=audio 4000 RTP/AVP 0", "a=ptime:60", "a=maxptime:30"}, codec: media.PCMU, ptime: 30 * time.Millisecond},
		{name: "maxptime below the default", lines: []string{"m=audio 4000 RTP/AVP 0", "a=maxptime:10"}, codec: media.PCMU, ptime: 10 * time.Millisecond},
		{name: "the stream's own address", lines: []string{"m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::5"}, codec: media.PCMU, remote: "[2001:db8::5]:4000"},
		{name: "second audio line", lines: []string{"m=image 9 udptl t38", "a=T38FaxVersion:0", "m=audio 5000 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0"}, codec: media.PCMU},
		{name: "first audio line refused", lines: []string{"m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"}, codec: media.PCMU},
		{name: "hold", lines: []string{"m=audio 4000 RTP/AVP 0", "a=sendonly"}, codec: media.PCMU, dir: sendOnly, held: true},
		{name: "hold for the session", lines: []string{"a=inactive", "m=audio 4000 RTP/AVP 0"}, codec: media.PCMU, dir: inactive, held: true},
		{name: "listening only", lines: []string{"m=audio 4000 RTP/AVP 0", "a=recvonly"}, codec: media.PCMU, dir: recvOnly},
		{name: "hold of old", lines: []string{"m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"}, codec: media.PCMU, held: true, remote: "0.0.0.0:4000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ptime == 0 {
				c.ptime = defaultPacketTime
			}
			if c.remote == "" {
				c.remote = "192.0.2.1:4000"
			}
			if c.allowed == nil {
				c.allowed = both
			}
			s, err := parseStream(describe(c.lines...), terms{codecs: c.allowed, keys: new(keyring)})
			if err != nil {
				t.Fatal(err)
			}
			if s.formats[0] != (format{c.codec, c.pt}) || s.packetTime != c.ptime || s.remote.String() != c.remote ||
				s.held() != c.held || s.dir != c.dir || s.event != (c.event != 0) || s.eventType != c.event {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"empty":            {nil, errSDP},
		"huge":             {make([]byte, maxSDPBytes+1), errSDP},
		"no media":         {describe(), errSDP},
		"fax only":         {describe("m=image 4000 udptl t38", "a=T38FaxVersion:0"), errNoAudio},
		"audio refused":    {describe("m=audio 0 RTP/AVP 0", "m=image 4000 udptl t38"), errNoAudio},
		"no codec":         {describe("m=audio 4000 RTP/AVP 18 3"), errNoCodec},
		"no format":        {describe("m=audio 4000 RTP/AVP"), errSDP},
		"port":             {describe("m=audio 70000 RTP/AVP 0"), errSDP},
		"multicast":        {describe("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.0.0.1/127"), errAddress},
		"name":             {describe("m=audio 4000 RTP/AVP 0", "c=IN IP4 example.com"), errAddress},
		"too many streams": {describe(strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", maxSDPStreams+1)), errSDP},
		"too many formats": {describe("m=audio 4000 RTP/AVP" + strings.Repeat(" 0", maxSDPFormats+1)), errSDP},
		"too many lines":   {describe("m=audio 4000 RTP/AVP 0", strings.Repeat("a=x\r\n", maxSDPLines)), errSDP},
		"encrypted only":   {describe("m=audio 4000 RTP/SAVPF 0"), errNoKey},
		"no connection":    {[]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"), errSDP},
	} {
		if _, err := parseStream(c.body, terms{codecs: both, keys: new(keyring)}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzSDP holds what any text from the network must lead to: an error, or a stream whose
// every value is in range and whose answer this side could itself read, saying the same.
func FuzzSDP(f *testing.F) {
	f.Add(string(describe("m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:30", "a=sendonly")))
	f.Add(string(describe("m=image 9 udptl t38", "m=audio 4000 RTP/AVPF 0", "a=maxptime:10", "c=IN IP6 2001:db8::1", "a=inactive")))
	f.Add(string(describe("m=audio 4000 RTP/AVP 100", "a=rtpmap:100 PCMA/8000", "c=IN IP4 0.0.0.0")))
	f.Add(string(describe("m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4", "a=rtcp-mux", "a=rtcp:4001",
		"m=audio 4000 RTP/AVP 0")))
	f.Add(string(describe("a=setup:actpass", "m=audio 4000 UDP/TLS/RTP/SAVPF 0", "a=fingerprint:sha-1 "+strings.Repeat("00:", 19)+"00", "a=tls-id:x")))
	f.Add(string(describe("m=audio 4000 RTP/AVP 0 13 99", "a=rtpmap:99 CN/8000")))
	f.Add("m=")
	f.Fuzz(func(t *testing.T, body string) {
		keys := new(keyring)
		s, err := parseStream([]byte(body), terms{codecs: both, keys: keys})
		if err != nil {
			if rowOf(err) == len(refusals)-1 {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if len(s.formats) == 0 || s.formats[0].codec != media.PCMU && s.formats[0].codec != media.PCMA || s.formats[0].payloadType > 127 || s.eventType > 127 ||
			s.packetTime < minPacketTime || s.packetTime > maxPacketTime || s.packetTime%minPacketTime != 0 ||
			!s.remote.IsValid() || s.remote.Port() == 0 || s.index >= len(s.mlines) || len(s.mlines) > maxSDPStreams {
			t.Fatalf("out of range: %+v", s)
		}
		var p rtp.Params
		if err := keys.settle(s, false, &p); err != nil {
			t.Fatal(err)
		}
		if secret := p.Send.Suite() != rtp.NoSuite || p.DTLS != nil; secret != (s.secrecy.by != plain) || p.Send.Suite() != p.Receive.Suite() ||
			isSecure(s.mlines[s.index].proto) && !secret {
			t.Fatalf("%+v is encrypted by %d, with %v", s.mlines, s.secrecy.by, p.Send.Suite())
		}
		l := local{session: 1, version: 1, addr: s.remote.Addr(), port: 4000, keys: keys}
		text := l.answer(s)
		back, err := parseStream(text, terms{codecs: both, keys: new(keyring)})
		if err != nil {
			t.Fatalf("our own answer: %v\n%s", err, text)
		}
		if back.formats[0] != s.formats[0] || back.event != s.event || back.eventType != s.eventType || back.noise != s.noise || back.noiseType != s.noiseType ||
			back.packetTime != s.packetTime || back.secrecy.by != s.secrecy.by || back.mux != s.mux || back.index != s.index || len(back.mlines) != len(s.mlines) {
			t.Fatalf("answered %+v\nwith %+v\n%s", s, back, text)
		}
		if s.held() && back.dir != recvOnly && back.dir != inactive {
			t.Fatalf("hold answered with %v", back.dir)
		}
	})
}

// FuzzStranger holds that whatever a stranger sends, the answer goes to its own address and is
// a refusal, or a challenge where trunks may call from anywhere, or silence; and that only
// what answers a challenge gets through.
func FuzzStranger(f *testing.F) {
	f.Add(false, "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")
	f.Add(true, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n")
	f.Add(true, "INVITE sip:[::1 SIP/2.0\r\nv: SIP/2.0/TCP a;received=1.2.3.4;rport=1\r\nCSeq: 1 INVITE\r\n\r\n")
	f.Add(true, "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nCSeq: 1 INVITE\r\nAuthorization: Digest username=\"u\", realm=\"headroom\", nonce=\"n\", uri=\"sip:a@b\", response=\"0123456789abcdef0123456789abcdef\", cnonce=\"c\", nc=00000001, qop=auth\r\n\r\n")
	from := sip.TransportReadProps{Transport: "UDP", RemoteAddr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort("198.51.100.7:5060"))}
	f.Fuzz(func(t *testing.T, open bool, packet string) {
		log := slog.New(slog.DiscardHandler)
		fw := firewall{count: func(error) {}, agent: "headroom", log: log, bans: newBans(log), gate: newGate(Config{NonceLife: time.Minute, Refusals: 5}, log), limit: limiter{rate: 5},
			inCall: func(netip.Addr) bool { return false }, tag: func(*sip.Request) string { return "ours" }}
		fw.gate.trunks = fw.trunks.Load
		var trunks []Trunk
		if open {
			trunks = []Trunk{{ID: "t", Digest: Digest{Login: digest.Login{Username: "u", Password: "p"}}}}
		}
		fw.trunks.Store(newTrunkTable(trunks))
		var answers []*sip.Response
		fw.refuse = func(_ sip.TransportReadProps, res *sip.Response) { answers = append(answers, res) }
		if through, err := fw.filter(from, []byte(packet)); err != nil || len(through) > 0 {
			t.Fatalf("%q gets through, %v", through, err)
		}
		if len(answers) > 1 {
			t.Fatalf("%d answers", len(answers))
		}
		for _, res := range answers {
			asked := open && (res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusBadRequest)
			if !asked && res.StatusCode != sip.StatusForbidden || res.Destination() != "198.51.100.7:5060" {
				t.Fatalf("%d to %s", res.StatusCode, res.Destination())
			}
			if n := len(res.String()); n > 2*len(packet)+800 {
				t.Fatalf("%d bytes answered with %d", len(packet), n)
			}
		}
	})
}

func TestCommaLists(t *testing.T) {
	for in, want := range map[string]string{
		`a, b`:                        "a|b",
		`"x, y" <sip:a@b;c=d,e>, <f>`: `"x, y" <sip:a@b;c=d,e>|<f>`,
		`"q\", r", s`:                 `"q\", r"|s`,
		`,, ,`:                        "",
		`>,<`:                         ">|<",
	} {
		if got := strings.Join(splitList(in), "|"); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
