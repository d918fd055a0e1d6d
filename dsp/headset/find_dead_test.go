package headset_test

import (
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// caller speaks for 40 s with pauses.
func caller(t testing.TB, rate int) []float32 {
	t.Helper()
	x := metertest.Speech(t, "caller-1", rate, 20)
	return append(x, x...)
}

func TestWhatKindOfDeadIsTold(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 8000
	far := caller(t, rate)
	noise := dsptest.Noise(len(far), -66, 1)
	for name, c := range map[string]struct {
		near []float32
		says string
	}{
		"a pulled plug":          {make([]float32, len(far)), "digital silence"},
		"a mute switch":          {noise, "noise but no speech"},
		"the laptop on the desk": {dsptest.Mix(noise, leak(far, rate, 40, 20)), "heard the room"},
		"another room":           {dsptest.Mix(noise, dsptest.Gain(metertest.Speech(t, "agent-1", rate, 20), -40)), ""},
	} {
		r := call(t, headset.TapMic, rate, dsptest.Quantize(c.near), far)
		f, ok := find(r, headset.Dead)
		if !ok || f.Severity != headset.Bad || !strings.Contains(f.Text, c.says) {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
}

func TestLimitsOfZeroFindNothingWhereNothingIs(t *testing.T) {
	t.Parallel()
	const rate = 8000
	limits := headset.DefaultLimits()
	limits.DeadSeconds, limits.UnansweredSeconds = 0, 0
	limits.Dropouts.Watch = 0
	a, err := headset.New(headset.Config{SampleRate: rate, Tap: headset.TapMic, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Report(); len(r.Findings) > 0 {
		t.Errorf("before the first sample: %+v", r.Findings)
	}
	a.Process(dsptest.Noise(5*rate, -66, 1), 0)
	if r := a.Report(); len(r.Findings) > 0 {
		t.Errorf("noise: %+v", r.Findings)
	}
}

func TestWhoListensIsNotDead(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 8000
	far := caller(t, rate)
	agent := metertest.Speech(t, "agent-2", rate, 5)
	noise := dsptest.Noise(len(far), -66, 1)
	answers := func(gain float64, at int) []float32 {
		x := append([]float32(nil), noise...)
		for i, v := range dsptest.Gain(agent, gain) {
			x[at*rate+i] += v
		}
		return x
	}
	music := dsptest.Mix(dsptest.Tone(len(far), rate, 440, -20), dsptest.Tone(len(far), rate, 660, -24))
	for name, c := range map[string]struct{ near, far []float32 }{
		"one who greets and listens for 35 s": {answers(0, 0), far},
		"one who answers after 25 s":          {answers(0, 25), far},
		"a soft voice":                        {answers(-18, 20), far},
		"tones at the far end":                {noise, music},
		"a far end that is silent":            {noise, dsptest.Noise(len(far), -70, 3)},
	} {
		if f, ok := find(call(t, headset.TapMic, rate, dsptest.Quantize(c.near), c.far), headset.Dead); ok {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestFrozenSampleIsBadAtOnce(t *testing.T) {
	t.Parallel()
	x := append(metertest.Speech(t, "agent-1", 16000, 8), make([]float32, 5*16000)...)
	for i := 8 * 16000; i < len(x); i++ {
		x[i] = 0.02
	}
	if f, _ := find(report(t, 16000, headset.TapMic, x), headset.Dead); f.Severity != headset.Bad || !strings.Contains(f.Text, "one value") {
		t.Errorf("%+v", f)
	}
}

func TestDeadIsSeenBehindOpus(t *testing.T) {
	t.Parallel()
	x := append(metertest.Speech(t, "agent-1", 16000, 8), make([]float32, 10*16000)...)
	if f, ok := find(report(t, 16000, headset.TapWire, throughOpus(t, x)), headset.Dead); !ok || !strings.Contains(f.Text, "silence") || !(f.Value > 9) {
		t.Errorf("%+v", f)
	}
}

// TestAMicrophoneThatIsDeadBehindALossyLineIsDead loses one packet in ten.
func TestAMicrophoneThatIsDeadBehindALossyLineIsDead(t *testing.T) {
	t.Parallel()
	a := analyzer(t, 16000, headset.TapWire)
	for i := range 10 * 50 {
		var mark dsp.Mark
		if i%10 == 9 {
			mark = dsp.Lost | dsp.Concealed
		}
		a.Process(make([]float32, 320), mark)
	}
	if f, _ := find(a.Report(), headset.Dead); f.Severity != headset.Bad || float64(f.Value) < 8.9 {
		t.Errorf("%+v", f)
	}
}

// A gate shuts when someone has paused for 0.2 s; the plug is out for 7 s while the agent
// talks and waits.
func TestAGateIsNoPulledPlug(t *testing.T) {
	t.Parallel()
	const rate = 16000
	voice := metertest.Speech(t, "agent-2", rate, 0)
	var x []float32
	for i, pause := range []int{1, 2, 1, 7, 1, 2, 1} {
		x = append(append(x, voice[i*3*rate%len(voice):][:3*rate]...), make([]float32, pause*rate)...)
	}
	room := dsptest.Mix(x, dsptest.Noise(len(x), -66, 1))
	gated := dsptest.Quantize(dsptest.Gate(room, rate, -48, 100))
	pulled := dsptest.Silence(dsptest.Quantize(room), 17*rate, 24*rate)
	dying := dsptest.Silence(gated, 20*rate, len(gated))
	for name, c := range map[string]struct {
		x    []float32
		want headset.Severity
	}{
		"a gate": {gated, ""}, "a plug": {pulled, headset.Watch},
		"a gate, then nothing": {append(dying, make([]float32, 25*rate)...), headset.Bad},
	} {
		r := report(t, rate, headset.TapMic, c.x)
		if f, _ := find(r, headset.Dead); f.Severity != c.want {
			t.Errorf("%s: %+v, %v s of speech", name, f, r.ActiveSpeech)
		}
	}
}
