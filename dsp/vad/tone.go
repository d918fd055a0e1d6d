package vad

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

const (
	order        = 4    // of the linear prediction: two sines are predicted exactly by four samples
	toneGain     = 20.0 // dB of prediction gain of a tone that went through G.711
	pureToneGain = 40.0 // of one that did not
	keepsLevel   = 0.5  // dB between two blocks of a tone
	analysisRate = 8000 // Hz, about: at a higher rate speech is as predictable
	inTwoPeaks   = 0.97 // share of the power of one or two tones around the strongest bands
	coarsened    = 0.9  // of those that went through Opus
)

// toneFinder tells tones, block after block.
type toneFinder struct {
	predictor predictor
	stride    int     // every how manieth sample is taken
	gain      float64 // of the block before, dB; 0 where there was none
	level     float64 // dBov
}

func newToneFinder(rate int) toneFinder { return toneFinder{stride: max(1, rate/analysisRate)} }

func (t *toneFinder) gap() { t.gain = 0 }

// find tells whether a block of a level in dBov is a tone. Smooth vowels are nearly as
// predictable as a tone that went through G.711, but they do not keep their level.
func (t *toneFinder) find(block []float32, level float64) bool {
	t.predictor = predictor{}
	for i := 0; i < len(block); i += t.stride {
		t.predictor.add(float64(dsp.Sample(block[i])))
	}
	gain := t.predictor.gain()
	steady := t.gain > toneGain && math.Abs(level-t.level) < keepsLevel
	t.gain, t.level = gain, level
	return gain > pureToneGain || gain > toneGain && steady
}

// The tones of a keypad (ITU-T Q.23), and how they are known behind a codec that has taken
// their purity.
const (
	keyHz    = 0.03 // share by which a frequency may be off; the window tells no better
	keyWidth = 95.0 // Hz on each side of a tone: the main lobe of the window
	keyTwist = 16.0 // times that one of the two may be stronger
	keyShare = 0.94 // of all power, in the two
)

var (
	keyRows    = [...]float64{697, 770, 852, 941}
	keyColumns = [...]float64{1209, 1336, 1477, 1633}
)

// keypad tells whether a spectrum is that of a key: one tone of the rows, one of the
// columns, and next to nothing else.
func keypad(f *spectrum.Frame) bool {
	row, rowPower := strongestTone(f, 640, 1000)
	column, columnPower := strongestTone(f, 1150, 1700)
	return isOneOf(row, &keyRows) && isOneOf(column, &keyColumns) &&
		max(rowPower, columnPower) < keyTwist*min(rowPower, columnPower) &&
		rowPower+columnPower > keyShare*f.Sum(0, len(f.Power))
}

// strongestTone gives the frequency in Hz of the strongest tone between two, and its power.
func strongestTone(f *spectrum.Frame, low, high float64) (hz, power float64) {
	from, to := f.Band(low, high)
	top := from
	for i := from; i < to; i++ {
		if f.Power[i] > f.Power[top] {
			top = i
		}
	}
	moment := 0.0
	from, to = f.Band(float64(top)*f.BinHz-keyWidth, float64(top)*f.BinHz+keyWidth)
	for i := from; i < to; i++ {
		power += float64(f.Power[i])
		moment += float64(f.Power[i]) * float64(i)
	}
	return moment / max(power, 1e-12) * f.BinHz, power
}

func isOneOf(hz float64, tones *[4]float64) bool {
	for _, t := range tones {
		if math.Abs(hz-t) < keyHz*t {
			return true
		}
	}
	return false
}

// concentration tells cheaply whether a block may be a tone: the share of its power in the
// two strongest bands and those beside them.
func concentration(p *levels, all float32) float32 {
	first := 0
	for b, v := range p {
		if v > p[first] {
			first = b
		}
	}
	sum, second := float32(0), float32(0)
	for b, v := range p {
		if b >= first-1 && b <= first+1 {
			sum += v
			continue
		}
		beside := v
		if b > 0 && b-1 != first+1 {
			beside += p[b-1]
		}
		if b+1 < len(p) && b+1 != first-1 {
			beside += p[b+1]
		}
		second = max(second, beside)
	}
	return (sum + second) / max(all, 1e-12)
}

// predictor predicts each sample from the four before it (covariance method): of a
// tone, or of two, next to nothing is left.
type predictor struct {
	n    int
	x    [order + 1]float64 // the newest samples, x[0] the newest
	head [order]float64     // the first samples of the block
	corr [order + 1]float64 // sum of x[n]x[n-k] over n >= order
}

func (t *predictor) add(v float64) {
	x := &t.x
	x[4], x[3], x[2], x[1], x[0] = x[3], x[2], x[1], x[0], v
	if t.n < order {
		t.head[t.n] = v
	} else {
		t.corr[0] += v * v
		t.corr[1] += v * x[1]
		t.corr[2] += v * x[2]
		t.corr[3] += v * x[3]
		t.corr[4] += v * x[4]
	}
	t.n++
}

// gain is the prediction gain in dB.
func (t *predictor) gain() float64 {
	if t.n <= 4*order || t.corr[0] < 1e-9*float64(t.n) {
		return 0
	}
	// phi[i][j] = sum over n of x[n-i]x[n-j]; each diagonal follows from its first
	// element by adding the sample before the range and dropping the last one of it.
	var phi [order + 1][order + 1]float64
	for k := 0; k <= order; k++ {
		phi[0][k] = t.corr[k]
		for i := 1; i+k <= order; i++ {
			phi[i][i+k] = phi[i-1][i-1+k] + t.head[order-i]*t.early(order-i-k) - t.x[i-1]*t.x[i-1+k]
		}
	}
	return -10 * math.Log10(max(1e-12, remainder(&phi)/phi[0][0]))
}

// early gives sample i of the block, 0 before its start.
func (t *predictor) early(i int) float64 {
	if i < 0 {
		return 0
	}
	return t.head[i]
}

// remainder gives the energy that the best prediction leaves, by elimination on the
// normal equations (symmetric; only the upper triangle of phi is filled).
func remainder(phi *[order + 1][order + 1]float64) float64 {
	var a [order][order]float64
	var b [order]float64
	left := phi[0][0]
	for i := range order {
		b[i] = phi[0][i+1]
		for j := range order {
			a[i][j] = phi[min(i, j)+1][max(i, j)+1]
		}
		a[i][i] *= 1 + 1e-9 // a single sine leaves the matrix singular
	}
	for k := range order { // LDL^T: each pivot explains its share of the energy
		if a[k][k] <= 0 {
			break
		}
		left -= b[k] * b[k] / a[k][k]
		for i := k + 1; i < order; i++ {
			f := a[i][k] / a[k][k]
			b[i] -= f * b[k]
			for j := k + 1; j < order; j++ {
				a[i][j] -= f * a[k][j]
			}
		}
	}
	return left
}
