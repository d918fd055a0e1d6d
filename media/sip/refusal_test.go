package sip_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	elsewhere := []sip.Trunk{{ID: "far", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d, func(c *sip.Config) { c.Trunks = elsewhere; c.Refusals = 3 })
		p := newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"))
		p.expect("SIP/2.0 403")
		if network == "UDP" { // the rest of a flood is dropped and counted
			for range 10 {
				p.send("OPTIONS", "")
			}
			eventually(t, "flood counted", func() bool { return s.Stats().StrangersDropped >= 5 })
			if n := s.Stats().StrangersRefused; n > 5 {
				t.Errorf("%d answers to a stranger", n)
			}
		}
		// From one moment to the next the stranger is a trunk.
		if err := s.SetTrunks(everyone); err != nil {
			t.Fatal(err)
		}
		p = newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"))
		p.expect("SIP/2.0 100")
		if err := d.next(t).Reject(486, 0); err != nil {
			t.Fatal(err)
		}
		p.expect("SIP/2.0 486")
		p.send("ACK", "")
	})
}

func TestCallOutlivesItsTrunk(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _, _ := answered(t, p, d, p.offer("0"))
	if err := s.SetTrunks(nil); err != nil {
		t.Fatal(err)
	}
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
	ended(t, call, sip.CauseRemoteBye)
}

func TestTrunkWithTheLongestPrefixTakesTheCall(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) {
		c.Trunks = append([]sip.Trunk{}, everyone...)
		c.Trunks = append(c.Trunks, sip.Trunk{ID: "exact", Sources: []netip.Prefix{netip.MustParsePrefix("::ffff:127.0.0.1/128")}, Codecs: []media.Codec{media.PCMA}})
	})
	p := newPhone(t, "UDP", s.udp)
	call, leg, _ := answered(t, p, d, p.offer("0 8"))
	if call.Trunk() != "exact" || leg.Preferred() != media.PCMA {
		t.Errorf("trunk %q, codec %v", call.Trunk(), leg.Preferred())
	}
}

func TestOffersThatCannotBeMet(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	for name, c := range map[string]struct{ sdp, status, contentType string }{
		"opus only":         {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n", "488", ""},
		"SRTP only":         {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0\r\n", "488", ""},
		"video only":        {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 9 RTP/AVP 0\r\n", "488", ""},
		"a name to look up": {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 evil.example\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n", "488", ""},
		"nonsense":          {"v=0\r\nhello\r\n", "400", ""},
		"another body":      {"hello", "415", "text/plain"},
	} {
		p := newPhone(t, "UDP", s.udp)
		invite := p.request("INVITE", c.sdp)
		if c.contentType != "" {
			invite = strings.Replace(invite, "application/sdp", c.contentType, 1)
		}
		p.raw(invite)
		if m := p.expect("SIP/2.0 4"); !strings.HasPrefix(m, "SIP/2.0 "+c.status) {
			t.Errorf("%s: want %s, got %s", name, c.status, m[:15])
		}
		p.send("ACK", "")
	}
	if len(d) > 0 {
		t.Error("the handler was bothered")
	}
	refused := s.Stats().Refused
	for why, want := range map[string]uint64{"no_codec": 1, "no_key": 1, "no_audio": 1, "sdp_address": 1, "bad_sdp": 1, "not_sdp": 1, "draining": 0} {
		if n, counted := refused[why]; n != want || !counted {
			t.Errorf("%d refused for %s, want %d", n, why, want)
		}
	}
	s.Drain()
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	mustContain(t, p.expect("SIP/2.0 503"), "Retry-After: ", `Warning: 399 headroom "no new calls: this side is about to stop"`)
	p.send("ACK", "")
	if n := s.Stats().Refused["draining"]; n != 1 {
		t.Errorf("%d refused for draining", n)
	}
}

func TestKeepAlivesAndUnknownRequests(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1))
		p := newPhone(t, network, s.addr(network))
		p.send("OPTIONS", "")
		m := p.expect("SIP/2.0 200")
		mustContain(t, m, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS", "Accept: application/sdp")
		for method, want := range map[string]string{"REGISTER": "405", "REFER": "405", "PUBLISH": "405", "DANCE": "501"} {
			p.toTag = ""
			p.send(method, "")
			mustContain(t, p.expect("SIP/2.0 "+want), "Allow: INVITE")
		}
		p.toTag = "of-no-dialog"
		for _, method := range []string{"BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "CANCEL"} {
			p.send(method, "")
			if m := p.expect("SIP/2.0 "); !strings.HasPrefix(m, "SIP/2.0 481") {
				t.Errorf("%s outside of a dialog: %s", method, m[:20])
			}
			if method == "INVITE" {
				p.send("ACK", "")
			}
		}
		p.toTag = ""
		p.send("INVITE", p.offer("0"), "Require: 100rel, timer, precondition, gruu")
		mustContain(t, p.expect("SIP/2.0 420"), "Unsupported: precondition, gruu")
	})
}

func TestMalformedRequestsDoNoHarm(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d)
		good := newPhone(t, network, s.addr(network)).request("INVITE", "")
		cut := func(name string) string {
			var out []string
			for line := range strings.SplitSeq(good, "\r\n") {
				if !strings.HasPrefix(line, name) {
					out = append(out, line)
				}
			}
			return strings.Join(out, "\r\n")
		}
		for _, bad := range []string{
			"", "\r\n\r\n", "\x00\x00\x00\x00\x00", "hello\r\n\r\n", "INVITE\r\n\r\n", "INVITE sip:a SIP/2.0\r\n\r\n",
			"SIP/2.0 200 OK\r\n\r\n", "SIP/2.0 9999999999 OK\r\nVia: x\r\n\r\n",
			cut("Via"), cut("From"), cut("To"), cut("Call-ID"), cut("CSeq"), cut("Contact"), cut("Max-Forwards"),
			strings.Replace(good, "CSeq: 1 INVITE", "CSeq: 1 BYE", 1),
			strings.Replace(good, "CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", 1),
			strings.Replace(good, ";tag=caller", "", 1),
			strings.Replace(good, "SIP/2.0\r\n", "SIP/7.0\r\n", 1),
			strings.Replace(good, "sip:100@127.0.0.1", "ftp:100@127.0.0.1", 1),
			strings.Replace(good, "Content-Length: 0", "Content-Length: -5", 1),
			strings.Replace(good, "Content-Length: 0", "Content-Length: 99999", 1),
			strings.Replace(good, "Max-Forwards: 70", "Max-Forwards: 70\r\nRoute: <<<>>>,,\"\r\nRecord-Route: ,;,<sip:\r\nRequire: ,,", 1),
			strings.Replace(good, "Via: ", "Via: SIP/2.0/UDP [::1]:99999;branch=;rport=x, ", 1),
			strings.Replace(good, "<sip:100@127.0.0.1>", strings.Repeat("<", 3000), 1),
		} {
			p := newPhone(t, network, s.addr(network))
			_, _ = p.conn.Write([]byte(bad))
			p.conn.Close()
		}
		// The server still takes a call.
		p := newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"))
		for {
			call := d.next(t)
			if call.ID() == p.id {
				_ = call.Reject(486, 0)
				break
			}
			_ = call.Reject(480, 0)
		}
		p.expect("SIP/2.0 486")
		p.send("ACK", "")
	})
}

func TestOddRequestsFromATrunkAreAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1))
	p := newPhone(t, "UDP", s.udp)
	p.raw(strings.Replace(p.request("INVITE", p.offer("0")), "Content-Length: ", "Content-Length: 9", 1))
	mustContain(t, p.expect("SIP/2.0 400"), "Call-ID: "+p.id, p.branch)
	if got := s.Stats().Unreadable; got != 1 {
		t.Errorf("counted %d", got)
	}
	p.raw(strings.Replace(p.request("OPTIONS", ""), "SIP/2.0\r\n", "SIP/7.0\r\n", 1))
	p.expect("SIP/2.0 505")
	p.send("OPTIONS", "", "CSeq: 2 OPTIONS")
	p.expect("SIP/2.0 400")
	// Odd, and yet to be taken.
	p.raw("\r\n\r\n" + p.request("OPTIONS", ""))
	p.expect("SIP/2.0 200")
	p.toTag = ""
	p.raw(strings.NewReplacer(";tag=", "\r\n ;\r\n  Tag = ", ";branch=", ";Branch=").Replace(p.request("OPTIONS", "")))
	p.expect("SIP/2.0 200")
}

func TestBadConfigIsRefused(t *testing.T) {
	t.Parallel()
	ports := newPorts(t, 1)
	for name, cfg := range map[string]sip.Config{
		"no address": {Ports: ports},
		"no ports":   {UDP: "127.0.0.1:0"},
		"negative":   {UDP: "127.0.0.1:0", Ports: ports, T1: -time.Second},
		"opus trunk": {UDP: "127.0.0.1:0", Ports: ports, Trunks: []sip.Trunk{{Codecs: []media.Codec{media.Opus}}}},
		"no prefix":  {UDP: "127.0.0.1:0", Ports: ports, Trunks: []sip.Trunk{{Sources: []netip.Prefix{{}}}}},
	} {
		if _, err := sip.New(cfg, nil, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	taken := start(t, make(desk))
	s, err := sip.New(sip.Config{UDP: taken.udp.String(), Ports: ports}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("two servers on one address")
	}
}

func TestLogNamesAStrangerWithoutBeingFlooded(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: newPorts(t, 16)}, make(desk, 1), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	running(t, s.Run)
	udp, _ := s.Addrs()
	p := newPhone(t, "UDP", udp)
	for range 3 {
		p.send("OPTIONS", "")
		p.expect("SIP/2.0 403")
	}
	if text := log.String(); strings.Count(text, "no trunk has this address") != 1 || !strings.Contains(text, "source=127.0.0.1:") {
		t.Errorf("three messages from a stranger are logged as:\n%s", text)
	}
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
