package sip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

// result runs something that waits for the other side.
func result(f func() error) chan error {
	out := make(chan error, 1)
	go func() { out <- f() }()
	return out
}

func holding(t *testing.T, call *sip.Call) chan error {
	return result(func() error { return call.Hold(within(t)) })
}

func resuming(t *testing.T, call *sip.Call) chan error {
	return result(func() error { return call.Resume(within(t)) })
}

func TestWeHoldAndResume(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d, func(c *sip.Config) { c.MediaTimeout = 1500 * time.Millisecond })
		p := newPhone(t, network, s.addr(network))
		call, ok := taken(t, p, d, p.offer("8 0 96", "a=rtpmap:96 telephone-event/8000")+"m=image 9 udptl t38\r\n")
		held := holding(t, call)
		m := p.expect("INVITE ")
		mustContain(t, m, "a=sendonly\r\n", " RTP/AVP 8 0 96\r\n", "m=image 0 udptl t38\r\n", "CSeq: 1 INVITE")
		if strings.Fields(mediaLine(m))[1] != strings.Fields(mediaLine(ok))[1] {
			t.Errorf("the port moved: %s", mediaLine(m))
		}
		p.reply(m, "200 OK", p.offer("8", "a=recvonly"))
		p.expect("ACK ")
		if err := <-held; err != nil {
			t.Fatal(err)
		}
		// While we hold, whatever the other side wants, it is not asked to talk.
		for offered, want := range map[string]string{"a=sendrecv": "a=sendonly", "a=sendonly": "a=inactive", "a=recvonly": "a=sendonly", "a=inactive": "a=inactive"} {
			p.cseq++
			p.send("INVITE", p.offer("8", offered))
			mustContain(t, p.expect("SIP/2.0 200"), want)
			p.send("ACK", "")
		}
		p.cseq++
		p.send("INVITE", "")
		mustContain(t, p.expect("SIP/2.0 200"), "a=sendonly\r\n")
		p.send("ACK", p.offer("8", "a=recvonly"))
		<-time.After(1700 * time.Millisecond) // and owes no packet
		alive(t, call)
		resumed := resuming(t, call)
		m = p.expect("INVITE ")
		mustContain(t, m, "a=sendrecv\r\n", "CSeq: 2 INVITE")
		p.reply(m, "200 OK", p.offer("8"))
		p.expect("ACK ")
		if err := <-resumed; err != nil {
			t.Fatal(err)
		}
		p.answerBye() // it says nothing still: now it is missed
		ended(t, call, sip.CauseMediaTimeout)
	})
}

func TestWeChangeTheCodec(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	far.reply(far.expectRequest("INVITE"), "200 OK", "a", far.offer("0 8"))
	far.expectRequest("ACK")
	call := (<-out).call
	changed := result(func() error { return call.Recode(within(t), media.PCMA) })
	m := far.expectRequest("INVITE")
	mustContain(t, m, " RTP/AVP 8 101\r\n", "a=sendrecv")
	far.reply(m, "200 OK", "", far.offer("8"))
	far.expectRequest("ACK")
	if err := <-changed; err != nil || call.Leg().Preferred() != media.PCMA {
		t.Errorf("%v, the leg prefers %v", err, call.Leg().Preferred())
	}
	if err := call.Recode(within(t), media.Opus); err == nil {
		t.Error("a trunk was to speak Opus")
	}
	if err := call.Recode(within(t)); err == nil {
		t.Error("a call was to speak nothing")
	}
	go func() { _ = call.Hangup(within(t)) }()
	far.reply(far.expectRequest("BYE"), "200 OK", "", "")
	ended(t, call, sip.CauseLocal)
}

func TestARefusedChangeLeavesTheCallAsItWas(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := holding(t, call)
	p.reply(p.expect("INVITE "), "488 Not Acceptable Here", "")
	p.expect("ACK ")
	var refused *sip.RejectedError
	if err := <-held; !errors.As(err, &refused) || refused.Status != 488 {
		t.Errorf("%v", err)
	}
	if call.Leg().Preferred() != media.PCMU {
		t.Errorf("the leg prefers %v", call.Leg().Preferred())
	}
	p.cseq++
	p.send("INVITE", p.offer("0"))
	m := p.expect("SIP/2.0 200")
	p.send("ACK", "")
	mustContain(t, m, "a=sendrecv")
	p.hangup(call)
}

func TestChangesOfBothSidesThatCross(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := result(func() error { return call.Hold(t.Context()) })
	ours := p.expect("INVITE ")
	for _, method := range []string{"INVITE", "UPDATE"} { // theirs, on the way already
		p.cseq++
		p.send(method, p.offer("0"))
		p.expect("SIP/2.0 491")
		if method == "INVITE" {
			p.send("ACK", "")
		}
	}
	p.cseq++
	p.send("UPDATE", "") // but one that offers nothing crosses nothing
	p.expect("SIP/2.0 200")
	began := time.Now()
	p.reply(ours, "491 Request Pending", "")
	p.expect("ACK ")
	again := p.expect("INVITE ") // within 2 s, as the side that did not make the Call-ID
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("came back after %v", took)
	}
	p.reply(again, "200 OK", p.offer("0", "a=recvonly"))
	p.expect("ACK ")
	if err := <-held; err != nil {
		t.Error(err)
	}
	p.hangup(call)
}

func TestTheSideThatChoseTheCallIDComesBackLater(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	far.reply(far.expectRequest("INVITE"), "200 OK", "a", far.offer("0 8"))
	far.expectRequest("ACK")
	call := (<-out).call
	held := result(func() error { return call.Hold(t.Context()) })
	far.reply(far.expectRequest("INVITE"), "491 Request Pending", "", "")
	began := time.Now()
	far.expectRequest("ACK")
	again := far.expectRequest("INVITE")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("came back after %v", took)
	}
	far.reply(again, "200 OK", "", far.offer("0", "a=recvonly"))
	far.expectRequest("ACK")
	if err := <-held; err != nil {
		t.Error(err)
	}
	go func() { _ = call.Hangup(within(t)) }()
	far.reply(far.expectRequest("BYE"), "200 OK", "", "")
	ended(t, call, sip.CauseLocal)
}

func TestOneWhoIsBusyWithAnotherInviteIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := holding(t, call)
	p.reply(p.expect("INVITE "), "500 Server Internal Error", "", "Retry-After: 0")
	p.expect("ACK ")
	p.reply(p.expect("INVITE "), "200 OK", p.offer("0", "a=recvonly"))
	p.expect("ACK ")
	if err := <-held; err != nil {
		t.Error(err)
	}
	p.hangup(call)
}

func TestAnInviteBeforeTheFirstIsAnsweredIsToComeBack(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	must(t, call.Ring())
	if call.Hold(within(t)) == nil || call.Refer(within(t), sip.Referral{Target: "sip:1@h"}) == nil {
		t.Error("a call that only rings was held, or sent elsewhere")
	}
	_, p.toTag, _ = strings.Cut(header(p.expect("SIP/2.0 180"), "To"), "tag=")
	p.cseq++
	p.send("INVITE", p.offer("0"))
	m := p.expect("SIP/2.0 500") // RFC 3261 section 14.2
	after := 0
	if _, err := fmt.Sscan(header(m, "Retry-After"), &after); err != nil || after < 1 || after > 10 {
		t.Errorf("Retry-After: %s", header(m, "Retry-After"))
	}
	p.send("ACK", "")
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.cseq--
	p.send("ACK", "")
	p.cseq++
	p.hangup(call)
}

func TestAChangeWaitsForTheAck(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	held := holding(t, call)
	p.expect("SIP/2.0 200")
	if m := p.expect(""); !strings.HasPrefix(m, "SIP/2.0 200") { // again, and no INVITE
		t.Errorf("before the ACK came\n%s", m)
	}
	p.send("ACK", "")
	p.reply(p.expect("INVITE "), "200 OK", p.offer("0", "a=recvonly"))
	p.expect("ACK ")
	if err := <-held; err != nil {
		t.Error(err)
	}
	p.hangup(call)
}

func TestByeThatCrossesOurReInvite(t *testing.T) {
	t.Parallel()
	for _, final := range []string{"487 Request Terminated", "200 OK"} {
		t.Run(final, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d)
			p := newPhone(t, "UDP", s.udp)
			call, _ := taken(t, p, d, p.offer("0"))
			held := holding(t, call)
			m := p.expect("INVITE ")
			p.cseq++
			p.send("BYE", "")
			p.expect("SIP/2.0 200")
			ended(t, call, sip.CauseRemoteBye)
			if err := <-held; !errors.Is(err, sip.ErrEnded) {
				t.Errorf("%v", err)
			}
			p.reply(m, final, p.offer("0"))
			p.expect("ACK ")
		})
	}
}

func TestOurByeCrossesTheirReInvite(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	hung := result(func() error { return call.Hangup(within(t)) })
	bye := p.expect("BYE ")
	p.cseq++
	p.send("INVITE", p.offer("0"))
	p.expect("SIP/2.0 481")
	p.send("ACK", "")
	p.respond(bye, "200 OK")
	if err := <-hung; err != nil {
		t.Error(err)
	}
	ended(t, call, sip.CauseLocal)
}

func TestByesThatCross(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	hung := result(func() error { return call.Hangup(within(t)) })
	bye := p.expect("BYE ")
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
	p.respond(bye, "481 Call/Transaction Does Not Exist")
	if err := <-hung; err != nil {
		t.Error(err)
	}
	ended(t, call, sip.CauseLocal)
}

func TestAChangeThatIsNeverAnsweredEndsTheCall(t *testing.T) {
	t.Parallel()
	for _, ringing := range []bool{false, true} {
		d := make(desk, 1)
		s := start(t, d, func(c *sip.Config) { c.T1 = 10 * time.Millisecond })
		p := newPhone(t, "UDP", s.udp)
		call, _ := taken(t, p, d, p.offer("0"))
		held := result(func() error { return call.Hold(context.Background()) })
		m := p.expect("INVITE ")
		if ringing { // a reply is owed a CANCEL first (section 9.1)
			p.reply(m, "180 Ringing", "")
			mustContain(t, p.expect("CANCEL "), "Via: "+header(m, "Via")+"\r\n")
		}
		p.answerBye()
		ended(t, call, sip.CauseDialogLost)
		if err := <-held; !errors.Is(err, sip.ErrNoReply) {
			t.Errorf("%v", err)
		}
	}
}

func TestAReInviteThatIsCancelledLeavesTheCallAsItWas(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.T1 = 10 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := holding(t, call)
	m := p.expect("INVITE ")
	p.reply(m, "180 Ringing", "")
	p.respond(p.expect("CANCEL "), "200 OK")
	p.reply(m, "487 Request Terminated", "")
	p.expect("ACK ")
	var refused *sip.RejectedError
	if err := <-held; !errors.As(err, &refused) || refused.Status != 487 {
		t.Errorf("%v", err)
	}
	alive(t, call)
	p.hangup(call)
}

func TestAnAnswerThatMakesNoSenseEndsTheCall(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := holding(t, call)
	p.reply(p.expect("INVITE "), "200 OK", p.offer("18"))
	p.expect("ACK ")
	p.answerBye()
	ended(t, call, sip.CauseBadAnswer)
	if err := <-held; err == nil {
		t.Error("held")
	}
}

func TestOnlySoManyChangesWait(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := make(chan error, 20)
	for range cap(held) {
		go func() { held <- call.Hold(within(t)) }()
	}
	for range 4 {
		if err := <-held; err == nil || errors.Is(err, sip.ErrEnded) {
			t.Errorf("%v", err)
		}
	}
	p.hangup(call)
	for range 16 {
		if err := <-held; !errors.Is(err, sip.ErrEnded) {
			t.Errorf("%v", err)
		}
	}
}
