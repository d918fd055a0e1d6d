package band

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// Bands is how many bands a Spectrum has, third-octaves from 100 Hz to 12.5 kHz.
const Bands = 22

const (
	blocksPerSecond = 50
	minSpeech       = 5 * blocksPerSecond // blocks; fewer tell nothing
	guard           = 3                   // blocks after speech that are no pause yet
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	binHz         float64
	nyquist       float64
	speech, pause sum
	since         int  // blocks since speech
	before        bool // the block before was speech
}

// sum adds up spectra.
type sum struct {
	power []float64
	n     int
}

func (s *sum) add(power []float32) {
	to := s.power[:len(power)]
	for i, p := range power {
		to[i] += float64(p)
	}
	s.n++
}

// Result is what a Meter has measured; values are dsp.None before 5 s of speech.
type Result struct {
	HighLow  dsp.Value        // dB: 4.5-7 kHz over 0.3-3.4 kHz; None below 14 kHz sample rate
	HighMid  dsp.Value        // dB: 4.5-7 kHz over 2-3.4 kHz; None where HighLow is
	Tilt     dsp.Value        // dB: 2-3.4 kHz over 0.3-1 kHz
	Rolloff  dsp.Value        // dB: 2.5-3.4 kHz over 1-2 kHz
	Edge     dsp.Value        // Hz up to which there is speech: within 60 dB of its strongest
	Cut      dsp.Value        // Hz at which speech ends as at a wall: a codec or a low sample rate; None if nowhere
	Hidden   bool             // noise hides what is above Cut
	Steepest dsp.Value        // dB: the most by which speech falls within 500 Hz between 3.2 and 4.8 kHz; None where noise hides it
	Skirt    dsp.Value        // dB: noise at 4.5-5.2 kHz over that at 6.5-7.5 kHz; None where it is 60 dB below the strongest speech or below 15 kHz sample rate
	Masked   bool             // noise hides the highs: HighLow and Tilt are no more than these
	Spectrum [Bands]dsp.Value // dBov in each band, of speech alone; None above the Nyquist frequency and between two bins
}

// New makes a Meter for a sample rate in Hz and the frames that spectrum.New(rate) gives.
func New(rate int) (*Meter, error) {
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, fmt.Errorf("band: %w", err)
	}
	m := &Meter{binHz: s.BinHz(), nyquist: float64(rate) / 2}
	m.speech.power, m.pause.power = make([]float64, s.Bins()), make([]float64, s.Bins())
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	clear(m.speech.power)
	clear(m.pause.power)
	m.speech.n, m.pause.n, m.since, m.before = 0, 0, 0, false
}

// Gap says that samples are missing between the last block and the next.
func (m *Meter) Gap() { m.since, m.before = 0, false }

// Process takes the spectrum of the next 20 ms, which may be nil just after a gap, and
// whether someone speaks in them or a tone sounds, which is neither speech nor pause.
func (m *Meter) Process(f *spectrum.Frame, speech, tone bool) {
	switch {
	case tone:
		m.since = 0
	case speech:
		if f != nil && m.before {
			m.speech.add(f.Power)
		}
		m.since = 0
	case m.since < guard:
		m.since++
	case f != nil:
		m.pause.add(f.Power)
	}
	m.before = speech
}

// How the speech's end is found.
const (
	edgeShare = 1e-6  // 60 dB below the strongest
	wall      = 750.0 // Hz: within this ...
	wallDrop  = 20    // ... dB is how far the power falls ...
	wallShare = 1e-4  // ... from no less than 40 dB below the strongest
	steep     = 500.0 // Hz: Result.Steepest looks across these ...
	deepShare = 1e-5  // ... from no less than 50 dB below the strongest
)

// sure is the share of the noise by which speech must stand above it to be told from it.
const sure = 0.25

// mean gives the mean power of the blocks with speech and of the pauses from low up to high Hz.
func (m *Meter) mean(low, high float64) (all, noise float64) {
	from, to := m.bins(low), m.bins(high)
	for i := from; i < to; i++ {
		all += m.speech.power[i]
		noise += m.pause.power[i]
	}
	return all / float64(max(1, m.speech.n)), noise / float64(max(1, m.pause.n))
}

// between gives the mean power of the speech alone from low up to high Hz, and whether it
// stands clear of the noise; if not it is the most that may be there.
func (m *Meter) between(low, high float64) (power float64, clear bool) {
	all, noise := m.mean(low, high)
	return max(all-noise, sure*noise), all > (1+sure)*noise
}

func (m *Meter) bins(hz float64) int {
	return max(0, min(len(m.speech.power), int(math.Ceil(hz/m.binHz))))
}

// Center gives the middle of a band of Result.Spectrum in Hz.
func Center(band int) float64 { return 1000 * math.Pow(10, float64(band-10)/10) }

// Result gives what has been measured since the start.
func (m *Meter) Result() Result {
	r := Result{
		HighLow: dsp.None(), HighMid: dsp.None(), Tilt: dsp.None(), Rolloff: dsp.None(), Edge: dsp.None(),
		Cut: dsp.None(), Steepest: dsp.None(), Skirt: dsp.None(),
	}
	for i := range r.Spectrum {
		r.Spectrum[i] = dsp.None()
	}
	if m.speech.n < minSpeech {
		return r
	}
	half := math.Pow(10, 0.05)
	for i := range r.Spectrum {
		if c := Center(i); c*half <= m.nyquist && m.bins(c/half) < m.bins(c*half) {
			p, _ := m.between(c/half, c*half)
			r.Spectrum[i] = dsp.Value(dsp.PowerDBov(p))
		}
	}
	low, lowClear := m.between(300, 1000)
	mid, midClear := m.between(2000, 3400)
	if !lowClear || low <= 0 {
		return r
	}
	r.Tilt = decibels(mid / low)
	presence, presenceClear := m.between(2500, 3400)
	body, _ := m.between(1000, 2000)
	r.Rolloff = decibels(presence / body)
	r.Masked = !midClear || !presenceClear
	if m.nyquist >= 7000 {
		voice, _ := m.between(300, 3400)
		high, highClear := m.between(4500, 7000)
		r.HighLow, r.HighMid = decibels(high/voice), decibels(high/mid)
		r.Masked = r.Masked || !highClear
	}
	m.edge(&r)
	return r
}

func decibels(ratio float64) dsp.Value { return dsp.Value(10 * math.Log10(max(ratio, 1e-12))) }

// edge finds how high the speech reaches, and whether it ends there as at a wall.
func (m *Meter) edge(r *Result) {
	const step, wide = 62.5, 250.0
	density := func(hz float64) (float64, bool) { return m.between(hz-wide/2, hz+wide/2) }
	top := 0.0
	for hz := 300.0; hz < 3400; hz += step {
		p, _ := density(hz)
		top = max(top, p)
	}
	for hz := m.nyquist - wide; hz > 300; hz -= step {
		if p, ok := density(hz); ok && p > top*edgeShare {
			r.Edge = dsp.Value(hz)
			break
		}
	}
	// falls gives by how many dB the speech falls from one frequency to another.
	falls := func(from, to, share float64) (fall dsp.Value, hidden bool) {
		below, ok := density(from)
		if !ok || below <= top*share {
			return dsp.None(), false
		}
		above, ok := density(to)
		return decibels(below / max(above, 1e-12)), !ok
	}
	steepest := dsp.Value(wallDrop)
	for hz := 3200.0; hz < m.nyquist-wall-wide; hz += step {
		if d, hidden := falls(hz, hz+wall, wallShare); d > steepest {
			steepest = d
			r.Cut, r.Hidden = dsp.Value(hz+wall/2), hidden
		}
		if d, hidden := falls(hz, hz+steep, deepShare); hz+steep <= 4800 && d.Valid() && !hidden && !(d <= r.Steepest) {
			r.Steepest = d
		}
	}
	if m.nyquist >= 7500 {
		_, near := m.mean(4500, 5200)
		_, far := m.mean(6500, 7500)
		if near*wide/700 > top*edgeShare {
			r.Skirt = decibels(near / 700 / max(far/1000, 1e-18))
		}
	}
}
