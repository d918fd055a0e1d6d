package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
)

// The severities of a scene: a sound that could be taken for the fault but is none of it,
// short of the first limit; between the limits; just over the limit of bad; clearly over.
const (
	innocent = "none"
	below    = "below"
	watch    = "watch"
	just     = "just"
	bad      = "bad"
)

// scene names one recording that can be made.
type scene struct {
	kind, variant, severity, voice string
	n                              int
}

func (s scene) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%d", s.kind, s.variant, s.severity, s.voice, s.n)
}

func (s scene) seed() uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.String()))
	return h.Sum64()
}

// recording is what was made, with what is known of it.
type recording struct {
	speech []float32  // the near voice as it arrives, without noise
	bed    []float32  // what sounds under it all the time; nil after a process that mixes both
	mic    []float32  // what the microphone gives: 16 bits
	far    []float32  // the other party, or nil
	marks  []dsp.Mark // of each 20 ms, or nil
	usual  []float32  // what the headset gives on other days, where the meter is told
	facts  truths     // what the fault knows of itself
	over   float64    // share of the samples that were driven past a ceiling
	listen bool       // the near party is not meant to have spoken
}

// maker makes one scene.
type maker struct {
	scene
	rng     *rand.Rand
	seed    uint64
	voice   *voice
	voices  []*voice
	music   [][]float32
	seconds float64
	recording
}

func newMaker(s scene, b *bench) *maker {
	seed := s.seed()
	m := &maker{scene: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), voices: b.voices, music: b.music}
	for _, v := range b.voices {
		if v.name == s.voice {
			m.voice = v
		}
	}
	m.facts = truths{}
	m.seconds = b.shortest + (b.longest-b.shortest)*m.rng.Float64()
	return m
}

// between draws from low to high.
func (m *maker) between(low, high float64) float64 { return low + (high-low)*m.rng.Float64() }

// graded gives the value of the scene's severity, wavering by spread to either side.
func (m *maker) graded(belowIs, watchIs, justIs, badIs, spread float64) float64 {
	v := map[string]float64{below: belowIs, watch: watchIs, just: justIs, bad: badIs}[m.severity]
	return v + m.between(-spread, spread)
}

// base makes an ordinary call: speech at an ordinary level over a quiet room.
func (m *maker) base() { m.call(m.between(-26, -20), m.between(0.4, 0.8), m.between(-72, -61)) }

// call makes a call of speech at an active level in dBov that fills a share of the time,
// over a room at a level in dBov.
func (m *maker) call(levelDBov, activity, roomDBov float64) {
	m.speech = m.talk(m.voice, activity, levelDBov)
	m.bed = m.room(roomDBov)
}

func (m *maker) samples() int { return int(m.seconds*rate) / frame * frame }

// talk strings utterances together with the pauses of a conversation.
func (m *maker) talk(v *voice, activity, levelDBov float64) []float32 {
	n := m.samples()
	y := make([]float32, 0, n+15*rate)
	y = append(y, make([]float32, int(m.between(0.1, 1)*rate))...)
	order := m.rng.Perm(len(v.clips))
	const within = 0.9 // of an utterance is speech
	ratio := max(0, within/activity-1)
	for i := 0; len(y) < n; i++ {
		clip := v.clips[order[i%len(order)]]
		y = append(y, dsptest.Gain(clip, 0.6*max(-2, min(2, m.rng.NormFloat64())))...)
		pause := float64(len(clip)) / rate * ratio * (0.4 + 1.2*m.rng.Float64())
		y = append(y, make([]float32, int(max(0.08, pause)*rate))...)
	}
	y = y[:n]
	if have, ok := activeLevel(y); ok {
		y = dsptest.Gain(y, levelDBov-have)
	}
	if peak(y) > 0.94 {
		if peak(y) > 0.94*limitedHard { // that is a peak factor no voice has
			m.facts["clipping"] = truth{most: 2}
		}
		y = dsptest.Limit(y, rate, -0.6)
		if have, ok := activeLevel(y); ok && levelDBov-have > 0.1 { // what the limiter took
			y = dsptest.Limit(dsptest.Gain(y, levelDBov-have), rate, -0.6)
		}
	}
	return y
}

// limitedHard is by how much peaks may be turned down before the result is no longer to
// be told from saturation: 3 dB.
const limitedHard = 1.41

// room gives the noise of a quiet room.
func (m *maker) room(levelDBov float64) []float32 {
	n := m.samples()
	fan := m.between(-25, -3)
	y := dsptest.Mix(dsptest.Pink(n, levelDBov, m.seed+1), dsptest.Noise(n, levelDBov-6, m.seed+2), dsptest.Fan(n, rate, levelDBov+fan, m.seed+3))
	return dsptest.ToLevel(y, levelDBov)
}

// mix adds speech and bed.
func (m *maker) mix() []float32 { return dsptest.Mix(m.speech, m.bed) }

// finish makes what the microphone gives, if the fault has not.
func (m *maker) finish() {
	if m.mic == nil {
		m.mic = m.mix()
	}
	past := 0
	for _, v := range m.mic {
		if v >= 1 || v < -1 {
			past++
		}
	}
	m.over = max(m.over, float64(past)/float64(len(m.mic)))
	m.mic = dsptest.Quantize(m.mic)
}

// others gives the clips of all voices but the scene's own.
func (m *maker) others() [][]float32 {
	var all [][]float32
	for _, v := range m.voices {
		if v != m.voice || len(m.voices) == 1 {
			all = append(all, joined(v.clips, rate/4))
		}
	}
	return all
}

func joined(clips [][]float32, gap int) []float32 {
	var y []float32
	for _, c := range clips {
		y = append(append(y, c...), make([]float32, gap)...)
	}
	return y
}

func peak(x []float32) float64 {
	top := float32(0)
	for _, v := range x {
		top = max(top, v, -v)
	}
	return float64(top)
}

// quantile is the amplitude that a share of the samples stand above.
func quantile(x []float32, share float64) float64 {
	a := make([]float32, len(x))
	for i, v := range x {
		a[i] = max(v, -v)
	}
	slices.Sort(a)
	return float64(a[max(0, min(len(a)-1, len(a)-1-int(math.Round(share*float64(len(a))))))])
}

// parseScene reads what String writes.
func parseScene(s string) (scene, error) {
	f := strings.Split(s, "/")
	if len(f) != 5 {
		return scene{}, fmt.Errorf("%q is not kind/variant/severity/voice/number", s)
	}
	out := scene{kind: f[0], variant: f[1], severity: f[2], voice: f[3]}
	if _, err := fmt.Sscan(f[4], &out.n); err != nil {
		return scene{}, fmt.Errorf("%q: number: %w", s, err)
	}
	return out, nil
}
