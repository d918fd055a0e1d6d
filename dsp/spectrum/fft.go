package spectrum

import "math"

// fft is a complex transform of a power of two points, in place of which the caller's
// planar buffers ping-pong: Stockham's self-sorting order, radix 4 with one radix-2
// stage where the logarithm is odd (C. Van Loan, Computational Frameworks for the FFT,
// 1992, section 1.7). Not safe for concurrent use.
type fft struct {
	n      int
	stages []stage
	re, im []float32 // work space

}

// stage is one radix-4 pass: n points left to do, in s interleaved sets.
type stage struct {
	n, s int
	w    []twiddle // one for each p below n/4
}

// twiddle holds w, w² and w³ of w = exp(-2πi·p/n).
type twiddle struct{ r1, i1, r2, i2, r3, i3 float32 }

func newFFT(n int) *fft {
	f := &fft{n: n, re: make([]float32, n), im: make([]float32, n)}
	for m, s := n, 1; m >= 4; m, s = m/4, s*4 {
		st := stage{n: m, s: s, w: make([]twiddle, m/4)}
		for p := range st.w {
			r := func(k int) (float32, float32) {
				sin, cos := math.Sincos(-2 * math.Pi * float64(k*p) / float64(m))
				return float32(cos), float32(sin)
			}
			t := &st.w[p]
			t.r1, t.i1 = r(1)
			t.r2, t.i2 = r(2)
			t.r3, t.i3 = r(3)
		}
		f.stages = append(f.stages, st)
	}
	return f
}

// transform replaces re and im (n long each) by their spectrum.
func (f *fft) transform(re, im []float32) {
	xr, xi, yr, yi := re[:f.n], im[:f.n], f.re, f.im
	for i := range f.stages {
		switch st := &f.stages[i]; {
		case st.s == 1:
			st.first(xr, xi, yr, yi)
		case st.n == 4:
			st.last(xr, xi, yr, yi)
		case st.s == 4:
			st.four(xr, xi, yr, yi)
		default:
			st.pass(xr, xi, yr, yi)
		}
		xr, xi, yr, yi = yr, yi, xr, xi
	}
	if h := f.n / 2; len(f.stages) > 0 && f.stages[len(f.stages)-1].n == 8 || f.n == 2 {
		ar, ai, br, bi := xr[:h], xi[:h], xr[h:], xi[h:]
		cr, ci, dr, di := yr[:h], yi[:h], yr[h:], yi[h:]
		for q := range ar {
			cr[q], ci[q] = ar[q]+br[q], ai[q]+bi[q]
			dr[q], di[q] = ar[q]-br[q], ai[q]-bi[q]
		}
		xr, xi = yr, yi
	}
	if &xr[0] != &re[0] {
		copy(re, xr)
		copy(im, xi)
	}
}

// first is pass for a single set, where the points of a p lie side by side.
func (st *stage) first(xr, xi, yr, yi []float32) {
	q := st.n / 4
	ar, br, cr, dr := xr[:q], xr[q:2*q], xr[2*q:3*q], xr[3*q:4*q]
	ai, bi, ci, di := xi[:q], xi[q:2*q], xi[2*q:3*q], xi[3*q:4*q]
	for p := range st.w[:q] {
		t := &st.w[p]
		sr, si := ar[p]+cr[p], ai[p]+ci[p]
		ur, ui := ar[p]-cr[p], ai[p]-ci[p]
		vr, vi := br[p]+dr[p], bi[p]+di[p]
		jr, ji := bi[p]-di[p], dr[p]-br[p] // -j(b-d)
		or, oi := yr[4*p:4*p+4:4*p+4], yi[4*p:4*p+4:4*p+4]
		or[0], oi[0] = sr+vr, si+vi
		er, ei := ur+jr, ui+ji
		or[1], oi[1] = er*t.r1-ei*t.i1, er*t.i1+ei*t.r1
		er, ei = sr-vr, si-vi
		or[2], oi[2] = er*t.r2-ei*t.i2, er*t.i2+ei*t.r2
		er, ei = ur-jr, ui-ji
		or[3], oi[3] = er*t.r3-ei*t.i3, er*t.i3+ei*t.r3
	}
}

// pass takes the sets of each p, of which the points lie s apart.
func (st *stage) pass(xr, xi, yr, yi []float32) {
	s, quarter := st.s, st.s*st.n/4
	for p := range st.w {
		t := st.w[p]
		at := s * p
		ar, ai := xr[at:][:s], xi[at:][:s]
		br, bi := xr[at+quarter:][:s], xi[at+quarter:][:s]
		cr, ci := xr[at+2*quarter:][:s], xi[at+2*quarter:][:s]
		dr, di := xr[at+3*quarter:][:s], xi[at+3*quarter:][:s]
		outR, outI := yr[4*at:][:4*s], yi[4*at:][:4*s]
		er, fr, gr, hr := outR[:s], outR[s:][:s], outR[2*s:][:s], outR[3*s:][:s]
		ei, fi, gi, hi := outI[:s], outI[s:][:s], outI[2*s:][:s], outI[3*s:][:s]
		for q := range s {
			sr, si := ar[q]+cr[q], ai[q]+ci[q]
			vr, vi := br[q]+dr[q], bi[q]+di[q]
			er[q], ei[q] = sr+vr, si+vi
			kr, ki := sr-vr, si-vi
			gr[q], gi[q] = kr*t.r2-ki*t.i2, kr*t.i2+ki*t.r2
			ur, ui := ar[q]-cr[q], ai[q]-ci[q]
			jr, ji := bi[q]-di[q], dr[q]-br[q]
			kr, ki = ur+jr, ui+ji
			fr[q], fi[q] = kr*t.r1-ki*t.i1, kr*t.i1+ki*t.r1
			kr, ki = ur-jr, ui-ji
			hr[q], hi[q] = kr*t.r3-ki*t.i3, kr*t.i3+ki*t.r3
		}
	}
}

// four is pass for sets of four.
func (st *stage) four(xr, xi, yr, yi []float32) {
	quarter := st.n
	for p := range st.w {
		t := &st.w[p]
		at := 4 * p
		ar, ai := (*[4]float32)(xr[at:]), (*[4]float32)(xi[at:])
		br, bi := (*[4]float32)(xr[at+quarter:]), (*[4]float32)(xi[at+quarter:])
		cr, ci := (*[4]float32)(xr[at+2*quarter:]), (*[4]float32)(xi[at+2*quarter:])
		dr, di := (*[4]float32)(xr[at+3*quarter:]), (*[4]float32)(xi[at+3*quarter:])
		or, oi := (*[16]float32)(yr[4*at:]), (*[16]float32)(yi[4*at:])
		for q := range 4 {
			sr, si := ar[q]+cr[q], ai[q]+ci[q]
			vr, vi := br[q]+dr[q], bi[q]+di[q]
			or[q], oi[q] = sr+vr, si+vi
			kr, ki := sr-vr, si-vi
			or[8+q], oi[8+q] = kr*t.r2-ki*t.i2, kr*t.i2+ki*t.r2
			ur, ui := ar[q]-cr[q], ai[q]-ci[q]
			jr, ji := bi[q]-di[q], dr[q]-br[q]
			kr, ki = ur+jr, ui+ji
			or[4+q], oi[4+q] = kr*t.r1-ki*t.i1, kr*t.i1+ki*t.r1
			kr, ki = ur-jr, ui-ji
			or[12+q], oi[12+q] = kr*t.r3-ki*t.i3, kr*t.i3+ki*t.r3
		}
	}
}

// last is pass for the four quarters that remain at the end: nothing is turned.
func (st *stage) last(xr, xi, yr, yi []float32) {
	s := st.s
	ar, br, cr, dr := xr[:s], xr[s:][:s], xr[2*s:][:s], xr[3*s:][:s]
	ai, bi, ci, di := xi[:s], xi[s:][:s], xi[2*s:][:s], xi[3*s:][:s]
	er, fr, gr, hr := yr[:s], yr[s:][:s], yr[2*s:][:s], yr[3*s:][:s]
	ei, fi, gi, hi := yi[:s], yi[s:][:s], yi[2*s:][:s], yi[3*s:][:s]
	for q := range s {
		sr, si := ar[q]+cr[q], ai[q]+ci[q]
		vr, vi := br[q]+dr[q], bi[q]+di[q]
		er[q], ei[q] = sr+vr, si+vi
		gr[q], gi[q] = sr-vr, si-vi
		ur, ui := ar[q]-cr[q], ai[q]-ci[q]
		jr, ji := bi[q]-di[q], dr[q]-br[q]
		fr[q], fi[q] = ur+jr, ui+ji
		hr[q], hi[q] = ur-jr, ui-ji
	}
}
