package glitch

import "math"

const (
	repeatEvery   = 5             // ticks between looks: shorter blocks are found by their click, or by chance
	repeatDelay   = 25            // ticks after a sample before it is looked at
	repeatShort   = 1.75          // ms of the shortest block that is looked for where something clicks
	repeatLongest = 22            // ms of the longest block (1024 samples at 48 kHz)
	repeatTimes   = 3             // that a block is played again at most
	repeatLoud    = 32 * lsb      // amplitude below which samples are the same by chance
	repeatLively  = 64 * faintest // the same for the energy of a difference
	repeatSlack   = 3             // samples that may be equal by chance at the ends
)

// watchRepeat looks now and then whether the highest sample of a tick, and its
// neighbours, were heard before.
func (m *Meter) watchRepeat() {
	if m.count%repeatEvery != 0 || m.count-m.since < settle+100 {
		return
	}
	tick := m.count - repeatDelay - 1
	if m.body[tick&(ticks-1)] < repeatLively {
		return
	}
	mask := len(m.ring) - 1
	from := m.sampleOf(tick)
	at, top := from, float32(repeatLoud)
	for i := from; i < from+m.tick; i++ {
		if v := m.ring[i&mask]; v > top {
			at, top = i, v
		}
	}
	if top > repeatLoud {
		m.findRepeat(at, m.rate*9/2000)
	}
}

// findRepeat looks whether a sample and its neighbours were heard before, and says
// whether that was a block played again.
func (m *Meter) findRepeat(at, shortestLag int) bool {
	longestLag := m.rate * repeatLongest / 1000
	mask := len(m.ring) - 1
	v := m.ring[at&mask]
	for lag := shortestLag; lag <= longestLag; {
		end := (at-lag)&mask + 1 // the samples before, as far as the ring is in one piece
		piece := m.ring[max(0, end-(longestLag-lag+1)):end]
		i := lastOf(piece, v)
		lag += len(piece) - 1 - i
		if i < 0 {
			continue
		}
		if a, b := m.sameFor(at, lag); b-a >= shortestLag-repeatSlack {
			return m.judgeRepeat(a, b, lag)
		}
		lag++
	}
	return false
}

// lastOf gives the index of the last sample of x that is v to the bit, or -1.
func lastOf(x []float32, v float32) int {
	bits := math.Float32bits(v)
	for len(x) >= 4 {
		four := (*[4]float32)(x[len(x)-4:])
		if math.Float32bits(four[3]) == bits || math.Float32bits(four[2]) == bits ||
			math.Float32bits(four[1]) == bits || math.Float32bits(four[0]) == bits {
			break
		}
		x = x[:len(x)-4]
	}
	i := len(x) - 1
	for i >= 0 && math.Float32bits(x[i]) != bits {
		i--
	}
	return i
}

// sameFor gives the stretch about a sample in which every sample was heard a lag ago.
func (m *Meter) sameFor(at, lag int) (a, b int) {
	a, b = at, at+1
	for floor := at - repeatTimes*lag; a > floor && m.same(a-1, lag); {
		a--
	}
	for b < m.seen && m.same(b, lag) {
		b++
	}
	return a, b
}

func (m *Meter) same(n, lag int) bool {
	d := m.at(n) - m.at(n-lag)
	return d <= equal && d >= -equal
}

// judgeRepeat counts a stretch as a block played again when it is as long as the lag, or
// some times as long: a tone goes on for longer.
func (m *Meter) judgeRepeat(a, b, lag int) bool {
	over := (b - a) % lag
	if b == m.seen || b-a > repeatTimes*lag+repeatSlack || over > repeatSlack && over < lag-repeatSlack {
		return false
	}
	if a <= m.lost.to || m.power(a, b) < decibels(faintest) || m.keyed(b) > tonal {
		return false
	}
	m.lose(Repeat, a, b)
	return true
}
