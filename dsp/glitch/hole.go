package glitch

import "math"

// The rules for holes; levels in dB. [M] where not said otherwise: on 100 minutes of voices
// in five languages, on 14 minutes of synthetic voices, and on their drop-outs.
const (
	besideGate = 20.0 // what lies further below loud beside a hole is a pause
	edgeGate   = 32.0 // a gate closes on what lies further below loud
	tonal      = 28.0 // dB: keypad tones 30 dB over noise are that much two sines, of voices one in a thousand is
	heldAtTop  = 0.97 // of the top beside it: a run of equal samples this high is clipping

	cutDepth = 24.0  // below both sides
	cutFall  = 24.0  // from the half millisecond before an edge to the two milliseconds after
	cutNear  = -12.0 // that half millisecond against the eight before: a voice swings, but rings on

	sureFall    = 30.0 // of a cut that leaves no doubt
	sureNear    = -4.0
	besideVowel = 11.0 // both sides are this near to what is loud
	vowel       = 10.0 // dB: so well the sound before is predicted

	alikeFall = 28.0 // fall and rise of a hole in one sound, within three milliseconds
	depthLike = 30.0
	alikeness = 0.85 // likeness of its sides
	likeShort = 5    // ticks
	likeLong  = 60   // ticks: the longest sound that can be the same on both sides

	dipAlike = 0.8
	dipShort = 8        // ticks that are left of a hole of 20 ms behind Opus
	dipSharp = 10.0     // dB
	dipDepth = 22.0     // dB
	aLawStep = 16 * lsb // of soft samples (ITU-T G.711)
	dugLevel = -100     // dB: below the steps of 16-bit samples
)

// hole is a notch with what lies beside it.
type hole struct {
	start, end  int     // ticks
	from, to    int     // samples
	left, right float64 // power of 8 ms beside it, in dB
	spoken      bool    // neither side is a pause
}

// judgeRun says whether some ticks of one value are a drop-out.
func (m *Meter) judgeRun(start, end int) {
	a, b := m.longestRun(m.sampleOf(start)-2*m.tick, m.sampleOf(end)+2*m.tick)
	if b-a < m.rate*shortest/1000-1 || !m.empty(a, b) || m.keyed(a-m.tick) >= tonal {
		return
	}
	m.lose(Dropout, a, b)
	if m.silent == 0 && !m.settled(0) {
		m.presumed++
	}
}

// judgeNotch says what a notch was whose first tick is start and whose end ten ticks
// have followed.
func (m *Meter) judgeNotch(start, end int) {
	ms := m.tick
	h := hole{start: start, end: end, from: m.sampleOf(start), to: m.sampleOf(end)}
	if h.from < m.lost.to {
		return
	}
	h.left, h.right = m.power(h.from-9*ms, h.from-ms), m.power(h.to+ms, h.to+9*ms)
	h.spoken = min(h.left, h.right) > m.loud.levelDB-besideGate
	kind := m.cut(&h)
	if kind == "" {
		kind = m.blurred(&h)
	}
	if kind != "" && m.keyed(h.from-ms) < tonal {
		m.lose(kind, h.from, h.to)
	}
}

// longestRun finds the longest run of equal samples among those from one to another.
func (m *Meter) longestRun(from, to int) (a, b int) {
	start, value := from, m.at(from)
	for i := from + 1; i <= to; i++ {
		v := m.at(i)
		if d := v - value; i < to && d <= equal && d >= -equal {
			continue
		}
		if i-start > b-a {
			a, b = start, i
		}
		start, value = i, v
	}
	return a, b
}

// empty judges a run of equal samples. Where the source has a floor, none of its pauses is
// empty, and only what a gate closes on, or what clipping has flattened, is left out.
func (m *Meter) empty(a, b int) bool {
	if !m.alive() {
		return false
	}
	ms := m.tick
	left, right := m.power(a-8*ms, a), m.power(b, b+8*ms)
	if min(left, right) < decibels(faintest) || m.power(a-3*ms, a) < m.loud.levelDB-edgeGate {
		return false
	}
	top := 0.0
	for i := range 8 * ms {
		top = max(top, math.Abs(m.at(a-1-i)), math.Abs(m.at(b+i)))
	}
	return math.Abs(m.at(a)) <= heldAtTop*top
}

// cut says whether sound was cut off and set in again far too steeply for a mouth: the
// throat rings on for milliseconds when its excitation ends. A synthetic one does not;
// there, only what falls out of the midst of a vowel is beyond doubt.
func (m *Meter) cut(h *hole) Kind {
	ms := m.tick
	if !h.spoken || h.end-h.start < shortest {
		return ""
	}
	before, after := m.bright(h.from-9*ms, h.from-ms), m.bright(h.to+ms, h.to+9*ms)
	if min(before, after)-m.bright(h.from+ms, h.to-ms) < cutDepth {
		return ""
	}
	kind := Kind("")
	for edge := h.from - 2*ms; edge <= h.from+ms; edge++ {
		last := m.bright(edge-ms/2, edge)
		fall, near := last-m.bright(edge+m.reach, edge+m.reach+2*ms), last-before
		if near < cutNear || fall < cutFall {
			continue
		}
		kind = Doubt
		if fall >= sureFall && near >= sureNear {
			return m.sure(h)
		}
	}
	return kind
}

// sure judges a cut that leaves no doubt but for synthetic voices: they are cut like that
// where a consonant joins another or a soft vowel.
func (m *Meter) sure(h *hole) Kind {
	if min(h.left, h.right) > m.loud.levelDB-besideVowel && m.predicted(h.from-m.tick) >= vowel {
		return Dropout
	}
	return Doubt
}

// blurred judges a hole whose edges are not sharp: one that a driver has faded, or a codec
// has filled.
func (m *Meter) blurred(h *hole) Kind {
	length := h.end - h.start
	if m.dug(h) {
		return Dip
	}
	if length > likeLong {
		return ""
	}
	sharp := min(decibels(m.bodyMean(h.start-4, h.start-1))-decibels(m.bodyMean(h.start, h.start+3)),
		decibels(m.bodyMean(h.end+1, h.end+4))-decibels(m.bodyMean(h.end-3, h.end)))
	if sharp < dipSharp {
		return ""
	}
	ms := m.tick
	depth := min(h.left, h.right) - m.power(h.from+ms/2, h.to-ms/2)
	alike := m.alike(h.from-ms, h.to+2*ms)
	if depth < dipDepth || alike < dipAlike {
		return ""
	}
	if sharp >= alikeFall && depth >= depthLike && alike >= alikeness && length >= likeShort {
		return Doubt
	}
	if length >= dipShort {
		return Dip
	}
	return ""
}

// dug says whether a hole between loud sounds ends in digital silence: behind a codec one of
// 60 ms and more does, a consonant keeps the noise of its room.
func (m *Meter) dug(h *hole) bool {
	low := math.Inf(1)
	for k := h.start; k < h.end; k++ {
		low = min(low, m.body[k&(ticks-1)])
	}
	return h.spoken && !m.stepped() && decibels(low) < dugLevel
}

// bright is the mean square of the difference, over the samples from one to another, in dB;
// not less than what the steps of the samples make.
func (m *Meter) bright(from, to int) float64 {
	sum := 0.0
	for n := from; n < to; n++ {
		d := m.at(n) - m.at(n-m.reach)
		sum += d * d
	}
	step := lsb
	if m.stepped() {
		step = aLawStep
	}
	return decibels(sum/float64(to-from) + step*step/6)
}
