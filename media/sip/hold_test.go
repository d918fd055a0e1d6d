package sip_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// hears says how the party at a socket hears us: packets come, or none for a while.
func hears(t *testing.T, voice *net.UDPConn, want bool) {
	t.Helper()
	buf := make([]byte, 2048)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_ = voice.SetReadDeadline(time.Now().Add(80 * time.Millisecond))
		_, _, err := voice.ReadFromUDP(buf)
		if (err == nil) == want {
			return
		}
	}
	t.Errorf("heard: %v", !want)
}

// TestWhoHoldsUsHearsNothingAndHearsUsAgain goes through each spelling of hold, and back by
// the same address and port each time.
func TestWhoHoldsUsHearsNothingAndHearsUsAgain(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	voice, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = voice.Close() }()
	p := newPhone(t, "UDP", s.udp)
	p.rtpPort = voice.LocalAddr().(*net.UDPAddr).Port
	call, leg, first := answered(t, p, d, p.offer("0"))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := uint64(0); ; n++ {
			leg.Send(&media.Packet{Source: 1, Seq: n, Timestamp: 40 * n, Codec: media.PCMU, Payload: make([]byte, 40)})
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	hears(t, voice, true)
	nowhere := func(body string) string { return strings.Replace(body, "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1) }
	for _, c := range []struct{ name, method, body, dir string }{
		{"sendonly", "INVITE", p.offer("0", "a=sendonly"), "a=recvonly"},
		{"inactive", "INVITE", p.offer("0", "a=inactive"), "a=inactive"},
		{"no address", "INVITE", nowhere(p.offer("0")), "a=recvonly"},
		{"no address and sendonly", "INVITE", nowhere(p.offer("0", "a=sendonly")), "a=recvonly"},
		{"no address and inactive", "INVITE", nowhere(p.offer("0", "a=inactive")), "a=inactive"},
		{"for the whole session", "INVITE", strings.Replace(p.offer("0"), "t=0 0\r\n", "t=0 0\r\na=sendonly\r\n", 1), "a=recvonly"},
		{"by UPDATE", "UPDATE", p.offer("0", "a=sendonly"), "a=recvonly"},
		{"without a final newline", "UPDATE", strings.TrimSuffix(p.offer("0", "a=inactive"), "\r\n"), "a=inactive"},
	} {
		for _, step := range []struct {
			body, dir string
			hears     bool
		}{{c.body, c.dir, false}, {p.offer("0"), "a=sendrecv", true}} {
			p.cseq++
			p.send(c.method, step.body)
			m := p.answer("200") // not the one before, repeated
			if c.method == "INVITE" {
				p.send("ACK", "")
			}
			mustContain(t, m, step.dir)
			if strings.Fields(mediaLine(m))[1] != strings.Fields(mediaLine(first))[1] {
				t.Errorf("%s: our port moved: %s", c.name, mediaLine(m))
			}
			hears(t, voice, step.hears)
		}
	}
	p.hangup(call)
}
