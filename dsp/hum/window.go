package hum

import (
	"math"
	"slices"
)

const (
	strongDB    = 10.0 // prominence from which a line is evidence
	weakDB      = 6.0  // and from which it counts into the level
	maxDB       = 60.0
	overlapping = 4.0 / 3 // noise of frames that share half their samples adds up by this much more
	range50Hz   = 0.5     // how far mains stray from nominal, Hz
	minHighest  = 3       // strong lines that are hum without the first two
	quietest    = 20      // one frame in so many is the floor
	minPower    = 1e-10   // -100 dBov: below it there is nothing to weigh
	minFrames   = 6.0     // that must carry the evidence
	leak        = 1e-3    // of the strongest neighbour's power: what Hann windows let through, and 5 dB
	candidates  = 4       // frequencies of a comb tried in a window
	screenRatio = 3.0     // of a line's power in the best of a few bins over the noise
)

// weights say how much each frame counts: the inverse of its power, which is the best
// estimate of a line under a noise that comes and goes, as speech does. Times a Hann
// window.
type weights struct {
	u            [windowFrames]float32
	sum, squares float64
	sorted       [windowFrames]float32
}

func (m *Meter) weigh() {
	w := &m.weights
	n := m.frames
	sorted := w.sorted[:n]
	copy(sorted, m.power[:n])
	slices.Sort(sorted)
	floor := max(minPower, sorted[n/quietest])
	w.u = [windowFrames]float32{}
	w.sum, w.squares = 0, 0
	for i, p := range m.power[:n] {
		hann := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
		u := hann * float64(floor/(p+floor))
		w.u[i] = float32(u)
		w.sum += u
		w.squares += u * u
	}
}

// fit is a line with one amplitude all through the window.
type fit struct {
	re, im float64
	power  float64 // mean square
	noise  float64 // what the neighbourhood, 15 Hz on either side, puts into power by chance
}

func (f fit) prominenceDB() float64 {
	return min(maxDB, 10*math.Log10((f.power+1e-20)/(f.noise+1e-20)))
}

// fit gives the line at the nominal frequency of l plus offset Hz.
func (m *Meter) fit(l *line, offset float64) fit {
	w := &m.weights
	angle := -2 * math.Pi * (l.hz + offset) * shift / m.rate
	s, c := math.Sincos(angle)
	// Two frames at a time, each turned on by two: one need not wait for the other.
	turnR, turnI := float32(c*c-s*s), float32(2*c*s)
	oneR, oneI := float32(1), float32(0)
	twoR, twoI := float32(c), float32(s)
	var ar, ai, br, bi, energy float32
	for i := 0; i+1 < windowFrames; i += 2 {
		u, v := w.u[i], w.u[i+1]
		re, im := l.re[i]*u, l.im[i]*u
		re2, im2 := l.re[i+1]*v, l.im[i+1]*v
		zr, zi := re*oneR-im*oneI, re*oneI+im*oneR
		zr2, zi2 := re2*twoR-im2*twoI, re2*twoI+im2*twoR
		ar += zr + zr2
		ai += zi + zi2
		br += zr*u + zr2*v
		bi += zi*u + zi2*v
		energy += (re*re + im*im) + (re2*re2 + im2*im2)
		oneR, oneI = oneR*turnR-oneI*turnI, oneR*turnI+oneI*turnR
		twoR, twoI = twoR*turnR-twoI*turnI, twoR*turnI+twoI*turnR
	}
	f := fit{re: float64(ar) / w.sum, im: float64(ai) / w.sum}
	f.power = f.re*f.re + f.im*f.im
	rest := float64(energy) - 2*(f.re*float64(br)+f.im*float64(bi)) + f.power*w.squares
	f.noise = max(0, rest) / (w.sum*w.sum - w.squares) * overlapping
	return f
}

// straying gives the frequency of a line relative to nominal, Hz, from the mean turn of
// its amplitude from frame to frame, how steady that turn is, 0..1, and the power of all that
// is near the line.
func (m *Meter) straying(l *line) (hz, steady, power float64) {
	var re, im, energy float32
	u := &m.weights.u
	lastR, lastI := float32(0), float32(0)
	for i, v := range u {
		zr, zi := l.re[i]*v, l.im[i]*v
		re += zr*lastR + zi*lastI
		im += zi*lastR - zr*lastI
		energy += zr*zr + zi*zi
		lastR, lastI = zr, zi
	}
	if energy <= 0 {
		return 0, 0, 0
	}
	turnI, turnR := math.Sincos(-2 * math.Pi * l.hz * shift / m.rate)
	r, i := float64(re)*turnR-float64(im)*turnI, float64(re)*turnI+float64(im)*turnR
	e := float64(energy)
	return math.Atan2(i, r) * m.rate / (2 * math.Pi * shift), math.Hypot(r, i) / e, e / m.weights.squares
}

// analyse looks at the window for both combs.
func (m *Meter) analyse() {
	seconds := float64(m.frames-m.judged) * shift / m.rate
	m.weigh()
	if m.weights.sum*m.weights.sum < minFrames*m.weights.squares {
		return
	}
	m.heard += seconds
	m.strongest = 0
	for i := range m.combs {
		for j := range m.combs[i].lines {
			l := &m.combs[i].lines[j]
			l.stray, l.steady, l.around = m.straying(l)
			m.strongest = max(m.strongest, l.around)
		}
	}
	for i := range m.combs {
		c, t := &m.combs[i], &m.tallies[i]
		if f, ok := m.search(c); ok {
			t.add(c.hz, seconds, f)
		} else {
			t.miss()
		}
	}
}

// found is a comb in one window.
type found struct {
	hz         float64
	power      float64
	odd        float64 // part of power
	prominence float64 // dB
	score      float64
}

// search finds the mains frequency whose harmonics stick out most.
func (m *Meter) search(c *comb) (best found, ok bool) {
	var tried [candidates]float64
	n := 0
	try := func(hz float64) {
		if n == candidates || math.Abs(hz) > range50Hz {
			return
		}
		for _, t := range tried[:n] {
			if math.Abs(hz-t) < 0.015 {
				return
			}
		}
		tried[n] = hz
		n++
		if f, hit := m.measure(c, hz); hit && f.score > best.score {
			best, ok = f, true
		}
	}
	for i := range min(2, len(c.lines)) { // one of these alone is hum
		if hz, stands := m.peak(&c.lines[i]); stands {
			try(hz)
		}
	}
	for i := range c.lines {
		if l := &c.lines[i]; l.steady > 0.75 && l.around > leak*m.strongest {
			try(l.stray / float64(l.order))
		}
	}
	return best, ok
}

// peak looks along a line's frequencies in steps of a quarter of a Hertz and gives the
// mains frequency of the best, relative to nominal.
func (m *Meter) peak(l *line) (hz float64, stands bool) {
	const step = 0.2
	reach := range50Hz * float64(l.order)
	var best, before, after float64
	var at float64
	last := 0.0
	risen := false
	for offset := -reach - step; offset <= reach+step+1e-9; offset += step {
		f := m.fit(l, offset)
		p := f.power
		if risen {
			after, risen = p, false
		}
		if p > best && f.power > screenRatio*f.noise {
			best, before, at, risen = p, last, offset, true
		}
		last = p
	}
	if best == 0 {
		return 0, false
	}
	// A Hann window's peak is nearly a parabola in decibels.
	a, b, c := math.Log(before+1e-20), math.Log(best+1e-20), math.Log(after+1e-20)
	if d := a - 2*b + c; d < 0 {
		at += step * max(-0.5, min(0.5, 0.5*(a-c)/d))
	}
	return at / float64(l.order), true
}

// measure fits all the harmonics of a mains frequency hz above nominal, and says whether they
// are a comb.
func (m *Meter) measure(c *comb, hz float64) (found, bool) {
	f := found{hz: c.hz + hz}
	noise := 0.0
	strong, divisor := 0, 0
	low := false
	for i := range c.lines {
		l := &c.lines[i]
		offset := hz * float64(l.order)
		a := m.fit(l, offset)
		p := a.prominenceDB()
		if p < weakDB || a.power < leak*m.strongest {
			continue
		}
		gain := hann(l.offset + offset*frameLength/m.rate)
		power := max(0, a.power-a.noise) / (gain * gain)
		f.power += power
		noise += a.noise / (gain * gain)
		if l.order%2 == 1 {
			f.odd += power
		}
		f.score += min(20, p)
		if p >= strongDB {
			strong++
			divisor = gcd(divisor, l.order)
			low = low || l.order <= 2
		}
	}
	if !low && (strong < minHighest || divisor > 2) {
		return f, false
	}
	f.prominence = min(maxDB, 10*math.Log10((f.power+noise+1e-20)/(noise+1e-20)))
	return f, f.prominence >= strongDB
}

// hann is the response of a Hann window to a tone this many bins off.
func hann(bins float64) float64 {
	if math.Abs(bins) < 1e-6 {
		return 1
	}
	return math.Sin(math.Pi*bins) / (math.Pi * bins) / (1 - bins*bins)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
