package testenv

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/model"
)

// MicRate and EarRate are the sample rates of a test agent's headset, in Hz.
const (
	MicRate = 16000
	EarRate = 16000
)

// Agent is a client of the service with a microphone and an ear of the test's.
type Agent struct {
	*agentclient.Client
	t    testing.TB
	Ear  *Ear
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	seen   []agentclient.Event
	signal chan struct{} // closed and renewed at every event
}

// AgentOptions change what Env.Agent does.
type AgentOptions struct {
	Mic    []float32    // at MicRate, over and over; nil is silence
	Source audio.Source // in place of Mic
	Sink   audio.Sink   // in place of the recording ear
	Serial string
	Manual bool // do not answer by itself
	Config func(*agentclient.Config)
	Server string // another address than the service's
}

// Agent signs a person in and waits until calls can come.
func (e *Env) Agent(user model.AgentID, opt AgentOptions) *Agent {
	e.t.Helper()
	if opt.Server == "" {
		opt.Server = e.URL()
	}
	a := NewAgent(e.t, user, opt)
	Eventually(e.t, string(user)+" ready", func() bool { return a.State() == string(model.Ready) })
	return a
}

// NewAgent starts a client and waits for nothing.
func NewAgent(t testing.TB, user model.AgentID, opt AgentOptions) *Agent {
	t.Helper()
	a := &Agent{t: t, Ear: &Ear{}, done: make(chan struct{}), signal: make(chan struct{})}
	cfg := agentclient.Config{
		Server: opt.Server, User: string(user), Password: Password, Program: "testenv",
		Headset: protocol.Headset{Model: "Test", Serial: opt.Serial},
		Mic:     opt.Source, Ear: opt.Sink, Ready: true, AutoAnswer: !opt.Manual,
		OnEvent: a.take,
		Backoff: agentclient.Backoff{Min: 50 * time.Millisecond, Max: 500 * time.Millisecond},
	}
	if cfg.Mic == nil {
		cfg.Mic = Mouth{PCM: opt.Mic}
	}
	if cfg.Ear == nil {
		cfg.Ear = a.Ear
	}
	if opt.Config != nil {
		opt.Config(&cfg)
	}
	client, err := agentclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.Client = client
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	go func() {
		defer close(a.done)
		if err := client.Run(ctx); err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			t.Errorf("agent %s: %v", user, err)
		}
	}()
	t.Cleanup(a.Stop)
	return a
}

// Stop signs out and waits.
func (a *Agent) Stop() {
	a.stop()
	select {
	case <-a.done:
	case <-time.After(Patience):
		a.t.Errorf("the agent did not stop within %s", Patience)
	}
}

func (a *Agent) take(e agentclient.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, often := e.(agentclient.Measured); !often {
		a.seen = append(a.seen, e)
	}
	close(a.signal)
	a.signal = make(chan struct{})
}

// Events are those of one type so far.
func Events[E agentclient.Event](a *Agent) []E {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []E
	for _, e := range a.seen {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// Await waits until there are n events of one type and returns the n-th.
func Await[E agentclient.Event](a *Agent, n int) E {
	a.t.Helper()
	limit := time.After(Patience)
	for {
		a.mu.Lock()
		signal := a.signal
		a.mu.Unlock()
		if got := Events[E](a); len(got) >= n {
			return got[n-1]
		}
		select {
		case <-signal:
		case <-limit:
			var e E
			a.t.Fatalf("not within %s: %d × %T; there were %+v", Patience, n, e, a.seen)
		}
	}
}

// State is the newest the service told.
func (a *Agent) State() string {
	if s := Events[agentclient.StateChanged](a); len(s) > 0 {
		return s[len(s)-1].State.State
	}
	return ""
}

// Mouth is a microphone into which the same is said over and over, in real time.
type Mouth struct{ PCM []float32 }

// Rate is MicRate.
func (Mouth) Rate() int { return MicRate }

// Run implements audio.Source.
func (m Mouth) Run(ctx context.Context, take func([]float32, dsp.Mark)) error {
	at := 0
	return audio.NewSilence(MicRate).Source().Run(ctx, func(frame []float32, mark dsp.Mark) {
		for i := range frame {
			if len(m.PCM) > 0 {
				frame[i] = m.PCM[at]
				at = (at + 1) % len(m.PCM)
			}
		}
		take(frame, mark)
	})
}

// Ear is an earphone that remembers what it played.
type Ear struct {
	mu  sync.Mutex
	pcm []float32
}

// Rate is EarRate.
func (*Ear) Rate() int { return EarRate }

// Run implements audio.Sink.
func (e *Ear) Run(ctx context.Context, fill func([]float32)) error {
	return audio.NewSilence(EarRate).Sink().Run(ctx, func(frame []float32) {
		fill(frame)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.pcm = append(e.pcm, frame...)
	})
}

// Last is the newest d of what was heard; less when there is less.
func (e *Ear) Last(d time.Duration) []float32 {
	n := int(d.Seconds() * EarRate)
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]float32(nil), e.pcm[max(0, len(e.pcm)-n):]...)
}

// Forget drops what was heard so far.
func (e *Ear) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pcm = nil
}
