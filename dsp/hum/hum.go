package hum

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp/hum/lowband"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// A window is windowFrames short spectra, each shift samples after the other: 4.1 s at
// 2 kHz. A short spectrum is Hann-windowed and frameLength long (64 ms): lines 50 Hz
// apart do not touch, and pauses between words are still seen.
const (
	frameLength  = 128
	shift        = 64
	windowFrames = 128
	windowHop    = 64 // frames from one window to the next
	partFrames   = 40 // 1.3 s, the least before a gap
	highest      = 810.0
	maxLines     = 16 // harmonics of 50 Hz up to highest
)

// nominal are the two mains frequencies, Hz.
var nominal = [...]float64{50, 60}

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate    float64 // of the low band, Hz
	fft     *spectrum.Real
	taper   [frameLength]float32
	history [frameLength]float32 // the samples of the short spectrum under way
	filled  int
	work    [frameLength]float32
	re, im  [frameLength/2 + 1]float32
	low, up int     // bins whose power weighs a frame
	scale   float32 // of that power to a mean square

	frames    int // in the window under way
	power     [windowFrames]float32
	combs     [len(nominal)]comb
	weights   weights
	strongest float64 // power around any line in the window
	judged    int     // frames of it that a window before this has judged
	heard     float64 // seconds of windows looked at
	tallies   [len(nominal)]tally
}

// comb is what one mains frequency and its harmonics did in the window under way.
type comb struct {
	hz    float64 // nominal
	lines []line
}

// line is one harmonic: its complex amplitude in each frame. |z|² is its power.
type line struct {
	order                 int
	hz                    float64 // nominal
	bin                   int
	offset                float64 // of the nominal frequency from the bin's middle, in bins
	scale                 float32
	re, im                [windowFrames]float32
	stray, steady, around float64 // see straying
}

// New makes a Meter for the low band (lowband.Decimator) of a signal whose sample rate in
// Hz is rate.
func New(rate int) (*Meter, error) {
	d, err := lowband.New(rate)
	if err != nil {
		return nil, fmt.Errorf("hum: %w", err)
	}
	fft, err := spectrum.NewReal(frameLength)
	if err != nil {
		return nil, fmt.Errorf("hum: %w", err)
	}
	m := &Meter{rate: d.Rate(), fft: fft}
	sum, squares := 0.0, 0.0
	for i := range m.taper {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/frameLength)
		m.taper[i] = float32(w)
		sum += w
		squares += w * w
	}
	binHz := m.rate / frameLength
	m.low, m.up = int(math.Ceil(30/binHz)), int(highest/binHz)
	m.scale = float32(2 / (frameLength * squares))
	for i, hz := range nominal {
		c := &m.combs[i]
		c.hz = hz
		c.lines = make([]line, min(maxLines, int(highest/hz)))
		for j := range c.lines {
			f := hz * float64(j+1)
			l := &c.lines[j]
			l.order, l.hz = j+1, f
			l.bin = int(math.Round(f / binHz))
			l.offset = f/binHz - float64(l.bin)
			l.scale = float32(math.Sqrt(2/d.Gain(f)) / sum)
		}
	}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	m.restart()
	m.heard = 0
	m.tallies = [len(nominal)]tally{}
}

// Gap says that samples are missing between the last and the next: no window reaches
// across. A window of which at least a part is there is looked at as it is, so that a
// lossy network does not hide hum.
func (m *Meter) Gap() {
	if m.frames >= partFrames && m.frames-m.judged >= partFrames/2 {
		m.analyse()
	}
	m.restart()
}

func (m *Meter) restart() {
	m.filled, m.frames, m.judged = 0, 0, 0
}

// Process takes the next samples of the low band, any number.
func (m *Meter) Process(low []float32) {
	for len(low) > 0 {
		n := copy(m.history[m.filled:], low)
		m.filled += n
		low = low[n:]
		if m.filled < frameLength {
			return
		}
		m.frame()
		m.filled = copy(m.history[:], m.history[shift:])
		if m.frames == windowFrames {
			m.analyse()
			m.keepHalf()
		}
	}
}

// frame adds the short spectrum of history to the window.
func (m *Meter) frame() {
	mean := float32(0)
	for _, x := range m.history {
		mean += x
	}
	mean /= frameLength // an offset would leak into the lowest lines
	for i, x := range m.history {
		m.work[i] = (x - mean) * m.taper[i]
	}
	m.fft.Transform(m.re[:], m.im[:], m.work[:])
	power := float32(0)
	for k := m.low; k <= m.up; k++ {
		power += m.re[k]*m.re[k] + m.im[k]*m.im[k]
	}
	at := m.frames
	m.power[at] = power * m.scale
	for i := range m.combs {
		lines := m.combs[i].lines
		for j := range lines {
			l := &lines[j]
			l.re[at], l.im[at] = m.re[l.bin]*l.scale, m.im[l.bin]*l.scale
		}
	}
	m.frames++
}

// keepHalf makes room for the next window, which shares half its frames with the last.
func (m *Meter) keepHalf() {
	copy(m.power[:], m.power[windowHop:])
	for i := range m.combs {
		lines := m.combs[i].lines
		for j := range lines {
			l := &lines[j]
			copy(l.re[:], l.re[windowHop:])
			copy(l.im[:], l.im[windowHop:])
		}
	}
	m.frames = windowFrames - windowHop
	m.judged = m.frames
}
