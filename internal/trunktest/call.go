package trunktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

const (
	toneHz     = 1004.0 // ITU-T O.6 has 1020 Hz, North America 1004: neither is a ringing tone
	toneDBov   = -20.0
	silentDBov = -60.0 // below it nobody hears anything
	hangupTime = 5 * time.Second
)

// Call is what came of the test call.
type Call struct {
	Number      string   `json:"number"`
	Progress    []int    `json:"progress"` // provisional responses beyond 100
	RangMS      float64  `json:"rang_ms,omitempty"`
	AnsweredMS  float64  `json:"answered_ms,omitempty"`
	Codec       string   `json:"codec,omitempty"`
	Encryption  string   `json:"encryption,omitempty"` // of the audio; "" = none
	PacketsIn   uint64   `json:"packets_in"`
	PacketsOut  uint64   `json:"packets_out"`
	Lost        int64    `json:"lost"`
	JitterMS    float64  `json:"jitter_ms"`
	HeardDBov   *float64 `json:"heard_dbov,omitempty"` // the loudest 200 ms
	ToneReturns bool     `json:"tone_returns"`         // the callee sends back what it hears
	Ended       string   `json:"ended,omitempty"`      // by the other side, while it was listened to
}

// call places the test call and reports on it.
func (r *run) call(ctx context.Context) {
	c := Check{Step: StepCall, Target: r.cfg.Number, Outcome: OK, Call: &Call{Number: r.cfg.Number, Progress: []int{}}}
	start := time.Now()
	var mu sync.Mutex // of what progress tells, on the call's goroutine
	waiting, cancel := context.WithTimeout(ctx, r.cfg.Answer)
	defer cancel()
	call, err := r.probe.Dial(waiting, carrier.Order{To: r.cfg.Number, From: carrier.From{Number: r.cfg.From}, Progress: func(status int) {
		mu.Lock()
		defer mu.Unlock()
		if len(c.Call.Progress) < 16 {
			c.Call.Progress = append(c.Call.Progress, status)
		}
		if c.Call.RangMS == 0 {
			c.Call.RangMS = milliseconds(time.Since(start))
		}
	}})
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			r.notConnected(&c, err, waiting.Err() != nil)
			r.note(c)
		}
		return
	}
	c.Status, c.Reason, c.Call.AnsweredMS = 200, "OK", milliseconds(time.Since(start))
	heard := r.converse(ctx, call, c.Call)
	r.judgeAudio(&c, heard)
	if ctx.Err() == nil {
		r.note(c)
	}
}

// notConnected says why a call was not answered.
func (r *run) notConnected(c *Check, err error, tooLong bool) {
	c.Outcome = Failed
	var failed *carrier.FailedError
	var last carrier.Attempt
	if errors.As(err, &failed) && len(failed.Attempts) > 0 {
		if last = failed.Attempts[len(failed.Attempts)-1]; last.Server.Addr.IsValid() {
			c.Server = last.Server.String()
		}
	}
	var refused *sip.RejectedError
	switch {
	case tooLong && len(c.Call.Progress) > 0:
		c.Words, c.Advice = fmt.Sprintf("rang after %v, and nobody answered within %v", fromMS(c.Call.RangMS), r.cfg.Answer), "the trunk works as far as that: try a number that answers"
	case tooLong:
		c.Words, c.Advice = fmt.Sprintf("nothing rang within %v", r.cfg.Answer), "ask the carrier what became of the call"
	case errors.As(err, &refused):
		c.Status, c.Reason = refused.Status, refused.Reason
		c.Words, c.Advice = refusedCall(refused, r.probe.Trunk().Login.Username)
		if len(c.Call.Progress) > 0 {
			c.Words = fmt.Sprintf("rang after %v, then %s", fromMS(c.Call.RangMS), c.Words)
		}
	case errors.Is(err, carrier.ErrNoTrunk) && last.Trunk == "":
		c.Words, c.Advice = "the trunk takes no calls to this number", "none of outbound.prefixes fits it; numbers count as +E.164, or as the trunk's numbers have it"
	case errors.Is(err, sip.ErrNoReply), errors.Is(err, sip.ErrUnreachable):
		c.Words, c.Advice = r.silent(last.Server, err, r.probe.Trunk().FirstReply)
	default:
		c.Words, c.Advice = "the call has failed: "+inShort(err), "see the checks before it"
	}
}

// converse plays the tone and listens, then hangs up.
func (r *run) converse(ctx context.Context, call *sip.Call, into *Call) *ear {
	heard := newEar()
	pacing, stop := context.WithCancel(context.WithoutCancel(ctx))
	pacer, ended := prompt.NewPacer(), make(chan struct{})
	go func() { defer close(ended); _ = pacer.Run(pacing) }() // it has no way to fail
	leg := call.Leg()
	leg.SetSink(heard)
	silence := pacer.Play(leg, prompt.Tone(toneHz, toneDBov))
	timer := time.NewTimer(r.cfg.Listen)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-call.Done():
		into.Ended = call.Ended()
	case <-ctx.Done():
	}
	silence()
	stop()
	<-ended
	stats := leg.Stats()
	into.Codec, into.PacketsIn, into.PacketsOut = stats.Codec.String(), stats.PacketsIn, stats.PacketsOut
	into.Lost, into.JitterMS = stats.Lost, milliseconds(stats.Jitter)
	into.Encryption = call.Encryption()
	leg.SetSink(nil)
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTime)
	defer cancel()
	_ = call.Hangup(bye) // nobody is left to whom it would matter
	return heard
}

// judgeAudio says what was heard of an answered call.
func (r *run) judgeAudio(c *Check, heard *ear) {
	level, tone, packets := heard.measure()
	c.Words = "answered after " + fromMS(c.Call.AnsweredMS).String()
	if len(c.Call.Progress) > 0 {
		c.Words = fmt.Sprintf("rang after %v, answered after %v", fromMS(c.Call.RangMS), fromMS(c.Call.AnsweredMS))
	}
	c.Call.ToneReturns = tone
	switch {
	case packets == 0:
		c.Outcome, c.Words = Failed, c.Words+", and no audio came"
		c.Advice = "audio does not get through to this machine: open rtp.ports in the firewall, and write the address that the carrier reaches into sip.advertise"
	case level < silentDBov:
		c.Call.HeardDBov = &level
		c.Outcome, c.Words = Warning, c.Words+", and what came was silence"
		c.Advice = "call a number that speaks or sends back what it hears; if it does, the carrier sends silence"
	default:
		c.Call.HeardDBov = &level
		c.Words += fmt.Sprintf(", audio heard at %.0f dBov in %s", level, c.Call.Codec)
		if tone {
			c.Words += ", and our tone came back"
		}
	}
	if c.Call.Ended != "" {
		c.Words += "; the other side hung up before this one"
	}
}

func fromMS(ms float64) time.Duration {
	return rounded(time.Duration(ms * float64(time.Millisecond)))
}
