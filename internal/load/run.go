package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// The waits of a line that calls over and over, and how long the last BYE may take.
const (
	defaultPause = 2 * time.Second
	maxWait      = 30 * time.Second
	farewell     = 3 * time.Second
)

// Plan is a load to put on a target.
type Plan struct {
	Target    string        // "sip:NUMBER@HOST:PORT"
	Lines     int           // calls at the same time
	Rate      float64       // lines started per second
	Duration  time.Duration // of a call, from its answer; the far end may be sooner
	Loop      bool          // each line calls again when its call is over
	Pause     time.Duration // before it does; default 2 s
	Source    prompt.Source // what the callers say
	Codec     media.Codec
	PTime     time.Duration
	Patience  time.Duration // for the first reply to a call; default 32 s
	Login     digest.Login  // to answer a challenge with
	Transport string        // "udp" or "tcp"; a target that names one (;transport=) is obeyed
	Local     netip.Addr
}

// Result is one call as its caller saw it.
type Result struct {
	Line      int     `json:"line"`
	ID        string  `json:"call_id,omitempty"`
	Answered  bool    `json:"answered"`
	Cause     string  `json:"cause"`                // how it ended, a cause of media/sip
	Status    int     `json:"sip_status,omitempty"` // of a refusal
	Error     string  `json:"error,omitempty"`
	SetupMS   float64 `json:"setup_ms,omitempty"` // from INVITE to answer
	DurationS float64 `json:"duration_s"`         // from answer to end
	Sent      uint64  `json:"packets_out"`
	Received  uint64  `json:"packets_in"`
	Lost      int64   `json:"packets_lost"`
	JitterMS  float64 `json:"jitter_ms"`
	HeardDBov float64 `json:"heard_dbov"` // mean level of what was heard; -120 is silence
}

// String is the line that is printed for a person.
func (r Result) String() string {
	if !r.Answered {
		what := r.Error
		if what == "" {
			what = r.Cause
		}
		return fmt.Sprintf("line %d: not answered: %s", r.Line, what)
	}
	return fmt.Sprintf("line %d: answered in %.0f ms, %.1f s, %s; sent %d, heard %d packets (%d lost, jitter %.1f ms) at %.1f dBov",
		r.Line, r.SetupMS, r.DurationS, r.Cause, r.Sent, r.Received, r.Lost, r.JitterMS, r.HeardDBov)
}

func (p Plan) check() error {
	switch {
	case p.Target == "":
		return errors.New("load: no target")
	case p.Lines < 1 || p.Lines > (highPort-lowPort)/2:
		return fmt.Errorf("load: %d calls: 1 to %d can be placed", p.Lines, (highPort-lowPort)/2)
	case !(p.Rate > 0):
		return errors.New("load: the rate must be above zero")
	case p.Duration <= 0:
		return errors.New("load: the duration must be above zero")
	}
	return nil
}

// Run carries the plan out. Each call's result goes to report, one at a time, when the call
// is over. It returns when every line is done, or, ctx ended, when every call is hung up.
func Run(ctx context.Context, plan Plan, report func(Result)) error {
	if err := plan.check(); err != nil {
		return err
	}
	if plan.Pause <= 0 {
		plan.Pause = defaultPause
	}
	phone, err := NewPhone(ctx, PhoneConfig{Local: plan.Local, Transport: transport(plan.Target, plan.Transport)})
	if err != nil {
		return err
	}
	// The phone outlives ctx: every line hangs up for itself first.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	phoneDone := make(chan error, 1)
	go func() { phoneDone <- phone.Run(running) }()

	results := make(chan Result)
	var lines sync.WaitGroup
	lines.Go(func() {
		gap := time.NewTicker(max(time.Duration(float64(time.Second)/plan.Rate), time.Microsecond))
		defer gap.Stop()
		for i := 1; i <= plan.Lines; i++ {
			lines.Go(func() { phone.line(ctx, plan, i, results) })
			if i < plan.Lines && !waited(ctx, gap.C) {
				return
			}
		}
	})
	go func() {
		lines.Wait()
		close(results)
	}()
	for r := range results {
		report(r)
	}
	stop()
	return <-phoneDone
}

// transport is what the target names, else otherwise.
func transport(target, otherwise string) string {
	for param := range strings.SplitSeq(strings.ToLower(target), ";") {
		if name, ok := strings.CutPrefix(param, "transport="); ok {
			return name
		}
	}
	return otherwise
}

// line places one line's calls.
func (p *Phone) line(ctx context.Context, plan Plan, number int, results chan<- Result) {
	for {
		r, retry := p.once(ctx, plan, number)
		if r.Answered || ctx.Err() == nil {
			results <- r
		}
		if !plan.Loop || ctx.Err() != nil {
			return
		}
		pause := time.NewTimer(min(max(plan.Pause, retry), maxWait))
		again := waited(ctx, pause.C)
		pause.Stop()
		if !again {
			return
		}
	}
}

// once places one call, stays for its duration, and says how it was. retry is what a
// refusal asked to wait.
func (p *Phone) once(ctx context.Context, plan Plan, number int) (r Result, retry time.Duration) {
	r.Line, r.HeardDBov = number, -120
	cfg := Config{
		Target: plan.Target, Codec: plan.Codec, PTime: plan.PTime, Patience: plan.Patience, Login: plan.Login, Keep: time.Second,
		From: fmt.Sprintf("+4930555%04d", number), FromName: fmt.Sprintf("Caller %d", number),
	}
	if plan.Source != nil {
		cfg.Source = From(plan.Source, int64(number)*rate*7/2)
	}
	call, err := p.Dial(ctx, cfg)
	if err != nil {
		r.Cause, r.Error = sip.CauseTransport, err.Error()
		if refused, ok := errors.AsType[*sip.RejectedError](err); ok {
			r.Cause, r.Status, retry = sip.CauseRejected, refused.Status, refused.RetryAfter
		}
		return r, retry
	}
	answered := time.Now()
	limit := time.NewTimer(plan.Duration)
	defer limit.Stop()
	select {
	case <-ctx.Done():
	case <-limit.C:
	case <-call.Done():
	}
	r.DurationS = time.Since(answered).Seconds()
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := call.Hangup(bye); err != nil {
		r.Error = err.Error()
	}
	stats := call.Stats()
	r.ID, r.Answered, r.Cause = call.ID(), true, call.Ended()
	r.SetupMS = float64(call.Setup().Microseconds()) / 1000
	r.Sent, r.Received, r.Lost = stats.PacketsOut, stats.PacketsIn, stats.Lost
	r.JitterMS = float64(stats.Jitter.Microseconds()) / 1000
	r.HeardDBov = call.HeardDBov()
	return r, 0
}

// waited says that c yielded before ctx ended.
func waited(ctx context.Context, c <-chan time.Time) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// Summary is the end of a run.
type Summary struct {
	Calls    []Result `json:"calls"`
	Placed   int      `json:"placed"`
	Answered int      `json:"answered"`
	Refused  int      `json:"refused"`
	Failed   int      `json:"failed"`
	Lost     int64    `json:"packets_lost"`
	Received uint64   `json:"packets_in"`
}

// Count adds a result to the sums. Calls is left to whoever wants them all.
func (s *Summary) Count(r Result) {
	s.Placed++
	s.Lost += r.Lost
	s.Received += r.Received
	switch {
	case r.Answered:
		s.Answered++
	case r.Status != 0:
		s.Refused++
	default:
		s.Failed++
	}
}
