package shock

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// The limits, dBov. Those of bursts are over the talker's level, and within bounds.
const (
	BurstOverDB     = 14.0  // power over 5 ms; speech has up to 12.3 [M]
	BurstMostDBov   = -6.0  // whoever talks
	BurstLeastDBov  = -22.0 // nothing softer is a burst
	PeakOverBurstDB = 9.0   // largest sample over the power; speech has up to 21 over its level [M]
	LastingOverDB   = 9.0   // power over 50 ms
	LastingMostDBov = -10.0
	LeastDBov       = -26.0 // nothing softer lasts too loud
	ToneDBov        = -30.0 // a steady tone from 900 Hz on ...
	LowToneDBov     = -15.0 // ... and below, where ringing and dialling tones are
	AttackMS        = 1.0   // at the start of a frame; within one, the gain is down before the burst
	ReleasePerS     = 20.0  // dB
	ToneReleasePerS = 60.0
)

const (
	blocksPerSecond = 200
	holdBlocks      = 20      // 0.1 s
	toneHold        = 40      // 0.2 s
	lasting         = 0.1     // of the way that the power over 50 ms follows, a block
	toneFall        = 0.71    // a block: 3 dB
	slowRise        = 1.01158 // a block: ReleasePerS
	toneRise        = 1.03514 // a block: ToneReleasePerS
	asGoodAsOne     = 0.995
	notable         = 0.71 // a gain as low as this is a shock, not a loud word
)

// Kind is what ears were protected from.
type Kind uint8

// The kinds.
const (
	Nothing    Kind = iota
	Burst           // sudden, or louder than anybody speaks
	FaxCalling      // CNG, 1100 Hz (ITU-T T.30)
	FaxAnswer       // CED or ANSam, 2100 Hz (ITU-T T.30, V.8)
	Howl            // a tone that grows
	Tone            // any other
	Modem           // a narrow band that holds its level
	numKinds
)

// NumKinds is the size of a table by Kind.
const NumKinds = int(numKinds)

// String is the kind's name in records and metrics.
func (k Kind) String() string {
	return [...]string{"nothing", "burst", "fax_calling", "fax_answer", "howl", "tone", "modem"}[k]
}

// IsTone tells tones from bursts.
func (k Kind) IsTone() bool { return k >= FaxCalling }

// Result says what was done to a frame.
type Result struct {
	Changed bool // samples are others than before
	Began   Kind // what began in it
	Shock   Kind // what is worth telling: a tone, or a burst that came to 3 dB over its limit
}

// Limiter protects one pair of ears. It is not safe for concurrent use.
type Limiter struct {
	size   int // samples of a block
	attack int // samples of AttackMS

	level             float64 // of the talker, dBov
	burst, peak, last float32 // limits: of power, of amplitude, of lasting power

	out     float32 // what the last sample was multiplied by
	gain    float32 // for bursts
	hold    int     // blocks for which it does not rise
	lasting float32 // power over some 50 ms
	active  bool    // something is being limited
	told    bool    // and was told as a shock

	tone     finder
	toneGain float32
	toneHold int
	toneOn   Kind
}

// New makes one for a sample rate in Hz: 8000 to 48000.
func New(rate int) (*Limiter, error) {
	if rate < 8000 || rate > 48000 {
		return nil, fmt.Errorf("shock: sample rate %d Hz is outside 8000 to 48000", rate)
	}
	l := &Limiter{size: rate / blocksPerSecond, attack: int(AttackMS * float64(rate) / 1000), tone: newFinder(rate)}
	l.Reset()
	return l, nil
}

// Reset starts again as if new.
func (l *Limiter) Reset() {
	*l = Limiter{size: l.size, attack: l.attack, tone: newFinder(l.tone.rate), out: 1, gain: 1, toneGain: 1}
	l.Expect(-22)
}

// Expect says at what level the talker speaks, in dBov, from the next sample on. A change of
// less than 0.1 dB is none.
func (l *Limiter) Expect(levelDBov float64) {
	if !(levelDBov > dsp.SilenceDBov) { // not a number neither
		levelDBov = dsp.SilenceDBov
	}
	if math.Abs(levelDBov-l.level) < 0.1 {
		return
	}
	l.level = levelDBov
	burst := max(BurstLeastDBov, min(BurstMostDBov, levelDBov+BurstOverDB))
	l.burst = power(burst)
	l.peak = float32(math.Sqrt(float64(power(min(0, burst+PeakOverBurstDB)))))
	l.last = power(max(LeastDBov, min(LastingMostDBov, levelDBov+LastingOverDB)))
}

func power(dbov float64) float32 { return float32(math.Pow(10, dbov/10)) }

// Process limits a frame in place: mono, full scale ±1, any number of samples. It looks ahead
// within the frame and adds no delay. It allocates nothing.
func (l *Limiter) Process(frame []float32) Result {
	var r Result
	if !dsp.Intact(frame) {
		dsp.Samples(frame, frame)
		r.Changed = true
	}
	wants, mean := l.bursts(frame[:min(len(frame), l.size)])
	for len(frame) > 0 {
		block := frame[:min(len(frame), l.size)]
		frame = frame[len(block):]
		wants = min(wants, l.lasts(mean))
		l.note(wants, &r)
		l.tones(block, &r)
		ahead := float32(1)
		if len(frame) > 0 {
			ahead, mean = l.bursts(frame[:min(len(frame), l.size)])
		}
		if l.apply(block, wants, ahead) {
			r.Changed = true
		}
		wants = ahead
	}
	return r
}

// bursts gives what a block may be multiplied by for the sake of its own 5 ms, and its power.
func (l *Limiter) bursts(block []float32) (gain, mean float32) {
	sum, top := measure(block)
	gain, mean = 1, sum/float32(max(1, len(block)))
	if mean > l.burst {
		gain = root(l.burst / mean)
	}
	if top > l.peak {
		gain = min(gain, l.peak/top)
	}
	return gain, mean
}

// lasts gives what a block may be multiplied by for the sake of what came before it.
func (l *Limiter) lasts(mean float32) float32 {
	l.lasting += lasting * (mean - l.lasting)
	if l.lasting > l.last {
		return root(l.last / l.lasting)
	}
	return 1
}

// note tells what begins.
func (l *Limiter) note(wants float32, r *Result) {
	if wants == 1 {
		if l.hold == 0 {
			l.active, l.told = false, false
		}
		return
	}
	if !l.active {
		l.active = true
		r.Began = max(r.Began, Burst)
	}
	if !l.told && wants <= notable {
		l.told = true
		r.Shock = max(r.Shock, Burst)
	}
}

// tones sets the gain that tones are given.
func (l *Limiter) tones(block []float32, r *Result) {
	kind, over := l.tone.process(block)
	if kind != Nothing && over > 1 {
		if l.toneOn == Nothing {
			r.Began, r.Shock = kind, kind
		}
		l.toneOn, l.toneHold = kind, toneHold
		l.toneGain = max(l.toneGain*toneFall, min(l.toneGain*slowRise, root(1/over)))
		return
	}
	if l.toneHold > 0 {
		l.toneHold--
		return
	}
	l.toneOn = Nothing
	if l.toneGain = min(1, l.toneGain*toneRise); l.toneGain > asGoodAsOne {
		l.toneGain = 1
	}
}

// apply multiplies a block by a gain that goes from the last one to what this block and the
// one ahead may have. It reports whether there was anything to do.
func (l *Limiter) apply(block []float32, wants, ahead float32) bool {
	next := min(wants, ahead)
	switch {
	case next < 1:
		l.hold = holdBlocks
	case l.hold > 0:
		l.hold--
	}
	switch {
	case next < l.gain:
		l.gain = next
	case l.hold == 0 || next < 1: // also while a burst becomes weaker
		if l.gain = min(next, l.gain*slowRise); l.gain > asGoodAsOne {
			l.gain = 1
		}
	}
	from, to := l.out, min(l.gain, l.toneGain)
	l.out = to
	if from == 1 && to == 1 {
		return false
	}
	if from > wants { // a burst at the very start of a frame
		n := min(len(block), l.attack)
		l.ramp(block[:n], from, wants)
		block, from = block[n:], wants
	}
	l.ramp(block, from, to)
	return true
}

// ramp multiplies by a gain that goes from one to another; nothing exceeds the highest peak.
func (l *Limiter) ramp(pcm []float32, from, to float32) {
	step := (to - from) / float32(max(1, len(pcm)))
	for i, x := range pcm {
		from += step
		pcm[i] = max(-l.peak, min(l.peak, x*from))
	}
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// measure gives the sum of squares and the largest amplitude.
func measure(block []float32) (sum, top float32) {
	const amplitude = 1<<31 - 1 // all bits but the sign; as numbers they are in order
	var a, b, c, d float32
	var high, low uint32
	for len(block) >= 4 {
		x := (*[4]float32)(block)
		a += x[0] * x[0]
		b += x[1] * x[1]
		c += x[2] * x[2]
		d += x[3] * x[3]
		high = max(high, math.Float32bits(x[0])&amplitude, math.Float32bits(x[1])&amplitude)
		low = max(low, math.Float32bits(x[2])&amplitude, math.Float32bits(x[3])&amplitude)
		block = block[4:]
	}
	for _, x := range block {
		a += x * x
		high = max(high, math.Float32bits(x)&amplitude)
	}
	return a + b + c + d, math.Float32frombits(max(high, low))
}
