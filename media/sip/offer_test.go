package sip_test

import (
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

func TestHoldAndUnhold(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, leg, first := answered(t, p, d, p.offer("0", "a=sendrecv"))
	mline := mediaLine(first)
	for _, step := range []struct{ offer, want string }{
		{p.offer("0", "a=sendonly"), "a=recvonly"},
		{p.offer("0", "a=inactive"), "a=inactive"},
		{strings.Replace(p.offer("0"), "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1), "a=recvonly"},
		{strings.TrimSuffix(p.offer("0", "a=sendrecv"), "\r\n"), "a=sendrecv"}, // no final newline
		{p.offer("0", "a=recvonly"), "a=sendonly"},
		{p.offer("8", "a=sendrecv"), "a=sendrecv"},
	} {
		p.cseq++
		p.send("INVITE", step.offer)
		m := p.expect("SIP/2.0 200")
		p.send("ACK", "")
		mustContain(t, m, step.want)
		if port := strings.Fields(mediaLine(m))[1]; port != strings.Fields(mline)[1] {
			t.Errorf("port moved to %s", port)
		}
	}
	if leg.Preferred() != media.PCMA {
		t.Errorf("after the change of codec the leg prefers %v", leg.Preferred())
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}

func TestChangesThatCannotBeMetLeaveTheCallAlone(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "TCP", s.tcp)
	call, _, _ := answered(t, p, d, p.offer("0"))
	for _, step := range []struct{ body, want string }{
		{p.offer("96", "a=rtpmap:96 opus/48000/2"), "488"},
		{"nonsense", "400"},
	} {
		p.cseq++
		p.send("INVITE", step.body)
		p.expect("SIP/2.0 " + step.want)
		p.send("ACK", "")
	}
	// T.38 beside the audio is refused line by line.
	p.cseq++
	p.send("INVITE", p.offer("0")+"m=image 9 udptl t38\r\n")
	mustContain(t, p.expect("SIP/2.0 200"), "m=image 0 udptl t38\r\n")
	p.send("ACK", "")
	// An old sequence number is out of order; a foreign INFO body is refused, an empty one not.
	p.cseq -= 2
	p.send("INFO", "")
	p.expect("SIP/2.0 500")
	p.cseq += 3
	p.send("INFO", "")
	p.expect("SIP/2.0 200")
	p.cseq++
	p.send("INFO", "x")
	p.expect("SIP/2.0 415")
	select {
	case <-call.Done():
		t.Fatalf("call ended: %s", call.Ended())
	default:
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}

func TestSessionRefresh(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"), "Supported: timer", "Session-Expires: 1800")
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	first := p.expect("SIP/2.0 200")
	mustContain(t, first, "Session-Expires: 1800;refresher=uas", "Require: timer", "Supported: timer")
	p.send("ACK", "")
	p.cseq++
	p.send("UPDATE", "", "Supported: timer", "x: 1800;refresher=uac")
	m := p.expect("SIP/2.0 200")
	mustContain(t, m, "Session-Expires: 1800;refresher=uac", "Contact: ")
	p.cseq++
	p.send("INVITE", p.offer("0"), "Supported: timer", "Session-Expires: 1800;refresher=uas")
	m = p.expect("SIP/2.0 200")
	p.send("ACK", "")
	mustContain(t, m, "Session-Expires: 1800;refresher=uas")
	if origin(m) != origin(first) {
		t.Errorf("nothing changed, but the origin did: %q, %q", origin(first), origin(m))
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}

func TestCallWithoutAnOffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, answer, cause string }{
		{"answered in ACK", "8 101", ""},
		{"no answer", "", sip.CauseBadAnswer},
		{"a codec not offered", "18", sip.CauseBadAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d)
			p := newPhone(t, "UDP", s.udp)
			p.send("INVITE", "")
			call := d.next(t)
			type result struct {
				leg media.Leg
				err error
			}
			answered := make(chan result, 1)
			go func() {
				leg, err := call.Answer(within(t))
				answered <- result{leg, err}
			}()
			mustContain(t, p.expect("SIP/2.0 200"), "RTP/AVP 0 8 101")
			if c.answer == "" {
				p.send("ACK", "")
			} else {
				p.send("ACK", p.offer(c.answer, "a=rtpmap:101 telephone-event/8000", "a=ptime:40"))
			}
			r := <-answered
			if c.cause != "" {
				p.answerBye()
				ended(t, call, c.cause)
				if r.err == nil {
					t.Error("Answer succeeded")
				}
				return
			}
			if r.err != nil {
				t.Fatal(r.err)
			}
			if r.leg.Preferred() != media.PCMA || r.leg.PacketTime() != 40*time.Millisecond {
				t.Errorf("leg prefers %v every %v", r.leg.Preferred(), r.leg.PacketTime())
			}
			if r.leg.Accepts(media.PCMU) {
				t.Error("the leg accepts a codec that the answer left out")
			}
			// A re-INVITE without an offer works the same way.
			p.cseq++
			p.send("INVITE", "")
			mustContain(t, p.expect("SIP/2.0 200"), "RTP/AVP 8 0 101")
			p.send("ACK", p.offer("0 8"))
			eventually(t, "the new codec", func() bool { return r.leg.Preferred() == media.PCMU })
			if !r.leg.Accepts(media.PCMA) {
				t.Error("of an answer with two codecs only the first can be heard")
			}
			p.cseq++
			p.send("BYE", "")
			ended(t, call, sip.CauseRemoteBye)
		})
	}
}

func mediaLine(m string) string {
	for line := range strings.SplitSeq(m, "\r\n") {
		if strings.HasPrefix(line, "m=audio") {
			return line
		}
	}
	return "m=audio none"
}

func origin(m string) string {
	for line := range strings.SplitSeq(m, "\r\n") {
		if strings.HasPrefix(line, "o=") {
			return line
		}
	}
	return ""
}
