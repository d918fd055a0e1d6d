package bridge

import "math"

// How a mix is kept within full scale.
const (
	knee      = 0.7   // amplitude up to which nothing is done
	ceiling   = 0.97  // amplitude that nothing exceeds
	lookahead = 200   // as a part of a second: 5 ms, in which the gain comes down before a peak
	release   = 0.120 // seconds in which it goes most of the way up again
)

// limiter is a look-ahead peak limiter: above the knee a peak is pressed together, ever more, and
// the whole waveform around it with it, so that nothing is clipped. A gain is wanted for each
// sample; the least of the last 5 ms is averaged over 5 ms, so that it is reached, without a
// corner, just as its peak comes out. The output lags by 5 ms, less one sample.
type limiter struct {
	ahead int
	rise  float32   // of the gain towards what is wanted, per sample
	delay []float32 // the last ahead-1 samples, oldest at place
	place int
	least minima
	gain  float32
	box   []float32 // the last ahead gains
	boxAt int
	sum   float64 // of box
	idle  int     // samples since the gain was last below 1
	spare []float32
}

func newLimiter(rate int) *limiter {
	n := rate / lookahead
	l := &limiter{
		ahead: n, rise: float32(1 - math.Exp(-1/(release*float64(rate)))),
		delay: make([]float32, n-1), least: newMinima(n), box: make([]float32, n), spare: make([]float32, n-1),
	}
	l.reset()
	return l
}

// reset forgets what was heard, as if new.
func (l *limiter) reset() {
	clear(l.delay)
	for i := range l.box {
		l.box[i] = 1
	}
	l.least.reset()
	l.gain, l.sum, l.place, l.boxAt, l.idle = 1, float64(l.ahead), 0, 0, l.ahead
}

// process limits pcm in place. What comes in may be of any amplitude, short of infinity.
func (l *limiter) process(pcm []float32) {
	if l.idle >= l.ahead && quiet(pcm) && len(pcm) >= len(l.delay) {
		l.pass(pcm)
		return
	}
	for i, x := range pcm {
		held := l.least.push(wanted(x))
		switch {
		case held < l.gain:
			l.gain = held
		default:
			l.gain += (held - l.gain) * l.rise
			if held == 1 && l.gain > 0.999 {
				l.gain = 1
			}
		}
		if l.idle++; l.gain < 1 {
			l.idle = 0
		}
		l.sum += float64(l.gain - l.box[l.boxAt])
		l.box[l.boxAt] = l.gain
		if l.boxAt++; l.boxAt == len(l.box) {
			l.boxAt = 0
		}
		g := float32(1)
		if l.idle < l.ahead {
			g = float32(l.sum / float64(l.ahead))
		} else {
			l.sum = float64(l.ahead)
		}
		pcm[i] = l.delay[l.place] * g
		l.delay[l.place] = x
		if l.place++; l.place == len(l.delay) {
			l.place = 0
		}
	}
}

// pass only delays: nothing has been limited for a while, and nothing has to be.
func (l *limiter) pass(pcm []float32) {
	n := len(l.delay)
	copy(l.spare, pcm[len(pcm)-n:])
	copy(pcm[n:], pcm[:len(pcm)-n])
	k := copy(pcm, l.delay[l.place:])
	copy(pcm[k:n], l.delay[:l.place])
	copy(l.delay, l.spare)
	l.place = 0
	l.least.reset() // all 1, as nothing is above the knee
}

func quiet(pcm []float32) bool {
	for _, x := range pcm {
		if x > knee || x < -knee {
			return false
		}
	}
	return true
}

// wanted is the gain that brings a sample where it belongs: the curve goes on above the knee
// without a corner and approaches the ceiling.
func wanted(x float32) float32 {
	a := math.Abs(float64(x))
	if a <= knee {
		return 1
	}
	const room = ceiling - knee
	return float32((knee + room*(1-math.Exp(-(a-knee)/room))) / a)
}

// minima is the least of the last n values: a queue in which each value is less than those
// after it.
type minima struct {
	n      int
	values []float32
	when   []int
	first  int
	count  int
	now    int
}

func newMinima(n int) minima {
	return minima{n: n, values: make([]float32, n), when: make([]int, n)}
}

func (m *minima) reset() { m.first, m.count, m.now = 0, 0, 0 }

func (m *minima) push(v float32) float32 {
	if m.count > 0 && m.when[m.first] <= m.now-m.n {
		m.first = (m.first + 1) % m.n
		m.count--
	}
	for m.count > 0 && m.values[(m.first+m.count-1)%m.n] >= v {
		m.count--
	}
	at := (m.first + m.count) % m.n
	m.values[at], m.when[at] = v, m.now
	m.count++
	m.now++
	return m.values[m.first]
}
