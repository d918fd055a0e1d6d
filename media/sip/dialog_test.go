package sip_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

// overBoth runs a test over UDP and over TCP.
func overBoth(t *testing.T, test func(t *testing.T, network string)) {
	for _, network := range []string{"UDP", "TCP"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			test(t, network)
		})
	}
}

func (s *site) addr(network string) netip.AddrPort {
	if network == "TCP" {
		return s.tcp
	}
	return s.udp
}

// answered takes a phone through INVITE, 180, 200 and ACK.
func answered(t *testing.T, p *phone, d desk, body string) (*sip.Call, media.Leg, string) {
	t.Helper()
	p.send("INVITE", body)
	p.expect("SIP/2.0 100")
	call := d.next(t)
	if err := call.Ring(); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 180")
	leg, err := call.Answer(within(t))
	if err != nil {
		t.Fatal(err)
	}
	ok := p.expect("SIP/2.0 200")
	p.send("ACK", "")
	return call, leg, ok
}

func TestCallerRingsTalksAndHangsUp(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d)
		p := newPhone(t, network, s.addr(network))
		call, leg, ok := answered(t, p, d, p.offer("8 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:30"))
		if number, name := call.From(); number != "+4930123" || name != "Ada" {
			t.Errorf("caller %q %q", number, name)
		}
		if call.To() != "100" || call.Trunk() != "carrier" || call.ID() != p.id {
			t.Errorf("to %q trunk %q id %q", call.To(), call.Trunk(), call.ID())
		}
		mustContain(t, ok, " RTP/AVP 8 101\r\n", "a=ptime:30", "a=sendrecv", "a=rtpmap:101 telephone-event/8000")
		if leg.Preferred() != media.PCMA || leg.PacketTime() != 30*time.Millisecond || leg.Accepts(media.Opus) {
			t.Errorf("leg prefers %v every %v", leg.Preferred(), leg.PacketTime())
		}
		p.cseq++
		p.send("BYE", "")
		p.expect("SIP/2.0 200")
		ended(t, call, sip.CauseRemoteBye)
		if err := call.Hangup(within(t)); err != nil {
			t.Errorf("hanging up a call that is over: %v", err)
		}
	})
}

func TestByeFollowsTheRecordRoute(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	proxy := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), fmt.Sprintf("Record-Route: <sip:%s;lr>, <sip:10.9.9.9;lr>", proxy.conn.LocalAddr()))
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	go func() { _ = call.Hangup(within(t)) }()
	bye := proxy.expect("BYE sip:ada@")
	mustContain(t, bye, fmt.Sprintf("Route: <sip:%s;lr>\r\nRoute: <sip:10.9.9.9;lr>\r\n", proxy.conn.LocalAddr()))
	proxy.respond(bye, "200 OK")
	ended(t, call, sip.CauseLocal)
}

func TestHangupBeforeTheAckWaitsForIt(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	hung := make(chan error, 1)
	go func() { hung <- call.Hangup(within(t)) }()
	ended(t, call, sip.CauseLocal) // at once, for us
	p.expect("SIP/2.0 200")
	p.expect("SIP/2.0 200") // but the answer is still repeated
	p.send("ACK", "")
	p.answerBye()
	if err := <-hung; err != nil {
		t.Errorf("Hangup: %v", err)
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, handlerFunc(func(c *sip.Call) {
		if c.To() == "100" {
			_ = c.Reject(404, 0)
		}
	}))
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	if m := p.expect("SIP/2.0 404"); header(m, "Retry-After") != "" {
		t.Error("404 with Retry-After")
	}
	p.send("ACK", "")
}

func TestNobodyDecides(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.RingTimeout = 50 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	p.expect("SIP/2.0 480")
	p.send("ACK", "")
	ended(t, d.next(t), sip.CauseNoAnswer)
}

func TestDrainingRefusesNewCallsAndKeepsTheOld(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.RetryAfter = 7 * time.Second })
	old := newPhone(t, "UDP", s.udp)
	call, _, _ := answered(t, old, d, old.offer("0"))
	s.Drain()
	p := newPhone(t, "TCP", s.tcp)
	p.send("INVITE", p.offer("0"))
	if m := p.expect("SIP/2.0 503"); header(m, "Retry-After") != "7" {
		t.Errorf("Retry-After %q", header(m, "Retry-After"))
	}
	p.send("OPTIONS", "")
	p.expect("SIP/2.0 503")
	select {
	case <-call.Done():
		t.Error("draining ended a call")
	default:
	}
	old.cseq++
	old.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}

func TestStoppingHangsUp(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	talking, ringing := newPhone(t, "UDP", s.udp), newPhone(t, "TCP", s.tcp)
	call, _, _ := answered(t, talking, d, talking.offer("0"))
	ringing.send("INVITE", ringing.offer("0"))
	waiting := d.next(t)
	go s.stop()
	talking.answerBye()
	ringing.expect("SIP/2.0 503")
	ended(t, call, sip.CauseShutdown)
	ended(t, waiting, sip.CauseShutdown)
}

func TestSilentCallerIsLetGo(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.MediaTimeout = 150 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	call, _, _ := answered(t, p, d, p.offer("0"))
	p.answerBye()
	ended(t, call, sip.CauseMediaTimeout)

	// On hold nothing is expected of the caller; after it the clock starts anew.
	held := newPhone(t, "UDP", s.udp)
	call, _, _ = answered(t, held, d, held.offer("0", "a=sendonly"))
	select {
	case <-call.Done():
		t.Fatalf("a call on hold ended: %s", call.Ended())
	case <-time.After(400 * time.Millisecond):
	}
	held.cseq++
	held.send("INVITE", held.offer("0", "a=sendrecv"))
	held.expect("SIP/2.0 200")
	held.send("ACK", "")
	held.answerBye()
	ended(t, call, sip.CauseMediaTimeout)
}

func TestCallerWhoOnlyListensIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.MediaTimeout, c.HoldTimeout = 50*time.Millisecond, 400*time.Millisecond })
	for _, direction := range []string{"a=recvonly", "a=sendonly", "a=inactive"} {
		p := newPhone(t, "UDP", s.udp)
		began := time.Now()
		call, _, _ := answered(t, p, d, p.offer("0", direction))
		p.answerBye()
		ended(t, call, sip.CauseMediaTimeout)
		if lasted := time.Since(began); lasted < 400*time.Millisecond {
			t.Errorf("%s: ended after %v", direction, lasted)
		}
	}
}

func TestTwoHundredQuickCallsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := start(t, handlerFunc(func(c *sip.Call) {
		if _, err := c.Answer(context.Background()); err != nil {
			t.Errorf("answer: %v", err)
		}
	}), func(c *sip.Config) { c.Ports = newPorts(t, 210) })
	client := newClient(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	calls := make(chan error, 200)
	slots := make(chan struct{}, 20)
	for i := range 200 {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			target := fmt.Sprintf("sip:%d@%s", i, s.udp)
			if i%2 == 1 {
				target = fmt.Sprintf("sip:%d@%s;transport=tcp", i, s.tcp)
			}
			call, err := client.Dial(ctx, sip.Outgoing{Target: target})
			if err == nil {
				err = call.Hangup(ctx)
			}
			calls <- err
		}()
	}
	for range 200 {
		if err := <-calls; err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "dialogs gone", func() bool { return s.Stats().Dialogs == 0 })
	eventually(t, "ports back", func() bool { return s.ports.InUse() == 0 })
}
