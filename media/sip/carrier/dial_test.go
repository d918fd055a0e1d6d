package carrier_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/e164"
)

func everything(id string, targets ...carrier.Target) carrier.Trunk {
	return carrier.Trunk{ID: id, Targets: targets, Prefixes: []string{""}, FirstReply: patience / 2, Ringing: patience / 2}
}

// impatient is a trunk of which silence is expected; what answers has to do so in this time,
// on however busy a machine.
func impatient(t carrier.Trunk) carrier.Trunk {
	t.FirstReply = 1500 * time.Millisecond
	return t
}

type placed struct {
	call *sip.Call
	err  error
}

func place(ctx context.Context, c *carrier.Carrier, o carrier.Order) chan placed {
	out := make(chan placed, 1)
	go func() {
		call, err := c.Dial(ctx, o)
		out <- placed{call, err}
	}()
	return out
}

// refusal answers INVITE with status lines, and all else with 200.
func refusal(status ...string) func(string) []string {
	return func(req string) []string {
		if strings.HasPrefix(req, "INVITE ") {
			return status
		}
		return []string{"200 OK"}
	}
}

func TestACallGoesToTheNextServerWhenOneFailsForItsOwnSake(t *testing.T) {
	t.Parallel()
	closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.LocalAddr().String()
	_ = closed.Close()
	for name, c := range map[string]struct {
		first carrier.Target
		state carrier.Health
		words string
	}{
		"503 with Retry-After": {newPeer(t, refusal("503 Service Unavailable\nRetry-After: 60")).target(), carrier.Down, "it says 503 Service Unavailable"},
		"503":                  {newPeer(t, refusal("503 Service Unavailable")).target(), "", "it says 503 Service Unavailable"},
		"500":                  {newPeer(t, refusal("100 Trying", "500 Server Internal Error")).target(), "", "it says 500 Server Internal Error"},
		"408":                  {newPeer(t, refusal("408 Request Timeout")).target(), "", "it says 408 Request Timeout"},
		"silence":              {newPeer(t, refusal()).target(), carrier.Down, "no reply"},
		"no ringing":           {newPeer(t, refusal("100 Trying")).target(), "", "nothing rang in time"},
		"nobody over UDP":      {carrier.Target{URI: "sip:" + nobody}, carrier.Down, "nobody listens"},
		"nobody over TCP":      {carrier.Target{URI: "sip:" + nobody + ";transport=tcp"}, carrier.Down, "connection refused"},
		"nobody over TLS":      {carrier.Target{URI: "sips:" + nobody}, carrier.Down, "connection refused"},
		"no address":           {carrier.Target{URI: "sip:no-such-name.invalid"}, "", "locate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := newExchange(t)
			trunk := impatient(everything("carrier", c.first, second.target()))
			if name == "no ringing" {
				trunk.Ringing = 100 * time.Millisecond
			}
			cr, _ := newCarrier(t, nil, trunk)
			out := place(within(t), cr, carrier.Order{To: "+4930123456"})
			call := second.next(t)
			if call.To() != "+4930123456" {
				t.Errorf("called %q", call.To())
			}
			_ = call.Reject(486, 0)
			var failed *carrier.FailedError
			if p := <-out; !errors.As(p.err, &failed) || len(failed.Attempts) != 2 || !strings.Contains(failed.Attempts[0].Words, c.words) || !strings.Contains(failed.Attempts[1].Words, "486") {
				t.Fatalf("%v", p.err)
			}
			first := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(c.first.URI, ";transport=tcp"), "sips:"), "sip:")
			if got := server(cr, first); got.State != c.state || c.state != "" && !strings.Contains(got.Words, c.words) {
				t.Errorf("the first is %+v", got)
			}
			if c.state == carrier.Down { // the next call does not wait for it
				out := place(within(t), cr, carrier.Order{To: "+4930123456"})
				_ = second.next(t).Reject(486, 0)
				if p := <-out; !errors.As(p.err, &failed) || len(failed.Attempts) != 1 {
					t.Errorf("the next call: %v", p.err)
				}
			}
		})
	}
}

func TestACallIsNotTakenElsewhereWhenItWasJudgedOrRings(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]string{
		"busy":             {"486 Busy Here"},
		"unknown":          {"404 Not Found"},
		"declined":         {"603 Decline"},
		"not paid":         {"403 Forbidden"},
		"rang, then broke": {"180 Ringing", "503 Service Unavailable"},
		"spoke, then":      {"183 Session Progress", "500 Server Internal Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := func(req string) []string { // sipgo gives each message a goroutine: one at a time
				if !strings.HasPrefix(req, "INVITE ") {
					return []string{"200 OK"}
				}
				return answers[:1]
			}
			first, second := newPeer(t, slow), newExchange(t)
			trunk := everything("carrier", first.target(), second.target())
			cr, _ := newCarrier(t, nil, trunk)
			rang := make(chan int, 8)
			out := place(within(t), cr, carrier.Order{To: "+4930123456", Progress: func(status int) { rang <- status }})
			invite := first.expect("INVITE")
			if len(answers) > 1 {
				select {
				case <-rang:
				case <-time.After(patience):
					t.Fatal("nothing rang")
				}
				first.be(func(string) []string { return answers[1:] })
				first.again(invite)
			}
			p := <-out
			var refused *sip.RejectedError
			if !errors.As(p.err, &refused) || !strings.HasPrefix(answers[len(answers)-1], refused.Error()[len("sip: "):]) {
				t.Errorf("%v", p.err)
			}
			if len(second.calls) > 0 {
				t.Error("the call was taken elsewhere")
			}
		})
	}
}

// again has the peer answer a request once more.
func (p *peer) again(req string) {
	p.t.Helper()
	p.mu.Lock()
	answers := p.answer(req)
	p.mu.Unlock()
	via := header(req, "Via")
	host, _, _ := strings.Cut(strings.Fields(via)[1], ";")
	to, err := net.ResolveUDPAddr("udp", host)
	if err != nil {
		p.t.Fatal(err)
	}
	lines := []string{"SIP/2.0 " + answers[0]}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		v := header(req, h)
		if h == "To" {
			v += ";tag=far"
		}
		lines = append(lines, h+": "+v)
	}
	if _, err := p.conn.WriteToUDP([]byte(strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")), to); err != nil {
		p.t.Fatal(err)
	}
}

func TestACallIsAnsweredAndHeard(t *testing.T) {
	t.Parallel()
	far := newExchange(t)
	cr, _ := newCarrier(t, nil, everything("carrier", far.target()))
	out := place(within(t), cr, carrier.Order{To: "+4930123456", From: carrier.From{Number: "+4930999", Name: "Ada"}})
	in := far.next(t)
	if number, name := in.From(); number != "+4930999" || name != "Ada" {
		t.Errorf("from %q %q", number, name)
	}
	if _, err := in.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p := <-out
	if p.err != nil {
		t.Fatal(p.err)
	}
	if p.call.Trunk() != "carrier" || server(cr, strings.TrimPrefix(far.target().URI, "sip:")).State != carrier.Up {
		t.Errorf("trunk %q, %+v", p.call.Trunk(), cr.States())
	}
	if err := p.call.Hangup(within(t)); err != nil {
		t.Error(err)
	}
}

func TestServersThatAreDownAreBetterThanNothing(t *testing.T) {
	t.Parallel()
	first := newPeer(t, refusal("503 Service Unavailable\nRetry-After: 600"))
	cr, _ := newCarrier(t, nil, everything("carrier", first.target()))
	for range 2 {
		var refused *sip.RejectedError
		if p := <-place(within(t), cr, carrier.Order{To: "+4930123456"}); !errors.As(p.err, &refused) || refused.Status != 503 {
			t.Errorf("%v", p.err)
		}
		first.expect("INVITE")
	}
}

func TestTheTrunkIsThatOfTheLongestPrefix(t *testing.T) {
	t.Parallel()
	world, home, spare, gone := newExchange(t), newExchange(t), newExchange(t), newPeer(t, refusal("503 Service Unavailable"))
	plan := e164.Plan{Country: "49", National: "0"}
	for _, e := range []*exchange{world, home, spare} {
		go func() {
			for {
				select {
				case <-t.Context().Done():
					return
				case c := <-e.calls:
					_ = c.Reject(486, 0)
				}
			}
		}()
	}
	w, h, s, g := everything("world", world.target()), everything("home", home.target()), everything("spare", spare.target()), everything("gone", gone.target())
	h.Prefixes, s.Prefixes, g.Prefixes = []string{"+4930", "+49"}, []string{"+49"}, []string{"+49"}
	g.Priority, h.Priority, s.Priority = 1, 2, 3
	h.Style, h.Numbers = e164.Dialled, plan
	w.Numbers, s.Numbers, g.Numbers = plan, plan, plan
	cr, _ := newCarrier(t, nil, w, s, h, g)
	for to, want := range map[string]string{
		"+442079460101": "world", "004420794601": "world", "112": "world",
		"+4930123456": "home", "030 123456": "home",
		"+49401234567": "gone home",
	} {
		var failed *carrier.FailedError
		p := <-place(within(t), cr, carrier.Order{To: to})
		if !errors.As(p.err, &failed) {
			t.Fatalf("%s: %v", to, p.err)
		}
		var by []string
		for _, a := range failed.Attempts {
			by = append(by, a.Trunk)
		}
		if got := strings.Join(by, " "); got != want {
			t.Errorf("%s goes by %s, want %s", to, got, want)
		}
	}
	only := everything("only", world.target())
	only.Prefixes = nil
	if err := cr.SetTrunks([]carrier.Trunk{only}); err != nil {
		t.Fatal(err)
	}
	if p := <-place(within(t), cr, carrier.Order{To: "+4930123456"}); !errors.Is(p.err, carrier.ErrNoTrunk) {
		t.Errorf("a trunk that nobody asked for: %v", p.err)
	}
	if p := <-place(within(t), cr, carrier.Order{To: "+4930123456", Trunks: []string{"only"}}); errors.Is(p.err, carrier.ErrNoTrunk) {
		t.Errorf("a trunk that was asked for: %v", p.err)
	}
	if p := <-place(within(t), cr, carrier.Order{To: "+4930123456", Trunks: []string{"nobody"}}); !errors.Is(p.err, carrier.ErrNoTrunk) {
		t.Errorf("%v", p.err)
	}
}

func TestDiallingStopsWhenNobodyWantsTheCallAnyMore(t *testing.T) {
	t.Parallel()
	first, second := newPeer(t, refusal("100 Trying")), newExchange(t)
	trunk := everything("carrier", first.target(), second.target())
	trunk.FirstReply, trunk.Ringing = time.Minute, time.Minute
	cr, _ := newCarrier(t, nil, trunk)
	ctx, cancel := context.WithCancel(within(t))
	out := place(ctx, cr, carrier.Order{To: "+4930123456"})
	first.expect("INVITE")
	cancel()
	if p := <-out; !errors.Is(p.err, context.Canceled) || len(second.calls) > 0 {
		t.Errorf("%v", p.err)
	}
	first.expect("CANCEL")
}

func TestBadTrunksAreRefusedInWords(t *testing.T) {
	t.Parallel()
	c := carrier.New(carrier.Config{})
	for want, trunk := range map[string]carrier.Trunk{
		"no name":               {},
		"not a SIP URI":         {ID: "a", Targets: []carrier.Target{{URI: "hello"}}},
		"start of a number":     {ID: "a", Prefixes: []string{"+49x"}},
		"nobody to register":    {ID: "a", Targets: []carrier.Target{{URI: "sip:a.example"}}, Register: carrier.Registration{On: true}},
		"no target to register": {ID: "a", Register: carrier.Registration{On: true}},
		"0 to 65535":            {ID: "a", Targets: []carrier.Target{{URI: "sip:a.example", Weight: -1}}},
	} {
		if err := c.SetTrunks([]carrier.Trunk{trunk}); !errors.Is(err, carrier.ErrTrunk) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
