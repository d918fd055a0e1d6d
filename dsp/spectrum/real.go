package spectrum

import (
	"fmt"
	"math"
)

// Real transforms real signals of a fixed power-of-two length. It allocates only in
// NewReal and is not safe for concurrent use.
type Real struct {
	n        int
	half     *fft
	z        []complex64 // half of even and odd samples; then of their spectrum
	cos, sin []float32   // of 2πk/n for k up to n/4
	power    []float32   // for who does not ask for it
}

// NewReal makes a transform of n samples; n is a power of two from 4 to 65536.
func NewReal(n int) (*Real, error) {
	if n < 4 || n > 1<<16 || n&(n-1) != 0 {
		return nil, fmt.Errorf("spectrum: %d samples are not a power of two from 4 to 65536", n)
	}
	r := &Real{n: n, half: newFFT(n / 2), z: make([]complex64, n/2), power: make([]float32, n/2+1)}
	r.cos, r.sin = make([]float32, n/4+1), make([]float32, n/4+1)
	for k := range r.cos {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		r.cos[k], r.sin[k] = float32(cos), float32(sin)
	}
	return r, nil
}

// Len is the length of the signals, in samples.
func (r *Real) Len() int { return r.n }

// Transform gives the bins 0..n/2 of x (n samples) in re and im (n/2+1 each):
// re[k] + i·im[k] = Σ x[t]·exp(-2πi·k·t/n).
func (r *Real) Transform(re, im, x []float32) {
	x = x[:r.n]
	for i := range r.z {
		if len(x) < 2 { // never; it spares looking at each index
			return
		}
		r.z[i] = complex(x[0]*0.5, x[1]*0.5)
		x = x[2:]
	}
	r.finish(re, im, r.power)
}

// load takes half of n samples, each times its weight, which comes halved.
func (r *Real) load(x, weight []float32) {
	for i := range r.z {
		if len(x) < 2 || len(weight) < 2 { // never
			return
		}
		r.z[i] = complex(x[0]*weight[0], x[1]*weight[1])
		x, weight = x[2:], weight[2:]
	}
}

// finish transforms the even samples and the odd ones in z, and gives |re+i·im|² too.
func (r *Real) finish(re, im, power []float32) {
	h := r.n / 2
	re, im, power = re[:h+1], im[:h+1], power[:h+1]
	z := r.z[:h]
	r.half.transform(z)
	re[0], im[0] = 2*(real(z[0])+imag(z[0])), 0
	re[h], im[h] = 2*(real(z[0])-imag(z[0])), 0
	power[0], power[h] = re[0]*re[0], re[h]*re[h]
	// The bins k and h-k come of the same two: forwards and backwards to the middle.
	m := h / 2
	cos, sin := r.cos[1:][:m], r.sin[1:][:m]
	forward, back := z[1:][:m], z[h-m:][:m]
	lowR, lowI, lowP := re[1:][:m], im[1:][:m], power[1:][:m]
	highR, highI, highP := re[h-m:][:m], im[h-m:][:m], power[h-m:][:m]
	for k := range m {
		j := m - 1 - k
		f, b := forward[k], back[j]
		er, ei := real(f)+real(b), imag(f)-imag(b) // of the even samples
		or, oi := imag(f)+imag(b), real(b)-real(f) // of the odd ones
		tr, ti := or*cos[k]+oi*sin[k], oi*cos[k]-or*sin[k]
		xr, xi := er-tr, ti-ei
		highR[j], highI[j], highP[j] = xr, xi, xr*xr+xi*xi
		xr, xi = er+tr, ei+ti // the later, where both are the middle
		lowR[k], lowI[k], lowP[k] = xr, xi, xr*xr+xi*xi
	}
}
