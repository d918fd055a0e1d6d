package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/stuck"
)

const (
	// deadBadSeconds is how long a microphone that has spoken must be silent to be bad: a
	// shorter stretch may be a mute key that nobody told us of.
	deadBadSeconds = 30.0
	// A noise gate makes every pause digital silence, a microphone that falls silent only
	// the one: of a gate are silences that are at least gatedLeast and, without the longest,
	// gatedShare of the pauses (the rest is what a gate holds and fades). It counts from
	// gatedSpeech seconds of speech on: before, there is nothing that was gated.
	gatedLeast  = 4
	gatedShare  = 1.0 / 3
	gatedSpeech = 5.0
	// roomBlocks is how much speech from afar shows that the microphone hears the room: 1 s.
	roomBlocks = 50
)

// dead judges a microphone that gives nothing: no sound, or no speech. A stretch without a
// sound is bad where there was never speech, where it is long, and where the samples stand
// off zero, as no mute key leaves them. That nobody answers is bad where nobody ever did.
func (a *Analyzer) dead(r *Report) (Finding, bool) {
	if f, ok := a.stuck(r); ok {
		return f, true
	}
	return a.unanswered()
}

func (a *Analyzer) stuck(r *Report) (Finding, bool) {
	s := a.meters.stuck.Result()
	limit := a.cfg.Limits.DeadSeconds
	if s.LongestSeconds == 0 || s.LongestSeconds < limit || a.gated(r, &s) {
		return Finding{}, false
	}
	f := Finding{Kind: Dead, Severity: Watch, Value: dsp.Value(s.LongestSeconds), Limit: dsp.Value(limit)}
	if r.ActiveSpeech < 1 || s.LongestSeconds >= deadBadSeconds || !s.Silent {
		f.Severity = Bad
	}
	what := "stuck at one value"
	if s.Silent {
		what = "digital silence"
	}
	f.Text = fmt.Sprintf("The microphone gave %s for %s without being muted: check the plug, the mute switch and the chosen device; replace the headset if it stays.", what, span(s.LongestSeconds))
	return f, true
}

// gated says that the longest stretch is the silence of a noise gate, which ends when
// someone speaks. One that goes on for deadBadSeconds may be the plug that was pulled in a
// pause; where the far end is known, whether it is answered tells that better.
func (a *Analyzer) gated(r *Report, s *stuck.Result) bool {
	if !s.Silent || s.Silences < gatedLeast || r.ActiveSpeech < gatedSpeech {
		return false
	}
	if s.NowSilent && s.NowSeconds >= deadBadSeconds && !a.far.fed {
		return false
	}
	pauses := float64(a.scored)/float64(a.cfg.SampleRate) - r.ActiveSpeech - s.LongestSeconds
	return s.SilentSeconds-s.LongestSeconds >= gatedShare*pauses
}

func (a *Analyzer) unanswered() (Finding, bool) {
	w := &a.far.answer
	limit := a.cfg.Limits.UnansweredSeconds
	waited := float64(w.waited) / blocksPerSecond
	room := a.far.echo.Result().LossDB.Valid()
	if !w.never(room) {
		waited = float64(w.longest) / blocksPerSecond
		if waited == 0 || waited < 2*limit {
			return Finding{}, false
		}
		return Finding{
			Kind: Dead, Severity: Watch, Value: dsp.Value(waited), Limit: dsp.Value(limit),
			Text: fmt.Sprintf("The other party spoke and paused at least %d times and no word was heard from this microphone for %s: check the mute switch, then the plug.", asked, span(waited)),
		}, true
	}
	if waited == 0 || waited < limit {
		return Finding{}, false
	}
	f := Finding{Kind: Dead, Severity: Bad, Value: dsp.Value(waited), Limit: dsp.Value(limit)}
	if room || w.faint >= roomBlocks {
		f.Text = fmt.Sprintf("For %s this microphone heard the room, and the other party in it, but nobody close to it: check whether the headset's own microphone is chosen.", span(waited))
	} else {
		f.Text = fmt.Sprintf("There is noise but no speech: the other party spoke and no word was heard from this microphone for %s. Check the mute switch and whether the right microphone is chosen.", span(waited))
	}
	return f, true
}
