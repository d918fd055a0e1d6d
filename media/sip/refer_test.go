package sip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
)

// told sends news of a transfer and expects what it is answered with.
func (p *phone) told(status, state, want string, extra ...string) {
	p.t.Helper()
	if len(extra) == 0 {
		extra = []string{"Event: refer"}
	}
	body := ""
	if status != "" {
		body = "SIP/2.0 " + status + "\r\n"
	}
	p.cseq++
	m := p.request("NOTIFY", body, append(extra, "Subscription-State: "+state)...)
	p.raw(strings.Replace(m, "Content-Type: application/sdp", "Content-Type: message/sipfrag", 1))
	p.expect("SIP/2.0 " + want)
}

func referring(t *testing.T, call *sip.Call, r sip.Referral) chan error {
	return result(func() error { return call.Refer(within(t), r) })
}

func TestWeTransferTheOtherSide(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	p.told("100", "active", "481") // nobody asked
	progress := make(chan int, 8)
	gone := referring(t, call, sip.Referral{Target: "sip:200@example.com;user=phone", Progress: func(status int) { progress <- status }})
	m := p.expect("REFER ")
	mustContain(t, m, "Refer-To: <sip:200@example.com;user=phone>\r\n", "Referred-By: <sip:100@", "Contact: ", "CSeq: 1 REFER")
	if err := <-referring(t, call, sip.Referral{Target: "sip:300@example.com"}); err == nil {
		t.Error("sent to two places at once")
	}
	p.reply(m, "202 Accepted", "")
	p.told("", "active", "400")
	p.told("hello", "active", "400")
	p.told("180 Ringing", "active", "489", "Event: presence")
	p.told("180 Ringing", "active", "489", "Subject: none")
	p.told("180 Ringing", "active;expires=60", "200", "o: refer;id=1")
	p.told("200", "terminated;reason=noresource", "200")
	must(t, <-gone)
	for _, want := range []int{180, 200} {
		if got := <-progress; got != want {
			t.Errorf("progress %d, want %d", got, want)
		}
	}
	p.told("200 OK", "terminated", "481")
	alive(t, call)
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseTransferred)
}

func TestNewsThatComeBeforeTheyAreDue(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	gone := referring(t, call, sip.Referral{Target: "sip:200@example.com"})
	m := p.expect("REFER ")
	p.told("200 OK", "terminated", "200")
	must(t, <-gone)
	p.reply(m, "202 Accepted", "")
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseTransferred)
}

func TestATransferOfOursThatFailsLeavesTheCallAsItWas(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	for _, c := range []struct {
		refer, told, state string
		status             int
	}{
		{"603 Decline", "", "", 603},
		{"405 Method Not Allowed", "", "", 405},
		{"202 Accepted", "486 Busy Here", "terminated", 486},
		{"202 Accepted", "503", "active", 503},
		{"202 Accepted", "", "terminated;reason=giveup", 0},
	} {
		gone := referring(t, call, sip.Referral{Target: "sip:200@example.com"})
		p.reply(p.expect("REFER "), c.refer, "")
		if c.state != "" {
			p.told(c.told, c.state, "200")
		}
		var refused *sip.RejectedError
		if err := <-gone; err == nil || errors.As(err, &refused) != (c.status != 0) || refused != nil && refused.Status != c.status {
			t.Errorf("%s, %s: %v", c.refer, c.told, err)
		}
		alive(t, call)
	}
	p.hangup(call)
}

func TestATransferWhoseOutcomeIsNeverTold(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.RingTimeout = 200 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	gone := referring(t, call, sip.Referral{Target: "sip:200@example.com"})
	p.reply(p.expect("REFER "), "202 Accepted", "")
	if err := <-gone; err == nil {
		t.Error("a success")
	}
	alive(t, call)
	gone = referring(t, call, sip.Referral{Target: "sip:200@example.com"}) // it wants none told
	p.reply(p.expect("REFER "), "202 Accepted", "", "Refer-Sub: false")
	must(t, <-gone)
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseTransferred)
}

func TestOneWhoIsSentAwayGoesWithoutAWord(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		d := make(desk, 1)
		s := start(t, d)
		p := newPhone(t, "UDP", s.udp)
		call, _ := taken(t, p, d, p.offer("0"))
		gone := referring(t, call, sip.Referral{Target: "sip:200@example.com"})
		m := p.expect("REFER ")
		if accepted {
			p.reply(m, "202 Accepted", "")
			p.told("100 Trying", "active", "200")
		}
		p.cseq++
		p.send("BYE", "")
		if err := <-gone; (err == nil) != accepted {
			t.Errorf("accepted %v: %v", accepted, err)
		}
		ended(t, call, map[bool]string{true: sip.CauseTransferred, false: sip.CauseRemoteBye}[accepted])
	}
}

func TestWeTransferTheOtherSideToOneWeTalkedTo(t *testing.T) {
	t.Parallel()
	d := make(desk, 2)
	s := start(t, d)
	p, q := newPhone(t, "UDP", s.udp), newPhone(t, "TCP", s.tcp)
	first, _ := taken(t, p, d, p.offer("0"))
	second, _ := taken(t, q, d, q.offer("0"))
	gone := referring(t, first, sip.Referral{Replace: second})
	m := p.expect("REFER ")
	mustContain(t, m, fmt.Sprintf("Refer-To: <sip:ada@%s;transport=tcp?Replaces=", q.conn.LocalAddr()), "%3Bto-tag%3Dcaller%3Bfrom-tag%3D"+q.toTag+">")
	p.reply(m, "202 Accepted", "")
	p.told("200 OK", "terminated", "200")
	must(t, <-gone)
	q.hangup(second)
	if err := <-referring(t, first, sip.Referral{Replace: second}); !errors.Is(err, sip.ErrEnded) {
		t.Errorf("to one who is gone: %v", err)
	}
	for _, target := range []string{"", "bob", "http://example.com", "sip:1@h\r\nX: y", "sip:1@h;method=BYE"} {
		if err := <-referring(t, first, sip.Referral{Target: target}); err == nil {
			t.Errorf("%q: sent there", target)
		}
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, first, sip.CauseTransferred)
}

func TestOurCallTakesOverAnother(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), ReferredBy: "<sip:ada@example.com>",
		Replaces: &sip.Replaces{CallID: "a@b", ToTag: "1", FromTag: "2"}})
	invite := far.expectRequest("INVITE")
	mustContain(t, invite, "Replaces: a@b;to-tag=1;from-tag=2\r\n", "Require: replaces\r\n", "Referred-By: <sip:ada@example.com>\r\n")
	far.reply(invite, "481 Call/Transaction Does Not Exist", "a", "")
	far.expectRequest("ACK")
	var refused *sip.RejectedError
	if d := <-out; !errors.As(d.err, &refused) || refused.Status != 481 {
		t.Errorf("%v", d.err)
	}
	if _, err := client.Dial(within(t), sip.Outgoing{Target: far.target(), ReferredBy: "<sip:a>\r\nX: y"}); err == nil {
		t.Error("a header of somebody's making")
	}
}

func TestACallWePlacedIsTransferred(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	wishes := make(chan *sip.Transfer, 1)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), Transfer: func(w *sip.Transfer) { wishes <- w }})
	invite := far.expectRequest("INVITE")
	mustContain(t, header(invite, "Allow"), "REFER")
	far.reply(invite, "200 OK", "a", far.offer("0"))
	far.expectRequest("ACK")
	call := (<-out).call
	m := far.request(invite, "REFER", "a", 1, "")
	far.raw(strings.Replace(m, "Contact: ", "Refer-To: <sip:200@h>\r\nContact: ", 1))
	w := <-wishes
	if w.Target() != "sip:200@h" || w.Call() != call {
		t.Errorf("to %q", w.Target())
	}
	must(t, w.Refuse(603))
	far.expect("SIP/2.0 603")
	hangup(t, far, call)
}

func TestACallFromAServersSocketsIsItsHandlersToTransfer(t *testing.T) {
	t.Parallel()
	d, own := newSwitchboard(), make(chan *sip.Transfer, 1)
	s := start(t, d)
	for _, c := range []struct {
		to   sip.Outgoing
		gets chan *sip.Transfer
	}{{sip.Outgoing{}, d.wishes}, {sip.Outgoing{Transfer: func(w *sip.Transfer) { own <- w }}, own}} {
		far := newCallee(t)
		far.rtpPort = 4000
		c.to.Target = far.target()
		out := dial(within(t), s.Client(), c.to)
		invite := far.expectRequest("INVITE")
		mustContain(t, header(invite, "Allow"), "REFER")
		far.reply(invite, "200 OK", "a", far.offer("0"))
		far.expectRequest("ACK")
		call := (<-out).call
		m := far.request(invite, "REFER", "a", 1, "")
		far.raw(strings.Replace(m, "Contact: ", "Refer-To: <sip:200@h>\r\nContact: ", 1))
		select {
		case w := <-c.gets:
			if w.Call() != call {
				t.Error("of another call")
			}
			must(t, w.Refuse(603))
		case <-time.After(patience):
			t.Fatal("nobody was asked")
		}
		far.expect("SIP/2.0 603")
		hangup(t, far, call)
	}
}
