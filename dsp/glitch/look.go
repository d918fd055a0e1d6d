package glitch

import "math"

const (
	maxOrder = 24
	maxCalm  = 12  // ms of a side
	stretch  = 176 // samples, at about 8 kHz, of 22 ms
	snippet  = 64  // and of 8 ms
	toneLong = 256 // and of 32 ms
)

// work is the room for looking closely at a few hundredths of a second.
type work struct {
	order int       // of the prediction
	side  int       // samples on either side that it is made from
	skirt int       // samples on either side of a click's sharpest that may belong to it
	hann  []float64 // window of a side
	x     []float64 // what is looked at
	e     []float64 // what prediction leaves of it

	slow [stretch]float64 // what is looked at, at about 8 kHz
	tail [snippet]float64
	long [toneLong]float64
	lift [toneLong]float64 // a window for it
}

func newWork(rate int) *work {
	w := &work{order: 16, side: rate * 12 / 1000, skirt: clickLong + rate/2000}
	switch {
	case rate < 12000:
		w.order = 12
	case rate > 24000:
		w.order = maxOrder
	}
	w.hann = make([]float64, w.side)
	hann(w.hann)
	hann(w.lift[:])
	n := 2*(w.side+w.skirt) + 1
	w.x, w.e = make([]float64, n), make([]float64, n)
	return w
}

func hann(h []float64) {
	for i := range h {
		h[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(h)))
	}
}

// fetchSlow gives samples from one on at about 8 kHz, without their mean.
func (m *Meter) fetchSlow(dst []float64, from int) {
	mean := 0.0
	for i := range dst {
		sum := 0.0
		for j := range m.reach {
			sum += m.at(from + i*m.reach + j)
		}
		dst[i] = sum
		mean += sum
	}
	mean /= float64(len(dst))
	for i := range dst {
		dst[i] -= mean
	}
}

// alike gives how well the 8 ms from sample to on resemble some 8 ms of the 22 up to
// sample from, -1 to 1.
func (m *Meter) alike(from, to int) float64 {
	l, r := &m.work.slow, &m.work.tail
	m.fetchSlow(l[:], from-stretch*m.reach)
	m.fetchSlow(r[:], to)
	er, best := 0.0, -1.0
	for _, v := range r {
		er += v * v
	}
	for at := 0; at+snippet <= stretch; at++ {
		c, el := 0.0, 0.0
		for i, v := range r {
			c += v * l[at+i]
			el += l[at+i] * l[at+i]
		}
		best = max(best, c/math.Sqrt(el*er+1e-20))
	}
	return best
}

// correlate adds the autocorrelation of a side.
func (w *work) correlate(r *[maxOrder + 1]float64, x []float64) {
	y := w.e[:w.side]
	for i, h := range w.hann {
		y[i] = h * x[i]
	}
	for lag := range w.order + 1 {
		sum := 0.0
		for i, v := range y[lag:] {
			sum += v * y[i]
		}
		r[lag] += sum
	}
}

// levinson solves for the predictor's coefficients, a[0] = 1, and gives the gain.
func levinson(a, r *[maxOrder + 1]float64, order int) float64 {
	err := r[0]*(1+1e-9) + 1e-12
	whole := err
	a[0] = 1
	for i := 1; i <= order; i++ {
		sum := r[i]
		for j := 1; j < i; j++ {
			sum += a[j] * r[i-j]
		}
		k := -sum / err
		for j := 1; j <= i/2; j++ {
			a[j], a[i-j] = a[j]+k*a[i-j], a[i-j]+k*a[j]
		}
		a[i] = k
		err *= 1 - k*k
	}
	return whole / err
}

// residual fills e with what prediction leaves of x.
func (w *work) residual(a *[maxOrder + 1]float64) {
	p := w.order
	clear(w.e[:p])
	for n := p; n < len(w.x); n++ {
		sum := 0.0
		for j, c := range a[:p+1] {
			sum += c * w.x[n-j]
		}
		w.e[n] = sum
	}
}

// spread gives the rms and the highest amplitude.
func spread(x []float64) (rms, top float64) {
	sum := 0.0
	for _, v := range x {
		sum += v * v
		top = max(top, math.Abs(v))
	}
	return math.Sqrt(sum / float64(max(1, len(x)))), top
}

// calm splits a stretch into milliseconds, leaves out the loudest quarter, where other
// clicks may be, and gives the rms and the highest amplitude of the rest; and the highest of all.
func calm(x []float64, ms int) (rms, top, most float64) {
	var tops, sums [maxCalm]float64
	n := min(maxCalm, len(x)/ms)
	for i := range n {
		sum, t := 0.0, 0.0
		for _, v := range x[i*ms : (i+1)*ms] {
			sum += v * v
			t = max(t, math.Abs(v))
		}
		j := i
		for ; j > 0 && tops[j-1] > t; j-- {
			tops[j], sums[j] = tops[j-1], sums[j-1]
		}
		tops[j], sums[j] = t, sum
	}
	kept := max(1, n-n/4)
	for _, s := range sums[:kept] {
		rms += s
	}
	return math.Sqrt(rms / float64(kept*ms)), tops[kept-1], tops[max(0, n-1)]
}
