package breath

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
)

const (
	blockSeconds = 0.02
	decimation   = 8 // to about 250 Hz
	smoothHz     = 60.0
	lowHz        = 15.0
	highHz       = 55.0
	threshold    = 6.3e-5 // mean square, -42 dBov [A]
	overUsual    = 16     // 12 dB [A]
	rise         = 1.004  // a block: what is usual rises by 0.9 dB a second
	popBlocks    = 15     // 0.3 s
	nearBlocks   = 15     // 0.3 s
	adviceRate   = 6.0    // pops a minute of speech [A]
	adviceWind   = 0.1    // share of the time [A]
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate           float64 // of the low band, Hz
	smooth         float64 // coefficient of the two one-poles
	s1, s2         float64
	groupN         int
	sum, ramp      float64 // of the group of samples under way
	rising         float64 // what the last group adds to the next
	high, band     biquad
	slow           int // samples of the slow signal in the 20 ms under way
	energy         float64
	settle         int     // blocks until the filters have settled
	usual          float64 // mean square
	sinceSpeech    int     // blocks
	puff           int     // blocks of the one under way
	spoken         bool    // speech was near it
	blocks, speech uint64
	pops           int
	wind           uint64 // blocks
}

// biquad is a section in transposed direct form II.
type biquad struct{ b0, b1, b2, a1, a2, s1, s2 float64 }

func (q *biquad) next(x float64) float64 {
	y := q.b0*x + q.s1
	q.s1 = q.b1*x - q.a1*y + q.s2
	q.s2 = q.b2*x - q.a2*y
	return y
}

// butterworth is a second-order low-pass, or high-pass, at hz.
func butterworth(rate, hz float64, high bool) biquad {
	k := math.Tan(math.Pi * hz / rate)
	norm := 1 / (1 + math.Sqrt2*k + k*k)
	q := biquad{a1: 2 * (k*k - 1) * norm, a2: (1 - math.Sqrt2*k + k*k) * norm}
	if high {
		q.b0, q.b1, q.b2 = norm, -2*norm, norm
	} else {
		q.b0, q.b1, q.b2 = k*k*norm, 2*k*k*norm, k*k*norm
	}
	return q
}

// Result is what has been measured since the start.
type Result struct {
	Pops          int       // puffs with speech
	PopsPerMinute dsp.Value // of speech; None before ten seconds of it
	WindSeconds   float64   // of moving air that is no pop
	WindShare     dsp.Value // of all the time, 0..1; None before anything is heard
}

// Advice is what to do, in plain words; "" is nothing.
func (r Result) Advice() string {
	switch {
	case float64(r.PopsPerMinute) >= adviceRate:
		return fmt.Sprintf("Breath hits the microphone %.0f times a minute: move the boom to the corner of the mouth, two fingers away.", r.PopsPerMinute)
	case float64(r.WindShare) >= adviceWind:
		return fmt.Sprintf("Moving air is heard %.0f %% of the time: move the boom out of the breath, turn fans away, check the wind shield.", 100*r.WindShare)
	}
	return ""
}

// New makes a Meter for the low band (lowband.Decimator) of a signal whose sample rate in
// Hz is rate.
func New(rate int) (*Meter, error) {
	d, err := lowband.New(rate)
	if err != nil {
		return nil, fmt.Errorf("breath: %w", err)
	}
	m := &Meter{rate: d.Rate()}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	slow := m.rate / decimation
	*m = Meter{
		rate: m.rate, smooth: 1 - math.Exp(-2*math.Pi*smoothHz/m.rate),
		high: butterworth(slow, lowHz, true), band: butterworth(slow, highHz, false),
		usual: threshold / overUsual,
	}
	m.Gap()
}

// Gap says that samples are missing between the last and the next.
func (m *Meter) Gap() {
	m.endPuff()
	m.s1, m.s2, m.groupN, m.sum, m.ramp, m.rising = 0, 0, 0, 0, 0, 0
	m.high.s1, m.high.s2, m.band.s1, m.band.s2 = 0, 0, 0, 0
	m.slow, m.energy, m.settle = 0, 0, int(0.2/blockSeconds)
	m.sinceSpeech = nearBlocks
}

// Process takes the next samples of the low band, and whether somebody speaks in them.
func (m *Meter) Process(low []float32, speaking bool) {
	a, s1, s2 := m.smooth, m.s1, m.s2
	for _, x := range low {
		s1 += a * (float64(x) - s1)
		s2 += a * (s1 - s2)
		m.sum += s2
		m.ramp += m.sum
		if m.groupN++; m.groupN == decimation {
			// A triangle over two groups, as in lowband.
			y := (m.rising + m.ramp - m.sum) / (decimation * decimation)
			m.rising = (decimation+1)*m.sum - m.ramp
			m.groupN, m.sum, m.ramp = 0, 0, 0
			y = m.band.next(m.high.next(y + antiDenormal))
			m.energy += y * y
			if m.slow++; m.slow == int(blockSeconds*m.rate/decimation+0.5) {
				m.block(m.energy/float64(m.slow), speaking)
				m.slow, m.energy = 0, 0
			}
		}
	}
	m.s1, m.s2 = s1, s2
}

// antiDenormal keeps the filters out of the slow subnormal range.
const antiDenormal = 1e-25

// block judges 20 ms.
func (m *Meter) block(power float64, speaking bool) {
	if m.settle > 0 {
		m.settle--
		return
	}
	m.blocks++
	m.sinceSpeech++
	if speaking {
		m.speech++
		m.sinceSpeech = 0
	}
	if power > threshold && power > overUsual*m.usual {
		m.puff++
		m.spoken = m.spoken || m.sinceSpeech < nearBlocks
	} else if m.puff > 0 {
		m.endPuff()
	}
	m.usual = max(1e-9, min(power, m.usual*rise))
}

// endPuff counts the puff under way.
func (m *Meter) endPuff() {
	switch {
	case m.puff == 0:
	case m.puff <= popBlocks && m.spoken:
		m.pops++
	default:
		m.wind += uint64(m.puff)
	}
	m.puff, m.spoken = 0, false
}

// Result gives what has been counted since the start.
func (m *Meter) Result() Result {
	r := Result{Pops: m.pops, PopsPerMinute: dsp.None(), WindSeconds: float64(m.wind) * blockSeconds, WindShare: dsp.None()}
	if s := float64(m.speech) * blockSeconds; s >= 10 {
		r.PopsPerMinute = dsp.Value(float64(m.pops) * 60 / s)
	}
	if m.blocks > 0 {
		r.WindShare = dsp.Value(float64(m.wind) / float64(m.blocks))
	}
	return r
}
