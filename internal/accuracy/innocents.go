package main

import (
	"math"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
)

// material is what nothing may be found in but what its levels truly are.
type material struct {
	name  string
	make  func(m *maker)
	paths []string // that it is heard on in place of the ordinary ones
}

func innocents() []material {
	return []material{
		{name: "clean", make: (*maker).base},
		{name: "quiet", make: func(m *maker) { m.call(m.between(-34.5, -30), m.between(0.3, 0.8), m.between(-76, -68)) }},
		{name: "loud", make: func(m *maker) { m.call(m.between(-18, -16.5), m.between(0.4, 0.8), m.between(-68, -58)) }},
		{name: "fast", make: func(m *maker) { m.call(m.between(-26, -19), 0.97, m.between(-72, -60)) }},
		{name: "listening", make: func(m *maker) { m.call(m.between(-26, -20), 0.12, m.between(-72, -58)) }},
		{name: "compressed", make: makeCompressed},
		{name: "agc", make: makeAGC},
		{name: "gated", make: makeGated},
		{name: "babble", make: makeQuietBabble},
		{name: "keyboard", make: makeKeyboard},
		{name: "dtmf", make: makeDTMF},
		{name: "plosives", make: makePlosives},
		{name: "music", make: makeMusic},
		{name: "dialogue", make: func(m *maker) { m.dialogue() }},
		{name: "narrowband", make: makeNarrow},
		{name: "muted", make: makeMuted, paths: []string{"mic"}},
		{name: "lossy", make: (*maker).base, paths: []string{"opus24loss1", "opus24loss3", "opus24loss8", "g711loss1", "g711loss3", "g711loss8"}},
		{name: "dtx", make: (*maker).base, paths: []string{"opus24dtx"}},
	}
}

// process puts speech and room through one thing together.
func (m *maker) process(of func(x []float32) []float32) {
	m.mic = of(m.mix())
	m.bed = nil
}

func makeCompressed(m *maker) {
	m.base()
	ratio := m.between(2, 6)
	m.process(func(x []float32) []float32 {
		y := dsptest.Compress(x, rate, m.between(-34, -26), ratio)
		if have, ok := activeLevel(y); ok {
			y = dsptest.Gain(y, m.between(-24, -19.5)-have)
		}
		return dsptest.Limit(y, rate, -1)
	})
}

func makeAGC(m *maker) {
	m.base()
	m.process(func(x []float32) []float32 {
		return dsptest.Limit(dsptest.AGC(x, rate, m.between(-24, -20)), rate, -1)
	})
}

func makeGated(m *maker) {
	m.base()
	m.process(func(x []float32) []float32 {
		return dsptest.Gate(x, rate, m.between(-52, -44), m.between(12, 40))
	})
}

// makeQuietBabble keeps all of the babble under the limit of watch.
func makeQuietBabble(m *maker) {
	m.base()
	m.bed = dsptest.Mix(m.bed, dsptest.Babble(m.others(), m.samples(), rate, 3+m.rng.IntN(12), m.between(-66, -53), m.seed))
}

func makeKeyboard(m *maker) {
	m.base()
	m.mic = dsptest.Mix(m.mix(), dsptest.Keyboard(m.samples(), rate, m.between(2, 7), m.between(0.01, 0.12), m.seed))
}

func makeDTMF(m *maker) {
	m.call(m.between(-26, -20), 0.4, m.between(-72, -61))
	x := m.mix()
	for range 4 {
		digits := make([]byte, 4+m.rng.IntN(8))
		for i := range digits {
			digits[i] = "0123456789*#"[m.rng.IntN(12)]
		}
		tones := dsptest.DTMF(string(digits), rate, m.between(-16, -8))
		at := m.rng.IntN(len(x) - len(tones))
		for i, v := range tones {
			x[at+i] += v - m.speech[at+i]
			m.speech[at+i] = 0
		}
	}
	m.mic = x
	m.facts["loud"], m.facts["pumping"] = truth{most: 2}, truth{most: 2}
}

func makePlosives(m *maker) {
	m.base()
	places := dsptest.Spoken(m.speech, rate, int(m.seconds/4), 0.6, m.seed)
	x := dsptest.Plosives(m.mix(), rate, places, m.between(0.1, 0.4), m.seed)
	var starts []int
	levels := frameLevels(m.speech)
	for i := 30; i < len(levels); i++ {
		if levels[i] > -50 && slices.Max(levels[i-25:i]) < -75 {
			starts = append(starts, i*frame)
		}
	}
	m.mic = dsptest.Breath(x, rate, starts, m.between(-52, -42), m.seed)
}

// makeMusic has music at home, low enough.
func makeMusic(m *maker) {
	m.base()
	if len(m.music) == 0 {
		return
	}
	tune := m.music[m.rng.IntN(len(m.music))]
	at := m.rng.IntN(max(1, len(tune)-m.samples()))
	part := tune[at:min(len(tune), at+m.samples())]
	m.bed = dsptest.Mix(m.bed, dsptest.ToLevel(dsptest.LowPass(part, rate, 3000, 1), m.between(-64, -56)))
}

// makeNarrow has speech from an 8 kHz source.
func makeNarrow(m *maker) {
	m.base()
	edge := m.between(3300, 3700)
	m.speech = dsptest.LowPass(dsptest.LowPass(m.speech, rate, edge, 8), rate, edge, 8)
	m.bed = dsptest.LowPass(dsptest.LowPass(m.bed, rate, edge, 8), rate, edge, 8)
}

// makeMuted presses the mute key now and then: the microphone gives silence, and the
// client says so.
func makeMuted(m *maker) {
	m.base()
	m.mic = m.mix()
	m.marks = make([]dsp.Mark, len(m.mic)/frame)
	for at := 0; at < len(m.marks); {
		at += 50 + m.rng.IntN(500)
		for end := at + 20 + m.rng.IntN(400); at < end && at < len(m.marks); at++ {
			m.marks[at] = dsp.Muted
			clear(m.mic[at*frame : (at+1)*frame])
		}
	}
	m.facts["pumping"] = truth{most: 1}
}

// makeMeasured has noise of a known level at a known distance under speech.
func makeMeasured(m *maker, snr float64) {
	m.call(m.between(-24, -18), m.between(0.2, 0.9), -85)
	n := m.samples()
	kinds := []func() []float32{
		func() []float32 { return dsptest.Noise(n, 0, m.seed) },
		func() []float32 { return dsptest.Pink(n, 0, m.seed) },
		func() []float32 { return dsptest.Fan(n, rate, 0, m.seed) },
	}
	raw := kinds[m.n%len(kinds)]()
	speech, _ := activeLevel(m.speech)
	m.bed = dsptest.Mix(m.bed, dsptest.Gain(raw, speech-snr-dsptest.RMS(highPass(raw))))
	for _, kind := range []string{"noise", "quiet", "loud"} {
		m.facts[kind] = truth{most: 2}
	}
}

// tenth is the level that a tenth of the frames do not reach.
func tenth(levels []float64) float64 {
	levels = slices.Clone(levels)
	slices.Sort(levels)
	if len(levels) == 0 {
		return math.Inf(-1)
	}
	return levels[len(levels)/10]
}
