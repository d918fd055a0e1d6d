package vad

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// The detector's constants. Frames are 20 ms.
const (
	framesPerSecond = 50
	startDB         = 9.0   // above the noise, for speech to begin ...
	startFrames     = 3     // ... in this many frames in a row
	stayDB          = 5.0   // above the noise, for speech to go on
	lowestDBov      = -62.0 // nobody speaks to a headset more softly than this
	hangoverFrames  = 8     // 160 ms, as the pause between two syllables
	subWindow       = 20    // frames: the noise is the minimum of subWindows of these
	subWindows      = 8     // 3.2 s together; a steady sound becomes noise after that
	toneGainDB      = 20.0  // prediction gain of a tone that went through G.711
	pureToneGainDB  = 40.0  // of one that did not
	steadyDB        = 0.5   // between two frames of a tone
	analysisRate    = 8000  // Hz, about: tones are looked for at this rate
)

// Detector decides for one signal. It is not safe for concurrent use.
type Detector struct {
	rate   int
	stride int // every how manieth sample the search for tones takes

	tone   toneFinder
	gain   float64 // prediction gain of the frame before, dB
	noise  minimum
	above  int // frames in a row that stand clear of the noise
	hang   int // frames of hangover left
	frames uint64
	speech uint64
	last   Frame
}

// Frame is the decision on one 20 ms block.
type Frame struct {
	Speech      bool
	Tonal       bool    // a pure tone or a pair of them, as a keypad sends
	LevelDBov   float64 // of the block
	NoiseDBov   float64 // of the noise beneath as this detector tracks it
	Probability float64 // of speech, 0 to 1, before the hangover
}

// New makes a Detector for a sample rate in Hz.
func New(rate int) (*Detector, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("vad: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	d := &Detector{rate: rate, stride: max(1, rate/analysisRate)}
	d.Reset()
	return d, nil
}

// Reset starts again as if new.
func (d *Detector) Reset() {
	*d = Detector{rate: d.rate, stride: d.stride}
	d.noise.reset()
}

// Gap says that samples are missing between the last block and the next.
func (d *Detector) Gap() { d.gain = 0 }

// Process decides on the next block: 20 ms, high-passed (filter.HighPass at 100 Hz), full
// scale ±1, and the spectrum of the window that ends with it, which may be nil just after
// a gap.
func (d *Detector) Process(_ *spectrum.Frame, block []float32) Frame {
	d.tone.start()
	power := 0.0
	for _, s := range block {
		x := float64(dsp.Sample(s))
		power += x * x
	}
	for i := 0; i < len(block); i += d.stride {
		d.tone.add(float64(dsp.Sample(block[i])))
	}
	d.decide(power / float64(max(1, len(block))))
	return d.last
}

// Last is the decision on the newest block.
func (d *Detector) Last() Frame { return d.last }

// SpeechSeconds is how much speech there has been.
func (d *Detector) SpeechSeconds() float64 { return float64(d.speech) / framesPerSecond }

// Seconds is how much has been decided on.
func (d *Detector) Seconds() float64 { return float64(d.frames) / framesPerSecond }

func (d *Detector) decide(power float64) {
	level := dsp.PowerDBov(power)
	tonal := d.tonal(level)
	noise := d.noise.next(level)
	f := Frame{Tonal: tonal, LevelDBov: level, NoiseDBov: noise}
	if !tonal && level > max(noise+startDB, lowestDBov) {
		d.above++
	} else {
		d.above = 0
	}
	switch {
	case d.above >= startFrames, d.hang > 0 && !tonal && level > max(noise+stayDB, lowestDBov):
		d.hang = hangoverFrames
	case d.hang > 0:
		d.hang--
	}
	f.Speech = d.hang > 0 && !tonal
	if f.Speech && level > noise+stayDB {
		f.Probability = 1
	}
	d.frames++
	if f.Speech {
		d.speech++
	}
	d.last = f
}

// tonal decides whether the frame just completed is a tone. Smooth vowels are nearly as
// predictable as a tone that went through G.711, but they do not keep their level.
func (d *Detector) tonal(levelDB float64) bool {
	gain := d.tone.gain()
	steady := d.gain > toneGainDB && math.Abs(levelDB-d.last.LevelDBov) < steadyDB
	d.gain = gain
	return gain > pureToneGainDB || gain > toneGainDB && steady
}

// minimum tracks the noise as the least level of the last subWindows*subWindow frames,
// smoothed over three so that one odd frame does not pull it down.
type minimum struct {
	recent [2]float64          // the last two levels
	least  [subWindows]float64 // of each sub-window, the newest at index at
	at     int
	in     int // frames in the newest sub-window
}

func (m *minimum) reset() {
	*m = minimum{}
	for i := range m.least {
		m.least[i] = math.Inf(1)
	}
	m.recent = [2]float64{math.Inf(1), math.Inf(1)}
}

func (m *minimum) next(level float64) float64 {
	smooth := level
	if !math.IsInf(m.recent[0], 1) {
		smooth = median(level, m.recent[0], m.recent[1])
	}
	m.recent[1], m.recent[0] = m.recent[0], level
	if m.in == subWindow {
		m.in, m.at = 0, (m.at+1)%subWindows
		m.least[m.at] = math.Inf(1)
	}
	m.in++
	m.least[m.at] = min(m.least[m.at], smooth)
	lowest := m.least[0]
	for _, v := range m.least[1:] {
		lowest = min(lowest, v)
	}
	return lowest
}

func median(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
