package echo

import (
	"math"
	"math/cmplx"

	"github.com/headroom-voice/headroom/dsp"
)

// The constants of the decision.
const (
	memory       = 0.99 // of a segment when the next is folded in: the last two or three minutes count
	leastSeconds = 3.0  // of far-only talk before anything is said
	certain      = 6.0  // standard deviations above chance at which an echo is one
	independent  = 12.0 // degrees of freedom of one segment's 48 bins [M]
	smear        = 4    // lags on either side of an echo in which it still shows: vowels are long
	spreadDB     = 4.0  // of an echo's energy lies in other lags than its strongest [M]
	twiceDB      = 1.0  // of an echo is explained twice, by neighbouring lags, where a vowel lasts [M]
	leastLossDB  = 3.0  // less is no echo: the streams carry the same sound
)

// totals is what the segments gave, each a little forgotten with every further one.
type totals struct {
	segments float64
	single   [lags]float64 // explained by each lag alone, over all bins
	peak     int           // index of the lag that explains most

	// At the peak's taps, since the peak last moved.
	fitted   float64 // segments
	fits     [maxBins]fitted
	near     float64 // weighed near energy explained by it, less what the control's taps do
	far      float64 // weighed energy of the far end
	turn     complex128
	farLevel float64 // unweighed: energy of the far end while it speaks
	farTime  float64

	nearEnergy float64 // of near speech while the far end was quiet
	nearBlocks float64
	farOnly    uint64 // blocks
}

// fitted is what was explained in one bin.
type fitted struct {
	near  float64 // weighed near energy explained, less what the control's taps do
	far   float64 // weighed energy of the far end
	plain float64 // the same, not weighed: what the far end's voice has here
}

// close folds the segment under way into the totals.
func (m *Meter) close() {
	s, t, n := &m.seg, &m.total, m.grid.n
	if s.farOnly(n) {
		t.segments = t.segments*memory + 1
		peak := 0
		for i := range t.single {
			t.single[i] = t.single[i]*memory + s.single(i, n)
			if i < searched && t.single[i] > t.single[peak] {
				peak = i
			}
		}
		if peak != t.peak {
			t.peak = peak
			t.fitted, t.fits, t.near, t.far, t.turn = 0, [maxBins]fitted{}, 0, 0, 0
		}
		t.fit(s, &m.grid)
	}
	s.blocks = 0
}

// fit explains the near blocks by the taps around the peak.
func (t *totals) fit(s *segment, g *bins) {
	first := min(max(0, t.peak-1), searched-taps)
	var near, far float64
	var turn complex128
	last := complex128(0)
	for k := range g.n {
		l := s.factor(k)
		explained := s.explained(&l, first, k) - s.explained(&l, searched, k)
		power := float64(s.power[t.peak][k])
		near += explained
		far += power
		b := &t.fits[k]
		b.near = b.near*memory + explained
		b.far = b.far*memory + power
		b.plain = b.plain*memory + float64(s.selfPower[0][k])
		h := complex(float64(s.re[t.peak][k]), float64(s.im[t.peak][k]))
		if k > 0 && g.at[k] == g.at[k-1]+1 {
			turn += h * cmplx.Conj(last)
		}
		last = h
	}
	t.fitted = t.fitted*memory + 1
	t.near = t.near*memory + near
	t.far = t.far*memory + far
	t.turn = t.turn*memory + turn
}

// Result is what was measured so far. It looks only at segments that are complete.
func (m *Meter) Result() Result {
	t := &m.total
	r := Result{LossDB: dsp.None(), AtLeastDB: dsp.None(), DelayMS: dsp.None(), SpeechToEchoDB: dsp.None()}
	r.FarOnlySeconds = float64(t.farOnly) / blocksPerSecond
	if r.FarOnlySeconds < leastSeconds || t.segments == 0 || t.far <= 0 {
		return r
	}
	chance, threshold := t.chance()
	if t.single[t.peak] < threshold || t.near <= 0 {
		least := (threshold - chance) / t.segments * t.fitted
		r.AtLeastDB = dsp.Value(10*math.Log10(t.far/max(least, 1e-30)) - spreadDB)
		return r
	}
	off := -cmplx.Phase(t.turn) / (2 * math.Pi * m.grid.binHz) // seconds beyond the peak's block
	delay := float64(firstLag+t.peak)/blocksPerSecond + off
	loss := t.loss(&m.grid) + 10*math.Log10(m.grid.seenAt(off)) + twiceDB
	if !(loss >= leastLossDB) {
		return r
	}
	r.LossDB, r.DelayMS = dsp.Value(loss), dsp.Value(1000*delay)
	if t.nearBlocks >= blocksPerSecond && t.farTime > 0 {
		level := 10 * math.Log10(t.nearEnergy/t.nearBlocks/(t.farLevel/t.farTime))
		r.SpeechToEchoDB = dsp.Value(level + loss)
	}
	return r
}

// loss gives the energy of the far end's voice over that of its echo, dB. The weight of a
// block says how well it tells how much comes back in each bin; how much of the voice is
// there is another matter, and is not weighed. NaN where nothing is left of the echo.
func (t *totals) loss(g *bins) float64 {
	var voice, echo float64
	for k, b := range t.fits[:g.n] {
		if b.far > 0 {
			voice += g.width[k] * b.plain
			echo += g.width[k] * b.plain * b.near / b.far
		}
	}
	return 10 * math.Log10(voice/echo)
}

// chance gives what a lag without an echo explains, and what only an echo does: from the
// number of segments, and from how much the lags away from the peak differ.
func (t *totals) chance() (mean, threshold float64) {
	n, sum, squares := 0.0, 0.0, 0.0
	for i, v := range t.single {
		if i < t.peak-smear || i > t.peak+smear {
			n++
			sum += v
			squares += v * v
		}
	}
	mean = sum / n
	deviation := math.Sqrt(max(0, squares/n-mean*mean))
	return mean, mean + certain*max(deviation, mean/math.Sqrt(independent*t.segments))
}

// seenAt gives the share of an echo of speech that the taps see, off seconds from a whole
// block: of voiced sounds, which go on from block to block, they see more than of white
// noise; about the square root [M].
func (g *bins) seenAt(off float64) float64 {
	i := int(math.Abs(off) * blocksPerSecond * 2 * overlapSteps)
	return math.Sqrt(g.seen[min(i, overlapSteps)])
}
