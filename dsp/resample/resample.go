package resample

import (
	"fmt"
	"math"
)

// Filter design: half-width in samples of the lower rate, and the Kaiser window's shape.
const (
	zeroCrossings = 20.0 // on either side of the centre
	kaiserBeta    = 6.0  // about 63 dB stop band
	cutoff        = 1.0
	block         = 512 // input samples taken at a time
)

// Resampler converts one stream. It is not safe for concurrent use.
type Resampler struct {
	from, to int
	up, down int       // to/from in lowest terms
	taps     int       // per phase
	bank     []float32 // up phases of taps coefficients, each in the order of the samples in hist
	copies   []int     // by phase: the one sample of those that an output is, or -1 if it is a sum
	hist     []float32 // taps-1 old samples, then up to block new ones
	held     int       // samples in hist
	phase    int       // of the next output, 0..up-1
	ready    int       // index in hist of the newest sample the next output needs
}

// Rates lists what New takes, in Hz.
func Rates() []int { return []int{8000, 16000, 32000, 44100, 48000} }

// New makes a Resampler from one rate to another, in Hz.
func New(from, to int) (*Resampler, error) {
	for _, rate := range []int{from, to} {
		if !known(rate) {
			return nil, fmt.Errorf("resample: %d Hz is not one of %v", rate, Rates())
		}
	}
	g := gcd(from, to)
	r := &Resampler{from: from, to: to, up: to / g, down: from / g}
	if from == to {
		return r, nil
	}
	r.design()
	r.hist = make([]float32, r.taps-1+block)
	r.Reset()
	return r, nil
}

// Reset forgets what was heard, as if new.
func (r *Resampler) Reset() {
	if r.from == r.to {
		return
	}
	clear(r.hist)
	r.held = r.taps - 1
	r.phase = 0
	r.ready = r.taps - 1
}

// Delay is how far the output lags behind the input, in output samples.
func (r *Resampler) Delay() float64 {
	if r.from == r.to {
		return 0
	}
	return float64(r.taps) / 2 * float64(r.to) / float64(r.from)
}

// Process converts src and appends the result to dst, which it returns. The number of
// samples per call varies by one where the rates do not divide; over a stream it is
// len*to/from.
func (r *Resampler) Process(dst, src []float32) []float32 {
	if r.from == r.to {
		return append(dst, src...)
	}
	for len(src) > 0 {
		n := min(len(src), block)
		r.held += copy(r.hist[r.held:], src[:n])
		src = src[n:]
		dst = r.drain(dst)
	}
	return dst
}

// drain makes every output that the held samples allow, then keeps the last taps-1.
func (r *Resampler) drain(dst []float32) []float32 {
	for r.ready < r.held {
		x := r.hist[r.ready-r.taps+1 : r.ready+1]
		if at := r.copies[r.phase]; at >= 0 {
			dst = append(dst, x[at])
		} else {
			dst = append(dst, dot(x, r.bank[r.phase*r.taps:(r.phase+1)*r.taps]))
		}
		for r.phase += r.down; r.phase >= r.up; r.phase -= r.up {
			r.ready++
		}
	}
	drop := r.held - (r.taps - 1)
	copy(r.hist, r.hist[drop:r.held])
	r.held -= drop
	r.ready -= drop
	return dst
}

// dotGo is dot where there is no better. It is unrolled, since with one accumulator each
// addition waits for the one before.
func dotGo(x, h []float32) float32 {
	var a, b, c, d float32
	for len(x) >= 4 && len(h) >= 4 {
		p, q := (*[4]float32)(x), (*[4]float32)(h)
		a += p[0] * q[0]
		b += p[1] * q[1]
		c += p[2] * q[2]
		d += p[3] * q[3]
		x, h = x[4:], h[4:]
	}
	return (a + c) + (b + d)
}

// design fills the filter bank. Phase p of the bank reads the input p/up of a sample
// further on; the prototype runs at from*up Hz and cuts at the lower Nyquist frequency.
func (r *Resampler) design() {
	stretch := math.Max(1, float64(r.down)/float64(r.up)) // input samples per zero crossing
	half := zeroCrossings * stretch
	r.taps = (2*int(math.Ceil(half)) + 3) / 4 * 4
	centre := float64(r.taps) / 2
	r.bank, r.copies = make([]float32, r.up*r.taps), make([]int, r.up)
	norm := besselI0(kaiserBeta)
	for p := range r.up {
		row := r.bank[p*r.taps : (p+1)*r.taps]
		sum := 0.0
		for k := range row {
			// Distance of the sample from the output, in input samples.
			t := float64(k) + 1 - centre - float64(p)/float64(r.up)
			w := 0.0
			if u := t / half; u > -1 && u < 1 {
				w = besselI0(kaiserBeta*math.Sqrt(1-u*u)) / norm
			}
			v := w * sinc(t*cutoff/stretch)
			row[k] = float32(v)
			sum += v
		}
		for k := range row { // unity gain at 0 Hz in every phase
			row[k] = float32(float64(row[k]) / sum)
		}
		r.copies[p] = single(row)
	}
}

func sinc(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// single finds the one coefficient of a phase that falls on a sample where the others fall on
// zero crossings; -1 if the phase is none of that kind.
func single(row []float32) int {
	const zero = 1e-9 // what rounding leaves of a zero crossing is smaller still
	found := -1
	for k, v := range row {
		switch {
		case v > -zero && v < zero:
		case found >= 0 || v != 1:
			return -1
		default:
			found = k
		}
	}
	return found
}

// besselI0 is the modified Bessel function of order zero by its power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func known(rate int) bool {
	for _, r := range Rates() {
		if r == rate {
			return true
		}
	}
	return false
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
