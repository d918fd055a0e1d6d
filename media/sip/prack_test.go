package sip_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

// prack sends the PRACK for a reliable response.
func (p *phone) prack(res string, extra ...string) {
	p.t.Helper()
	_, p.toTag, _ = strings.Cut(header(res, "To"), "tag=")
	p.cseq++
	p.send("PRACK", "", append([]string{"RAck: " + header(res, "RSeq") + " " + header(res, "CSeq")}, extra...)...)
}

func TestRingingIsReliableForACallerWhoUnderstandsThat(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		for _, how := range []string{"Supported: 100rel", "Require: 100rel"} {
			d := make(desk, 1)
			s := start(t, d, func(c *sip.Config) { c.T1 = 20 * time.Millisecond })
			p := newPhone(t, network, s.addr(network))
			p.send("INVITE", p.offer("0"), how)
			call := d.next(t)
			if err := call.Ring(); err != nil {
				t.Fatal(err)
			}
			first := p.expect("SIP/2.0 180")
			mustContain(t, first, "Require: 100rel\r\n", "RSeq: ", "Allow: ", "Contact: ")
			second := p.expect("SIP/2.0 180") // the PRACK was lost
			if first != second {
				t.Errorf("repeated, it is another:\n%s\n%s", first, second)
			}
			invite := p.cseq
			for _, wrong := range []string{"", "0 1 INVITE", "1 1 BYE", "x", header(first, "RSeq") + " 7 INVITE"} {
				_, p.toTag, _ = strings.Cut(header(first, "To"), "tag=")
				p.cseq++
				p.send("PRACK", "", "RAck: "+wrong)
				p.expect("SIP/2.0 4")
			}
			p.prack(first)
			p.expect("SIP/2.0 200")
			p.prack(first) // there is nothing left to acknowledge
			p.expect("SIP/2.0 481")
			for len(p.in) > 0 {
				<-p.in
			}
			if err := call.Ring(); err != nil {
				t.Fatal(err)
			}
			var was, is uint32
			_, _ = fmt.Sscan(header(first, "RSeq"), &was)
			again := p.expect("SIP/2.0 180")
			if _, _ = fmt.Sscan(header(again, "RSeq"), &is); is != was+1 {
				t.Errorf("RSeq %d after %d", is, was)
			}
			if _, err := call.Answer(within(t)); err != nil { // before the second is acknowledged
				t.Fatal(err)
			}
			p.expect("SIP/2.0 200")
			p.prack(again) // which it may still be
			p.expect("SIP/2.0 200")
			last := p.cseq
			p.cseq = invite
			p.send("ACK", "")
			p.cseq = last
			p.hangup(call)
		}
	})
}

func TestRingingThatIsNeverAcknowledgedEndsTheCall(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.T1 = 10 * time.Millisecond })
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), "Supported: 100rel")
	call := d.next(t)
	began := time.Now()
	if err := call.Ring(); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 504")
	p.send("ACK", "")
	ended(t, call, sip.CauseAckTimeout)
	if took := time.Since(began); took < 640*time.Millisecond {
		t.Errorf("given up after %v, before 64*T1", took)
	}
}

func TestRingingWithoutAnOfferBringsNoneAlong(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	for how, want := range map[string]string{"Supported: 100rel": "SIP/2.0 180", "Require: 100rel": "SIP/2.0 200"} {
		p := newPhone(t, "UDP", s.udp)
		p.send("INVITE", "", how)
		call := d.next(t)
		p.expect("SIP/2.0 100")
		if err := call.Ring(); err != nil {
			t.Fatal(err)
		}
		answered := result(func() error { _, err := call.Answer(within(t)); return err })
		m := p.expect("")
		for strings.HasPrefix(m, "SIP/2.0 100") { // sipgo's own
			m = p.expect("")
		}
		if !strings.HasPrefix(m, want) || strings.Contains(m, "RSeq") {
			t.Errorf("%s: first\n%s", how, m)
		}
		if !strings.HasPrefix(m, "SIP/2.0 200") {
			p.expect("SIP/2.0 200")
		} else {
			_, p.toTag, _ = strings.Cut(header(m, "To"), "tag=")
		}
		p.send("ACK", p.offer("0"))
		if err := <-answered; err != nil {
			t.Error(err)
		}
		p.hangup(call)
	}
}

func TestPrackToACallThatNeverAskedForIt(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	p.cseq++
	p.send("PRACK", "", "RAck: 1 1 INVITE")
	p.expect("SIP/2.0 481")
	p.hangup(call)
	p.cseq++
	p.send("PRACK", "", "RAck: 1 1 INVITE")
	p.expect("SIP/2.0 481")
}

// rtpFrom sends a packet of silence every 5 ms until the test ends.
func rtpFrom(t *testing.T, conn *net.UDPConn, to int) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := uint16(0); ; n++ {
			packet := append([]byte{0x80, 0, byte(n >> 8), byte(n), 0, 0, byte(n >> 8), byte(n), 1, 2, 3, 4}, make([]byte, 160)...)
			_, _ = conn.WriteToUDP(packet, &net.UDPAddr{IP: loopback.AsSlice(), Port: to})
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
}

func portOf(t *testing.T, m string) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(mediaLine(m), "m=audio %d", &port); err != nil {
		t.Fatalf("no port in\n%s", m)
	}
	return port
}

func TestEarlyMediaIsHeardBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, reliably := range []string{"Require: 100rel", "Subject: x"} {
		client, far := newClient(t), newCallee(t)
		voice, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = voice.Close() }()
		far.rtpPort = voice.LocalAddr().(*net.UDPAddr).Port
		early := make(chan media.Leg, 4)
		out := dial(within(t), client, sip.Outgoing{Target: far.target(), EarlyMedia: func(l media.Leg) { early <- l }})
		invite := far.expectRequest("INVITE")
		mustContain(t, invite, "Supported: timer, 100rel")
		far.reply(invite, "183 Session Progress", "a", far.offer("8"), reliably, "RSeq: 7")
		var leg media.Leg
		select {
		case leg = <-early:
		case <-time.After(patience):
			t.Fatal("no early media")
		}
		rtpFrom(t, voice, portOf(t, invite))
		eventually(t, "early media", func() bool { return leg.Stats().PacketsIn > 10 })
		if leg.Preferred() != media.PCMA {
			t.Errorf("the leg prefers %v", leg.Preferred())
		}
		body := far.offer("8")
		if reliably == "Require: 100rel" {
			far.reply(far.expectRequest("PRACK"), "200 OK", "", "")
			body = "" // agreed on already (RFC 3262 section 5)
		}
		far.reply(invite, "200 OK", "a", body)
		far.expectRequest("ACK")
		call := (<-out).call
		if call == nil || call.Leg() != leg {
			t.Fatal("not answered, or with another leg")
		}
		go func() { _ = call.Hangup(within(t)) }()
		far.reply(far.expectRequest("BYE"), "200 OK", "", "")
		ended(t, call, sip.CauseLocal)
	}
}

func TestReliableRingingIsAcknowledgedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	progress := make(chan int, 8)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), Progress: func(status int) { progress <- status }})
	invite := far.expectRequest("INVITE")
	ring := func(status, rseq string) { far.reply(invite, status, "a", "", "Require: 100rel", "RSeq: "+rseq) }
	ring("180 Ringing", "0") // no such number
	ring("180 Ringing", "x")
	ring("180 Ringing", "4294967295")
	prack := far.expectRequest("PRACK")
	mustContain(t, prack, "RAck: 4294967295 1 INVITE\r\n", "CSeq: 2 PRACK", "tag=a\r\n")
	far.reply(prack, "200 OK", "", "")
	ring("180 Ringing", "4294967295")          // our PRACK's answer was lost
	ring("183 Session Progress", "4294967290") // out of order
	far.reply(invite, "182 Queued", "b", "", "Require: 100rel", "RSeq: 20")
	prack = far.expectRequest("PRACK")
	mustContain(t, prack, "RAck: 20 1 INVITE\r\n", "CSeq: 2 PRACK", "tag=b\r\n") // another dialog has its own numbers
	far.reply(prack, "200 OK", "", "")
	far.reply(invite, "181 Call Is Being Forwarded", "b", "", "Require: 100rel", "RSeq: 21")
	prack = far.expectRequest("PRACK")
	mustContain(t, prack, "RAck: 21 1 INVITE\r\n", "CSeq: 3 PRACK")
	far.reply(prack, "200 OK", "", "")
	far.reply(invite, "200 OK", "b", far.offer("0"))
	far.expectRequest("ACK")
	call := (<-out).call
	for _, want := range []int{180, 182, 181} {
		if got := <-progress; got != want {
			t.Errorf("progress %d, want %d", got, want)
		}
	}
	if len(progress) > 0 {
		t.Errorf("told %d times more", len(progress))
	}
	go func() { _ = call.Hangup(within(t)) }()
	bye := far.expectRequest("BYE")
	mustContain(t, bye, "CSeq: 4 BYE")
	far.reply(bye, "200 OK", "", "")
	ended(t, call, sip.CauseLocal)
}

func TestTheCalleeMakesTheOffer(t *testing.T) {
	t.Parallel()
	t.Run("in 200", func(t *testing.T) {
		t.Parallel()
		client, far := newClient(t), newCallee(t)
		far.rtpPort = 4000
		out := dial(within(t), client, sip.Outgoing{Target: far.target(), LateOffer: true})
		invite := far.expectRequest("INVITE")
		if strings.Contains(invite, "m=audio") {
			t.Error("an offer in the INVITE")
		}
		far.reply(invite, "183 Session Progress", "a", far.offer("0")) // binds nobody
		far.reply(invite, "200 OK", "a", far.offer("8 0"))
		mustContain(t, far.expectRequest("ACK"), " RTP/AVP 8\r\n")
		hangup(t, far, (<-out).call)
	})
	t.Run("in 183", func(t *testing.T) {
		t.Parallel()
		client, far := newClient(t), newCallee(t)
		far.rtpPort = 4000
		out := dial(within(t), client, sip.Outgoing{Target: far.target(), LateOffer: true})
		invite := far.expectRequest("INVITE")
		far.reply(invite, "183 Session Progress", "a", far.offer("8 0"), "Require: 100rel", "RSeq: 1")
		prack := far.expectRequest("PRACK")
		mustContain(t, prack, " RTP/AVP 8\r\n")
		far.reply(prack, "200 OK", "", "")
		far.reply(invite, "200 OK", "a", "")
		if ack := far.expectRequest("ACK"); strings.Contains(ack, "m=audio") {
			t.Error("answered twice")
		}
		hangup(t, far, (<-out).call)
	})
	t.Run("and none of use", func(t *testing.T) {
		t.Parallel()
		client, far := newClient(t), newCallee(t)
		far.rtpPort = 4000
		out := dial(within(t), client, sip.Outgoing{Target: far.target(), LateOffer: true})
		invite := far.expectRequest("INVITE")
		far.reply(invite, "183 Session Progress", "a", far.offer("18"), "Require: 100rel", "RSeq: 1")
		for range 2 { // in whichever order they arrive
			m := far.expect("")
			if !strings.HasPrefix(m, "PRACK ") && !strings.HasPrefix(m, "CANCEL ") {
				t.Fatalf("neither PRACK nor CANCEL:\n%s", m)
			}
			far.reply(m, "200 OK", "a", "")
		}
		far.reply(invite, "487 Request Terminated", "a", "")
		far.expectRequest("ACK")
		if d := <-out; d.err == nil {
			t.Error("answered")
		}
	})
}

// hangup ends a call that far answered.
func hangup(t *testing.T, far *callee, call *sip.Call) {
	t.Helper()
	if call == nil {
		t.Fatal("not answered")
	}
	go func() { _ = call.Hangup(within(t)) }()
	far.reply(far.expectRequest("BYE"), "200 OK", "", "")
	ended(t, call, sip.CauseLocal)
}

// request builds a request of the callee's within the dialog of an INVITE.
func (c *callee) request(invite, method, tag string, cseq int, body string) string {
	_, contact, _ := strings.Cut(header(invite, "Contact"), "<")
	contact, _, _ = strings.Cut(contact, ">")
	lines := []string{
		method + " " + contact + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%d;rport", c.socket.LocalAddr(), time.Now().UnixNano()),
		"Max-Forwards: 70", "From: " + header(invite, "To") + ";tag=" + tag, "To: " + header(invite, "From"),
		"Call-ID: " + header(invite, "Call-ID"), fmt.Sprintf("CSeq: %d %s", cseq, method),
		"Contact: <sip:100@" + c.socket.LocalAddr().String() + ">",
	}
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	return strings.Join(append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body), "\r\n")
}

func (c *callee) raw(msg string) {
	c.t.Helper()
	if _, err := c.socket.WriteToUDPAddrPort([]byte(msg), c.from); err != nil {
		c.t.Fatal(err)
	}
}

// expect waits for the next message that starts so.
func (c *callee) expect(begin string) string {
	c.t.Helper()
	buf := make([]byte, 65536)
	_ = c.socket.SetReadDeadline(time.Now().Add(patience))
	for {
		n, _, err := c.socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			c.t.Fatalf("no %s: %v", begin, err)
		}
		if m := string(buf[:n]); strings.HasPrefix(m, begin) {
			return m
		}
	}
}

func TestTheCalleeChangesTheCallBeforeItAnswers(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "183 Session Progress", "b", "") // another phone, which has agreed on nothing
	far.reply(invite, "183 Session Progress", "a", far.offer("0"), "Require: 100rel", "RSeq: 1")
	far.reply(far.expectRequest("PRACK"), "200 OK", "", "")
	for _, step := range []struct{ method, tag, body, want string }{
		{"UPDATE", "a", far.offer("8"), "SIP/2.0 200"},
		{"UPDATE", "a", "", "SIP/2.0 200"},
		{"UPDATE", "a", far.offer("18"), "SIP/2.0 488"},
		{"UPDATE", "b", far.offer("8"), "SIP/2.0 491"},
		{"UPDATE", "c", "", "SIP/2.0 481"},
		{"INVITE", "a", far.offer("8"), "SIP/2.0 491"},
		{"INFO", "a", "", "SIP/2.0 200"},
		{"PRACK", "a", "", "SIP/2.0 400"}, // for nothing
		{"BYE", "a", "", "SIP/2.0 481"},   // not the callee's to send yet (RFC 3261 section 15)
	} {
		far.cseq++
		far.raw(far.request(invite, step.method, step.tag, far.cseq, step.body))
		m := far.expect("SIP/2.0")
		if !strings.HasPrefix(m, step.want) {
			t.Errorf("%s of %s: %s, want %s", step.method, step.tag, m[:12], step.want)
		}
		if step.body == far.offer("8") && step.want == "SIP/2.0 200" {
			mustContain(t, m, " RTP/AVP 8\r\n", "Contact: ")
		}
		if step.method == "INVITE" {
			ack := far.request(invite, "ACK", step.tag, far.cseq, "")
			far.raw(ack)
		}
	}
	far.raw(far.request(invite, "UPDATE", "a", 1, "")) // late
	far.expect("SIP/2.0 500")
	far.reply(invite, "200 OK", "a", "")
	far.expectRequest("ACK")
	call := (<-out).call
	if call.Leg().Preferred() != media.PCMA {
		t.Errorf("the leg prefers %v", call.Leg().Preferred())
	}
	far.raw(far.request(invite, "UPDATE", "b", 100, "")) // of the phone that was not taken
	far.expect("SIP/2.0 481")
	hangup(t, far, call)
}

func TestTheDescriptionChangesFromRingingToAnswer(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	early := make(chan media.Leg, 4)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), EarlyMedia: func(l media.Leg) { early <- l }})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "183 Session Progress", "a", far.offer("0"))
	leg := <-early
	far.reply(invite, "180 Ringing", "a", "")
	far.reply(invite, "183 Session Progress", "b", far.offer("8")) // another phone
	<-early
	if leg.Preferred() != media.PCMA {
		t.Errorf("before the answer the leg prefers %v", leg.Preferred())
	}
	far.reply(invite, "200 OK", "a", strings.Replace(far.offer("0"), "m=audio 4000", "m=audio 4002", 1))
	far.expectRequest("ACK")
	call := (<-out).call
	if leg.Preferred() != media.PCMU || leg.Accepts(media.PCMA) {
		t.Errorf("after it the leg prefers %v", leg.Preferred())
	}
	far.reply(invite, "200 OK", "b", far.offer("8")) // who answers second is sent away
	mustContain(t, far.expectRequest("ACK"), "tag=b\r\n")
	stray := far.expectRequest("BYE")
	mustContain(t, stray, "tag=b\r\n")
	far.reply(stray, "200 OK", "", "")
	alive(t, call)
	hangup(t, far, call)
}

func TestManyPhonesRingAndOneAnswers(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	for i := range 40 { // more than are remembered
		far.reply(invite, "183 Session Progress", fmt.Sprint("t", i), far.offer("0"))
	}
	far.reply(invite, "200 OK", "t39", far.offer("0"))
	mustContain(t, far.expectRequest("ACK"), "tag=t39\r\n")
	hangup(t, far, (<-out).call)
}
