package testenv_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

func TestMain(m *testing.M) {
	testenv.Main(m, func(m *testing.M) { goleak.VerifyTestMain(m) })
}

func TestCallerAndAgentHearEachOtherAtTheRightLevel(t *testing.T) {
	t.Parallel()
	for _, codec := range []media.Codec{media.PCMU, media.PCMA} {
		t.Run(codec.String(), func(t *testing.T) {
			env := testenv.Start(t, testenv.Options{})
			agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
			caller := env.Caller(load.Config{Codec: codec, Source: testenv.Tone(440, -18)})
			testenv.Await[agentclient.CallStarted](agent, 1)

			testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
			testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
		})
	}
}

func TestAnUnknownNumberIsNotFound(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	_, err := load.Dial(ctx, load.Config{Target: "sip:4711@" + env.SIP().String()})
	var refused *sip.RejectedError
	if !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("dialling a number that leads nowhere gave %v, wanted 404", err)
	}
}

func TestAStrangerIsForbidden(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: func(s *model.Site) {
		s.Trunks[0].Sources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}})
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	_, err := load.Dial(ctx, load.Config{Target: "sip:" + testenv.Number + "@" + env.SIP().String()})
	var refused *sip.RejectedError
	if !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("a call from an address of no trunk gave %v, wanted 403", err)
	}
}

func TestATrunkThatMovesAboutCallsInWithItsPassword(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: func(s *model.Site) {
		s.Trunks[0] = model.Trunk{ID: "branch", Sources: []netip.Prefix{}, Codecs: []string{}, Digest: model.TrunkDigest{Username: "branch", Password: "open sesame", Realm: "desk.example"}}
	}})
	for _, password := range []string{"open sesame", "open barley"} {
		ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
		defer cancel()
		c, err := load.Dial(ctx, load.Config{Target: "sip:" + testenv.Number + "@" + env.SIP().String(), Login: digest.Login{Username: "branch", Password: password}})
		if password == "open sesame" {
			if err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, "the call is the trunk's", func() bool {
				calls := env.Service.Calls()
				return len(calls) == 1 && calls[0].Trunk == "branch"
			})
			if err := c.Hangup(ctx); err != nil {
				t.Error(err)
			}
			continue
		}
		var refused *sip.RejectedError
		if !errors.As(err, &refused) || refused.Status != 401 {
			t.Errorf("with a wrong password: %v, wanted 401", err)
		}
	}
}

func TestGoroutinesAreBackAfterTwoHundredCalls(t *testing.T) {
	env := testenv.Start(t, testenv.Options{Site: func(s *model.Site) { s.Queues[0].WrapUp = 0 }})
	agent := env.Agent("agent", testenv.AgentOptions{})
	phone := newPhone(t)
	callMany := func(n int) {
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
			c, err := phone.Dial(ctx, load.Config{Target: "sip:" + testenv.Number + "@" + env.SIP().String()})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
	}
	idle := func() bool { return len(env.Service.Calls()) == 0 && agent.State() == string(model.Ready) }
	callMany(5) // what is made once is there now
	testenv.Eventually(t, "every call over and the agent ready", idle)
	before, stacks := runtime.NumGoroutine(), goroutines()
	callMany(200)
	defer func() {
		if t.Failed() {
			t.Logf("%d goroutines before:\n%s\n%d after:\n%s", before, stacks, runtime.NumGoroutine(), goroutines())
		}
	}()
	testenv.Eventually(t, "goroutines back to what they were", func() bool { return idle() && runtime.NumGoroutine() <= before })
}

// goroutines lists what runs, the same stacks together.
func goroutines() string {
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return err.Error()
	}
	return b.String()
}

func newPhone(t *testing.T) *load.Phone {
	t.Helper()
	phone, err := load.NewPhone(t.Context(), load.PhoneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := phone.Run(ctx); err != nil {
			t.Errorf("phone: %v", err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return phone
}

// dial calls a service in another process, from a phone that gives up soon when the
// service is gone.
func dial(t *testing.T, cfg load.Config) *load.Call {
	t.Helper()
	phone := newPhone(t)
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	c, err := phone.Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
