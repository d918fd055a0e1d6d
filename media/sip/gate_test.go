package sip_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

var (
	branchLogin = digest.Login{Username: "branch", Password: "open sesame"}
	branch      = sip.Trunk{ID: "branch-office", Digest: sip.Digest{Login: branchLogin}}
)

func withTrunks(trunks ...sip.Trunk) func(*sip.Config) {
	return func(c *sip.Config) { c.Trunks = trunks }
}

func outcome(s *site, name string) uint64 {
	n, there := s.Stats().Digest[name]
	if !there {
		panic("no outcome " + name)
	}
	return n
}

// challenges are those of a 401, as they stand in it.
func challenges(t *testing.T, m string) (out []digest.Challenge) {
	t.Helper()
	for line := range strings.SplitSeq(m, "\r\n") {
		if v, ok := strings.CutPrefix(line, "WWW-Authenticate: "); ok {
			c, err := digest.ParseChallenge(v)
			if err != nil {
				t.Fatalf("%q: %v", v, err)
			}
			out = append(out, c)
		}
	}
	if len(out) != 2 || out[0].Algorithm != digest.SHA256 || out[1].Algorithm != digest.MD5 || !out[0].Auth || out[0].Realm != sip.DefaultRealm || out[0].Stale != out[1].Stale {
		t.Fatalf("challenges %+v in\n%s", out, m)
	}
	return out
}

// asked sends a request without a password and gives the challenge that comes back.
func (p *phone) asked(method string) []digest.Challenge {
	p.t.Helper()
	p.send(method, "")
	m := p.expect("SIP/2.0 401")
	if method == "INVITE" {
		p.toTag = ""
		p.send("ACK", "")
	}
	p.cseq++
	return challenges(p.t, m)
}

func answerTo(c digest.Challenge, who digest.Login, method string, count uint32) string {
	return "Authorization: " + digest.Answer(c, who, method, "sip:100@127.0.0.1", "cnonce", count).String()
}

// options sends an OPTIONS outside of any dialog with a header, and expects a status.
func (p *phone) options(header, status string) string {
	p.t.Helper()
	p.toTag = ""
	p.cseq++
	p.send("OPTIONS", "", header)
	return p.expect("SIP/2.0 " + status)
}

func TestATrunkCallsFromAnywhereWithItsPassword(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		for i, algorithm := range []digest.Algorithm{digest.SHA256, digest.MD5} {
			d := make(desk, 1)
			s := start(t, d, withTrunks(branch))
			p := newPhone(t, network, s.addr(network))
			c := p.asked("INVITE")[i]
			if c.Algorithm != algorithm || c.Stale {
				t.Fatalf("%+v", c)
			}
			p.send("INVITE", p.offer("0"), "Authorization: Basic eDp5", answerTo(c, branchLogin, "INVITE", 1))
			call := d.next(t)
			if call.Trunk() != "branch-office" {
				t.Errorf("trunk %q", call.Trunk())
			}
			if _, err := call.Answer(within(t)); err != nil {
				t.Fatal(err)
			}
			p.expect("SIP/2.0 200")
			p.send("ACK", "")
			p.cseq++
			p.send("INVITE", p.offer("0")) // in the dialog, without a password
			p.expect("SIP/2.0 200")
			p.send("ACK", "")
			p.cseq++
			p.send("BYE", "")
			p.expect("SIP/2.0 200")
			ended(t, call, sip.CauseRemoteBye)
			if got := s.Stats().Digest; got["challenged"] != 1 || got["accepted"] != 1 {
				t.Errorf("%v", got)
			}
		}
	})
}

func TestACallWithAPasswordCanBeCancelledAndRefused(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d, withTrunks(branch))
		p := newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], branchLogin, "INVITE", 1))
		call := d.next(t)
		p.expect("SIP/2.0 100")
		p.send("CANCEL", "")
		p.expect("SIP/2.0 487")
		p.send("ACK", "")
		ended(t, call, sip.CauseCancelled)

		p = newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], branchLogin, "INVITE", 1))
		if err := d.next(t).Reject(486, 0); err != nil {
			t.Fatal(err)
		}
		p.expect("SIP/2.0 486")
		p.send("ACK", "") // gets through, though the call is gone: 486 comes no more
		if network == "UDP" {
			quiet(t, p)
		}
	})
}

// quiet holds that nothing more comes, for longer than it takes to repeat a response.
func quiet(t *testing.T, p *phone) {
	t.Helper()
	for {
		select {
		case m := <-p.in:
			if strings.HasPrefix(m, "SIP/2.0 486") { // one may have crossed the ACK
				continue
			}
			t.Fatalf("still comes:\n%s", m)
		case <-time.After(600 * time.Millisecond):
			return
		}
	}
}

func TestAWrongPasswordIsRefusedAndLoggedAsWhatItIs(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		var log syncBuffer
		s := startLogged(t, &log, branch)
		p := newPhone(t, network, s.addr(network))
		c := p.asked("OPTIONS")[0]
		wrong := digest.Login{Username: "branch", Password: "open barley"}
		var response string
		for i := range 4 {
			header := answerTo(c, wrong, "OPTIONS", uint32(i+1))
			_, response, _ = strings.Cut(header, `response="`)
			if next := challenges(t, p.options(header, "401")); next[0].Stale {
				t.Error("told to try again with the same password")
			}
		}
		p.options(answerTo(c, digest.Login{Username: "hunter2", Password: "x"}, "OPTIONS", 5), "401")
		p.options(answerTo(c, wrong, "OPTIONS", 6), "403") // by now it is told nothing more
		p.options(answerTo(c, digest.Login{Username: "hunter2", Password: "x"}, "OPTIONS", 7), "403")
		p.options(answerTo(c, branchLogin, "OPTIONS", 8), "200") // and yet who knows the password is heard
		got := s.Stats().Digest
		if got["wrong_password"] != 4 || got["unknown_user"] != 1 || got["locked_out"] != 2 || got["accepted"] != 1 {
			t.Errorf("%v", got)
		}
		text := log.String()
		for _, want := range []string{"the password is wrong", "no trunk has this username", "too many wrong answers", "trunk=branch-office", "source=127.0.0.1:"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		for _, secret := range []string{"sesame", "barley", "hunter2", response[:32], "nonce"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the log:\n%s", secret, text)
			}
		}
	})
}

func startLogged(t *testing.T, log *syncBuffer, trunks ...sip.Trunk) *site {
	t.Helper()
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: newPorts(t, 4), Trunks: trunks}, make(desk, 1), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	running(t, s.Run)
	st := &site{Server: s}
	st.udp, st.tcp = s.Addrs()
	return st
}

func TestAnAnswerThatComesLateIsAskedForAgain(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withTrunks(branch), func(c *sip.Config) { c.NonceLife = 100 * time.Millisecond })
		p := newPhone(t, network, s.addr(network))
		c := p.asked("OPTIONS")[0]
		<-time.After(150 * time.Millisecond) // the nonce's life is real time
		again := challenges(t, p.options(answerTo(c, branchLogin, "OPTIONS", 1), "401"))
		if !again[0].Stale || again[0].Nonce == c.Nonce {
			t.Fatalf("%+v", again)
		}
		p.options(answerTo(again[0], branchLogin, "OPTIONS", 1), "200")
		// A wrong password is not told to hurry.
		<-time.After(150 * time.Millisecond)
		if m := challenges(t, p.options(answerTo(again[0], digest.Login{Username: "branch", Password: "x"}, "OPTIONS", 2), "401")); m[0].Stale {
			t.Error("stale with a wrong password")
		}
		// Nor is a nonce of before a restart held against its owner.
		if m := challenges(t, p.options(answerTo(digest.Challenge{Realm: sip.DefaultRealm, Nonce: "abc", Algorithm: digest.MD5, Auth: true}, branchLogin, "OPTIONS", 1), "401")); !m[0].Stale {
			t.Error("a nonce of another time is taken for a wrong password")
		}
		if got := s.Stats().Digest; got["stale"] != 1 || got["unknown_nonce"] != 1 || got["wrong_password"] != 1 || got["accepted"] != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestAnAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d, withTrunks(branch))
		p := newPhone(t, network, s.addr(network))
		c := p.asked("INVITE")[1]
		overheard := answerTo(c, branchLogin, "INVITE", 1)
		p.send("INVITE", p.offer("0"), overheard)
		if err := d.next(t).Reject(486, 0); err != nil {
			t.Fatal(err)
		}
		p.expect("SIP/2.0 486")
		p.send("ACK", "")
		for range 6 { // more often than wrong answers are borne: a replay is no wrong answer
			p = newPhone(t, network, s.addr(network))
			p.send("INVITE", p.offer("0"), overheard)
			if m := challenges(t, p.expect("SIP/2.0 401")); !m[0].Stale {
				t.Error("the owner of a worn answer is not told to make another")
			}
			p.send("ACK", "")
		}
		p = newPhone(t, network, s.addr(network))
		p.cseq = 7
		p.send("OPTIONS", "", answerTo(c, branchLogin, "OPTIONS", 2)) // the next count of the same nonce
		p.expect("SIP/2.0 200")
		if got := outcome(s, "replayed"); got != 6 || len(d) > 0 {
			t.Errorf("replayed %d, calls %d", got, len(d))
		}
	})
}

func TestAnswersThatFitNothingAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withTrunks(branch))
	p := newPhone(t, "UDP", s.udp)
	c := p.asked("OPTIONS")[1]
	header := "Authorization: " + digest.Answer(c, branchLogin, "OPTIONS", "sip:0900666@127.0.0.1", "x", 1).String()
	p.options(header, "400")
	p.options(strings.Replace(answerTo(c, branchLogin, "OPTIONS", 2), "qop=auth", "qop=none", 1), "400")
	p.options(answerTo(c, branchLogin, "BYE", 3), "401") // made for another method
	p.options("Authorization: Digest realm=\"other\"", "400")
	p.options("Authorization: "+digest.Answer(digest.Challenge{Realm: "other", Nonce: "n", Algorithm: digest.MD5, Auth: true}, branchLogin, "OPTIONS", "sip:100@127.0.0.1", "x", 1).String(), "401")
	if got := s.Stats().Digest; got["wrong_target"] != 1 || got["malformed"] != 2 || got["wrong_password"] != 1 || got["challenged"] != 2 {
		t.Errorf("%v", got)
	}
	p.options(answerTo(c, branchLogin, "OPTIONS", 9), "200")
}

// phoneAt is a phone at another address of loopback.
func phoneAt(t *testing.T, addr string, server netip.AddrPort) *phone {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(addr)}}
	conn, err := d.DialContext(t.Context(), "udp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &phone{t: t, network: "UDP", conn: conn, in: make(chan string, 64), cseq: 1, rtpPort: 9, id: fmt.Sprintf("%d-%s", time.Now().UnixNano(), conn.LocalAddr())}
	go p.read()
	return p
}

func TestATrunkWithAddressAndPasswordNeedsBoth(t *testing.T) {
	t.Parallel()
	carrier := sip.Trunk{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Digest: sip.Digest{Login: digest.Login{Username: "c", Password: "c c"}}}
	pbx := sip.Trunk{ID: "pbx", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}}
	d := make(desk, 1)
	s := start(t, d, withTrunks(carrier, pbx, branch))

	p := phoneAt(t, "127.0.0.2", s.udp)
	p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], carrier.Digest.Login, "INVITE", 1))
	call := d.next(t)
	if call.Trunk() != "carrier" {
		t.Errorf("trunk %q", call.Trunk())
	}
	_ = call.Reject(486, 0)
	p.expect("SIP/2.0 486")
	p.send("ACK", "")
	p = phoneAt(t, "127.0.0.2", s.udp)
	p.options(answerTo(p.asked("OPTIONS")[0], branchLogin, "OPTIONS", 1), "401") // another's password
	p.send("CANCEL", "")
	p.expect("SIP/2.0 481")
	p.toTag = "of-no-dialog"
	p.send("BYE", "")
	p.expect("SIP/2.0 481")
	p.send("REFER", "")
	p.expect("SIP/2.0 481")

	p = phoneAt(t, "127.0.0.4", s.udp) // the right password in the wrong place
	p.options(answerTo(p.asked("OPTIONS")[0], carrier.Digest.Login, "OPTIONS", 1), "401")
	if got := outcome(s, "wrong_source"); got != 2 {
		t.Errorf("wrong_source %d", got)
	}
	p = phoneAt(t, "127.0.0.3", s.udp) // and a trunk without a password is asked for none
	p.send("OPTIONS", "")
	p.expect("SIP/2.0 200")
}

func TestAPhoneThatMindsNoRealmGetsThroughWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	desk1 := sip.Trunk{ID: "desk", Digest: sip.Digest{Login: digest.Login{Username: "desk", Password: "d d"}, Realm: "desk.example"}}
	s := start(t, make(desk, 1), withTrunks(branch, desk1))
	p := newPhone(t, "UDP", s.udp)
	p.send("OPTIONS", "")
	m := p.expect("SIP/2.0 401")
	mustContain(t, m, `realm="desk.example"`, `realm="headroom"`)
	nonce, err := digest.ParseChallenge(header(m, "WWW-Authenticate"))
	if err != nil || nonce.Realm != sip.DefaultRealm {
		t.Fatal(nonce, err)
	}
	p.options(answerTo(nonce, desk1.Digest.Login, "OPTIONS", 1), "200")
	nonce.Realm = "desk.example"
	p.options(answerTo(nonce, desk1.Digest.Login, "OPTIONS", 2), "200")
	nonce.Realm = "elsewhere.example"
	p.options(answerTo(nonce, desk1.Digest.Login, "OPTIONS", 3), "401")
}

func TestStrangersAreNotAskedWhereNoTrunkMayCallFromAnywhere(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withTrunks(sip.Trunk{ID: "far", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Digest: branch.Digest}))
		p := newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"))
		if m := p.expect("SIP/2.0 4"); !strings.HasPrefix(m, "SIP/2.0 403") || strings.Contains(m, "WWW-Authenticate") {
			t.Errorf("%s", m)
		}
	})
}

func TestStrangersAreAskedWithinBoundsAndForCallsOnly(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withTrunks(branch), func(c *sip.Config) { c.Refusals = 3 })
	p := newPhone(t, "UDP", s.udp)
	p.send("REGISTER", "")
	if m := p.expect("SIP/2.0 4"); !strings.HasPrefix(m, "SIP/2.0 403") || strings.Contains(m, "WWW-Authenticate") {
		t.Errorf("%s", m)
	}
	p.send("ACK", "")
	c := p.asked("OPTIONS")[0]
	for range 50 {
		p.send("OPTIONS", "")
	}
	eventually(t, "the flood is dropped", func() bool { return s.Stats().StrangersDropped >= 40 })
	if n := outcome(s, "challenged"); n > 6 {
		t.Errorf("%d challenges to one source", n)
	}
	p.options(answerTo(c, branchLogin, "OPTIONS", 1), "200") // a right answer gets through the flood
	p.toTag = ""
	for range 10 { // and from then on so do its questions
		p.send("OPTIONS", "")
		p.expect("SIP/2.0 401")
	}
}

func TestAStrangerOverTCPMaySayLittle(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withTrunks(branch))
	p := newPhone(t, "TCP", s.tcp)
	p.send("REGISTER", "")
	p.expect("SIP/2.0 403")
	_, _ = p.conn.Write([]byte(p.request("OPTIONS", strings.Repeat("x", 80<<10))))
	for range p.in { // until the connection is closed
	}
	// One that has shown a password may go on.
	p = newPhone(t, "TCP", s.tcp)
	c := p.asked("OPTIONS")[0]
	for i := range uint32(100) {
		p.options(answerTo(c, branchLogin, "OPTIONS", i+1)+"\r\nX: "+strings.Repeat("x", 1000), "200")
	}
}

func TestOurOwnCallsAnswerAChallenge(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(branch))
	client := newClient(t)
	for _, target := range []string{"sip:100@" + s.udp.String(), "sip:100@" + s.tcp.String() + ";transport=tcp"} {
		out := dial(within(t), client, sip.Outgoing{Target: target, Login: branchLogin})
		call := d.next(t)
		if _, err := call.Answer(within(t)); err != nil {
			t.Fatal(err)
		}
		got := <-out
		if got.err != nil {
			t.Fatal(got.err)
		}
		if err := got.call.Hangup(within(t)); err != nil {
			t.Error(err)
		}
		ended(t, call, sip.CauseRemoteBye)
		for _, who := range []digest.Login{{Username: "branch", Password: "wrong"}, {Username: "nobody", Password: "x"}, {}} {
			var refused *sip.RejectedError
			if got := <-dial(within(t), client, sip.Outgoing{Target: target, Login: who}); !errors.As(got.err, &refused) || refused.Status != 401 {
				t.Errorf("%s: %v", who, got.err)
			}
		}
	}
	if got := s.Stats().Digest; got["challenged"] != 8 || got["accepted"] != 2 || got["wrong_password"] != 2 || got["unknown_user"] != 2 {
		t.Errorf("%v", got)
	}
}
