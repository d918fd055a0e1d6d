package main

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// ownVoice is a bench with the project's own speech and calls of 12 s.
func ownVoice(t *testing.T) *bench {
	t.Helper()
	v, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{voices: []*voice{v}, shortest: 12, longest: 12}
}

func made(t *testing.T, b *bench, id string) *maker {
	t.Helper()
	s, err := parseScene(id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.make(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatIsPutInIsAsBadAsItsNameSays(t *testing.T) {
	b := ownVoice(t)
	for id, want := range map[string]grade{
		"quiet/level/just/testdata/0":        2,
		"loud/level/watch/testdata/0":        1,
		"noise/white/just/testdata/0":        2,
		"noise/fan/watch/testdata/0":         1,
		"noise/snr/bad/testdata/0":           2,
		"noise/pink/below/testdata/0":        0,
		"hum/50/just/testdata/0":             2,
		"buzz/dect/below/testdata/0":         0,
		"clipping/half/just/testdata/0":      2,
		"clipping/full/watch/testdata/0":     1,
		"clipping/soft/bad/testdata/0":       2,
		"muffled/drift4/watch/testdata/0":    1,
		"dc_offset/constant/just/testdata/0": 2,
	} {
		m := made(t, b, id)
		kind, _, _ := strings.Cut(id, "/")
		got := m.truths(headset.TapMic, m.figures())[kind]
		if got.least != want || got.most != want {
			t.Errorf("%s: %.4g is %v to %v", id, got.value, got.least, got.most)
		}
	}
}

func TestOrdinaryCallHasNoFault(t *testing.T) {
	m := made(t, ownVoice(t), "innocent/clean/none/testdata/0")
	for kind, truth := range m.truths(headset.TapMic, m.figures()) {
		if truth.most > 0 {
			t.Errorf("%s at %.4g", kind, truth.value)
		}
	}
}

func TestStillnessIsFoundWhereverItStands(t *testing.T) {
	x := dsptest.Noise(4*rate, -40, 1)
	if got := longestStill(x); got > 0.01 {
		t.Errorf("noise is still for %.2f s", got)
	}
	if got := longestStill(dsptest.Freeze(x, rate, 3*rate)); math.Abs(got-2) > 0.01 {
		t.Errorf("2 s frozen: %.2f s", got)
	}
}

func TestSameNameSameSamples(t *testing.T) {
	b := ownVoice(t)
	const id = "innocent/keyboard/none/testdata/"
	one, again, other := made(t, b, id+"3"), made(t, b, id+"3"), made(t, b, id+"4")
	if !slices.Equal(one.mic, again.mic) || slices.Equal(one.mic, other.mic) {
		t.Error("a scene does not follow its name")
	}
}

func TestLimitsHaveMarginsOnBothSides(t *testing.T) {
	for _, c := range []struct {
		kind        string
		value       float64
		least, most grade
	}{
		{"quiet", -28, 0, 0}, {"quiet", -30.5, 0, 1}, {"quiet", -33, 1, 1}, {"quiet", -36.5, 1, 2}, {"quiet", -38, 2, 2},
		{"loud", -17.5, 0, 1}, {"loud", -13, 2, 2}, {"echo", 29.5, 1, 2}, {"echo", 60, 0, 0},
	} {
		if got := limits[c.kind].plus(c.value, 1); got.least != c.least || got.most != c.most {
			t.Errorf("%s %v: %v to %v, want %v to %v", c.kind, c.value, got.least, got.most, c.least, c.most)
		}
	}
}

func TestLimitsAreTheAnalyzersOwn(t *testing.T) {
	d := headset.DefaultLimits()
	for kind, l := range map[string]headset.Limit{
		"quiet": d.Quiet, "loud": d.Loud, "noise": d.Noise, "snr": d.SNR, "clipping": d.Clipping, "dc_offset": d.DC,
	} {
		if got := limits[kind]; got.watch != l.Watch || got.bad != l.Bad {
			t.Errorf("%s: %v here, %v there", kind, got, l)
		}
	}
}

func TestWireCarriesAndMarksWhatTheServiceWould(t *testing.T) {
	m := made(t, ownVoice(t), "innocent/clean/none/testdata/0")
	for _, name := range []string{"mic", "opus48", "opus24loss8", "opus24dtx", "g711", "g711loss3"} {
		p, _ := pathNamed(name)
		h, err := p.carry(&m.recording, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(len(h.pcm)) / float64(h.rate); math.Abs(got-12) > 0.3 {
			t.Errorf("%s: %.2f s of 12", p.name, got)
		}
		lost, silent := 0, 0
		for _, mark := range h.marks {
			if mark&dsp.Lost != 0 {
				lost++
			}
			if mark&dsp.ComfortNoise != 0 {
				silent++
			}
		}
		if share := float64(lost) / float64(len(h.marks)); math.Abs(share-p.loss) > 0.02+p.loss {
			t.Errorf("%s: %.1f %% lost", p.name, 100*share)
		}
		if (silent > 0) && !p.dtx {
			t.Errorf("%s: %d pieces of comfort noise", p.name, silent)
		}
		if p.name == "mic" && !slices.Equal(h.pcm, m.mic[:len(h.pcm)]) {
			t.Error("the microphone's samples were changed")
		}
		if p.name == "opus48" || p.name == "g711" {
			if d := dsptest.RMS(h.pcm) - dsptest.RMS(m.mic); math.Abs(d) > 1 {
				t.Errorf("%s: level changed by %.2f dB", p.name, d)
			}
		}
	}
}

func TestEveryFaultOfThePlanCanBeMadeByName(t *testing.T) {
	b := ownVoice(t)
	b.schedule(&options{hours: 0.2})
	if len(b.plan) < 100 {
		t.Fatalf("only %d scenes", len(b.plan))
	}
	for _, j := range b.plan {
		s, err := parseScene(j.scene.String())
		if err != nil || s != j.scene {
			t.Fatalf("%v reads back as %v, %v", j.scene, s, err)
		}
		if _, err := recipe(s); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"hum/50", "hum/50/bad/x/y", "hum/55/bad/testdata/0", "hum/50/none/testdata/0"} {
		s, err := parseScene(name)
		if err == nil {
			_, err = recipe(s)
		}
		if err == nil {
			t.Errorf("took %q", name)
		}
	}
}

func TestFindingsAreScoredAgainstTheTruth(t *testing.T) {
	o := &outcome{
		scene:  scene{kind: "noise", severity: just},
		truths: truths{"noise": {least: 2, most: 2}, "crackle" + either + "dropout": {least: 1, most: 2}},
	}
	o.report.Findings = []headset.Finding{
		{Kind: headset.Noise, Severity: headset.Bad}, {Kind: headset.Dropout, Severity: headset.Watch},
		{Kind: headset.Loud, Severity: headset.Watch},
	}
	if g, _ := o.found("crackle" + either + "dropout"); g != 1 {
		t.Errorf("either of two found as %v", g)
	}
	wrong := o.wrong()
	if len(wrong) != 1 || wrong[0].Kind != headset.Loud {
		t.Errorf("wrong: %v", wrong)
	}
	delete(o.truths, "crackle"+either+"dropout")
	if had, was := o.scored(); !had || !was {
		t.Error("a fault that was found is not counted")
	}
}

func TestPageNamesEveryKindAndNoNonsense(t *testing.T) {
	b := ownVoice(t)
	b.plan = nil
	mic, _ := pathNamed("mic")
	for _, id := range []string{"noise/white/bad/testdata/0", "innocent/clean/none/testdata/1", "measure/snr25/none/testdata/0"} {
		s, err := parseScene(id)
		if err != nil {
			t.Fatal(err)
		}
		b.plan = append(b.plan, job{s, []path{mic}})
	}
	s := newScore(b, []string{"a note"})
	if err := b.run(context.Background(), 2, s.add); err != nil {
		t.Fatal(err)
	}
	s.sort()
	var summary bytes.Buffer
	s.printSummary(&summary)
	for _, page := range []string{s.page(&options{hours: 10}), summary.String()} {
		if !strings.Contains(page, "noise") || strings.Contains(page, "NaN") || strings.Contains(page, "%!") {
			t.Errorf("%s", page)
		}
	}
}
