package sip_test

import (
	"net"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/headroom-voice/headroom/media/sip"
)

// A caller who waited longer than the time-out for an answer has been silent for no time.
func TestRingingIsNoSilence(t *testing.T) {
	t.Parallel()
	const limit = 600 * time.Millisecond
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.MediaTimeout = limit })
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	<-time.After(2 * limit)
	alive(t, call)
	began := time.Now()
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	p.answerBye()
	ended(t, call, sip.CauseMediaTimeout)
	if lasted := time.Since(began); lasted < limit {
		t.Errorf("the call ended %v after the answer, want %v", lasted, limit)
	}
}

// A caller who is muted, or suppresses silence, sends no voice; the reports of its RTCP are
// signs of life, and a comfort noise now and then is.
func TestAMutedCallerWhoReportsIsNotLetGo(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	report, err := (&rtcp.ReceiverReport{SSRC: 5}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, sign := range map[string]struct {
		data []byte
		next int // to the RTP port or the one after
	}{
		"reports":       {report, 1},
		"comfort noise": {[]byte{0x80, 13, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5, 60}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, func(c *sip.Config) { c.MediaTimeout = limit })
			p := newPhone(t, "UDP", s.udp)
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			p.rtpPort = conn.LocalAddr().(*net.UDPAddr).Port
			call, _, ok := answered(t, p, d, p.offer("0 13"))
			to := &net.UDPAddr{IP: loopback.AsSlice(), Port: portOf(t, ok) + sign.next}
			for range 30 {
				if sign.next == 0 {
					sign.data[3]++
				}
				if _, err := conn.WriteToUDP(sign.data, to); err != nil {
					t.Fatal(err)
				}
				<-time.After(limit / 10)
			}
			alive(t, call)
			p.answerBye() // now it says nothing at all
			ended(t, call, sip.CauseMediaTimeout)
		})
	}
}
