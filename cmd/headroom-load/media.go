//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

// mediaFlags are those of `headroom-load media`.
type mediaFlags struct {
	URL      string        `required:"" placeholder:"http://HOST:PORT" help:"The service, for the agents."`
	Target   string        `required:"" placeholder:"sip:NUMBER@HOST:PORT" help:"Whom the callers call: a number of the agents' queue."`
	Users    string        `required:"" placeholder:"NAMES" help:"Who signs in: names with commas, or one with {n} in it for 1, 2, 3 and so on, like desk-{n}."`
	Password string        `env:"HEADROOM_LOAD_PASSWORD" placeholder:"SECRET" help:"Of all of them. From the environment, it is not seen in the list of processes."`
	Callers  int           `default:"1" help:"Lines, each with one call at a time."`
	Agents   int           `default:"0" help:"How many of {n} sign in. Default: as many as there are callers."`
	Say      string        `default:"opus" enum:"opus,pcmu" help:"What the agents say: opus or pcmu."`
	Hear     string        `default:"pcmu" enum:"opus,pcmu" help:"What the agents take: pcmu, so that the callers' packets come as they are, or opus alone."`
	Duration time.Duration `default:"20s" help:"How long a call lasts at least."`
	Vary     time.Duration `default:"0s" help:"And up to how much longer."`
	Pause    time.Duration `default:"2s" help:"The longest pause before a line calls again."`
	For      time.Duration `default:"0s" help:"Place calls for so long. Default: one call a line."`
	Loop     bool          `help:"Place calls until interrupted."`
	Readings bool          `default:"true" negatable:"" help:"The agents send a reading of their microphone every second, as their program does."`
	JSON     bool          `name:"json" help:"Print one JSON object at the end."`
}

// mediaSum is what `headroom-load media --json` prints.
type mediaSum struct {
	Calls    int     `json:"calls"`
	Lost     int     `json:"calls_lost"`    // not answered, without an agent in time, or ended by the service
	Damaged  int     `json:"calls_damaged"` // what arrived is not what was said
	Sent     uint64  `json:"packets_sent"`
	Missing  uint64  `json:"packets_lost"`
	DelayP50 float64 `json:"delay_ms_p50"` // of the worst call, in its slower direction
	DelayP99 float64 `json:"delay_ms_p99"`
	DelayMax float64 `json:"delay_ms_max"`
}

// runMedia carries `headroom-load media` out. The status is 0 if calls were made and none was
// lost, 1 otherwise, 2 for a wrong command line.
func runMedia(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f mediaFlags
	parser, err := kong.New(&f, kong.Name("headroom-load media"), kong.Writers(stdout, stderr),
		kong.Description("Callers and agents who talk to each other through a service, by the hundred, and what arrives of it."))
	if err == nil {
		_, err = parser.Parse(args)
	}
	var cfg talk.Config
	if err == nil {
		cfg, err = f.config()
	}
	if err != nil {
		fmt.Fprintf(stderr, "headroom-load media: %v\n", err)
		return 2
	}
	if !f.JSON {
		cfg.OnEvent = func(e talk.Event) {
			if e.Err != nil {
				fmt.Fprintf(stderr, "%s %s: %v\n", time.Now().Format(time.TimeOnly), e.Who, e.Err)
			}
		}
	}
	sum, err := f.talk(ctx, cfg, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "headroom-load media: %v\n", err)
		return 1
	}
	if f.JSON {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		err = out.Encode(sum)
	} else {
		_, err = fmt.Fprintf(stdout, "%d calls, %d lost, %d damaged; %d of %d packets lost; delay of the worst call p50 %.1f p99 %.1f max %.1f ms\n",
			sum.Calls, sum.Lost, sum.Damaged, sum.Missing, sum.Sent, sum.DelayP50, sum.DelayP99, sum.DelayMax)
	}
	if err != nil || sum.Calls == 0 && ctx.Err() == nil || sum.Lost > 0 {
		return 1
	}
	return 0
}

func (f mediaFlags) config() (talk.Config, error) {
	cfg := talk.Config{URL: f.URL, Target: f.Target, Password: f.Password, Readings: f.Readings}
	switch {
	case f.Password == "":
		return cfg, errors.New("no password; put it into HEADROOM_LOAD_PASSWORD")
	case f.Callers < 1 || f.Callers > 5000 || f.Agents < 0 || f.Agents > 5000:
		return cfg, fmt.Errorf("%d callers and %d agents: 1 to 5000 of each can be had", f.Callers, f.Agents)
	case f.Duration < time.Second || f.Duration+f.Vary > 75*time.Second:
		return cfg, fmt.Errorf("a call of %v to %v: 1s to 75s can be measured", f.Duration, f.Duration+f.Vary)
	case f.Hear == "opus" && f.Say == "pcmu":
		return cfg, errors.New("--hear opus takes opus alone, so nothing else can be said")
	}
	if strings.Contains(f.Users, "{n}") {
		n := f.Agents
		if n == 0 {
			n = f.Callers
		}
		for i := range n {
			cfg.Users = append(cfg.Users, strings.ReplaceAll(f.Users, "{n}", fmt.Sprint(i+1)))
		}
	} else {
		cfg.Users = strings.Split(f.Users, ",")
	}
	switch {
	case f.Hear == "opus":
		cfg.Codecs = []media.Codec{media.Opus}
	case f.Say == "pcmu":
		cfg.Codecs = []media.Codec{media.PCMU}
	default:
		cfg.Codecs = []media.Codec{media.Opus, media.PCMU}
	}
	return cfg, nil
}

// talk makes the calls and prints each.
func (f mediaFlags) talk(ctx context.Context, cfg talk.Config, stdout io.Writer) (mediaSum, error) {
	var sum mediaSum
	floor, err := talk.New(ctx, cfg)
	if err != nil {
		return sum, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // callers hang up first
	ended := make(chan error, 1)
	calling, enough := context.WithCancel(ctx)
	defer enough()
	go func() {
		ended <- floor.Run(running)
		enough() // an agent is refused for good: no call will be answered
	}()
	err = floor.AgentsReady(calling, min(len(cfg.Users), f.Callers))
	if err == nil {
		plan := talk.Plan{Lines: f.Callers, Shortest: f.Duration, Longer: f.Vary, Pause: f.Pause, For: f.For, Once: f.For == 0 && !f.Loop}
		floor.Churn(calling, plan, func() {}, func(o talk.Outcome) {
			sum.count(o)
			if !f.JSON {
				fmt.Fprintln(stdout, told(o))
			}
		})
	}
	stop()
	runErr := <-ended
	if runErr != nil {
		return sum, runErr
	}
	if ctx.Err() != nil {
		return sum, nil // interrupted: what was measured stands
	}
	return sum, err
}

func (s *mediaSum) count(o talk.Outcome) {
	s.Calls++
	if o.Err != nil || o.Result == nil {
		s.Lost++
		return
	}
	r := o.Result
	s.Sent += r.Up.Sent + r.Down.Sent
	s.Missing += r.Up.Lost + r.Down.Lost
	if r.Describe() != "" {
		s.Damaged++
	}
	s.DelayP50, s.DelayP99, s.DelayMax = max(s.DelayP50, slower(r, 0.5)), max(s.DelayP99, slower(r, 0.99)), max(s.DelayMax, slower(r, 1))
}

// slower is the delay of the slower direction in milliseconds.
func slower(r *talk.Result, q float64) float64 {
	return max(r.Up.Delays.Quantile(q), r.Down.Delays.Quantile(q)).Seconds() * 1000
}

// told is one call for a person.
func told(o talk.Outcome) string {
	if o.Err != nil {
		return fmt.Sprintf("line %d: lost: %v", o.Line, o.Err)
	}
	r := o.Result
	text := fmt.Sprintf("line %d: an agent in %.0f ms; %d packets up, %d lost; %d down, %d lost; delay p50 %.1f max %.1f ms", o.Line, o.Waited.Seconds()*1000,
		r.Up.Sent, r.Up.Lost, r.Down.Sent, r.Down.Lost, slower(r, 0.5), slower(r, 1))
	if torn := r.Describe(); torn != "" {
		text += "; NOT whole, " + torn
	}
	return text
}
