package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/e164"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

func TestWhoCallsIsWhatATrunkThatIsBelievedSays(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	trunk := everyone[0]
	trunk.Numbers = e164.Plan{Country: "49", National: "0"}
	doubted := trunk
	doubted.Doubted = true
	believed, doubting := start(t, d, withTrunks(trunk)), start(t, d, withTrunks(doubted))
	for name, c := range map[string]struct {
		headers        []string
		want, doubting sip.Identity
	}{
		"nothing but From": {nil, sip.Identity{Number: "+4930123", Name: "Ada"}, sip.Identity{Number: "+4930123", Name: "Ada"}},
		"asserted": {[]string{`P-Asserted-Identity: "Grace" <sip:030999999@carrier.example>, <tel:+49-30-888888>`},
			sip.Identity{Number: "+4930999999", Name: "Grace", Asserted: true}, sip.Identity{Number: "+4930123", Name: "Ada"}},
		"asserted as a telephone": {[]string{`P-Asserted-Identity: <tel:+49-30-888888>`},
			sip.Identity{Number: "+4930888888", Asserted: true}, sip.Identity{Number: "+4930123", Name: "Ada"}},
		"in the old way": {[]string{`Remote-Party-ID: "Called" <sip:1@x>;party=called, "Grace" <sip:004420794601@carrier.example>;party=calling;screen=yes;privacy=off`},
			sip.Identity{Number: "+4420794601", Name: "Grace", Asserted: true}, sip.Identity{Number: "+4930123", Name: "Ada"}},
		"in the old way, unknown": {[]string{`Remote-Party-ID: <sip:030999999@carrier.example>;party=calling;privacy="full"`},
			sip.Identity{Asserted: true, Private: true}, sip.Identity{Private: true}},
		"unknown": {[]string{`P-Asserted-Identity: <sip:030999999@carrier.example>`, "Privacy: critical; id"},
			sip.Identity{Asserted: true, Private: true}, sip.Identity{Private: true}},
		"passed on": {[]string{`Diversion: <sip:030111111@x>;reason=no-answer;counter=1, "Desk" <tel:+4930222222>;reason="user-busy"`},
			sip.Identity{Number: "+4930123", Name: "Ada", Diverted: []sip.Diversion{{Number: "+4930111111", Reason: "no-answer"}, {Number: "+4930222222", Reason: "user-busy"}}},
			sip.Identity{Number: "+4930123", Name: "Ada"}},
		"passed on, with its history": {[]string{`History-Info: <sip:030111111@x>;index=1, <sip:030222222@x;cause=302>;index=1.1`, `History-Info: <sip:030333333@x;cause=486>;index=1.2`},
			sip.Identity{Number: "+4930123", Name: "Ada", Diverted: []sip.Diversion{{Number: "+4930222222", Reason: "user-busy"}, {Number: "+4930111111", Reason: "unconditional"}}},
			sip.Identity{Number: "+4930123", Name: "Ada"}},
		"passed on by one who stays unknown": {[]string{`History-Info: <sip:030111111@x?Privacy=history>;index=1, <sip:030222222@x;cause=408>;index=1.1`},
			sip.Identity{Number: "+4930123", Name: "Ada", Diverted: []sip.Diversion{{Reason: "no-answer"}}},
			sip.Identity{Number: "+4930123", Name: "Ada"}},
	} {
		for _, side := range []struct {
			s    *site
			want sip.Identity
		}{{believed, c.want}, {doubting, c.doubting}} {
			p := newPhone(t, "UDP", side.s.udp)
			p.id += name
			p.send("INVITE", p.offer("0"), c.headers...)
			call := d.next(t)
			if got := call.Identity(); !reflect.DeepEqual(got, side.want) {
				t.Errorf("%s: %+v, want %+v", name, got, side.want)
			}
			_ = call.Reject(486, 0)
			p.expect("SIP/2.0 486")
			p.send("ACK", "")
		}
	}
}

func TestACallToTheNameWeAreRegisteredByIsForTheNumberInTo(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	trunk := everyone[0]
	trunk.Registered = "100" // what the phone calls
	s := start(t, d, withTrunks(trunk))
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), "P-Called-Party-ID: <sip:+4930555@carrier.example>")
	call := d.next(t)
	if call.To() != "+4930555" {
		t.Errorf("called %q", call.To())
	}
}

func TestATrunkCarriesNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	d := make(desk, 8)
	trunk := everyone[0]
	trunk.Limits = sip.Limits{Calls: 2}
	s := start(t, d, withTrunks(trunk))
	far := newCallee(t)
	out := dial(within(t), s.Client(), sip.Outgoing{Target: far.target(), Trunk: trunk.ID})
	invite := far.expectRequest("INVITE")
	in := newPhone(t, "UDP", s.udp)
	in.send("INVITE", in.offer("0"))
	first := d.next(t)
	third := newPhone(t, "UDP", s.udp)
	third.id += "third"
	third.send("INVITE", third.offer("0"))
	mustContain(t, third.expect("SIP/2.0 486"), "Retry-After: 10")
	third.send("ACK", "")
	var full *sip.LimitError
	if _, err := s.Client().Dial(within(t), sip.Outgoing{Target: far.target(), Trunk: trunk.ID}); !errors.As(err, &full) || full.Trunk != trunk.ID {
		t.Errorf("a call out beyond the limit: %v", err)
	}
	if st := s.Trunks()[trunk.ID]; st.Calls != 2 || st.In != 1 || st.Out != 1 || st.Refused["calls"] != 2 || st.Refused["rate"] != 0 {
		t.Errorf("%+v", st)
	}
	far.reply(invite, "486 Busy Here", "a", "")
	<-out
	_ = first.Hangup(within(t))
	eventually(t, "its places free", func() bool { return s.Trunks()[trunk.ID].Calls == 0 })

	trunk.Limits = sip.Limits{PerSecond: 1}
	if err := s.SetTrunks([]sip.Trunk{trunk}); err != nil {
		t.Fatal(err)
	}
	refused := false
	for i := 0; i < 20 && !refused; i++ {
		p := newPhone(t, "UDP", s.udp)
		p.id += fmt.Sprint("rate", i)
		p.send("INVITE", p.offer("0"))
		select {
		case c := <-d:
			_ = c.Reject(486, 0)
		case m := <-p.in:
			if header(m, "Retry-After") == "1" {
				mustContain(t, m, "SIP/2.0 503")
				refused = true
			}
		case <-time.After(patience):
			t.Fatal("no answer")
		}
	}
	if !refused {
		t.Error("twenty calls at once were taken, of one a second")
	}
}

func TestAskingFromTheServersSocketLetsTheAnswerThroughAndNothingElse(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(sip.Trunk{ID: "away", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}))
	far := newCallee(t)
	via := locate.Target{Transport: "UDP", Addr: netip.MustParseAddrPort(far.socket.LocalAddr().String())}
	type answer struct {
		reply *sip.Reply
		err   error
	}
	got := make(chan answer, 1)
	ask := func() {
		r, err := s.Client().Ask(within(t), sip.Request{Method: "OPTIONS", URI: far.target(), Via: via, Contact: "me", Headers: []sip.Header{{Name: "Accept", Value: "application/sdp"}}})
		got <- answer{r, err}
	}
	go ask()
	req := far.expectRequest("OPTIONS")
	mustContain(t, req, "Contact: <sip:me@"+s.udp.String()+">", "Accept: application/sdp", "CSeq: 1 OPTIONS")
	if far.from != s.udp {
		t.Errorf("asked from %v, not from %v", far.from, s.udp)
	}
	far.reply(req, "404 Not Found", "a", "", `WWW-Authenticate: Digest realm="a", nonce="b"`, "Retry-After: 7")
	a := <-got
	if a.err != nil || a.reply.Status != 404 || a.reply.RetryAfter() != 7*time.Second || a.reply.Fields("WWW-Authenticate")[0] != `Digest realm="a", nonce="b"` {
		t.Errorf("%+v, %v", a.reply, a.err)
	}

	p := newPhone(t, "UDP", s.udp) // the same address, which is a stranger's again
	p.send("INVITE", p.offer("0"))
	p.expect("SIP/2.0 403")
	s.SetMet(map[string][]netip.Addr{"away": {loopback}, "nobody": {netip.MustParseAddr("192.0.2.7")}})
	p = newPhone(t, "UDP", s.udp)
	p.id += "met"
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if call.Trunk() != "away" {
		t.Errorf("trunk %q", call.Trunk())
	}
	_ = call.Hangup(within(t))

	_ = far.socket.Close()
	go ask()
	if a := <-got; !errors.Is(a.err, sip.ErrNoReply) {
		t.Errorf("nobody listens: %v", a.err)
	}
	mute := newCallee(t)
	go func() {
		r, err := s.Client().Ask(context.Background(), sip.Request{Method: "OPTIONS", URI: mute.target(), Via: locate.Target{Transport: "UDP", Addr: netip.MustParseAddrPort(mute.socket.LocalAddr().String())}})
		got <- answer{r, err}
	}()
	mute.expectRequest("OPTIONS")
	defer func() {
		s.stop() // does not wait for who never answers
		if a := <-got; !errors.Is(a.err, sip.ErrEnded) {
			t.Errorf("the server has stopped: %v", a.err)
		}
		go ask()
		if a := <-got; a.err == nil {
			t.Error("a server that has stopped asked")
		}
	}()
	for _, bad := range []sip.Request{{Method: "OPTIONS", URI: "hello"}, {Method: "OPTIONS", URI: far.target()},
		{Method: "OPTIONS", URI: far.target(), Via: via, Headers: []sip.Header{{Name: "X", Value: "a\r\nEvil: b"}}}} {
		if _, err := s.Client().Ask(within(t), bad); !errors.Is(err, sip.ErrRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
