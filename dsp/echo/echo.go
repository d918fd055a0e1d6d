package echo

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// Blocks are 20 ms. A lag is how many blocks the echo comes after the far end's block.
const (
	blocksPerSecond = 50
	slack           = 10 // blocks that either end may be handed over before the other
	firstLag        = -2 // early, where the far blocks were handed over late
	lastLag         = 19 // 300 ms of delay, the room's tail and a late hand-over
	controlLag      = 28 // from here on no echo comes: what is found here is chance
	taps            = 4  // lags of one echo: its block, two after, one before
	searched        = lastLag - firstLag + 1
	lags            = searched + taps // the last ones are the control
	maxBins         = 48
	farRing         = 64 // blocks of the far end kept; a power of two above controlLag+taps+nearRing+slack
	never           = -1 << 30
	nearRing        = 16 // near blocks that wait for late far ones: a power of two above slack
)

// Result is what was measured since the start. Losses are over 125 to 3400 Hz.
type Result struct {
	LossDB         dsp.Value // level of the far end over its echo; None where no echo stands out
	AtLeastDB      dsp.Value // where none does: the echo loss is above this
	DelayMS        dsp.Value // of the echo behind the far end as both were handed over
	SpeechToEchoDB dsp.Value // active level of near speech over that of the echo
	FarOnlySeconds float64   // in which the far end alone spoke
}

// Meter measures one pair of streams. It is not safe for concurrent use.
type Meter struct {
	grid            bins
	ownFar, ownNear *thinned // nil where the shared spectra do

	far       [farRing]farBlock
	farNext   int  // index after the newest far block, on the near end's clock
	farHeard  bool // there has been one
	farSpoke  int  // index after the last one of speech
	near      [nearRing]nearBlock
	nearNext  int
	nearSpoke int // last block in which the near end was too loud for an echo

	seg   segment
	total totals
}

// farBlock is what is kept of one block of the far end.
type farBlock struct {
	index  int // 1 + its place on the near end's clock; 0 is none
	ok     bool
	speech bool
	tonal  bool
	energy float32
	re, im [maxBins]float32
	power  [maxBins]float32
}

type nearBlock struct {
	index  int
	ok     bool
	speech bool
	energy float32
	re, im [maxBins]float32
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 8000 || rate > 192000 {
		return nil, fmt.Errorf("echo: sample rate %d Hz is outside 8000 to 192000", rate)
	}
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	m := &Meter{nearSpoke: never}
	if narrow(s) && rate > 22000 {
		m.ownFar, m.ownNear = newThinned(rate), newThinned(rate)
		s = m.ownNear.spectrum
	}
	m.grid.choose(s)
	m.grid.overlap(s)
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	m.Gap()
	if m.ownFar != nil {
		m.ownFar.spectrum.Gap()
	}
	*m = Meter{grid: m.grid, ownFar: m.ownFar, ownNear: m.ownNear, nearSpoke: never}
}

// Gap says that the near block to come does not join on the last one.
func (m *Meter) Gap() {
	m.close()
	if m.ownNear != nil {
		m.ownNear.spectrum.Gap()
	}
}

// Far takes a block of the far end, 20 ms: its number on the near end's clock, its samples
// and spectrum, nil just after a gap, and whether it is speech. It may come up to 200 ms
// before or after the near block of that number.
func (m *Meter) Far(at int, block []float32, f *spectrum.Frame, v vad.Frame) {
	if m.ownFar != nil {
		f = m.ownFar.next(block)
	}
	if at != m.farNext && m.farHeard {
		m.close()
	}
	m.farHeard, m.farNext = true, at+1
	b := &m.far[at&(farRing-1)]
	b.index = at + 1
	b.ok, b.speech, b.tonal = f != nil, v.Speech && !v.Tonal, v.Tonal
	if f == nil {
		return
	}
	b.energy = m.grid.energy(f)
	m.grid.take(&b.re, &b.im, f)
	if b.speech {
		m.farSpoke = m.farNext
		m.total.farLevel += float64(b.energy)
		m.total.farTime++
	}
	for k := range b.power {
		b.power[k] = b.re[k]*b.re[k] + b.im[k]*b.im[k]
	}
}

// Process takes a block of the near end, 20 ms: its number since the start, counting also
// those that are not scored and therefore left out, its samples and spectrum (nil just
// after a gap), and whether it is speech.
func (m *Meter) Process(at int, block []float32, f *spectrum.Frame, v vad.Frame) {
	m.nearNext = at + 1
	if !m.farHeard && at > slack { // nothing to compare with
		return
	}
	if m.ownNear != nil {
		f = m.ownNear.next(block)
	}
	b := &m.near[at&(nearRing-1)]
	b.index, b.ok, b.speech = at+1, f != nil, v.Speech
	if f != nil {
		b.energy = m.grid.energy(f)
		m.grid.take(&b.re, &b.im, f)
	}
	if due := m.nearNext - nearRing; due >= 0 {
		if b := &m.near[due&(nearRing-1)]; b.index == due+1 && b.ok {
			m.compare(b, due)
		}
	}
}

// compare adds a near block to the segment under way, if only the far end spoke.
func (m *Meter) compare(b *nearBlock, at int) {
	s := &m.seg
	w := m.survey(at)
	if b.speech && w.quiet && b.energy > leastEnergy {
		m.total.nearEnergy += float64(b.energy)
		m.total.nearBlocks++
	}
	if s.blocks > 0 && at-s.began >= segmentSpan {
		m.close()
	}
	if !w.usable {
		return
	}
	if b.energy > geigel*w.loudest {
		m.nearSpoke = at
		return
	}
	if at-m.nearSpoke <= afterTalk { // it fades; the far end may send it back
		return
	}
	if w.speaking {
		m.total.farOnly++
	}
	if at&1 != 0 { // every other block: half the work, and what it tells overlaps its neighbour
		return
	}
	if s.blocks == 0 {
		s.start(at)
	}
	s.add(m, b, at, w.loudest)
	if s.blocks == segmentBlocks {
		m.close()
	}
}

// around is what the far end did about a near block.
type around struct {
	usable   bool    // it spoke, nothing is missing and there was no tone
	speaking bool    // it speaks in this very block
	quiet    bool    // it did not speak at all
	loudest  float32 // energy of its loudest block
}

func (m *Meter) survey(at int) around {
	w := around{quiet: m.farSpoke+lastLag <= at}
	if w.quiet {
		return w
	}
	w.usable, w.quiet = true, true
	for lag := firstLag; lag < controlLag+taps; lag++ {
		far := at - lag
		b := &m.far[far&(farRing-1)]
		if far < 0 || b.index != far+1 || !b.ok || b.tonal {
			w.usable = false
			continue
		}
		if lag > lastLag {
			continue
		}
		w.quiet = w.quiet && !b.speech
		w.speaking = w.speaking || lag == 0 && b.speech
		w.loudest = max(w.loudest, b.energy)
	}
	w.usable = w.usable && !w.quiet
	return w
}
