package talk

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// What makes a syllable. Levels are of the band in which vowels are, 20 ms apart.
const (
	paceLowHz   = 300
	paceHighHz  = 3000
	riseDB      = 3.0 // from the dip before to the peak, and from the peak to the dip after [M]
	rangeDB     = 25  // below the loudest of the last seconds there is no vowel [A]
	fallPerStep = 0.1 // dB per block by which the loudest is forgotten
	paceLeast   = 5.0 // seconds of speech before a pace is told
)

// Pace counts the syllables of one voice. It is not safe for concurrent use.
type Pace struct {
	low, high int // bins; high 0 is not known yet
	previous  [2]float64
	filled    int
	loudest   float64
	dip, peak float64
	rising    bool
	syllables uint64
	blocks    uint64 // of speech
}

// NewPace makes one.
func NewPace() *Pace {
	p := &Pace{}
	p.Reset()
	return p
}

// Reset starts again as if new.
func (p *Pace) Reset() { *p = Pace{loudest: dsp.SilenceDBov} }

// Gap says that blocks are missing before the next.
func (p *Pace) Gap() { p.endSpeech() }

// Process takes the spectrum of the next 20 ms, nil just after a gap, and whether it is
// speech.
func (p *Pace) Process(f *spectrum.Frame, speech bool) {
	if f == nil || !speech {
		p.endSpeech()
		return
	}
	if p.high == 0 {
		p.low, p.high = f.Band(paceLowHz, paceHighHz)
	}
	p.blocks++
	level := dsp.PowerDBov(f.Sum(p.low, p.high))
	p.loudest = max(p.loudest-fallPerStep, level)
	if p.filled == 0 {
		p.previous = [2]float64{level, level}
		p.dip, p.peak, p.rising = level-riseDB, level, true
	}
	p.filled++
	smooth := (p.previous[0] + 4*p.previous[1] + level) / 6
	p.previous[0], p.previous[1] = p.previous[1], level
	p.follow(smooth)
}

// follow looks for a peak that stands riseDB above the dips beside it.
func (p *Pace) follow(level float64) {
	if p.rising {
		p.peak = max(p.peak, level)
		if level < p.peak-riseDB {
			p.count()
			p.rising, p.dip = false, level
		}
		return
	}
	p.dip = min(p.dip, level)
	if level > p.dip+riseDB {
		p.rising, p.peak = true, level
	}
}

func (p *Pace) count() {
	if p.peak > p.loudest-rangeDB {
		p.syllables++
	}
}

// endSpeech counts the last syllable, which no dip followed.
func (p *Pace) endSpeech() {
	if p.filled > 0 && p.rising && p.peak > p.dip+riseDB {
		p.count()
	}
	p.filled, p.rising = 0, false
}

// Syllables is how many there were.
func (p *Pace) Syllables() int { return int(p.syllables) }

// PerSecond is the pace in syllables per second of speech; None before 5 s of speech.
func (p *Pace) PerSecond() dsp.Value {
	spoken := seconds(int(p.blocks))
	if spoken < paceLeast {
		return dsp.None()
	}
	return dsp.Value(math.Round(1e6*float64(p.syllables)/spoken) / 1e6)
}
