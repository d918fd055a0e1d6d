//go:build linux

package talk_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/load/desk"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a service with two agents in a queue.
func house(t *testing.T, unmetered bool) *testenv.Env {
	t.Helper()
	return testenv.Start(t, testenv.Options{Agents: []model.AgentID{"desk-1", "desk-2"}, Site: func(s *model.Site) {
		s.Queues[0].WrapUp, s.Queues[0].Unmetered = 0, unmetered
	}})
}

// floor runs two desks.
func floor(t *testing.T, env *testenv.Env, codecs ...media.Codec) *talk.Floor {
	t.Helper()
	f, err := talk.New(t.Context(), talk.Config{URL: env.URL(), Target: "sip:1000@" + env.SIP().String(), Users: []string{"desk-1", "desk-2"},
		Password: testenv.Password, Codecs: codecs, Readings: true, OnEvent: func(e talk.Event) {
			if e.Err != nil {
				t.Errorf("%s: %v", e.Who, e.Err)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	limited, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	if err := f.AgentsReady(limited, 2); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSpeechArrivesWholeOverEveryPairOfCodecs is the whole of it: sign-in, ICE, DTLS, two calls at
// once, and what is said on either side is what arrives on the other.
func TestSpeechArrivesWholeOverEveryPairOfCodecs(t *testing.T) {
	for name, c := range map[string]struct {
		unmetered bool
		codecs    []media.Codec
	}{
		"Opus up, PCMU down, metered": {false, []media.Codec{media.Opus, media.PCMU}},
		"Opus both ways":              {true, []media.Codec{media.Opus}},
		"PCMU both ways":              {true, []media.Codec{media.PCMU}},
	} {
		t.Run(name, func(t *testing.T) {
			env := house(t, c.unmetered)
			f := floor(t, env, c.codecs...)
			calls := 0
			f.Churn(t.Context(), talk.Plan{Lines: 2, Shortest: 4 * time.Second, Stagger: 100 * time.Millisecond, Once: true}, func() {}, func(o talk.Outcome) {
				calls++
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				r := o.Result
				if torn := r.Describe(); torn != "" || r.Up.Sent < 150 || r.Down.Sent < 150 || r.Up.Loss() > 0.05 || r.Down.Loss() > 0.05 {
					t.Errorf("line %d: %q; up %d of %d, down %d of %d", o.Line, torn, r.Up.Heard, r.Up.Sent, r.Down.Heard, r.Down.Sent)
				}
				for _, w := range []*talk.Way{&r.Up, &r.Down} {
					if d := w.Delays.Quantile(0.5); w.Delays.N() == 0 || d > time.Second {
						t.Errorf("line %d: a delay of %v from %d", o.Line, d, w.Delays.N())
					}
				}
			})
			if calls != 2 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestACallThatNobodyAnswersIsSaidToBe(t *testing.T) {
	env := house(t, false)
	f, err := talk.New(t.Context(), talk.Config{URL: env.URL(), Target: "sip:4711@" + env.SIP().String(), Codecs: []media.Codec{media.PCMU}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	if _, err := f.Call(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a number that is none: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnAgentWithAWrongPasswordIsRefusedForGood(t *testing.T) {
	env := house(t, false)
	f, err := talk.New(t.Context(), talk.Config{URL: env.URL(), Target: "sip:1000@" + env.SIP().String(), Users: []string{"desk-1"},
		Password: "not this one", Codecs: []media.Codec{media.PCMU}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	if err := f.Run(ctx); err == nil || !strings.Contains(fmt.Sprint(err), desk.ErrRefused.Error()) || ctx.Err() != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestNothingInBetweenLosesNothing(t *testing.T) {
	l, err := stream.New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	pairs, err := talk.Direct(l, 3)
	if err != nil {
		t.Fatal(err)
	}
	seconds := 0
	r, err := talk.Measure(t.Context(), l, pairs, talk.Codecs{Caller: media.PCMU, Agent: media.PCMU}, 2*time.Second, func(int) { seconds++ })
	if err != nil {
		t.Fatal(err)
	}
	if r.Up.Loss() != 0 || r.Down.Loss() != 0 || r.Describe() != "" || r.Calls != 3 || seconds != 2 || r.Down.Sent < 200 {
		t.Errorf("%q; %d of %d, %d of %d in %d seconds", r.Describe(), r.Up.Heard, r.Up.Sent, r.Down.Heard, r.Down.Sent, seconds)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
