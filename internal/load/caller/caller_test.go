//go:build linux

package caller_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/load/caller"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// answering takes every call to 100 and shows it; others are refused.
type answering struct{ calls chan *sip.Call }

func (a answering) Incoming(c *sip.Call) {
	if c.To() != "100" {
		_ = c.Reject(486, 0)
		return
	}
	if _, err := c.Answer(context.Background()); err == nil {
		a.calls <- c
	}
}

// run runs a component until the test ends.
func run(t *testing.T, work func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// stand is our own SIP server, and a client that calls the number there.
func stand(t *testing.T, number string) (chan *sip.Call, *caller.Client, *stream.End) {
	t.Helper()
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 11200, 11299, 0)
	if err != nil {
		t.Fatal(err)
	}
	trunk := sip.Trunk{ID: "load", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	a := answering{make(chan *sip.Call, 10)}
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: ports, Trunks: []sip.Trunk{trunk}}, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	loop, err := stream.New()
	if err != nil {
		t.Fatal(err)
	}
	run(t, loop.Run)
	udp, _ := s.Addrs()
	c, err := caller.Open(t.Context(), "sip:"+number+"@"+udp.String())
	if err != nil {
		t.Fatal(err)
	}
	run(t, c.Run)
	end, err := loop.Open(c.Local(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.calls, c, end
}

func soon(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
	}
}

func TestACallIsAnsweredAndHungUp(t *testing.T) {
	calls, c, end := stand(t, "100")
	call, err := c.Dial(t.Context(), "+4930555001", end)
	if err != nil {
		t.Fatal(err)
	}
	there := <-calls
	if number, _ := there.From(); number != "+4930555001" {
		t.Errorf("it is called by %q", number)
	}
	if err := call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	soon(t, "the server knows that it is over", there.Done())
}

func TestTheOtherSideHangsUp(t *testing.T) {
	calls, c, end := stand(t, "100")
	call, err := c.Dial(t.Context(), "+4930555002", end)
	if err != nil {
		t.Fatal(err)
	}
	if err := (<-calls).Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	soon(t, "the BYE has come", call.Done())
	if err := call.Hangup(t.Context()); err != nil {
		t.Errorf("hanging up what is over: %v", err)
	}
}

func TestACallToWhereNobodyListensEndsAtOnce(t *testing.T) {
	_, c, end := stand(t, "100")
	closed, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // opened to know a port that is closed a line later
	if err != nil {
		t.Fatal(err)
	}
	target := "sip:100@" + closed.LocalAddr().String()
	_ = closed.Close()
	if c, err = caller.Open(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	run(t, c.Run)
	began := time.Now()
	if _, err := c.Dial(t.Context(), "+4930555004", end); !errors.Is(err, caller.ErrNobody) || time.Since(began) > patience {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestARefusalIsAnError(t *testing.T) {
	_, c, end := stand(t, "486")
	if _, err := c.Dial(t.Context(), "+4930555003", end); !errors.Is(err, caller.ErrRefused) {
		t.Errorf("error %v", err)
	}
	for _, target := range []string{"", "100@127.0.0.1", "sip:127.0.0.1", "sip:1@127.0.0.1:x"} {
		if c, err := caller.Open(t.Context(), target); err == nil {
			t.Errorf("%q is a target: %v", target, c.Local())
		}
	}
}
