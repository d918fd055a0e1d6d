package buzz

import "math"

const (
	strongRatio = 5.0  // power over noise from which a line is evidence: 7 dB
	combRatio   = 10.0 // and a comb: 10 dB
	maxDB       = 60.0
	minStrong   = 0.5   // share of the lines, of the low and of the high ones
	minPower    = 1e-11 // -110 dBov: below it there is nothing to weigh
	chance      = minPower / 100
	minEffect   = 5.0 // frames that must carry the evidence
	restAfter   = 2   // windows without it end a burst
	minBurst    = 2   // windows: what is heard in one alone is no burst
	pulseLike   = 0.7 // power of the high lines of a pulse over that of the low ones, at least
)

// weigh gives each frame the inverse of its power around the lines of each group, which is
// the best estimate of a line under a voice that comes and goes. Times a Hann window.
func (c *comb) weigh() {
	for g := range c.lines / group {
		lines := c.line[g*group : (g+1)*group]
		var p [windowFrames]float32
		for k := range lines {
			l := &lines[k]
			for t, re := range l.re {
				p[t] += re*re + l.im[t]*l.im[t]
			}
		}
		inverse := float32(0)
		for t := range p {
			p[t] = p[t]/group + minPower
			inverse += 1 / p[t]
		}
		floor := windowFrames / inverse // harmonic mean: that of the quiet frames, times how rare they are
		u, s := &c.u[g], &c.sums[g]
		s.sum, s.squares = 0, 0
		for t := range p {
			v := c.taper[t] * floor / (p[t] + floor)
			u[t] = v
			s.sum += v
			s.squares += v * v
		}
	}
}

// fit gives the power of harmonic k+1 as one amplitude all through the window, off the
// nominal frequency by turn radians a frame, and the power that chance would put there.
func (c *comb) fit(k int, turn float64) (power, noise float32) {
	l := &c.line[k]
	s, co := math.Sincos(-(l.turn + turn))
	// Two frames at a time, each turned on by two: one need not wait for the other.
	turnR, turnI := float32(co*co-s*s), float32(2*co*s)
	oneR, oneI := float32(1), float32(0)
	twoR, twoI := float32(co), float32(s)
	u, sums := &c.u[k/group], &c.sums[k/group]
	var ar, ai, br, bi, energy float32
	for t := 0; t+1 < windowFrames; t += 2 {
		v, v2 := u[t], u[t+1]
		re, im := l.re[t]*v, l.im[t]*v
		re2, im2 := l.re[t+1]*v2, l.im[t+1]*v2
		zr, zi := re*oneR-im*oneI, re*oneI+im*oneR
		zr2, zi2 := re2*twoR-im2*twoI, re2*twoI+im2*twoR
		ar += zr + zr2
		ai += zi + zi2
		br += zr*v + zr2*v2
		bi += zi*v + zi2*v2
		energy += (re*re + im*im) + (re2*re2 + im2*im2)
		oneR, oneI = oneR*turnR-oneI*turnI, oneR*turnI+oneI*turnR
		twoR, twoI = twoR*turnR-twoI*turnI, twoR*turnI+twoI*turnR
	}
	ar, ai = ar/sums.sum, ai/sums.sum
	power = ar*ar + ai*ai
	rest := max(0, energy-2*(ar*br+ai*bi)+power*sums.squares)
	squared := sums.sum * sums.sum
	return power, rest / (squared - sums.squares)
}

// analyse looks for the radio in the window and adds what it finds.
func (c *comb) analyse(hopSeconds float64) {
	c.weigh()
	for g := range c.lines / group {
		if s := &c.sums[g]; s.sum*s.sum < minEffect*s.squares {
			c.miss()
			return
		}
	}
	unit := 2 * math.Pi * c.hz * hopSeconds // turn of the fundamental for a share of 1
	best, bestScore := 0.0, float32(0)
	for i := -c.strays; i <= c.strays && c.strays > 0; i++ {
		stray := float64(i) * c.stray
		score := float32(0)
		for k := group; k < 2*group; k++ {
			power, noise := c.fit(k, stray*unit*float64(k+1))
			score += min(20, power/(noise+chance))
		}
		if score > bestScore {
			best, bestScore = stray, score
		}
	}
	if c.strays > 0 && bestScore < 3*group {
		c.miss()
		return
	}
	power, prominence, ok := c.measure(best * unit)
	if !ok {
		c.miss()
		return
	}
	c.hit(power, prominence)
}

// measure fits all lines and says whether they are those of a radio.
func (c *comb) measure(turn float64) (power, prominence float64, ok bool) {
	var lowPower, highPower, noise float64
	low, high := 0, 0
	for k := range c.lines {
		p, n := c.fit(k, turn*float64(k+1))
		ratio := float64(p) / (float64(n) + chance)
		if ratio < strongRatio {
			continue
		}
		noise += float64(n)
		if k+1 < c.high {
			low++
			lowPower += float64(p)
		} else {
			high++
			highPower += float64(p)
		}
	}
	power = lowPower + highPower
	prominence = power / (noise + chance)
	lows, highs := c.high-1, c.lines-c.high+1
	ok = prominence >= combRatio && float64(high) >= minStrong*float64(highs) &&
		float64(low+high) >= minStrong*float64(lows+highs)
	if c.longest > 0 {
		ok = ok && highPower > pulseLike*lowPower
	}
	return power, prominence, ok
}

// hit adds a window to the burst under way.
func (c *comb) hit(power, prominence float64) {
	h := &c.heard
	b := &h.burst
	if b.windows == 0 {
		b.first = power
	}
	b.windows++
	b.last = power
	b.loudest = max(b.loudest, power)
	b.power += power
	b.prominence += prominence
	h.rest = 0
}

// miss notes a window without.
func (c *comb) miss() {
	h := &c.heard
	if h.rest++; h.rest >= restAfter {
		c.endBurst(h)
	}
}

// endBurst counts the burst under way, if it is one.
func (c *comb) endBurst(h *heard) {
	b := h.burst
	h.burst = burst{}
	if b.windows < minBurst || c.longest > 0 && float64(b.windows)*hopSeconds > c.longest {
		return
	}
	// The burst began and ended within its first and its last window.
	level := b.loudest
	if b.windows > 2 {
		level = (b.power - b.first - b.last) / float64(b.windows-2)
	}
	h.bursts++
	h.windows += b.windows
	h.power += level * float64(b.windows)
	h.prominence = max(h.prominence, b.prominence/float64(b.windows))
}
