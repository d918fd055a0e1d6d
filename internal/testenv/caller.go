package testenv

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
)

// CallerRate is the sample rate of what a caller says and hears, in Hz.
const CallerRate = 8000

// Caller places a call over SIP and waits until it is answered; it is hung up when the
// test ends.
func (e *Env) Caller(cfg load.Config) *load.Call {
	e.t.Helper()
	if cfg.Target == "" {
		cfg.Target = "sip:" + Number + "@" + e.SIP().String()
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c, err := load.Dial(ctx, cfg)
	if err != nil {
		e.t.Fatalf("call %s: %v", cfg.Target, err)
	}
	e.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := c.Hangup(ctx); err != nil {
			e.t.Errorf("hang up: %v", err)
		}
		<-c.Done()
	})
	return c
}

// Tone is a caller's voice: a sine at a level.
func Tone(hz, dbov float64) prompt.Source { return prompt.Tone(hz, dbov) }

// Hears waits until what ear gives of the last second is the tone, within 0.5 dB as a whole
// and in its loudest tenth. The whole of a tone that is too loud has the right level, too,
// while it comes in or has holes; its loudest tenth has not.
func Hears(t testing.TB, who string, hz, dbov float64, rate int, last func(time.Duration) []float32) {
	t.Helper()
	var gotHz, gotDBov, loudest float64
	defer func() {
		t.Logf("%s heard %.1f Hz at %.2f dBov last, %.2f at the loudest; wanted %.0f Hz at %.2f ± 0.5", who, gotHz, gotDBov, loudest, hz, dbov)
	}()
	Eventually(t, who+" hears the tone at its level", func() bool {
		pcm := last(time.Second)
		if len(pcm) < rate {
			return false
		}
		gotHz, gotDBov = mediatest.FindTone(pcm, rate)
		loudest = dsp.SilenceDBov
		for tenth := range slices.Chunk(pcm, rate/10) {
			loudest = max(loudest, mediatest.ToneDBov(tenth, rate, hz))
		}
		return math.Abs(gotHz-hz) < 2 && math.Abs(gotDBov-dbov) < 0.5 && math.Abs(loudest-dbov) < 0.5
	})
}

// LastHeard is the newest d of what a caller heard.
func LastHeard(c *load.Call) func(time.Duration) []float32 {
	return func(d time.Duration) []float32 {
		pcm := c.Heard()
		return pcm[max(0, len(pcm)-int(d.Seconds()*CallerRate)):]
	}
}
