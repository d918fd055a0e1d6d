package main

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// fault is one kind of finding and the ways it is made.
type fault struct {
	kind       string
	severities []string
	variants   []variant
}

// variant makes one sort of a fault at the severity that the maker holds.
type variant struct {
	name string
	make func(m *maker)
}

var graded = []string{below, watch, just, bad}

// faults lists everything that is put in.
func faults() []fault {
	return []fault{
		{"quiet", graded, []variant{{"level", makeQuiet}}},
		{"loud", graded, []variant{{"level", makeLoud}}},
		{"noise", graded, []variant{
			{"white", func(m *maker) { m.noise(func(n int) []float32 { return dsptest.Noise(n, 0, m.seed) }) }},
			{"pink", func(m *maker) { m.noise(func(n int) []float32 { return dsptest.Pink(n, 0, m.seed) }) }},
			{"fan", func(m *maker) { m.noise(func(n int) []float32 { return dsptest.Fan(n, rate, 0, m.seed) }) }},
			{"babble", makeBabble},
			{"snr", makeLowSNR},
		}},
		{"hum", graded, []variant{
			{"50", func(m *maker) { m.hum(50) }},
			{"60", func(m *maker) { m.hum(60) }},
		}},
		{"buzz", graded, []variant{
			{"gsm", func(m *maker) { m.buzz(dsptest.GSM()) }},
			{"dect", func(m *maker) { m.buzz(dsptest.DECT()) }},
		}},
		{"clipping", graded, []variant{
			{"full", func(m *maker) { m.clip(1) }},
			{"half", func(m *maker) { m.clip(m.between(0.4, 0.8)) }},
			{"low", func(m *maker) { m.clip(m.between(0.12, 0.3)) }},
			{"soft", makeSoftClip},
		}},
		{"dropout", graded, []variant{
			{"short", func(m *maker) { m.dropOut(0.004, 0.018, dsptest.Zeros) }},
			{"zeros", func(m *maker) { m.dropOut(0.024, 0.1, dsptest.Zeros) }},
			{"faded", func(m *maker) { m.dropOut(0.03, 0.1, dsptest.Faded) }},
			{"held", func(m *maker) { m.dropOut(0.01, 0.08, dsptest.HeldSample) }},
			{"dip", func(m *maker) { m.dropOut(0.024, 0.1, dsptest.Attenuated) }},
		}},
		{"crackle", graded, []variant{
			{"loud", func(m *maker) { m.crackle(m.between(0.3, 0.8)) }},
			{"soft", func(m *maker) { m.crackle(0) }},
			{"slip", makeSlip},
			{"repeat", makeRepeat},
		}},
		{"muffled", graded, []variant{
			{"drift2", func(m *maker) { m.muffle(2, true) }},
			{"drift4", func(m *maker) { m.muffle(4, true) }},
			{"drift6", func(m *maker) { m.muffle(6, true) }},
		}},
		{"muffled", []string{below, bad}, []variant{
			{"order2", func(m *maker) { m.muffle(2, false) }},
			{"order4", func(m *maker) { m.muffle(4, false) }},
			{"order6", func(m *maker) { m.muffle(6, false) }},
		}},
		{"echo", graded, []variant{
			{"20ms", func(m *maker) { m.echo(m.between(0.01, 0.04)) }},
			{"120ms", func(m *maker) { m.echo(m.between(0.09, 0.15)) }},
			{"280ms", func(m *maker) { m.echo(m.between(0.25, 0.28)) }},
		}},
		{"dc_offset", graded, []variant{{"constant", makeDC}}},
		{"pumping", graded, []variant{{"swing", makePumping}}},
		{"dead", []string{below, watch, bad}, []variant{
			{"silence", func(m *maker) { m.dead(dsptest.Silence) }},
			{"frozen", func(m *maker) { m.dead(dsptest.Freeze) }},
		}},
		{"dead", []string{bad}, []variant{{"whole", makeAllDead}, {"unanswered", makeUnanswered}}},
	}
}

func makeQuiet(m *maker) {
	m.call(m.graded(-28.4, -33, -37.6, -42, 0.4), m.between(0.4, 0.8), m.between(-76, -70))
}

func makeLoud(m *maker) {
	m.call(m.graded(-19.6, -16.5, -13.4, -11, 0.4), m.between(0.4, 0.8), m.between(-66, -58))
}

// noise puts a noise whose mean power behind 100 Hz is as graded under speech that is loud
// enough for the SNR not to decide.
func (m *maker) noise(of func(n int) []float32) {
	m.call(m.between(-23, -19.5), m.between(0.35, 0.8), -75)
	raw := of(m.samples())
	to := m.graded(-54, -45.5, -38.9, -33, 0.4) - dsptest.RMS(highPass(raw))
	m.bed = dsptest.Mix(m.bed, dsptest.Gain(raw, to))
}

// makeBabble grades the level that babble holds nine tenths of the time.
func makeBabble(m *maker) {
	m.call(m.between(-22, -18.5), m.between(0.35, 0.8), -75)
	n := m.samples()
	raw := highPass(dsptest.Babble(m.others(), n, rate, 6+m.rng.IntN(10), -30, m.seed))
	low := tenth(frameLevels(raw))
	m.bed = dsptest.Mix(m.bed, dsptest.Gain(raw, m.graded(-58, -46.5, -38.8, -35, 0.5)-low))
}

// makeLowSNR has noise between its own limits and speech so soft that it is bad.
func makeLowSNR(m *maker) {
	snr := m.graded(28, 20, 12.8, 10.5, 0.5)
	noise := m.between(-48, -44)
	if m.severity == below {
		noise = -53
	}
	m.call(noise+snr, m.between(0.4, 0.8), -78)
	m.bed = dsptest.Noise(m.samples(), noise, m.seed)
}

// hertz is the resolution that prominence is measured with: a Hann window of 4 s.
const hertz = 0.375

// tonal puts a tonal disturbance over the room. Below: its strongest line stands some 4 dB
// over the noise of one resolution bandwidth, which nobody hears.
func (m *maker) tonal(y []float32, kind string, strongest float64) {
	to := m.graded(0, -56, -48, -40, 0.8)
	if m.severity == below {
		density := dsptest.RMS(m.bed) - 10*math.Log10(rate/2) + 10*math.Log10(hertz)
		to = density + 4 + strongest
	}
	m.bed = dsptest.Mix(m.bed, dsptest.Gain(y, to))
	m.facts[kind] = limits[kind].plus(to, marginDB)
	if m.severity == below {
		m.facts[kind] = truth{value: to, most: 0}
	}
}

func (m *maker) hum(mains float64) {
	m.base()
	m.tonal(dsptest.Hum(m.samples(), rate, mains+m.between(-0.15, 0.15), 0, m.seed), "hum", 2)
}

func (m *maker) buzz(radio dsptest.Radio) {
	m.base()
	m.tonal(dsptest.Buzz(m.samples(), rate, radio, m.between(0.2, 0.7), 0, m.seed), "buzz", 8)
}

// clip flattens the share of samples that is graded, and brings the ceiling to an amplitude.
func (m *maker) clip(ceiling float64) {
	m.base()
	share := m.graded(0.00003, 0.0004, 0.0016, 0.008, 0) * m.between(0.92, 1.08)
	x := m.mix()
	up := 20 * math.Log10(ceiling/quantile(x, share))
	m.speech, m.bed = dsptest.Gain(m.speech, up), dsptest.Gain(m.bed, up)
	loud := m.mix()
	m.mic = dsptest.Overdrive(loud, 0, float32(ceiling))
	m.over = beyond(loud, ceiling)
}

// makeSoftClip drives speech into a soft ceiling until its active peak factor is as
// graded. Below: until it has lost half a decibel.
func makeSoftClip(m *maker) {
	m.base()
	x := m.mix()
	ceiling := float32(m.between(0.2, 0.9))
	want := m.graded(0, 12.4, 10.2, 8.6, 0.2)
	if m.severity == below {
		want = peakFactor(x) - 0.5
	}
	low, high := -40.0, 30.0
	for range 12 {
		drive := (low + high) / 2
		if peakFactor(dsptest.SoftClip(x, drive, ceiling)) > want {
			low = drive
		} else {
			high = drive
		}
	}
	m.mic = dsptest.SoftClip(x, low, ceiling)
	m.speech = dsptest.SoftClip(m.speech, low, ceiling)
	m.bed = dsptest.Gain(m.bed, low)
	m.facts["clipping"] = limits["soft"].plus(peakFactor(m.mic), marginPeak)
	if m.severity == below {
		m.facts["clipping"] = truth{value: want}
	}
}

// peakFactor is the highest sample over the active level, dB.
func peakFactor(x []float32) float64 {
	active, _ := p56(x)
	return 20*math.Log10(peak(x)) - active
}

// beyond is the share of samples at or past an amplitude.
func beyond(x []float32, ceiling float64) float64 {
	n := 0
	for _, v := range x {
		if float64(max(v, -v)) >= ceiling {
			n++
		}
	}
	return float64(n) / float64(len(x))
}

// dropOut makes holes in speech. Below: falls of 12 dB, which are none.
func (m *maker) dropOut(shortest, longest float64, hole dsptest.Hole) {
	m.seconds = max(m.seconds, 75)
	m.base()
	n := m.events(5 / 300.0)
	whole := m.mix()
	if m.severity == below {
		places := dsptest.Spoken(m.speech, rate, 3, 1, m.seed)
		holes := dsptest.DropOut(whole, places, int(m.between(shortest, longest)*rate), dsptest.Faded)
		m.mic = make([]float32, len(whole))
		for i, v := range whole {
			m.mic[i] = 0.25*v + 0.75*holes[i]
		}
		m.facts["dropout"] = truth{}
		return
	}
	places := dsptest.Spoken(m.speech, rate, n, 1, m.seed)
	m.mic = whole
	for i := range places {
		m.mic = dsptest.DropOut(m.mic, places[i:i+1], int(m.between(shortest, longest)*rate), hole)
	}
	t := limits["dropout"].times(float64(len(places))*300/m.seconds, marginRate)
	m.facts["dropout"] = t
	if longest < 0.02 { // seen only before a codec
		t.least = 0
		m.facts["dropout"+atWire] = t
	}
}

// events is how many times something must happen in the scene to be graded as it is,
// where so many a second are bad.
func (m *maker) events(badRate float64) int {
	switch at := badRate * m.seconds; m.severity {
	case watch:
		return max(1, int(at/2))
	case just:
		return int(math.Ceil(at * 1.3))
	default:
		return int(math.Ceil(at * 5))
	}
}

// crackle adds clicks of a given peak; of 0, such that they stand 10 dB over the active
// level, which is still below the peaks of speech.
func (m *maker) crackle(top float64) {
	m.seconds = max(m.seconds, 75)
	m.base()
	if top == 0 {
		active, _ := activeLevel(m.speech)
		top = math.Pow(10, (active+10)/20)
	}
	n := m.events(6 / 60.0)
	if m.severity == below {
		n = 0
		if m.seconds > 75 {
			n = 1
		}
	}
	places := dsptest.Anywhere(len(m.speech), rate, n, 0.7, m.seed)
	m.mic = dsptest.Crackle(m.mix(), rate, places, 5, top, m.seed)
	m.facts["crackle"] = limits["crackle"].times(float64(len(places))*60/m.seconds, marginRate)
}

// broken grades buffers that were repeated or lost, inside speech: a crackle or a drop-out
// to the ear, so that either finding will do.
func (m *maker) broken(harm func(x []float32, places []int) []float32) {
	m.seconds = max(m.seconds, 75)
	m.base()
	n := m.events(6 / 60.0)
	if m.severity == below {
		n = 0
	}
	places := dsptest.Spoken(m.speech, rate, n, 0.7, m.seed)
	m.mic = harm(m.mix(), places)
	t := limits["crackle"].times(float64(len(places))*60/m.seconds, marginRate)
	if as := limits["dropout"].times(float64(len(places))*300/m.seconds, marginRate); as.most > t.most {
		t.most = as.most // which has the stricter limit
	}
	m.facts["crackle"+either+"dropout"] = t
}

func makeSlip(m *maker) {
	m.broken(func(x []float32, places []int) []float32 {
		return dsptest.Slip(x, places, (1-2*m.rng.IntN(2))*(30+m.rng.IntN(130)))
	})
}

func makeRepeat(m *maker) {
	m.broken(func(x []float32, places []int) []float32 {
		return dsptest.Repeat(x, places, rate/100*(1+m.rng.IntN(2)), 1+m.rng.IntN(3))
	})
}

// muffle takes the highs until the high/low ratio has fallen as graded; known is whether
// the meter is told what the headset usually has.
func (m *maker) muffle(order int, known bool) {
	m.base()
	if known {
		m.usual = dsptest.Quantize(m.mix())
	}
	want := m.graded(4, 10, 14, 32, 0.5)
	clear := m.speech
	lost := func(x []float32, hz float64) float64 {
		return brightness(x, x) - brightness(dsptest.Muffle(x, rate, hz, order), x)
	}
	low, high := 500.0, 7500.0
	for range 10 {
		hz := math.Sqrt(low * high)
		if lost(clear[:min(len(clear), 20*rate)], hz) > want {
			low = hz
		} else {
			high = hz
		}
	}
	m.speech = dsptest.Muffle(clear, rate, low, order)
	m.bed = dsptest.Mix(dsptest.Muffle(m.bed, rate, low, order), dsptest.Noise(m.samples(), -84, m.seed))
	m.facts["muffled"] = limits["muffled"].plus(lost(clear, low), marginDB)
}

// brightness is the power from 4.5 to 7 kHz over that from 0.3 to 3.4 kHz in dB, where of
// speaks.
func brightness(x, of []float32) float64 {
	sp, err := spectrum.New(rate)
	if err != nil {
		return math.NaN()
	}
	var high, low float64
	for i, l := range frameLevels(of) {
		f := sp.Next(x[i*frame : (i+1)*frame])
		if f == nil || l < -45 {
			continue
		}
		high += f.Sum(f.Band(4500, 7000))
		low += f.Sum(f.Band(300, 3400))
	}
	return 10 * math.Log10((high+1e-15)/(low+1e-15))
}

// dialogue gives the far end turns in which the near is silent, and some at once.
func (m *maker) dialogue() {
	m.base()
	other := m.voices[m.rng.IntN(len(m.voices))]
	m.far = m.talk(other, 0.75, m.between(-25, -19))
	near := true
	for at := 0; at < len(m.far); {
		end := min(len(m.far), at+int(m.between(4, 9)*rate))
		silent := m.speech
		if near = !near; near {
			silent = m.far
		}
		hush(silent, min(end, at+int(m.between(0, 1)*rate)), end)
		at = end
	}
	m.far = dsptest.Quantize(dsptest.Mix(m.far, dsptest.Pink(len(m.far), -70, m.seed+5)))
}

// hush silences a voice from one sample to another, within 20 ms at both ends.
func hush(x []float32, from, to int) {
	for i := from; i < to; i++ {
		x[i] *= max(0, 1-float32(min(i-from, to-1-i))/frame)
	}
}

func (m *maker) echo(delay float64) {
	m.seconds = max(m.seconds, 75)
	m.dialogue()
	loss := m.graded(52, 37, 27.5, 15, 0.8)
	m.bed = dsptest.Mix(m.bed, dsptest.Echo(m.far, rate, delay, loss, m.seed))
	m.facts["echo"] = limits["echo"].plus(loss, marginDB)
	m.facts["noise"] = truth{most: 1}
}

func makeDC(m *maker) {
	m.base()
	dc := m.graded(0.003, 0.0075, 0.0118, 0.03, 0.0003)
	if m.rng.IntN(2) == 0 {
		dc = -dc
	}
	m.mic = dsptest.Offset(m.mix(), dc)
}

// makePumping swings the gain until the 10 s levels spread as graded.
func makePumping(m *maker) {
	m.seconds = max(m.seconds, 90)
	m.base()
	want := m.graded(1.2, 3, 4.9, 6.5, 0.2)
	depth, period := want*1.2, m.between(25, 45)
	swung := m.speech
	for range 8 {
		swung = dsptest.Pump(m.speech, rate, depth, period, m.seed)
		depth = min(14, depth*want/max(0.3, pumping(swung)))
	}
	m.bed = dsptest.Pump(m.bed, rate, depth, period, m.seed)
	m.speech = swung
}

// dead holds the microphone for 2.5 s, for 6 to 15 s, or from 5 s after the start on.
func (m *maker) dead(hold func(x []float32, from, to int) []float32) {
	m.base()
	x := m.mix()
	length := m.graded(2.5, 10, 0, 0, 0.2)
	from := int(m.between(8, m.seconds-22) * rate)
	switch m.severity {
	case bad:
		from, length = 15*rate, m.seconds
		m.facts["dead"] = truth{value: m.seconds - 15, least: 2, most: 2}
	case watch:
		m.facts["dead"] = truth{value: length, least: 1, most: 2}
	}
	m.mic = hold(x, from, from+int(length*rate))
	m.facts["quiet"], m.facts["pumping"] = truth{most: 2}, truth{most: 2}
	m.facts["dc_offset"] = truth{most: 2} // a frozen value is one
}

func makeAllDead(m *maker) {
	m.base()
	m.listen = true
	m.mic = make([]float32, m.samples())
	for i := range m.mic {
		m.mic[i] = float32(m.n%2) * 0.01
	}
	m.facts["dead"] = truth{value: m.seconds, least: 2, most: 2}
	m.facts["dc_offset"] = truth{most: 2}
}

// makeUnanswered hears only the room while the other party speaks.
func makeUnanswered(m *maker) {
	m.dialogue()
	m.listen = true
	m.mic = m.bed
	m.facts["dead"] = truth{value: m.seconds, least: 2, most: 2}
}
