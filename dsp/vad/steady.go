package vad

const (
	stretch   = 10   // blocks, compared with as many before
	stretches = 3    // changes in a row that are small: 0.8 s of one and the same sound
	unchanged = 0.38 // mean change of the bands as a binary logarithm: 1.15 dB; noise has 0.8 dB [M]
	alike     = 0.73 // mean difference of a block from a sound known to be steady: 2.2 dB [M]
	notable   = 10   // times the noise that such a sound must have to be remembered
)

// steadiness finds sounds that do not change as speech does: noise, hum, a tone. It
// remembers the last one that rose over the noise, and knows it again at once when it
// comes in bursts.
type steadiness struct {
	mean   levels // power in the last complete stretch
	sum    levels // of power, in the stretch under way
	logs   levels // sum of its binary logarithms
	before levels // logs of the stretch before
	in     int    // blocks in the stretch under way
	small  int    // small changes in a row

	sound levels // binary logarithm of the sound that is remembered
	heard bool   // there is one
}

// next takes the power of the n bands in use and tells whether a stretch of steady sound
// has just ended, whose mean is then the noise, and whether the block is like the sound
// that is remembered.
func (s *steadiness) next(p *levels, n int) (steady, known bool) {
	differs := float32(0)
	for b, v := range p[:n] {
		l := log2(v)
		s.logs[b] += l
		s.sum[b] += v
		l -= s.sound[b]
		differs += max(l, -l)
	}
	known = s.heard && differs < alike*float32(n)
	if s.in++; s.in < stretch {
		return false, known
	}
	change := float32(0)
	for b := range n {
		d := s.logs[b] - s.before[b]
		change += max(d, -d)
		s.mean[b] = s.sum[b] / stretch
	}
	s.before, s.logs, s.sum, s.in = s.logs, levels{}, levels{}, 0
	if change > unchanged*stretch*float32(n) {
		s.small = 0
		return false, known
	}
	s.small++
	return s.small >= stretches, known
}

// remember keeps the sound of the last stretch.
func (s *steadiness) remember() {
	for b, sum := range s.before {
		s.sound[b] = sum / stretch
	}
	s.heard = true
}
