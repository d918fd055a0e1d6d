//go:build linux

package talk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// Plan is calls that come and go. Zero fields have defaults.
type Plan struct {
	Lines    int           // callers, each with one call at a time
	For      time.Duration // new calls are placed for so long; default: until the context ends
	Shortest time.Duration // a call lasts so long, default 20 s,
	Longer   time.Duration // and up to this longer
	Pause    time.Duration // at most, between two calls of a line; default 2 s
	Once     bool          // every line calls once
	Stagger  time.Duration // within which the lines begin; default 5 s, or Shortest if that is less
}

// Outcome is what came of one call. Without an error there is a Result.
type Outcome struct {
	Line    int
	Began   time.Time
	Waited  time.Duration // until an agent had the call
	Err     error
	Result  *Result
	Hanging bool // the call was there, and its end was not in order
}

// How long things may take before a call counts as lost, and where its measurement begins.
const (
	answerIn = 15 * time.Second
	settleIn = 500 * time.Millisecond
)

// errGone is a call that ended while its caller still talked.
var errGone = errors.New("the agent is gone: the service ended the call, or has ended itself")

// Codecs says what the two sides of this floor's calls say, and where a codec is in between.
func (f *Floor) Codecs() Codecs {
	return Codecs{Caller: media.PCMU, Agent: f.cfg.Codecs[0], Up: f.cfg.Codecs[0] != media.PCMU, Down: !slices.Contains(f.cfg.Codecs, media.PCMU)}
}

// Churn carries a plan out, while Run runs. Each call is told to report when it is over, one at
// a time; before, when it has begun. Calls in progress when ctx ends are hung up and not told.
func (f *Floor) Churn(ctx context.Context, p Plan, begun func(), report func(Outcome)) {
	p.Shortest, p.Pause = cmp.Or(p.Shortest, 20*time.Second), cmp.Or(p.Pause, 2*time.Second)
	p.Stagger = cmp.Or(p.Stagger, min(p.Shortest, 5*time.Second))
	until := time.Now().Add(cmp.Or(p.For, 100*365*24*time.Hour))
	var mu sync.Mutex
	var lines sync.WaitGroup
	for i := range p.Lines {
		lines.Go(func() {
			// Not all at once: neither at the beginning nor, thereby, ever after.
			for wait := rand.N(p.Stagger); pause(ctx, wait) == nil && time.Now().Before(until); wait = rand.N(p.Pause) {
				mu.Lock()
				begun()
				mu.Unlock()
				o := f.once(ctx, i, p.Shortest+rand.N(max(p.Longer, 1)))
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				report(o)
				mu.Unlock()
				if p.Once {
					return
				}
			}
		})
	}
	lines.Wait()
}

// once is a call that is answered, has an agent, is heard for its time, and is hung up.
func (f *Floor) once(ctx context.Context, line int, during time.Duration) (o Outcome) {
	o.Line, o.Began = line, time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, answerIn, fmt.Errorf("no agent within %v", answerIn))
	defer cancel()
	call, err := f.Call(limited, line)
	if err != nil {
		o.Err = err
		return o
	}
	defer func() {
		if err := call.Hangup(context.WithoutCancel(ctx)); err != nil {
			o.Err, o.Hanging = errors.Join(o.Err, fmt.Errorf("hang up: %w", err)), true
		}
	}()
	pair, err := call.Connected(limited)
	if err != nil {
		o.Err = err
		return o
	}
	o.Waited = time.Since(o.Began)
	if o.Err = pause(ctx, settleIn); o.Err != nil {
		return o
	}
	talking, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		if f.until(talking, func() bool { return f.pairOf(pair.Caller) != pair }) {
			end(errGone)
		}
	}()
	if o.Result, o.Err = Measure(talking, f.loop, []*Pair{pair}, f.Codecs(), during, nil); o.Err != nil {
		return o
	}
	select {
	case <-call.Done():
		o.Err = errors.New("the service hung up")
	default:
	}
	return o
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
