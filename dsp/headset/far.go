package headset

import (
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/echo"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/talk"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// far follows the other party: blocks of 20 ms in step with the microphone's, and what
// the two have to do with each other.
type far struct {
	block    []float32 // under way
	fill     int
	highPass *filter.HighPass
	filtered []float32
	spectrum *spectrum.Analyzer
	speech   *vad.Detector

	fed    bool // there has been a block
	silent int  // near blocks since the newest one
	echo   *echo.Meter
	talk   *talk.Meter
	answer answer

	pending int  // unscored near samples that make no block yet
	held    bool // they are of a call on hold
}

// farLate is how many near blocks may pass without a far one before the other party counts
// as silent.
const farLate = 5

func newFar(rate int) (far, error) {
	size := rate / blocksPerSecond
	f := far{
		block: make([]float32, size), filtered: make([]float32, size),
		highPass: filter.NewHighPass(rate, highPassHz), talk: talk.New(),
	}
	var err error
	if f.spectrum, err = spectrum.New(rate); err != nil {
		return f, err
	}
	if f.speech, err = vad.New(rate); err != nil {
		return f, err
	}
	f.echo, err = echo.New(rate)
	return f, err
}

func (f *far) reset() {
	f.highPass.Reset()
	f.spectrum.Reset()
	f.speech.Reset()
	f.echo.Reset()
	f.talk.Reset()
	*f = far{
		block: f.block, filtered: f.filtered, highPass: f.highPass, spectrum: f.spectrum,
		speech: f.speech, echo: f.echo, talk: f.talk,
	}
}

func (f *far) process(frame []float32) {
	for len(frame) > 0 {
		n := min(len(frame), len(f.block)-f.fill)
		for i, s := range frame[:n] {
			f.block[f.fill+i] = dsp.Sample(s)
		}
		f.fill += n
		frame = frame[n:]
		if f.fill == len(f.block) {
			f.fill = 0
			f.hear()
		}
	}
}

// hear takes the block that is complete.
func (f *far) hear() {
	f.highPass.Process(f.filtered, f.block)
	s := f.spectrum.Next(f.block)
	f.echo.Far(f.block, s, f.speech.Process(s, f.filtered))
	f.fed, f.silent = true, 0
}

// speaks says whether the other party is speaking now.
func (f *far) speaks() bool {
	v := f.speech.Last()
	return f.silent < farLate && v.Speech && !v.Tonal
}

// near takes a scored block of the near end, the at-th since the start.
func (f *far) near(b *block) {
	f.pending = 0
	if !f.fed {
		return
	}
	f.echo.Process(b.at, b.raw, b.spectrum, b.speech)
	f.talk.Process(b.speech.Speech, f.speaks())
	f.answer.next(b.speech, f)
	f.silent++
}

// unscored passes the time of near samples that carry a mark. What was lost, muted or
// filled in is a near end that does not speak; a hold is no conversation.
func (f *far) unscored(samples int, mark dsp.Mark) {
	if !f.fed {
		return
	}
	if held := mark&dsp.Held != 0; held {
		if !f.held {
			f.talk.Gap()
		}
		f.held = true
		return
	}
	f.held = false
	for f.pending += samples; f.pending >= len(f.block); f.pending -= len(f.block) {
		f.talk.Process(false, f.speaks())
		f.silent++
	}
}

// conversation is what is known of the two parties together; nil without a far end.
func (f *far) conversation() *Conversation {
	if !f.fed {
		return nil
	}
	r := f.talk.Result()
	party := func(p talk.Party) Party {
		return Party{
			Talk: p.TalkSeconds, Share: p.TalkShare, Monologue: p.LongestSeconds,
			Interruptions: p.Interruptions, GapMedian: p.GapMedian, GapP90: p.GapP90,
		}
	}
	return &Conversation{
		Near: party(r.Near), Far: party(r.Far), Duration: r.Seconds,
		Overtalk: r.OvertalkSeconds, OvertalkShare: r.OvertalkShare,
		SilenceLongest: r.SilenceLongest, SilenceBeyond: r.SilenceBeyond,
	}
}
