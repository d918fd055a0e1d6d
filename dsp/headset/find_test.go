package headset_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gopkg.in/hraban/opus.v2"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// throughOpus encodes 16 kHz samples at 24 kbit/s and decodes them, as the way from agent
// to service does.
func throughOpus(t *testing.T, x []float32) []float32 {
	t.Helper()
	const rate, bits = 16000, 24000
	enc, err := opus.NewEncoder(rate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(enc.SetBitrate(bits), enc.SetComplexity(5)); err != nil {
		t.Fatal(err)
	}
	dec, err := opus.NewDecoder(rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	packet, pcm := make([]byte, 1500), make([]float32, rate/50)
	y := make([]float32, 0, len(x))
	for ; len(x) >= len(pcm); x = x[len(pcm):] {
		n, err := enc.EncodeFloat32(x[:len(pcm)], packet)
		if err != nil {
			t.Fatal(err)
		}
		if n, err = dec.DecodeFloat32(packet[:n], pcm); err != nil {
			t.Fatal(err)
		}
		y = append(y, pcm[:n]...)
	}
	return y
}

// summary writes findings as "clipping bad, loud watch".
func summary(r headset.Report) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, fmt.Sprintf("%s %s", f.Kind, f.Severity))
	}
	return strings.Join(s, ", ")
}

func find(r headset.Report, k headset.Kind) (headset.Finding, bool) {
	for _, f := range r.Findings {
		if f.Kind == k {
			return f, true
		}
	}
	return headset.Finding{}, false
}

var agents = []string{"agent-1", "agent-2", "agent-3"}

func TestHealthyHeadsetHasNoFindings(t *testing.T) {
	t.Parallel()
	for _, name := range agents {
		x := speech(t, name, 16000)
		rates := []int{16000}
		if name == "agent-2" {
			rates = []int{8000, 44100}
		}
		for _, rate := range rates {
			if got := summary(report(t, rate, headset.TapMic, speech(t, name, rate))); got != "" {
				t.Errorf("%s at the mic at %d Hz: %s", name, rate, got)
			}
		}
		if got := summary(report(t, 16000, headset.TapWire, throughOpus(t, x))); got != "" {
			t.Errorf("%s on the wire: %s", name, got)
		}
	}
}

func TestSoftSpokenHealthyHeadsetIsAtMostQuiet(t *testing.T) {
	t.Parallel()
	for _, name := range agents[:2] {
		x := dsptest.AddNoise(dsptest.Gain(speech(t, name, 16000), -14), -70, 3)
		mic := report(t, 16000, headset.TapMic, dsptest.Quantize(x))
		wire := report(t, 16000, headset.TapWire, throughOpus(t, x))
		if summary(mic) != "quiet watch" || summary(wire) != "quiet watch" {
			t.Errorf("%s: mic %q, wire %q, level %.1f", name, summary(mic), summary(wire), mic.Metrics.ActiveLevelHP)
		}
	}
}

func TestMuchTooQuietIsBad(t *testing.T) {
	t.Parallel()
	x := dsptest.Gain(metertest.Speech(t, "agent-2", 16000, 10), -18)
	if got := summary(report(t, 16000, headset.TapMic, x)); got != "quiet bad" {
		t.Error(got)
	}
}

func TestLoudCleanTalkerIsLoudAndNotClipped(t *testing.T) {
	t.Parallel()
	for _, name := range agents[1:] {
		x := speech(t, name, 16000)
		peak := float64(report(t, 16000, headset.TapMic, x).Metrics.Peak)
		x = dsptest.Quantize(dsptest.Gain(x, -peak-0.02)) // just reaches full scale
		mic := report(t, 16000, headset.TapMic, x)
		wire := report(t, 16000, headset.TapWire, throughOpus(t, x))
		for _, r := range []headset.Report{mic, wire} {
			if got := summary(r); got != "" && got != "loud watch" {
				t.Errorf("%s at the %s: %s", name, r.Tap, got)
			}
		}
	}
	x := dsptest.Gain(speech(t, "agent-3", 16000), 9) // float samples beyond full scale are not clipped
	if got := summary(report(t, 16000, headset.TapMic, x)); got != "loud bad" && got != "loud watch" {
		t.Error(got)
	}
}

func TestClippedHeadsetIsFoundAtBothTaps(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range agents {
		ceilings := []float64{0, -3}
		if name == "agent-1" {
			ceilings = []float64{-1, -6}
		}
		for _, ceilingDB := range ceilings {
			ceiling := math.Pow(10, ceilingDB/20)
			// 12 dB beyond the ceiling's own place: the ceiling falls with it.
			x := dsptest.Quantize(dsptest.Overdrive(speech(t, name, 16000), 12+ceilingDB, float32(ceiling)))
			mic := report(t, 16000, headset.TapMic, x[:10*16000])
			if f, ok := find(mic, headset.Clipping); !ok || f.Severity != headset.Bad || f.Limit != 0.001 {
				t.Errorf("%s, ceiling %v dBov at the mic: %q %+v", name, ceilingDB, summary(mic), mic.Metrics)
			}
			wire := report(t, 16000, headset.TapWire, throughOpus(t, x))
			f, ok := find(wire, headset.Clipping)
			if !ok {
				t.Errorf("%s, ceiling %v dBov on the wire: %q %+v", name, ceilingDB, summary(wire), wire.Metrics)
			}
			if ceilingDB == 0 && f.Severity != headset.Bad {
				t.Errorf("%s clipped at full scale reads %q on the wire", name, summary(wire))
			}
			if ceilingDB < -1 && !strings.Contains(f.Text, "codec") {
				t.Errorf("the finding does not say what it rests on: %s", f.Text)
			}
		}
	}
}

func TestNoisyHeadsetIsFoundAtBothTaps(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for i, c := range []struct {
		noise     float64
		mic, wire string
	}{
		{-35, "noise bad", "noise bad"},
		{-38, "noise bad", "noise bad"},
		{-45, "noise watch", "noise watch"},
		{-54, "", ""},
	} {
		name := agents[i%len(agents)]
		x := dsptest.Quantize(dsptest.AddNoise(speech(t, name, 16000), c.noise, 11))
		mic := report(t, 16000, headset.TapMic, x)
		wire := report(t, 16000, headset.TapWire, throughOpus(t, x))
		if summary(mic) != c.mic || summary(wire) != c.wire {
			t.Errorf("%s with noise at %v: mic %q (%.1f), wire %q (%.1f), want %q and %q", name, c.noise,
				summary(mic), mic.Metrics.NoiseFloor, summary(wire), wire.Metrics.NoiseFloor, c.mic, c.wire)
		}
	}
}

func TestTonesAndKeypadsAreNoFault(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 16000} {
		var keys []float32
		for len(keys) < 7*rate {
			n := rate / 10
			keys = append(keys, dsptest.Mix(dsptest.Tone(n, rate, 852, -9.1), dsptest.Tone(n, rate, 1477, -9.1))...)
			keys = append(keys, dsptest.Noise(n, -70, uint64(len(keys)))...)
		}
		for name, x := range map[string][]float32{
			"tone":        dsptest.Tone(7*rate, rate, 440, -3.1),
			"keypad":      keys,
			"steady hiss": dsptest.Noise(7*rate, -30, 1),
		} {
			for _, tap := range []headset.Tap{headset.TapMic, headset.TapWire} {
				if got := summary(report(t, rate, tap, dsptest.Quantize(x))); got != "" {
					t.Errorf("%s at %d Hz, %s: %s", name, rate, tap, got)
				}
			}
		}
	}
}

func TestTooLittleSpeechMakesNoFinding(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-1", 16000, 4)
	x = dsptest.Quantize(dsptest.Overdrive(dsptest.AddNoise(x, -30, 1), 12, 0.9))
	if got := summary(report(t, 16000, headset.TapMic, x)); got != "" {
		t.Errorf("4 s of audio: %s", got)
	}
}

func TestLongPauseIsNotDeadButSilenceIs(t *testing.T) {
	t.Parallel()
	const rate = 8000
	talk := speech(t, "agent-2", rate)
	with := func(pause []float32) headset.Report {
		x := append(append([]float32(nil), talk...), pause...)
		return report(t, rate, headset.TapMic, dsptest.Quantize(x))
	}
	if got := summary(with(dsptest.Noise(20*rate, -75, 4))); got != "" {
		t.Errorf("20 s of listening: %s", got)
	}
	if got := summary(with(make([]float32, 3*rate))); got != "" {
		t.Errorf("3 s of digital silence: %s", got)
	}
	r := with(make([]float32, 6*rate))
	if f, _ := find(r, headset.Dead); f.Severity != headset.Watch || math.Abs(float64(f.Value)-6) > 0.1 {
		t.Errorf("6 s of digital silence after speech: %+v", r.Findings)
	}
	frozen := make([]float32, 31*rate)
	for i := range frozen {
		frozen[i] = 0.003
	}
	r = with(frozen)
	if f, _ := find(r, headset.Dead); f.Severity != headset.Bad || !strings.Contains(f.Text, "stuck") {
		t.Errorf("frozen: %+v", r.Findings)
	}
	r = report(t, rate, headset.TapMic, make([]float32, 5*rate))
	if f, _ := find(r, headset.Dead); f.Severity != headset.Bad {
		t.Errorf("never a sound: %+v", r.Findings)
	}
	muted := analyzer(t, rate, headset.TapMic)
	muted.Process(talk, 0)
	muted.Process(make([]float32, 60*rate), dsp.Muted)
	if got := summary(muted.Report()); got != "" {
		t.Errorf("muted: %s", got)
	}
}

func TestMicrophoneThatNeverAnswersIsDead(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 8000
	caller := metertest.Speech(t, "caller-1", rate, 0)
	run := func(near []float32) headset.Report {
		a := analyzer(t, rate, headset.TapMic)
		for range 2 {
			for i := 0; i < len(caller); i += 160 {
				a.ProcessFar(caller[i : i+160])
				a.Process(near[:160], 0)
				near = near[160:]
			}
		}
		return a.Report()
	}
	quiet := dsptest.Noise(2*len(caller), -68, 1)
	if f, _ := find(run(quiet), headset.Dead); f.Severity != headset.Bad {
		t.Errorf("50 s without an answer: %+v", run(quiet).Findings)
	}
	answer := append([]float32(nil), quiet...)
	copy(answer[20*rate:], metertest.Speech(t, "agent-1", rate, 8))
	if got := summary(run(answer)); got != "" {
		t.Errorf("one who listens long: %s", got)
	}
}

func TestOffsetIsFoundAtTheMicrophone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dc   float32
		want string
	}{{0.002, ""}, {0.007, "dc_offset watch"}, {-0.02, "dc_offset bad"}} {
		x := metertest.Speech(t, "agent-3", 16000, 10)
		for i := range x {
			x[i] += c.dc
		}
		r := report(t, 16000, headset.TapMic, x)
		if got := summary(r); got != c.want {
			t.Errorf("offset %v: %q, want %q", c.dc, got, c.want)
		}
		near(t, "dc", r.Metrics.DC, float64(c.dc), 2e-4)
	}
}

func TestEveryFindingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	x := dsptest.Overdrive(dsptest.AddNoise(speech(t, "agent-1", 16000), -40, 1), 12, 0.5)
	for i := range x {
		x[i] += 0.02
	}
	r := report(t, 16000, headset.TapMic, append(dsptest.Quantize(x), make([]float32, 5*16000)...))
	if len(r.Findings) < 4 {
		t.Errorf("only %q", summary(r))
	}
	for _, f := range r.Findings {
		if !strings.HasSuffix(f.Text, ".") || !strings.ContainsAny(f.Text, "0123456789") ||
			!strings.Contains(f.Text, "gain") && !strings.Contains(f.Text, "replace") && !strings.Contains(f.Text, "check") {
			t.Errorf("%s: %q", f.Kind, f.Text)
		}
	}
}

func TestLimitsCanBeOverridden(t *testing.T) {
	t.Parallel()
	limits := headset.DefaultLimits()
	limits.Quiet = headset.Limit{Watch: -10, Bad: -12}
	a, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapMic, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	a.Process(metertest.Speech(t, "agent-2", 16000, 10), 0)
	if got := summary(a.Report()); got != "quiet bad" {
		t.Errorf("%q", got)
	}
}
