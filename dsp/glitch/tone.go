package glitch

import "math"

// terms are what a stretch is explained with: a sine and a cosine of two frequencies, and
// each of them growing, which makes up for what a frequency is off; after the stretch itself.
const terms = 9

// keyed says how much of the 32 ms up to a sample two steady sines explain, in dB: nearly
// all of a keypad's or a test tone, whose noise alone is left, but little of a voice, whose
// pitch moves and whose harmonics are many.
func (m *Meter) keyed(to int) float64 {
	x := &m.work.long
	m.fetchSlow(x[:], to-len(x)*m.reach)
	one, two := m.work.strongest()
	var g [terms][terms]float64
	for n, v := range x {
		s1, c1 := math.Sincos(one * float64(n))
		s2, c2 := math.Sincos(two * float64(n))
		t := float64(n)/float64(len(x)) - 0.5
		row := [terms]float64{v, s1, c1, s2, c2, t * s1, t * c1, t * s2, t * c2}
		for i, a := range row {
			for j, b := range row[:i+1] {
				g[i][j] += a * b
			}
		}
	}
	return unexplained(&g)
}

// unexplained gives how far, in dB, the first of what g holds the products of lies above
// what the others leave of it.
func unexplained(g *[terms][terms]float64) float64 {
	whole := g[0][0]
	for k := terms - 1; k > 0; k-- {
		pivot := g[k][k]
		if !(pivot > 1e-12*whole) {
			continue
		}
		for i := range k {
			f := g[k][i] / pivot
			for j := range i + 1 {
				g[i][j] -= f * g[k][j]
			}
		}
	}
	return decibels((whole + 1e-12) / (max(0, g[0][0]) + 1e-12))
}

// strongest gives the angles a sample of the two strongest lines of what was fetched.
func (w *work) strongest() (one, two float64) {
	const bins = toneLong / 2
	const apart = 3 // bins: as far as the window widens a line
	var power [bins]float64
	for k := 1; k < bins-1; k++ {
		turn := 2 * math.Cos(math.Pi*float64(k)/bins)
		a, b := 0.0, 0.0
		for n, v := range w.long {
			a, b = w.lift[n]*v+turn*a-b, a
		}
		power[k] = a*a + b*b - turn*a*b
	}
	first, second := 1, 0
	for k, p := range power {
		if p > power[first] {
			first = k
		}
	}
	for k := 1; k < bins-1; k++ {
		if (k < first-apart || k > first+apart) && power[k] > power[second] && power[k] >= power[k-1] && power[k] >= power[k+1] {
			second = k
		}
	}
	return angle(&power, first), angle(&power, second)
}

// angle puts a line between its bins: a parabola through the logarithms.
func angle(power *[toneLong / 2]float64, k int) float64 {
	at := float64(k)
	if k > 0 && k < len(power)-1 {
		l, c, r := decibels(power[k-1]), decibels(power[k]), decibels(power[k+1])
		if bend := l - 2*c + r; bend < 0 {
			at += max(-0.5, min(0.5*(l-r)/bend, 0.5))
		}
	}
	return math.Pi * at / float64(len(power))
}

// predicted says, in dB, how much of the 32 ms up to a sample linear prediction of order 4
// explains: little of a hiss, more of a vowel.
func (m *Meter) predicted(to int) float64 {
	const order = 4
	x := &m.work.long
	m.fetchSlow(x[:], to-len(x)*m.reach)
	var g [terms][terms]float64
	for i := range order + 1 {
		for j := range i + 1 {
			for n := order; n < len(x); n++ {
				g[i][j] += x[n-i] * x[n-j]
			}
		}
	}
	return unexplained(&g)
}
