package sip_test

import (
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media"
)

func TestComfortNoiseIsAgreedOnWithWhoOffersIt(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, leg, ok := answered(t, p, d, p.offer("0 13 101", "a=rtpmap:101 telephone-event/8000"))
	mustContain(t, ok, " RTP/AVP 0 13 101\r\n", "a=rtpmap:13 CN/8000\r\n")
	if !leg.Accepts(media.CN) || leg.Preferred() != media.PCMU {
		t.Errorf("the leg prefers %v and takes comfort noise: %v", leg.Preferred(), leg.Accepts(media.CN))
	}
	held := holding(t, call)
	m := p.expect("INVITE ")
	mustContain(t, m, " 13 101\r\n", "a=rtpmap:13 CN/8000\r\n")
	p.reply(m, "200 OK", p.offer("0", "a=recvonly"))
	p.expect("ACK ")
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	if leg.Accepts(media.CN) {
		t.Error("comfort noise is taken to be agreed on although the answer has none")
	}
	p.cseq++
	p.send("INVITE", p.offer("8", "a=sendrecv"))
	m = p.expect("SIP/2.0 200")
	p.send("ACK", "")
	if strings.Contains(m, "CN") {
		t.Errorf("comfort noise was answered and not offered:\n%s", m)
	}
	p.cseq++
	p.send("BYE", "")
	<-call.Done()
}
