package noise

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// The estimator's constants; blocks are 20 ms.
const (
	blocksPerSecond = 50
	minBlocks       = 100 // 2 s: fewer tell nothing
	windowBlocks    = 500 // the running floor looks back 10 s
	onset           = 4   // blocks before speech begins that may hold its first sound
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	binHz  float64
	all    scene // since the start
	window scene // the last 10 s
	ring   [windowBlocks]heard
	at     int
	late   [onset]int16 // levels of the newest pause, not yet counted as such
	lates  int

	gate    float64   // dBov: a block up to here is taken for noise alone
	since   int       // blocks since the gate was set
	under   bool      // the block before was such a one
	mean    []float64 // sum of the spectra of such blocks
	spectra int
	class   classifier
}

// scene is what a stretch of time holds.
type scene struct {
	every histogram // all blocks
	pause histogram // those well outside speech
}

// heard is one block of the ring: the level of the block, and the level of the pause
// block that became sure with it.
type heard struct{ level, pause int16 }

// Result is what a Meter has measured. Levels are in dBov.
type Result struct {
	Floor      dsp.Value // above 100 Hz: dsp.None before 2 s, SilenceDBov for digital silence
	FloorA     dsp.Value // weighted as IEC 61672-1 A; None where Floor is
	Recent     dsp.Value // Floor over the last 10 s
	Class      Class     // what it sounds like, "" when unknown
	Confidence float64   // in Class, 0 to 1
}

// New makes a Meter for a sample rate in Hz and the frames that spectrum.New(rate) gives.
func New(rate int) (*Meter, error) {
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, fmt.Errorf("noise: %w", err)
	}
	m := &Meter{binHz: s.BinHz(), mean: make([]float64, s.Bins())}
	m.class = newClassifier(m.binHz, s.Bins())
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	clear(m.mean)
	m.class.reset()
	*m = Meter{binHz: m.binHz, mean: m.mean, class: m.class, gate: math.Inf(-1)}
	for i := range m.ring {
		m.ring[i] = heard{noBin, noBin}
	}
}

// Gap says that samples are missing between the last block and the next.
func (m *Meter) Gap() {
	m.lates = 0
	m.under = false
	m.class.gap()
}

// Process takes the next block of 20 ms: its spectrum, which may be nil just after a gap,
// and what the detector says of it; the level is that of the high-passed block.
func (m *Meter) Process(f *spectrum.Frame, v vad.Frame) {
	h := heard{level: binOf(v.LevelDBov), pause: m.sure(v)}
	old := &m.ring[m.at]
	m.at = (m.at + 1) % windowBlocks
	m.window.every.add(old.level, -1)
	m.window.pause.add(old.pause, -1)
	*old = h
	m.window.every.add(h.level, 1)
	m.window.pause.add(h.pause, 1)
	m.all.every.add(h.level, 1)
	m.all.pause.add(h.pause, 1)

	if m.since++; m.since >= blocksPerSecond {
		m.since = 0
		m.gate = m.window.estimate().gate
	}
	alone := h.level != silentBin && v.LevelDBov <= m.gate
	if alone && m.under && f != nil { // the window reaches into the block before
		sum := m.mean[:len(f.Power)]
		for i, p := range f.Power {
			sum[i] += float64(p)
		}
		m.spectra++
		m.class.hear(f, v.LevelDBov)
	} else {
		m.class.gap()
	}
	m.under = alone
}

// sure gives the level of the pause block that is now known to be one: speech is only
// recognised when it has begun, so the newest few may still turn out to be its start.
func (m *Meter) sure(v vad.Frame) int16 {
	if v.Speech {
		m.lates = 0
		return noBin
	}
	out := noBin
	if m.lates == onset {
		out = m.late[0]
		copy(m.late[:], m.late[1:])
		m.lates--
	}
	m.late[m.lates] = binOf(v.LevelDBov)
	m.lates++
	return out
}

// Floor is the noise floor since the start in dBov: dsp.None before 2 s, SilenceDBov
// where the pauses are digital silence.
func (m *Meter) Floor() dsp.Value { return m.all.estimate().floor }

// Recent is the same over the last 10 s.
func (m *Meter) Recent() dsp.Value { return m.window.estimate().floor }

// Result gives everything measured since the start.
func (m *Meter) Result() Result {
	e := m.all.estimate()
	r := Result{Floor: e.floor, FloorA: dsp.None(), Recent: m.Recent()}
	switch {
	case !e.floor.Valid() || m.spectra == 0:
	case e.floor == dsp.SilenceDBov:
		r.FloorA = e.floor
	default:
		r.FloorA = m.aWeighted(e.floor)
		r.Class, r.Confidence = m.class.decide(m.mean, m.binHz, e.spread)
	}
	return r
}

// aWeighted shifts a high-passed level by what the weighting does to the mean spectrum.
func (m *Meter) aWeighted(floor dsp.Value) dsp.Value {
	var a, hp float64
	for i, p := range m.mean {
		hz := float64(i) * m.binHz
		a += p * aWeight(hz)
		hp += p * highPass(hz)
	}
	if !(hp > 0) {
		return dsp.None()
	}
	return max(dsp.SilenceDBov, floor+dsp.Value(10*math.Log10(max(a/hp, 1e-12))))
}
