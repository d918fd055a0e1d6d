package noise

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

const (
	framesPerSecond = 50
	binsPerDB       = 4
	lowestDBov      = -110.0
	bins            = 120 * binsPerDB // up to +10 dBov
	silentDBov      = -100.0          // below this a frame is digital silence, not noise
	percentile      = 0.10
	spreadDB        = 2.5 // a steady noise stays within this of its 10th percentile
	minFrames       = 100 // 2 s: fewer tell nothing
	windowFrames    = 500 // the running floor looks back 10 s
	// A gate or a synthesiser leaves digital silence in the pauses, and what is left of
	// the quiet frames are the ends of words. They are only taken for noise where this
	// share of all others is as quiet: a noise is dense, word ends are not.
	denseShare = 0.25
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate, size int
	fill       int
	power      float64
	all        histogram
	window     histogram
	ring       [windowFrames]int16 // bins of the last frames; -1 is silence, -2 is none yet
	at         int
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("noise: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	m := &Meter{rate: rate, size: rate / framesPerSecond}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	*m = Meter{rate: m.rate, size: m.size}
	for i := range m.ring {
		m.ring[i] = noBin
	}
}

// Gap says that samples are missing between the last and the next: a frame under way is
// dropped.
func (m *Meter) Gap() { m.fill, m.power = 0, 0 }

// Process takes the next samples, high-passed (filter.HighPass at 100 Hz) and full scale
// ±1. Broken ones count as 0 (dsp.Sample).
func (m *Meter) Process(frame []float32) {
	for len(frame) > 0 {
		n := min(len(frame), m.size-m.fill)
		power := m.power
		for _, s := range frame[:n] {
			x := float64(dsp.Sample(s))
			power += x * x
		}
		m.power = power
		m.fill += n
		frame = frame[n:]
		if m.fill == m.size {
			m.take(dsp.PowerDBov(m.power / float64(m.size)))
			m.fill, m.power = 0, 0
		}
	}
}

func (m *Meter) take(levelDBov float64) {
	bin := binOf(levelDBov)
	m.all.add(bin, 1)
	m.window.add(m.ring[m.at], -1)
	m.window.add(bin, 1)
	m.ring[m.at] = bin
	m.at = (m.at + 1) % windowFrames
}

// Floor is the noise floor since the start in dBov: dsp.None before 2 s, SilenceDBov
// where the pauses are digital silence.
func (m *Meter) Floor() dsp.Value { return m.all.floor() }

// Recent is the same over the last 10 s.
func (m *Meter) Recent() dsp.Value { return m.window.floor() }

// histogram counts frames by level.
type histogram struct {
	counts [bins]int32
	loud   int // frames in counts
	silent int
}

const (
	silentBin int16 = -1
	noBin     int16 = -2
)

func binOf(levelDBov float64) int16 {
	if levelDBov < silentDBov {
		return silentBin
	}
	return int16(min(bins-1, int((levelDBov-lowestDBov)*binsPerDB)))
}

func (h *histogram) add(bin int16, n int) {
	switch bin {
	case noBin:
	case silentBin:
		h.silent += n
	default:
		h.counts[bin] += int32(n)
		h.loud += n
	}
}

func (h *histogram) floor() dsp.Value {
	total := h.loud + h.silent
	if total < minFrames {
		return dsp.None()
	}
	if h.loud < minFrames {
		return dsp.SilenceDBov
	}
	first := 0 // the bin of the percentile
	for below := 0; first < bins; first++ {
		below += int(h.counts[first])
		if float64(below) >= percentile*float64(h.loud) {
			break
		}
	}
	var power, frames float64
	for bin := 0; bin <= min(bins-1, first+int(spreadDB*binsPerDB)); bin++ {
		n := float64(h.counts[bin])
		if n == 0 {
			continue
		}
		frames += n
		power += n * math.Pow(10, ((float64(bin)+0.5)/binsPerDB+lowestDBov)/10)
	}
	if float64(h.silent) >= percentile*float64(total) && frames < denseShare*float64(h.loud) {
		return dsp.SilenceDBov
	}
	return dsp.Value(dsp.PowerDBov(power / frames))
}
