package headset

import (
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/echo"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/talk"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// far follows the other party: blocks of 20 ms by the microphone's clock, and what the two
// have to do with each other.
type far struct {
	block    []float32 // under way
	fill     int
	highPass *filter.HighPass
	filtered []float32
	spectrum *spectrum.Analyzer
	speech   *vad.Detector

	fed    bool // there has been a block
	next   int  // number of the block to come
	lead   lead
	lateAt int            // near blocks when it came to be out of step; 0 while it is not
	heard  [kept]farBlock // the newest, by number
	turns  ring[turn]     // of the near end, that wait for the far block of their number
	echo   *echo.Meter
	talk   *talk.Meter
	answer answer
	alone  alone

	pending int  // unscored near samples that make no block yet
	held    bool // they are of a call on hold
}

// farBlock is what is kept of a far block until the near end has caught up.
type farBlock struct {
	number   int // 1 + its place on the near end's clock; 0 is none
	speaks   bool
	dBov     float64
	speechTo float64 // seconds of speech up to here
}

// turn is a near block, or the beginning of a hold.
type turn struct {
	at     int
	scored bool
	held   bool
	speech vad.Frame
}

const (
	// farSlack is how many blocks either end may be handed over before the other: 200 ms.
	farSlack = 10
	// farLate is how many near blocks may pass without a far one before the other party
	// counts as silent.
	farLate = 5
	kept    = 32 // far blocks; a power of two above 2·farSlack+farLate
	waiting = farSlack + 4
)

// newFar makes what listens to the far end, whose spectra come of near's tables.
func newFar(rate int, near *spectrum.Analyzer) (far, error) {
	size := rate / blocksPerSecond
	f := far{
		block: make([]float32, size), filtered: make([]float32, size), turns: newRing[turn](waiting),
		highPass: filter.NewHighPass(rate, highPassHz), talk: talk.New(), answer: newAnswer(),
		spectrum: near.Twin(),
	}
	var err error
	if f.speech, err = vad.New(rate); err != nil {
		return f, err
	}
	if f.alone, err = newAlone(rate); err != nil {
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
	f.turns.reset()
	f.alone.reset()
	*f = far{
		turns: f.turns, answer: newAnswer(), block: f.block, filtered: f.filtered, highPass: f.highPass, spectrum: f.spectrum,
		speech: f.speech, echo: f.echo, talk: f.talk, alone: f.alone,
	}
}

// process takes what the other party said; now is the number of near blocks so far.
func (f *far) process(frame []float32, now int) {
	f.align((f.fill+len(frame))/len(f.block), now)
	for len(frame) > 0 {
		n := min(len(frame), len(f.block)-f.fill)
		dsp.Samples(f.block[f.fill:], frame[:n])
		f.fill += n
		frame = frame[n:]
		if f.fill == len(f.block) {
			f.fill = 0
			f.hear()
			f.lead.add(f.next - now)
		}
	}
	f.meet(now)
}

// align places the far blocks that now come on the near end's clock. They follow each other
// from the start, unless that puts them out of step: then the newest is what is said now. One
// that comes late may catch up: after a pause of the line its silence comes at once.
func (f *far) align(blocks, now int) {
	if blocks == 0 {
		return
	}
	end := f.next + blocks
	if f.fed && end >= now-farSlack {
		f.lateAt = 0
	} else if f.fed && f.lateAt == 0 {
		f.lateAt = now
	}
	switch {
	case !f.fed && now > farSlack, end > now+farSlack+1, f.lateAt > 0 && now > f.lateAt+farSlack:
		f.next = max(0, now+1-blocks)
		f.lateAt, f.lead = 0, lead{}
	default:
		f.next = max(0, f.next-f.lead.drift())
	}
}

// hear takes the block that is complete.
func (f *far) hear() {
	f.highPass.Process(f.filtered, f.block)
	s := f.spectrum.Next(f.block)
	v := f.speech.Process(s, f.filtered)
	f.echo.Far(f.next, f.block, s, v)
	f.heard[f.next&(kept-1)] = farBlock{
		number: f.next + 1, speaks: v.Speech && !v.Tonal, dBov: v.LevelDBov, speechTo: f.speech.SpeechSeconds(),
	}
	f.next++
	f.fed = true
}

// at gives the far block of a number or one just before; silence where there is none.
func (f *far) at(number int) farBlock {
	for n := number; n > number-farLate && n >= 0; n-- {
		if b := f.heard[n&(kept-1)]; b.number == n+1 {
			return b
		}
	}
	return farBlock{dBov: dsp.SilenceDBov, speechTo: f.speech.SpeechSeconds()}
}

// near takes a scored block of the near end, the at-th since the start.
func (f *far) near(b *block) {
	f.pending = 0
	f.echo.Process(b.at, b.raw, b.spectrum, b.speech)
	f.wait(turn{at: b.at, scored: true, speech: b.speech})
}

// unscored passes the time of near samples that carry a mark, up to the end-th. What was
// lost, muted or filled in is a near end that does not speak; a hold is no conversation.
func (f *far) unscored(samples int, mark dsp.Mark, end uint64) {
	size := len(f.block)
	if held := mark&dsp.Held != 0; held {
		if !f.held {
			f.wait(turn{at: int((end - uint64(samples)) / uint64(size)), held: true})
		}
		f.held = true
		return
	}
	f.held = false
	for f.pending += samples; f.pending >= size; f.pending -= size {
		f.wait(turn{at: int((end-uint64(f.pending-size))/uint64(size)) - 1})
	}
}

// wait has a near block wait for its far block.
func (f *far) wait(t turn) {
	if f.turns.waiting == len(f.turns.values) {
		f.take()
	}
	f.turns.push(t)
	f.meet(t.at)
}

// meet brings together what has come of both ends.
func (f *far) meet(now int) {
	for {
		t, ok := f.turns.peek()
		if !ok || f.next <= t.at && now < t.at+farSlack {
			return
		}
		f.take()
	}
}

// take is of the near block that has waited longest.
func (f *far) take() {
	t, _ := f.turns.pop()
	switch {
	case !f.fed:
	case t.held:
		f.talk.Gap()
	case !t.scored:
		f.talk.Process(false, f.at(t.at).speaks)
	default:
		b := f.at(t.at)
		f.talk.Process(t.speech.Speech, b.speaks)
		f.answer.next(t.speech, b)
		f.alone.next(t.speech, b)
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
