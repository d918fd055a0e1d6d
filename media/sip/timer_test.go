package sip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
)

// shortSessions lets sessions expire within a test.
func shortSessions(c *sip.Config) { c.MinSE, c.SessionExpires = time.Second, 2*time.Second }

// taken takes a phone through INVITE, 200 and ACK; extra are header lines of the INVITE.
func taken(t *testing.T, p *phone, d desk, body string, extra ...string) (*sip.Call, string) {
	t.Helper()
	p.send("INVITE", body, extra...)
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	ok := p.expect("SIP/2.0 200")
	p.send("ACK", "")
	return call, ok
}

// reply answers a request that came, with a Contact and with what else is said.
func (p *phone) reply(req, status, body string, extra ...string) {
	p.t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		lines = append(lines, h+": "+header(req, h))
	}
	lines = append(lines, "Contact: <sip:ada@"+p.conn.LocalAddr().String()+">")
	lines = append(lines, extra...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	p.raw(strings.Join(append(lines, fmt.Sprint("Content-Length: ", len(body)), "", body), "\r\n"))
}

func (p *phone) hangup(call *sip.Call) {
	p.t.Helper()
	p.cseq++
	p.send("BYE", "")
	ended(p.t, call, sip.CauseRemoteBye)
}

func alive(t *testing.T, call *sip.Call) {
	t.Helper()
	select {
	case <-call.Done():
		t.Fatalf("the call ended: %s", call.Ended())
	default:
	}
}

func TestASessionTooShortIsRefusedWithTheLeast(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), "Supported: timer", "Session-Expires: 60")
	mustContain(t, p.expect("SIP/2.0 422 Session Interval Too Small"), "Min-SE: 90\r\n")
	p.send("ACK", "")
	p.cseq++
	call, ok := taken(t, p, d, p.offer("0"), "Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90")
	mustContain(t, ok, "Session-Expires: 90;refresher=uac\r\n", "Require: timer\r\n")
	for _, method := range []string{"INVITE", "UPDATE"} { // later, too, and the call goes on
		p.cseq++
		p.send(method, "", "k: timer", "x: 89")
		mustContain(t, p.expect("SIP/2.0 422"), "Min-SE: 90\r\n")
		if method == "INVITE" {
			p.send("ACK", "")
		}
	}
	alive(t, call)
	p.hangup(call)
}

func TestWhoRefreshesTheSession(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	for _, c := range []struct {
		name, want, require string
		asked               []string
	}{
		{"the caller wants to", "600;refresher=uac", "timer", []string{"Supported: timer", "Session-Expires: 600;refresher=uac"}},
		{"we are to", "600;refresher=uas", "timer", []string{"Supported: timer", "Session-Expires: 600 ; Refresher = UAS"}},
		{"we choose", "600;refresher=uas", "timer", []string{"Supported: 100foo, timer", "x: 600"}},
		{"a proxy asks for a caller who cannot", "600;refresher=uas", "", []string{"Session-Expires: 600"}},
		{"a proxy asks for too little", "", "", []string{"Session-Expires: 6"}},
		{"nobody asks", "", "", nil},
		{"the caller could", "1800;refresher=uas", "timer", []string{"Supported: timer"}},
		{"the caller could, seldom", "3600;refresher=uas", "timer", []string{"Supported: timer", "Min-SE: 3600"}},
		{"nonsense", "1800;refresher=uas", "timer", []string{"Supported: timer", "Session-Expires: soon"}},
		{"no interval", "1800;refresher=uas", "timer", []string{"Supported: timer", "Session-Expires: 0"}},
		{"longer than a number", "1800;refresher=uas", "timer", []string{"Supported: timer", "Session-Expires: 99999999999999999999"}},
	} {
		p := newPhone(t, "UDP", s.udp)
		call, ok := taken(t, p, d, p.offer("0"), c.asked...)
		if got := header(ok, "Session-Expires"); got != c.want || header(ok, "Require") != c.require {
			t.Errorf("%s: %q, Require %q; want %q, %q", c.name, got, header(ok, "Require"), c.want, c.require)
		}
		p.hangup(call)
	}
}

func TestWeRefreshAndTheCallLivesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, allow, by string }{
		{"by UPDATE", "Allow: INVITE, ACK, BYE, UPDATE", "UPDATE"},
		{"by re-INVITE", "Allow: INVITE, ACK, BYE", "INVITE"},
		{"to one who says nothing", "Subject: x", "INVITE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, shortSessions)
			p := newPhone(t, "UDP", s.udp)
			call, ok := taken(t, p, d, p.offer("8 0 96", "a=rtpmap:96 telephone-event/8000"), "Supported: timer", "Session-Expires: 2;refresher=uas", c.allow)
			for range 3 { // of one second each: the session would be over without
				m := p.expect(c.by + " ")
				mustContain(t, m, "Session-Expires: 2;refresher=uac\r\n", "Contact: ", "Supported: timer")
				if c.by == "UPDATE" {
					p.reply(m, "200 OK", "", "Require: timer", "Session-Expires: 2;refresher=uac")
					continue
				}
				if origin(m) != origin(ok) || mediaLine(m) != mediaLine(ok) {
					t.Errorf("nothing has changed, but the description did:\n%s\n%s", ok, m)
				}
				p.reply(m, "200 OK", p.offer("8"), "Require: timer", "Session-Expires: 2;refresher=uac")
				p.expect("ACK ")
				p.reply(m, "200 OK", p.offer("8"), "Require: timer", "Session-Expires: 2;refresher=uac") // the ACK was lost
				mustContain(t, p.expect("ACK "), "CSeq: "+strings.Fields(header(m, "CSeq"))[0]+" ACK")
			}
			alive(t, call)
			p.hangup(call)
		})
	}
}

func TestARefreshByUpdateThatIsNotUnderstoodIsTriedAsInvite(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, shortSessions)
	p := newPhone(t, "TCP", s.tcp)
	call, _ := taken(t, p, d, p.offer("0"), "Supported: timer", "Session-Expires: 2", "Allow: INVITE, UPDATE")
	p.reply(p.expect("UPDATE "), "405 Method Not Allowed", "")
	m := p.expect("INVITE ")
	p.reply(m, "200 OK", p.offer("0"), "Session-Expires: 2;refresher=uac")
	p.expect("ACK ")
	p.expect("INVITE ") // and so from now on
	p.hangup(call)
}

func TestACallerWhoFailsToRefreshIsHungUp(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, shortSessions)
	p := newPhone(t, "UDP", s.udp)
	began := time.Now()
	call, _ := taken(t, p, d, p.offer("0"), "Supported: timer", "Session-Expires: 3;refresher=uac")
	p.cseq++
	p.send("UPDATE", "", "Supported: timer", "Session-Expires: 3;refresher=uac")
	mustContain(t, p.expect("SIP/2.0 200"), "Session-Expires: 3;refresher=uac")
	p.answerBye()
	ended(t, call, sip.CauseSessionExpired)
	if took := time.Since(began); took < 2*time.Second { // a third before its end (section 10)
		t.Errorf("hung up after %v", took)
	}
}

func TestARefusedRefreshIsTriedAgainUntilTheSessionIsOver(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, shortSessions)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"), "Supported: timer", "Session-Expires: 3", "Allow: UPDATE")
	p.reply(p.expect("UPDATE "), "488 Not Acceptable Here", "")
	p.reply(p.expect("UPDATE "), "488 Not Acceptable Here", "")
	alive(t, call)
	bye := ""
	for bye == "" {
		switch m := p.expect(""); {
		case strings.HasPrefix(m, "UPDATE "):
			p.reply(m, "488 Not Acceptable Here", "")
		case strings.HasPrefix(m, "BYE "):
			bye = m
		}
	}
	p.respond(bye, "200 OK")
	ended(t, call, sip.CauseSessionExpired)
}

func TestARefreshThatTheOtherSideKnowsNothingOfEndsTheCall(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"481 Call/Transaction Does Not Exist", "408 Request Timeout", ""} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, shortSessions, func(c *sip.Config) { c.T1, c.SessionExpires = 10*time.Millisecond, 20*time.Second })
			p := newPhone(t, "UDP", s.udp)
			call, _ := taken(t, p, d, p.offer("0"), "Supported: timer", "Session-Expires: 6", "Allow: UPDATE")
			m := p.expect("UPDATE ")
			if status != "" {
				p.reply(m, status, "")
			}
			p.answerBye()
			wait(t, "the call's end", call.Done())
			if c := call.Ended(); c != sip.CauseDialogLost && (status != "" || c != sip.CauseSessionExpired) { // on a slow machine both are due
				t.Errorf("ended by %q", c)
			}
		})
	}
}

func TestDialAgreesOnASessionTimer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expires, ends string }{
		{"we refresh", "Session-Expires: 2;refresher=uac", ""},
		{"nobody is named", "Session-Expires: 2", ""},
		{"the callee refreshes, and fails", "Session-Expires: 2;refresher=uas", sip.CauseSessionExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, far := newClient(t, shortSessions), newCallee(t)
			far.rtpPort = 4000
			out := dial(within(t), client, sip.Outgoing{Target: far.target()})
			invite := far.expectRequest("INVITE")
			mustContain(t, invite, "Supported: timer", "Session-Expires: 2\r\n")
			far.reply(invite, "422 Session Interval Too Small", "a", "", "Min-SE: 4")
			far.expectRequest("ACK")
			invite = far.expectRequest("INVITE")
			mustContain(t, invite, "Session-Expires: 4\r\n", "Min-SE: 4\r\n", "CSeq: 2 INVITE")
			far.reply(invite, "200 OK", "a", far.offer("0"), "Require: timer", "Allow: UPDATE", c.expires)
			far.expectRequest("ACK")
			d := <-out
			if d.err != nil {
				t.Fatal(d.err)
			}
			call := d.call
			if c.ends != "" {
				far.reply(far.expectRequest("BYE"), "200 OK", "", "")
				ended(t, call, c.ends)
				return
			}
			for range 2 {
				update := far.expectRequest("UPDATE")
				mustContain(t, update, "Session-Expires: 4;refresher=uac\r\n", "Min-SE: 4\r\n")
				far.reply(update, "200 OK", "", "", c.expires)
			}
			go func() { _ = call.Hangup(within(t)) }()
			far.reply(far.expectRequest("BYE"), "200 OK", "", "")
			ended(t, call, sip.CauseLocal)
		})
	}
}

func TestACalleeThatRefusesEveryIntervalIsARefusal(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	for _, least := range []string{"2000", "4000", "4000"} { // the last says nothing new
		far.reply(far.expectRequest("INVITE"), "422 Session Interval Too Small", "a", "", "Min-SE: "+least)
		far.expectRequest("ACK")
	}
	if d := <-out; d.err == nil || !strings.Contains(d.err.Error(), "422") {
		t.Errorf("%v", d.err)
	}
}

func TestAConfigWhoseSessionsAreTooShortIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []sip.Config{{MinSE: time.Millisecond}, {SessionExpires: time.Minute}, {SessionExpires: -1}} {
		c.UDP, c.Ports = "127.0.0.1:0", newPorts(t, 1)
		if _, err := sip.New(c, nil, nil); err == nil {
			t.Errorf("%v, %v: taken", c.SessionExpires, c.MinSE)
		}
	}
}
