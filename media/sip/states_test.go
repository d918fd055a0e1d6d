package sip_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
)

// stateless are the methods that get the same in every state.
var stateless = map[string]int{"OPTIONS": 200, "CANCEL": 481, "MESSAGE": 405, "SUBSCRIBE": 405, "PUBLISH": 405, "REGISTER": 405, "DANCE": 501}

// stand is a call that was brought into a state: it sends a request to it and gives the
// status of the final response.
type stand func(t *testing.T, method, body string, extra ...string) int

// final is the status of the final response to a request, if m is that.
func final(m string, cseq int, method string) int {
	var status int
	if header(m, "CSeq") == fmt.Sprintf("%d %s", cseq, method) {
		_, _ = fmt.Sscanf(m, "SIP/2.0 %d", &status)
	}
	if status < 200 {
		return 0
	}
	return status
}

func (p *phone) stand() stand {
	return func(t *testing.T, method, body string, extra ...string) int {
		p.cseq++
		if method == "CANCEL" { // of no INVITE
			p.branch = "z9hG4bKother"
		}
		p.send(method, body, extra...)
		for {
			if status := final(p.expect("SIP/2.0 "), p.cseq, method); status != 0 {
				return status
			}
		}
	}
}

func (c *callee) stand(invite string) stand {
	return func(t *testing.T, method, body string, extra ...string) int {
		c.cseq++
		m := c.request(invite, method, "a", c.cseq, body)
		c.raw(strings.Replace(m, "Contact: ", strings.Join(append(extra, "Contact: "), "\r\n"), 1))
		for {
			if status := final(c.expect("SIP/2.0 "), c.cseq, method); status != 0 {
				return status
			}
		}
	}
}

// bring makes the ways into each state; each call of one is another call.
func bring(t *testing.T) map[string]func(t *testing.T) stand {
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.Ports = newPorts(t, 150) })
	client := newClient(t)
	called := func(t *testing.T, body string) (*phone, *sip.Call) {
		p := newPhone(t, "UDP", s.udp)
		p.send("INVITE", body)
		return p, d.next(t)
	}
	calling := func(t *testing.T, body string, extra ...string) stand {
		far := newCallee(t)
		far.rtpPort, far.cseq = 4000, 0
		progress := make(chan int, 1)
		dial(within(t), client, sip.Outgoing{Target: far.target(), Progress: func(status int) { progress <- status }})
		invite := far.expectRequest("INVITE")
		far.reply(invite, "183 Session Progress", "a", body, extra...)
		<-progress
		if extra != nil {
			far.reply(far.expectRequest("PRACK"), "200 OK", "", "")
		}
		return far.stand(invite)
	}
	sdp := (&phone{rtpPort: 4000}).offer("0")
	return map[string]func(t *testing.T) stand{
		"ringing": func(t *testing.T) stand {
			p, call := called(t, sdp)
			must(t, call.Ring())
			_, p.toTag, _ = strings.Cut(header(p.expect("SIP/2.0 180"), "To"), "tag=")
			return p.stand()
		},
		"answered": func(t *testing.T) stand {
			p, call := called(t, sdp)
			_, err := call.Answer(within(t))
			must(t, err)
			p.expect("SIP/2.0 200")
			return p.stand()
		},
		"offered": func(t *testing.T) stand {
			p, call := called(t, "")
			result(func() error { _, err := call.Answer(within(t)); return err })
			p.expect("SIP/2.0 200")
			return p.stand()
		},
		"talking": func(t *testing.T) stand {
			p := newPhone(t, "UDP", s.udp)
			taken(t, p, d, sdp)
			return p.stand()
		},
		"changing": func(t *testing.T) stand {
			p := newPhone(t, "UDP", s.udp)
			call, _ := taken(t, p, d, sdp)
			holding(t, call)
			p.expect("INVITE ")
			return p.stand()
		},
		"dialled": func(t *testing.T) stand { return calling(t, sdp) },
		"agreed":  func(t *testing.T) stand { return calling(t, sdp, "Require: 100rel", "RSeq: 1") },
		"over": func(t *testing.T) stand {
			p := newPhone(t, "UDP", s.udp)
			call, _ := taken(t, p, d, sdp)
			result(func() error { return call.Hangup(within(t)) })
			p.expect("BYE ")
			return p.stand()
		},
	}
}

// TestEachRequestGetsInEachStateWhatTheTableSays sends every request to a call in every state.
func TestEachRequestGetsInEachStateWhatTheTableSays(t *testing.T) {
	t.Parallel()
	table := sip.StateTable()
	ways := bring(t)
	sdp := (&phone{rtpPort: 4000}).offer("0")
	for state, rules := range table {
		way := ways[state]
		if way == nil {
			t.Errorf("no way into %q", state)
			continue
		}
		all := maps.Clone(rules)
		maps.Copy(all, stateless)
		for kind, want := range all {
			method, _, withOffer := strings.Cut(kind, " with an offer")
			body, extra := "", []string(nil)
			switch {
			case withOffer || method == "INVITE":
				body = sdp
			case method == "PRACK":
				extra = []string{"RAck: 1 1 INVITE"}
			case method == "REFER":
				extra = []string{"Refer-To: <sip:200@h>"}
			case method == "NOTIFY":
				extra = []string{"Event: refer"}
			}
			if want == 0 {
				t.Errorf("%s while %s: the table says nothing", kind, state)
				continue
			}
			stand := way(t)
			if got := stand(t, method, body, extra...); got != want {
				t.Errorf("%s while %s: %d, want %d", kind, state, got, want)
			}
			if kind != "INVITE" && kind != "BYE" { // a second time, but too late
				continue
			}
			if got := stand(t, "BYE", ""); state != "dialled" && state != "agreed" && got != 200 && got != 481 {
				t.Errorf("BYE after %s while %s: %d", kind, state, got)
			}
		}
	}
}

// TestAnAckWithoutItsTimeIsIgnored sends an ACK to a call in every state.
func TestAnAckWithoutItsTimeIsIgnored(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	must(t, call.Ring())
	_, p.toTag, _ = strings.Cut(header(p.expect("SIP/2.0 180"), "To"), "tag=")
	p.send("ACK", "") // before there is anything to acknowledge
	p.cseq = 2
	p.send("INFO", "")
	p.expect("SIP/2.0 200")
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.cseq = 9
	p.send("ACK", "") // of no INVITE
	p.cseq = 1
	p.send("ACK", "")
	p.send("ACK", "") // twice
	select {
	case <-call.Done():
		t.Errorf("ended by an ACK: %s", call.Ended())
	case <-time.After(20 * time.Millisecond):
	}
	p.hangup(call)
}
