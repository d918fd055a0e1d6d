package main

import (
	"math"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// grade is how bad a fault is: 0 none, 1 watch, 2 bad.
type grade int

func (g grade) String() string { return [...]string{"none", "watch", "bad"}[g] }

func gradeOf(s string) grade {
	switch s {
	case watch:
		return 1
	case bad:
		return 2
	}
	return 0
}

// truth is what may be found of one kind: at least and at most this grade. They differ
// where the value lies within the margin around a limit.
type truth struct {
	value       float64
	least, most grade
}

// truths is what is true of a signal by kind of finding; of a kind that is not listed,
// nothing may be found. A key "a|b" wants either; "a@wire" replaces a there.
type truths map[string]truth

const (
	atWire = "@wire"
	either = "|"
)

// of gives what may be found of one kind.
func (t truths) of(kind string) truth {
	for key, fact := range t {
		if strings.Contains(key, either) && slices.Contains(strings.Split(key, either), kind) {
			return truth{value: fact.value, most: fact.most}
		}
	}
	return t[kind]
}

// limit is a row of the table of what counts: more is worse, unless bad < watch.
type limit struct{ watch, bad float64 }

// The limits of the table, which headset.DefaultLimits has too.
var limits = map[string]limit{
	"quiet":     {-30, -36},
	"loud":      {-18, -15},
	"noise":     {-50, -41},
	"snr":       {25, 15},
	"clipping":  {0.0001, 0.001},
	"soft":      {14, 11},   // active peak factor of what was saturated softly, dB
	"hum":       {-62, -50}, // and a prominence of 15 dB
	"buzz":      {-62, -50},
	"dropout":   {1, 5},  // in 5 minutes
	"crackle":   {1, 6},  // a minute
	"muffled":   {8, 12}, // dB of the high/low ratio lost
	"echo":      {46, 30},
	"dc_offset": {0.005, 0.01},
	"pumping":   {2, 4},
}

// around grades a value that is known to lie between low and high.
func (l limit) around(value, low, high float64) truth {
	if l.bad < l.watch {
		t := limit{-l.watch, -l.bad}.around(-value, -high, -low)
		t.value = value
		return t
	}
	return truth{value: value, least: l.grade(low), most: l.grade(high)}
}

func (l limit) grade(v float64) grade {
	switch {
	case v > l.bad:
		return 2
	case v > l.watch:
		return 1
	}
	return 0
}

// plus grades a value with a margin to either side; times one with a factor.
func (l limit) plus(v, margin float64) truth  { return l.around(v, v-margin, v+margin) }
func (l limit) times(v, factor float64) truth { return l.around(v, v/factor, v*factor) }

// Margins within which either grade is right.
const (
	marginDB      = 1.0 // of levels and ratios
	marginPumping = 0.5 // dB
	marginPeak    = 0.5 // dB
	marginShare   = 1.3 // factor
	marginRate    = 1.2 // factor
	marginDC      = 0.001
)

// figures are the levels that a signal truly has.
type figures struct {
	active         float64 // P.56, unfiltered, of what the microphone gives
	alone          float64 // the same of the speech alone
	speech         float64 // P.56 behind 100 Hz of the speech alone, or of the whole if they cannot be told apart
	noise          float64 // mean power of what lies under it, behind 100 Hz, dBov
	noiseLow       float64 // its 10th percentile
	noiseHigh      float64 // and the highest it can be called
	pumping        float64 // standard deviation of 10 s active levels, dB
	dc             float64
	speaks, stands bool // there is speech; there is noise to be measured
}

func (m *maker) figures() figures {
	var f figures
	f.active, _ = p56(m.mic)
	spoken := m.speech
	if m.bed == nil {
		spoken = m.mic
	}
	f.alone, _ = p56(spoken)
	f.speech, f.speaks = activeLevel(spoken)
	f.speaks = f.speaks && !m.listen
	bed := m.bed
	if bed == nil {
		bed = m.pauses()
	}
	if len(bed) >= rate {
		bed = highPass(bed)[rate/10:]
		f.noise, f.stands = dsptest.RMS(bed), true
		levels := frameLevels(bed)
		slices.Sort(levels)
		f.noiseLow, f.noiseHigh = levels[len(levels)/10], max(f.noise, levels[len(levels)/2])
	}
	f.pumping = pumping(spoken)
	sum := 0.0
	for _, v := range m.mic {
		sum += float64(v)
	}
	f.dc = math.Abs(sum / float64(len(m.mic)))
	return f
}

// pauses joins what the microphone gives where nobody speaks.
func (m *maker) pauses() []float32 {
	levels := frameLevels(m.speech)
	var y []float32
	for i := 4; i < len(levels)-1; i++ {
		if slices.Max(levels[i-4:i+2]) < -75 {
			y = append(y, m.mic[i*frame:(i+1)*frame]...)
		}
	}
	return y
}

// pumping is the spread of the active levels of stretches of 10 s.
func pumping(x []float32) float64 {
	x = highPass(x)
	var levels []float64
	for at := 0; at+10*rate <= len(x); at += 10 * rate {
		if l, ok := p56(x[at : at+10*rate]); ok {
			levels = append(levels, l)
		}
	}
	if len(levels) < 3 {
		return 0
	}
	mean, sum := 0.0, 0.0
	for _, l := range levels {
		mean += l / float64(len(levels))
	}
	for _, l := range levels {
		sum += (l - mean) * (l - mean)
	}
	return math.Sqrt(sum / float64(len(levels)-1))
}

// deadSeconds is how long a microphone may give nothing at all.
const deadSeconds = 4

// longestStill is the longest stretch in seconds that stays within two 16-bit steps.
func longestStill(x []float32) float64 {
	const step = 1.0 / 32768
	longest, start := 0, 0
	low, high := float32(0), float32(0)
	for i, v := range x {
		if low, high = min(low, v), max(high, v); i == start || high-low > 2*step {
			low, high, start = v, v, i
		}
		longest = max(longest, i-start+1)
	}
	return float64(longest) / rate
}

// truths gives what is true of the finished signal at a tap.
func (m *maker) truths(tap headset.Tap, f figures) truths {
	t := truths{}
	if f.speaks {
		t["quiet"] = limits["quiet"].plus(f.speech, marginDB)
		t["loud"] = limits["loud"].plus(f.speech, marginDB)
		t["pumping"] = limits["pumping"].plus(f.pumping, marginPumping)
	}
	if f.stands {
		n := limits["noise"].around(f.noise, f.noiseLow-marginDB, f.noiseHigh+marginDB)
		snr := f.speech - f.noise
		if f.speaks && n.least == 1 && f.speech-f.noiseHigh > 8 && snr < limits["snr"].bad-marginDB {
			n.least = 2
		}
		if n.most == 1 && snr-(f.noiseHigh-f.noise) < limits["snr"].bad+marginDB {
			n.most = 2
		}
		t["noise"] = n
	}
	t["clipping"] = limits["clipping"].times(m.over, marginShare)
	if tap == headset.TapMic {
		t["dc_offset"] = limits["dc_offset"].plus(f.dc, marginDC)
	}
	if still := longestStill(m.mic); still > deadSeconds-0.5 { // a gate that leaves nothing of the room
		t["dead"] = truth{value: still, most: 1}
	}
	for kind, fact := range m.facts {
		if !strings.Contains(kind, atWire) {
			t[kind] = fact
		}
	}
	for kind, fact := range m.facts {
		if kind, ok := strings.CutSuffix(kind, atWire); ok && tap == headset.TapWire {
			t[kind] = fact
		}
	}
	return t
}
