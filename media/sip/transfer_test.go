package sip_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
)

// switchboard is a desk that decides about transfers, too.
type switchboard struct {
	desk
	wishes chan *sip.Transfer
}

func (s switchboard) Transfer(t *sip.Transfer) { s.wishes <- t }

func newSwitchboard() switchboard {
	return switchboard{make(desk, 4), make(chan *sip.Transfer, 4)}
}

func (s switchboard) wish(t *testing.T) *sip.Transfer {
	t.Helper()
	select {
	case w := <-s.wishes:
		return w
	case <-time.After(patience):
		t.Fatal("nobody wants a transfer")
		return nil
	}
}

func (p *phone) refer(to string, extra ...string) {
	p.t.Helper()
	p.cseq++
	p.send("REFER", "", append([]string{"Refer-To: " + to}, extra...)...)
}

// news expects a NOTIFY and answers it.
func (p *phone) news(status, state string) string {
	p.t.Helper()
	m := p.expect("NOTIFY ")
	mustContain(p.t, m, "Event: refer", "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0\r\n", "\r\n\r\nSIP/2.0 "+status)
	p.respond(m, "200 OK")
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestTheOtherSideTransfersItsPartner(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := newSwitchboard()
		s := start(t, d)
		p := newPhone(t, network, s.addr(network))
		call, ok := taken(t, p, d.desk, p.offer("0"))
		mustContain(t, header(ok, "Allow"), "REFER")
		mustContain(t, header(ok, "Supported"), "replaces")
		p.refer(`"Bob" <sip:200@example.com;x=y?Subject=hi>`, "Referred-By: <sip:ada@example.com>")
		w := d.wish(t)
		if w.Target() != "sip:200@example.com;x=y" || w.ReferredBy() != "<sip:ada@example.com>" || w.Call() != call || w.Replaces() != nil || w.Consulted() != nil {
			t.Errorf("to %q by %q", w.Target(), w.ReferredBy())
		}
		must(t, w.Accept())
		p.expect("SIP/2.0 202")
		p.news("100", "active;expires=")
		must(t, w.Progress(180))
		must(t, w.Progress(180)) // no news
		p.news("180 Ringing", "active")
		must(t, w.Progress(200))
		p.news("200 OK", "terminated;reason=noresource")
		if w.Progress(200) == nil || w.Accept() == nil {
			t.Error("told after its end")
		}
		alive(t, call)
		p.cseq++
		p.send("BYE", "")
		ended(t, call, sip.CauseTransferred)
	})
}

func TestAFailedTransferLeavesTheCallAsItWas(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d.desk, p.offer("0"))
	for round, status := range []string{"486 Busy Here", "481 Call/Transaction Does Not Exist"} {
		p.refer("tel:+4930")
		w := d.wish(t)
		must(t, w.Accept())
		p.expect("SIP/2.0 202")
		m := p.news("100", "active")
		var n int
		_, _ = fmt.Sscan(status, &n)
		must(t, w.Progress(n))
		p.news(status, "terminated")
		if id := strings.Contains(header(m, "Event"), fmt.Sprintf(";id=%d", p.cseq)); id != (round > 0) {
			t.Errorf("of REFER %d: Event: %s", round+1, header(m, "Event"))
		}
	}
	alive(t, call)
	held := holding(t, call)
	p.reply(p.expect("INVITE "), "200 OK", p.offer("0", "a=recvonly"))
	must(t, <-held)
	p.hangup(call)
}

func TestWhoTransfersMayHangUpFirst(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d.desk, p.offer("0"))
	p.refer("sip:200@example.com")
	w := d.wish(t)
	must(t, w.Accept())
	p.expect("SIP/2.0 202")
	p.news("100", "active")
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
	ended(t, call, sip.CauseTransferred)
	must(t, w.Progress(180)) // its news are not over with the call (RFC 5057)
	p.news("180", "active")
	p.cseq++
	p.send("INFO", "")
	p.expect("SIP/2.0 481")
	must(t, w.Progress(200))
	p.news("200", "terminated")
	eventually(t, "the dialog's end", func() bool { return s.Stats().Dialogs == 0 })
	if err := w.Progress(200); !errors.Is(err, sip.ErrEnded) {
		t.Errorf("%v", err)
	}
}

func TestNewsOfATransferThatNobodyBringsToAnEnd(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d, func(c *sip.Config) { c.RingTimeout = 200 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d.desk, p.offer("0"))
	p.refer("sip:200@example.com")
	must(t, d.wish(t).Accept())
	p.news("100", "active;expires=1")
	p.news("408", "terminated")
	p.refer("sip:200@example.com")
	w := d.wish(t)
	must(t, w.Accept())
	p.respond(p.expect("NOTIFY "), "481 Call/Transaction Does Not Exist") // it listens no more
	must(t, w.Progress(200))
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseTransferred)
	eventually(t, "the dialog's end", func() bool { return s.Stats().Dialogs == 0 })
}

func TestATransferWithoutNews(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d.desk, p.offer("0"))
	p.refer("sip:200@example.com", "Refer-Sub: false", "Require: norefersub")
	w := d.wish(t)
	must(t, w.Accept())
	mustContain(t, p.expect("SIP/2.0 202"), "Refer-Sub: false")
	must(t, w.Progress(200))
	p.cseq++
	p.send("OPTIONS", "")
	if m := p.expect(""); !strings.HasPrefix(m, "SIP/2.0 200") {
		t.Errorf("told\n%s", m)
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseTransferred)
}

func TestTransfersThatAreRefused(t *testing.T) {
	t.Parallel()
	t.Run("by what they say", func(t *testing.T) {
		t.Parallel()
		d := newSwitchboard()
		s := start(t, d)
		p := newPhone(t, "UDP", s.udp)
		call, _ := taken(t, p, d.desk, p.offer("0"))
		for to, want := range map[string]string{
			"":                                 "400",
			"nobody":                           "400",
			"<sip:>":                           "400",
			"<sip:1@h":                         "400",
			"<http://example.com>":             "416",
			"<sip:1@h;method=BYE>":             "403",
			"<sip:1@h?Replaces=a>":             "400",
			"<sip:1@h?Replaces=%zz>":           "400",
			"<sip:1@h>\r\nRefer-To: <sip:2@h>": "400",
		} {
			p.refer(to)
			if m := p.expect("SIP/2.0 "); !strings.HasPrefix(m, "SIP/2.0 "+want) {
				t.Errorf("%q: %s, want %s", to, m[:12], want)
			}
		}
		p.cseq++
		p.send("REFER", "")
		p.expect("SIP/2.0 400")
		p.refer("sip:1@h")
		w := d.wish(t)
		p.refer("sip:2@h") // before the first is decided on
		mustContain(t, p.expect("SIP/2.0 500"), "Retry-After: ")
		must(t, w.Refuse(403))
		p.expect("SIP/2.0 403")
		if w.Refuse(200) == nil || w.Progress(99) == nil || w.Refuse(603) == nil || w.Progress(180) == nil {
			t.Error("a refused transfer goes on")
		}
		alive(t, call)
		p.hangup(call)
	})
	t.Run("by nobody deciding", func(t *testing.T) {
		t.Parallel()
		d := newSwitchboard()
		s := start(t, d, func(c *sip.Config) { c.T1 = 10 * time.Millisecond })
		p := newPhone(t, "UDP", s.udp)
		call, _ := taken(t, p, d.desk, p.offer("0"))
		p.refer("sip:1@h")
		p.expect("SIP/2.0 603 Decline")
		p.refer("sip:1@h") // or by the call's end
		w := d.wish(t)
		_ = d.wish(t)
		p.hangup(call)
		p.expect("SIP/2.0 481")
		eventually(t, "the end of the wish", func() bool { return w.Accept() != nil })
	})
	t.Run("by a handler that knows none", func(t *testing.T) {
		t.Parallel()
		d := make(desk, 1)
		s := start(t, d)
		p := newPhone(t, "UDP", s.udp)
		call, ok := taken(t, p, d, p.offer("0"))
		p.refer("sip:1@h")
		m := p.expect("SIP/2.0 405")
		if strings.Contains(header(ok, "Allow")+header(m, "Allow"), "REFER") {
			t.Error("REFER is allowed")
		}
		p.hangup(call)
		p = newPhone(t, "UDP", s.udp)
		p.send("INVITE", p.offer("0"), "Require: replaces", "Replaces: a;to-tag=b;from-tag=c")
		mustContain(t, p.expect("SIP/2.0 420"), "Unsupported: replaces")
	})
}

// replaces names a phone's call as its other side is to be asked for it.
func (p *phone) replaces() string { return p.id + ";to-tag=" + p.toTag + ";from-tag=caller" }

func TestAnAttendedTransferNamesTheOtherCall(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d)
	p, q := newPhone(t, "UDP", s.udp), newPhone(t, "UDP", s.udp)
	first, _ := taken(t, p, d.desk, p.offer("0"))
	second, _ := taken(t, q, d.desk, q.offer("0"))
	p.refer("<sip:200@127.0.0.1?Replaces=" + url.QueryEscape(q.replaces()) + "&Require=replaces>")
	w := d.wish(t)
	if w.Consulted() != second || w.Replaces() == nil || w.Replaces().CallID != q.id {
		t.Errorf("consulted %v, %v", w.Consulted(), w.Replaces())
	}
	must(t, w.Refuse(603))
	p.expect("SIP/2.0 603")
	p.refer("<sip:200@127.0.0.1?Replaces=" + url.QueryEscape(q.id+";from-tag="+q.toTag+";to-tag=caller") + ">") // the other way round
	if w = d.wish(t); w.Consulted() != second {
		t.Error("not found the other way round")
	}
	must(t, w.Refuse(603))
	p.refer("<sip:200@127.0.0.1?Replaces=elsewhere%3Bto-tag%3D1%3Bfrom-tag%3D2>")
	if w = d.wish(t); w.Consulted() != nil || w.Replaces() == nil {
		t.Error("a dialog of somebody else's")
	}
	must(t, w.Refuse(603))
	p.hangup(first)
	q.hangup(second)
}

func TestAnInviteTakesOverACall(t *testing.T) {
	t.Parallel()
	d := newSwitchboard()
	s := start(t, d, func(c *sip.Config) {
		c.Trunks = append(c.Trunks[:1:1], sip.Trunk{ID: "other", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	})
	old := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, old, d.desk, old.offer("0"))
	ringing := newPhone(t, "UDP", s.udp)
	ringing.send("INVITE", ringing.offer("0"))
	waiting := d.next(t)
	must(t, waiting.Ring())
	_, ringing.toTag, _ = strings.Cut(header(ringing.expect("SIP/2.0 180"), "To"), "tag=")
	for name, c := range map[string]struct {
		want  string
		lines []string
	}{
		"no such call":        {"481", []string{"Replaces: x;to-tag=1;from-tag=2"}},
		"one that only rings": {"481", []string{"Replaces: " + ringing.replaces()}},
		"early only":          {"486", []string{"Replaces: " + old.replaces() + ";early-only"}},
		"malformed":           {"400", []string{"Replaces: x;to-tag=1"}},
		"twice":               {"400", []string{"Replaces: " + old.replaces(), "Replaces: " + old.replaces()}},
	} {
		p := newPhone(t, "UDP", s.udp)
		p.send("INVITE", p.offer("0"), append(c.lines, "Require: replaces")...)
		if m := p.expect("SIP/2.0 4"); !strings.HasPrefix(m, "SIP/2.0 "+c.want) {
			t.Errorf("%s: %s", name, m[:12])
		}
		p.send("ACK", "")
	}
	stranger := phoneAt(t, "127.0.0.2", s.udp)
	stranger.send("INVITE", stranger.offer("0"), "Replaces: "+old.replaces())
	stranger.expect("SIP/2.0 481") // of another trunk
	stranger.send("ACK", "")
	ringing.toTag = ""
	ringing.send("CANCEL", "")

	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), "Require: replaces", "Replaces: "+old.replaces())
	taker := d.next(t)
	if taker.Replaces() != call || call.Replaces() != nil {
		t.Error("it takes over another call")
	}
	alive(t, call)
	if _, err := taker.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	old.answerBye()
	ended(t, call, sip.CauseReplaced)
	late := newPhone(t, "UDP", s.udp)
	late.send("INVITE", late.offer("0"), "Replaces: "+old.replaces())
	if m := late.expect("SIP/2.0 "); strings.HasPrefix(m, "SIP/2.0 2") {
		t.Errorf("a call that is over: %s", m[:12])
	}
	p.hangup(taker)
}
