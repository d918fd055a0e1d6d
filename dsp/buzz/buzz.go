package buzz

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

const (
	windowFrames = 24 // of 20 ms
	hop          = 12 // frames from one window to the next
	group        = 4  // neighbouring lines are weighed alike
	maxLines     = 16
	hopSeconds   = hop * 0.02
)

// radio is one kind of transmitter that pulses at a fixed rate.
type radio struct {
	name    Radio
	hz      float64
	lines   int     // harmonics looked at
	stray   float64 // step between the frequencies tried, a share
	strays  int     // steps to either side
	high    int     // harmonics from this one on must be strong too
	longest float64 // seconds; what lasts longer is something else. 0: as long as it likes
}

// The GSM frame is 60/13 ms (3GPP TS 45.002, 4.3.1), the DECT frame 10 ms (ETSI EN 300
// 175-2, 4.2.1). A full-wave rectified 50 Hz has the rate of DECT: what lasts is mains.
var radios = [...]radio{
	{name: GSM, hz: 13 / 0.06, lines: 12, stray: 0.0012, strays: 2, high: 5},
	{name: DECT, hz: 100, lines: 16, high: 6, longest: 30},
}

// Radio names what buzzes.
type Radio string

// The radios told apart.
const (
	NoRadio Radio = ""
	GSM     Radio = "gsm"  // 216.7 Hz: mobile phones of the second generation
	DECT    Radio = "dect" // 100 Hz: cordless phones and headsets
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate, hop float64 // Hz, samples
	frames    int     // in the window under way
	combs     [len(radios)]comb
	windows   int
}

type comb struct {
	radio
	taper [windowFrames]float32 // Hann
	line  [maxLines]line
	u     [maxLines / group][windowFrames]float32 // weights, a row for each group
	sums  [maxLines / group]struct{ sum, squares float32 }
	heard heard
}

// line is one harmonic: its complex amplitude in each frame. |z|² is its power.
type line struct {
	bin    int
	scale  float32
	turn   float64 // radians from one frame to the next at the radio's frequency
	re, im [windowFrames]float32
}

// heard adds up the bursts of a radio.
type heard struct {
	bursts, windows int
	power           float64 // sum over the windows
	prominence      float64 // of the clearest burst, as a ratio
	burst           burst   // under way
	rest            int     // windows without since its last
}

// burst is windows in a row.
type burst struct {
	windows              int
	first, last, loudest float64 // powers of windows
	power, prominence    float64 // sums
}

// New makes a Meter for spectra (spectrum.New) of a signal whose sample rate in Hz is rate.
func New(rate int) (*Meter, error) {
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, fmt.Errorf("buzz: %w", err)
	}
	m := &Meter{rate: float64(rate), hop: float64(s.Hop())}
	for i, r := range radios {
		c := &m.combs[i]
		c.radio = r
		for t := range c.taper {
			c.taper[t] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(t)+0.5)/windowFrames))
		}
		for k := range r.lines {
			l := &c.line[k]
			hz := r.hz * float64(k+1)
			l.bin = int(math.Round(hz / s.BinHz()))
			off := hz/s.BinHz() - float64(l.bin)
			// A tone in the middle of a bin of a Hann window has two thirds of its power there.
			gain := math.Sqrt(2.0/3) * hann(off)
			l.scale = float32(1 / gain)
			l.turn = 2 * math.Pi * hz * m.hop / m.rate
		}
	}
	m.Reset()
	return m, nil
}

// hann is the response of a Hann window to a tone this many bins off.
func hann(bins float64) float64 {
	if math.Abs(bins) < 1e-6 {
		return 1
	}
	return math.Sin(math.Pi*bins) / (math.Pi * bins) / (1 - bins*bins)
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	m.restart()
	m.windows = 0
	for i := range m.combs {
		m.combs[i].heard = heard{}
	}
}

// Gap says that samples are missing between the last frame and the next: no window
// reaches across.
func (m *Meter) Gap() {
	m.restart()
	for i := range m.combs {
		c := &m.combs[i]
		c.endBurst(&c.heard)
	}
}

func (m *Meter) restart() {
	m.frames = 0
}

// Process takes the next block's spectrum; nil, as just after a gap, passes.
func (m *Meter) Process(f *spectrum.Frame) {
	if f == nil {
		return
	}
	at := m.frames
	for i := range m.combs {
		c := &m.combs[i]
		for k := range c.line[:c.lines] {
			l := &c.line[k]
			l.re[at], l.im[at] = f.Re[l.bin]*l.scale, f.Im[l.bin]*l.scale
		}
	}
	if m.frames++; m.frames < windowFrames {
		return
	}
	m.windows++
	for i := range m.combs {
		m.combs[i].analyse(m.hop / m.rate)
		m.combs[i].keepHalf()
	}
	m.frames = windowFrames - hop
}

// keepHalf makes room for the next window, which shares frames with the last.
func (c *comb) keepHalf() {
	for k := range c.line[:c.lines] {
		l := &c.line[k]
		copy(l.re[:], l.re[hop:])
		copy(l.im[:], l.im[hop:])
	}
}

// Result is what has been measured since the start.
type Result struct {
	Radio      Radio     // NoRadio: none heard
	Hz         dsp.Value // of its pulses
	Level      dsp.Value // of its comb while it is heard, dBov
	Prominence dsp.Value // of its lines over what lies around them, in the clearest burst, dB
	Seconds    float64   // in which it was heard
	Bursts     int       // stretches of it
	Heard      float64   // seconds looked at
}

// Result gives the radio that was heard longer.
func (m *Meter) Result() Result {
	r := Result{Hz: dsp.None(), Level: dsp.None(), Prominence: dsp.None(), Heard: float64(m.windows) * hopSeconds}
	most := 0
	for i := range m.combs {
		c := &m.combs[i]
		h := c.heard
		c.endBurst(&h)
		if h.windows <= most {
			continue
		}
		most = h.windows
		n := float64(h.windows)
		r.Radio, r.Hz, r.Bursts, r.Seconds = c.name, dsp.Value(c.hz), h.bursts, n*hopSeconds
		r.Level = dsp.Value(dsp.PowerDBov(h.power / n))
		r.Prominence = dsp.Value(math.Min(maxDB, 10*math.Log10(h.prominence)))
	}
	return r
}
