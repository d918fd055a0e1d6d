package spectrum

import "math"

// times is a·b; the language's own product goes through float64.
func times(a, b complex64) complex64 {
	return complex(real(a)*real(b)-imag(a)*imag(b), real(a)*imag(b)+imag(a)*real(b))
}

// back is a - i·b, and forth a + i·b.
func back(a, b complex64) complex64 { return complex(real(a)+imag(b), imag(a)-real(b)) }

func forth(a, b complex64) complex64 { return complex(real(a)-imag(b), imag(a)+real(b)) }

// fft is a complex transform of a power of two points, in place of which the caller's
// buffer and its own ping-pong: Stockham's self-sorting order, radix 4 with one radix-2
// stage where the logarithm is odd (C. Van Loan, Computational Frameworks for the FFT,
// 1992, section 1.7). Not safe for concurrent use.
type fft struct {
	n      int
	stages []stage
	work   []complex64
}

// stage is one radix-4 pass: n points left to do, in s interleaved sets.
type stage struct {
	n, s int
	w    []twiddle // one for each p below n/4
}

// twiddle holds w, w² and w³ of w = exp(-2πi·p/n).
type twiddle struct{ w1, w2, w3 complex64 }

func newFFT(n int) *fft {
	f := &fft{n: n, work: make([]complex64, n)}
	for m, s := n, 1; m >= 4; m, s = m/4, s*4 {
		st := stage{n: m, s: s, w: make([]twiddle, m/4)}
		for p := range st.w {
			root := func(k int) complex64 {
				sin, cos := math.Sincos(-2 * math.Pi * float64(k*p) / float64(m))
				return complex(float32(cos), float32(sin))
			}
			st.w[p] = twiddle{root(1), root(2), root(3)}
		}
		f.stages = append(f.stages, st)
	}
	return f
}

// transform replaces z (n long) by its spectrum.
func (f *fft) transform(z []complex64) {
	x, y := z[:f.n], f.work
	for i := range f.stages {
		switch st := &f.stages[i]; {
		case st.s == 1:
			st.first(x, y)
		case st.n == 4:
			st.last(x, y)
		case st.s == 4:
			st.four(x, y)
		default:
			st.pass(x, y)
		}
		x, y = y, x
	}
	if h := f.n / 2; len(f.stages) > 0 && f.stages[len(f.stages)-1].n == 8 || f.n == 2 {
		a, b := x[:h], x[h:][:h]
		c, d := y[:h], y[h:][:h]
		for q := range a {
			c[q], d[q] = a[q]+b[q], a[q]-b[q]
		}
		x = y
	}
	if &x[0] != &z[0] {
		copy(z, x)
	}
}

// first is pass for a single set, where the points of a p lie side by side.
func (st *stage) first(x, y []complex64) {
	q := st.n / 4
	a, b, c, d := x[:q], x[q:][:q], x[2*q:][:q], x[3*q:][:q]
	for p := range st.w[:q] {
		t := &st.w[p]
		out := (*[4]complex64)(y[4*p:])
		s, v := a[p]+c[p], b[p]+d[p]
		u, j := a[p]-c[p], b[p]-d[p]
		out[0] = s + v
		out[1] = times(back(u, j), t.w1)
		out[2] = times(s-v, t.w2)
		out[3] = times(forth(u, j), t.w3)
	}
}

// pass takes the sets of each p, of which the points lie s apart.
func (st *stage) pass(x, y []complex64) {
	n, quarter := st.s, st.s*st.n/4
	for p := range st.w {
		t := st.w[p]
		at := n * p
		a, b := x[at:][:n], x[at+quarter:][:n]
		c, d := x[at+2*quarter:][:n], x[at+3*quarter:][:n]
		out := y[4*at:][:4*n]
		e, f, g, h := out[:n], out[n:][:n], out[2*n:][:n], out[3*n:][:n]
		for q := range n {
			s, v := a[q]+c[q], b[q]+d[q]
			u, j := a[q]-c[q], b[q]-d[q]
			e[q] = s + v
			f[q] = times(back(u, j), t.w1)
			g[q] = times(s-v, t.w2)
			h[q] = times(forth(u, j), t.w3)
		}
	}
}

// four is pass for sets of four.
func (st *stage) four(x, y []complex64) {
	quarter := st.n
	for p := range st.w {
		t := &st.w[p]
		at := 4 * p
		a, b := (*[4]complex64)(x[at:]), (*[4]complex64)(x[at+quarter:])
		c, d := (*[4]complex64)(x[at+2*quarter:]), (*[4]complex64)(x[at+3*quarter:])
		out := (*[16]complex64)(y[4*at:])
		for q := range 4 {
			s, v := a[q]+c[q], b[q]+d[q]
			u, j := a[q]-c[q], b[q]-d[q]
			out[q] = s + v
			out[4+q] = times(back(u, j), t.w1)
			out[8+q] = times(s-v, t.w2)
			out[12+q] = times(forth(u, j), t.w3)
		}
	}
}

// last is pass for the four quarters that remain at the end: nothing is turned.
func (st *stage) last(x, y []complex64) {
	n := st.s
	a, b, c, d := x[:n], x[n:][:n], x[2*n:][:n], x[3*n:][:n]
	e, f, g, h := y[:n], y[n:][:n], y[2*n:][:n], y[3*n:][:n]
	for q := range n {
		s, v := a[q]+c[q], b[q]+d[q]
		u, j := a[q]-c[q], b[q]-d[q]
		e[q], f[q], g[q], h[q] = s+v, back(u, j), s-v, forth(u, j)
	}
}
