package headset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp"
	meter "github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

var today = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// The findings that the tests speak of, as the meters write them.
var (
	clips      = meter.Finding{Kind: meter.Clipping, Severity: meter.Bad, Value: 0.031, Limit: 0.001}
	clipsABit  = meter.Finding{Kind: meter.Clipping, Severity: meter.Watch, Value: 0.0004, Limit: 0.0001}
	clipsWire  = meter.Finding{Kind: meter.Clipping, Severity: meter.Bad, Value: 9.4, Limit: 11}
	clipsSoft  = meter.Finding{Kind: meter.Clipping, Severity: meter.Bad, Value: -1.27, Limit: -0.9}
	humsLevel  = meter.Finding{Kind: meter.Hum, Severity: meter.Watch, Value: -57.2, Limit: -62}
	noisy      = meter.Finding{Kind: meter.Noise, Severity: meter.Bad, Value: -36.24, Limit: -41}
	noisyABit  = meter.Finding{Kind: meter.Noise, Severity: meter.Watch, Value: -47, Limit: -50}
	quiet      = meter.Finding{Kind: meter.Quiet, Severity: meter.Bad, Value: -39.1, Limit: -36}
	loud       = meter.Finding{Kind: meter.Loud, Severity: meter.Bad, Value: -12, Limit: -15}
	drops      = meter.Finding{Kind: meter.Dropout, Severity: meter.Bad, Value: 12, Limit: 5}
	dropsABit  = meter.Finding{Kind: meter.Dropout, Severity: meter.Watch, Value: 2, Limit: 1}
	deadMic    = meter.Finding{Kind: meter.Dead, Severity: meter.Bad, Value: 41, Limit: 4}
	dcOff      = meter.Finding{Kind: meter.DCOffset, Severity: meter.Bad, Value: 0.02, Limit: 0.01}
	unmeasured = meter.Finding{Kind: meter.Crackle, Severity: meter.Bad, Value: dsp.None(), Limit: dsp.None()}
)

// past builds a history from the oldest call to the newest.
type past struct {
	records []model.ReportRecord
	calls   int

	fullScale bool        // clipping in them stands at the end of the scale
	sounds    noise.Class // the noise in them, without doubt
}

func (p *past) add(tap meter.Tap, speech float64, findings ...meter.Finding) {
	p.records = append(p.records, model.ReportRecord{
		Call: model.CallID(fmt.Sprintf("c%d", p.calls)), Headset: "Acme H1/42", Agent: "ann",
		At:     today.Add(time.Duration(p.calls) * time.Minute),
		Report: meter.Report{Tap: tap, Duration: speech + 40, ActiveSpeech: speech, Findings: findings, Metrics: p.metrics()},
	})
}

// metrics are those that a blame depends on.
func (p *past) metrics() meter.Metrics {
	m := meter.Metrics{ClippedShare: 0.031, ClipCeiling: -3.1}
	if p.sounds != "" {
		m.NoiseClass, m.NoiseConfidence = p.sounds, 0.9
	}
	if p.fullScale {
		m.ClipCeiling, m.ClipFullScale = 0, true
	}
	return m
}

// call is a call that both taps heard for long enough.
func (p *past) call(mic, wire []meter.Finding) *past {
	p.calls++
	p.add(meter.TapWire, 60, wire...)
	p.add(meter.TapMic, 60, mic...)
	return p
}

// same is a call in which the wire heard what the microphone heard.
func (p *past) same(n int, findings ...meter.Finding) *past {
	for range n {
		p.call(findings, findings)
	}
	return p
}

func (p *past) wireOnly(n int, findings ...meter.Finding) *past {
	for range n {
		p.calls++
		p.add(meter.TapWire, 60, findings...)
	}
	return p
}

func (p *past) short(n int, findings ...meter.Finding) *past {
	for range n {
		p.calls++
		p.add(meter.TapMic, 12, findings...)
	}
	return p
}

func (p *past) newestFirst() []model.ReportRecord {
	out := slices.Clone(p.records)
	slices.Reverse(out)
	return out
}

func list(f ...meter.Finding) []meter.Finding { return f }

func TestJudge(t *testing.T) {
	tests := []struct {
		name  string
		past  *past
		state model.VerdictState
		blame []model.Blame // of the findings, gravest first
		text  string
	}{
		{
			"nothing heard", &past{}, model.VerdictUnknown, nil,
			"Nothing has been heard of this headset yet.",
		},
		{
			"a few words are not enough", new(past).short(5, clips), model.VerdictUnknown, nil,
			"Not enough heard yet: no call with 30 s of speech so far.",
		},
		{
			"one clean call", new(past).same(1), model.VerdictGood, nil,
			"No fault in the one call heard so far.",
		},
		{
			"many clean calls", new(past).same(14), model.VerdictGood, nil,
			"No fault in the last 10 calls.",
		},
		{
			"one clipped call is a warning", new(past).same(2).same(1, clips), model.VerdictWatch,
			[]model.Blame{model.BlameHeadset},
			"Keep an eye on this headset: clipping at the microphone in 1 of the last 3 calls, 3.1 % of the samples (limit 0.1 %); it takes 3 such calls to replace it.",
		},
		{
			"three clipped calls are enough", new(past).same(2).same(3, clips), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in 3 of the last 5 calls, 3.1 % of the samples (limit 0.1 %).",
		},
		{
			"speech cut off at full scale is a gain to be lowered", (&past{fullScale: true}).same(5, clips), model.VerdictGood,
			[]model.Blame{model.BlameSetting},
			"The headset shows no fault of its own: clipping at the microphone in all of the last 5 calls, 3.1 % of the samples (limit 0.1 %); that is a matter of settings, not of the headset.",
		},
		{
			"peaks that bend do so in the headset, full scale or not",
			(&past{fullScale: true}).same(3, meter.Finding{Kind: meter.Clipping, Severity: meter.Bad, Value: -1.27, Limit: -0.9}), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in all of the last 3 calls, peak bend -1.27 (limit -0.9).",
		},
		{
			"a loud room is not a bad headset", (&past{sounds: noise.Babble}).same(4, noisy), model.VerdictGood,
			[]model.Blame{model.BlameRoom},
			"The headset shows no fault of its own: noise at the microphone in all of the last 4 calls, -36.2 dBov (limit -41 dBov); that is the room, not the headset.",
		},
		{
			"a hiss is", (&past{sounds: noise.Hiss}).same(4, noisy), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: noise at the microphone in all of the last 4 calls, -36.2 dBov (limit -41 dBov).",
		},
		{
			"two faults are both named", new(past).same(3, noisy, clips), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset, model.BlameHeadset},
			"Replace this headset: clipping at the microphone in all of the last 3 calls, 3.1 % of the samples (limit 0.1 %); " +
				"also noise at the microphone in all of the last 3 calls, -36.2 dBov (limit -41 dBov).",
		},
		{
			"an intermittent fault", new(past).same(1, clips).same(1).same(1, clips).same(1).same(1, clips), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in 3 of the last 5 calls, 3.1 % of the samples (limit 0.1 %).",
		},
		{
			"three faults once each are not one fault thrice", new(past).same(1, clips).same(1, noisy).same(1, dcOff), model.VerdictWatch,
			[]model.Blame{model.BlameHeadset, model.BlameHeadset, model.BlameHeadset},
			"Keep an eye on this headset: clipping at the microphone in 1 of the last 3 calls, 3.1 % of the samples (limit 0.1 %); it takes 3 such calls to replace it.",
		},
		{
			"getting better", new(past).same(4, clips).same(2), model.VerdictWatch,
			[]model.Blame{model.BlameHeadset},
			"Keep an eye on this headset: clipping at the microphone in 4 of the last 6 calls, 3.1 % of the samples (limit 0.1 %); the newest calls are better.",
		},
		{
			"better", new(past).same(4, clips).same(3), model.VerdictGood, nil,
			"No fault in the last 7 calls.",
		},
		{
			"bad again", new(past).same(3, clips).same(3).same(2, clips), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in 5 of the last 8 calls, 3.1 % of the samples (limit 0.1 %).",
		},
		{
			"a little off once is nothing", new(past).same(1).same(1, clipsABit), model.VerdictGood, nil,
			"No fault in the last 2 calls.",
		},
		{
			"a little off always is worth an eye, never a replacement", new(past).same(10, noisyABit), model.VerdictWatch,
			[]model.Blame{model.BlameHeadset},
			"Keep an eye on this headset: noise at the microphone in all of the last 10 calls, -47 dBov (limit -50 dBov); not bad enough to replace it.",
		},
		{
			"a soft voice is the person's", new(past).same(10, quiet), model.VerdictGood,
			[]model.Blame{model.BlamePerson},
			"The headset shows no fault of its own: quiet speech at the microphone in all of the last 10 calls, -39.1 dBov (limit -36 dBov); " +
				"that is the voice or where the microphone sits, not the headset.",
		},
		{
			"too much gain is a setting", new(past).same(4, loud), model.VerdictGood,
			[]model.Blame{model.BlameSetting},
			"The headset shows no fault of its own: speech that is too loud at the microphone in all of the last 4 calls, -12 dBov (limit -15 dBov); " +
				"that is a matter of settings, not of the headset.",
		},
		{
			"a soft voice in a noisy headset", new(past).same(3, quiet, noisy), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset, model.BlamePerson},
			"Replace this headset: noise at the microphone in all of the last 3 calls, -36.2 dBov (limit -41 dBov).",
		},
		{
			"drop-outs only on the wire are the network's",
			new(past).call(nil, list(drops)).call(nil, list(drops)).call(nil, list(drops)).call(nil, list(drops)), model.VerdictGood,
			[]model.Blame{model.BlameNetwork},
			"The headset shows no fault of its own: drop-outs on the wire in all of the last 4 calls, 12 in 5 min (limit 5 in 5 min); " +
				"the microphone was clean, so look at the network.",
		},
		{
			"what a codec does to the wire is nobody's fault", new(past).call(nil, list(noisyABit, dropsABit)).call(nil, list(noisyABit)),
			model.VerdictGood, nil, "No fault in the last 2 calls.",
		},
		{
			"clipping that the codec hid from the wire", new(past).call(list(clips), nil).call(list(clips), nil).call(list(clips), nil),
			model.VerdictReplace, []model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in all of the last 3 calls, 3.1 % of the samples (limit 0.1 %).",
		},
		{
			"the wire speaks where the client sends nothing", new(past).wireOnly(3, clipsWire), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping in all of the last 3 calls, peak factor 9.4 dB (limit 11 dB).",
		},
		{
			"soft saturation leaves no sample at a ceiling", new(past).same(3, clipsSoft), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in all of the last 3 calls, peak bend -1.27 (limit -0.9).",
		},
		{
			"hum that is held against its level", new(past).same(2, humsLevel), model.VerdictWatch,
			[]model.Blame{model.BlameHeadset},
			"Keep an eye on this headset: mains hum at the microphone in all of the last 2 calls, -57.2 dBov (limit -62 dBov); not bad enough to replace it.",
		},
		{
			"a dead microphone lets no speech through and counts all the same", func() *past {
				p := new(past).same(2)
				for range 3 {
					p.calls++
					p.add(meter.TapMic, 0, deadMic)
				}
				return p
			}(), model.VerdictReplace, []model.Blame{model.BlameHeadset},
			"Replace this headset: no sound at the microphone in 3 of the last 5 calls, 41 s (limit 4 s).",
		},
		{
			"short calls between do not dilute", new(past).same(2, clips).short(20).same(1, clips), model.VerdictReplace,
			[]model.Blame{model.BlameHeadset},
			"Replace this headset: clipping at the microphone in all of the last 3 calls, 3.1 % of the samples (limit 0.1 %).",
		},
		{
			"what was before the window is forgotten", new(past).same(9, clips).same(10), model.VerdictGood, nil,
			"No fault in the last 10 calls.",
		},
		{
			"a fault without a number", new(past).same(3, unmeasured), model.VerdictReplace, []model.Blame{model.BlameHeadset},
			"Replace this headset: crackle at the microphone in all of the last 3 calls.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := headset.Judge(tt.past.newestFirst(), model.HeadsetRules{}, today)
			if v.State != tt.state {
				t.Errorf("state %s, want %s", v.State, tt.state)
			}
			if v.Text != tt.text {
				t.Errorf("text\n  %s\nwant\n  %s", v.Text, tt.text)
			}
			var blame []model.Blame
			for _, f := range v.Findings {
				blame = append(blame, f.Blame)
			}
			if !slices.Equal(blame, tt.blame) || v.Findings == nil {
				t.Errorf("blame %v, want %v", blame, tt.blame)
			}
		})
	}
}

func TestAVerdictNamesItsCallsAndNumbers(t *testing.T) {
	p := new(past).same(1)
	for _, share := range []dsp.Value{0.01, 0.04, 0.02} {
		f := clips
		f.Value = share
		p.same(1, f)
	}
	v := headset.Judge(p.newestFirst(), model.HeadsetRules{}, today)
	f := v.Findings[0]
	if v.Headset != "Acme H1/42" || v.Reports != 4 || !v.At.Equal(today) {
		t.Errorf("verdict %+v", v)
	}
	if want := []model.CallID{"c4", "c3", "c2"}; !slices.Equal(f.Calls, want) || f.Value != 0.02 || f.Limit != 0.001 {
		t.Errorf("finding %+v, want calls %v, median 0.02, limit 0.001", f, want)
	}
	if want := "Clipping at the microphone in 3 of the last 4 calls, 2 % of the samples (limit 0.1 %)."; f.Text != want {
		t.Errorf("text %q, want %q", f.Text, want)
	}
}

func TestTheSiteSaysHowMuchIsEnough(t *testing.T) {
	rules := model.HeadsetRules{MinActiveSpeech: 10 * time.Second, Window: 1, ReplaceAfter: 2}
	p := new(past).short(1, clips)
	if v := headset.Judge(p.newestFirst(), rules, today); v.State != model.VerdictWatch {
		t.Errorf("after one call %s, want watch", v.State)
	}
	p.short(1, clips)
	if v := headset.Judge(p.newestFirst(), rules, today); v.State != model.VerdictReplace {
		t.Errorf("after two calls %s, want replace: the window is never shorter than what it takes", v.State)
	}
}

// anyCall is a call with any findings at both taps, or at one.
func anyCall(t *rapid.T, p *past) {
	kinds := []meter.Kind{
		meter.Dead, meter.Quiet, meter.Loud, meter.Clipping, meter.Noise, meter.Hum, meter.Buzz, meter.Dropout,
		meter.Crackle, meter.Muffled, meter.Echo, meter.DCOffset, meter.Pumping,
	}
	findings := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) meter.Finding {
		return meter.Finding{
			Kind:     rapid.SampledFrom(kinds).Draw(t, "kind"),
			Severity: rapid.SampledFrom([]meter.Severity{meter.Watch, meter.Bad}).Draw(t, "severity"),
			Value:    dsp.Value(rapid.Float64Range(-100, 100).Draw(t, "value")),
		}
	}), 0, 3)
	p.calls++
	for _, tap := range rapid.SampledFrom([][]meter.Tap{{meter.TapMic}, {meter.TapWire}, {meter.TapWire, meter.TapMic}}).Draw(t, "taps") {
		speech := rapid.SampledFrom([]float64{3, 29, 30, 200}).Draw(t, "speech")
		p.add(tap, speech, findings.Draw(t, string(tap))...)
	}
}

func anyPast(t *rapid.T) *past {
	p := &past{}
	for range rapid.SampledFrom([]int{0, 1, 3, 6, 12, 25}).Draw(t, "calls") {
		anyCall(t, p)
	}
	return p
}

func TestCleanCallsNeverMakeAHeadsetWorse(t *testing.T) {
	rank := map[model.VerdictState]int{model.VerdictGood: 1, model.VerdictWatch: 2, model.VerdictReplace: 3}
	rapid.Check(t, func(t *rapid.T) {
		p := anyPast(t)
		before := headset.Judge(p.newestFirst(), model.HeadsetRules{}, today)
		after := headset.Judge(p.same(1).newestFirst(), model.HeadsetRules{}, today)
		if before.State != model.VerdictUnknown && rank[after.State] > rank[before.State] {
			t.Fatalf("%s became %s after a clean call", before.State, after.State)
		}
		if v := headset.Judge(p.same(2).newestFirst(), model.HeadsetRules{}, today); v.State != model.VerdictGood {
			t.Fatalf("still %s after three clean calls: %s", v.State, v.Text)
		}
	})
}

func TestAReplacementAlwaysHasItsReasons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPast(t)
		v := headset.Judge(p.newestFirst(), model.HeadsetRules{}, today)
		if !strings.HasSuffix(v.Text, ".") || v.Findings == nil || v.Reports > headset.DefaultWindow {
			t.Fatalf("odd verdict: %+v", v)
		}
		good := v.State == model.VerdictGood || v.State == model.VerdictUnknown
		own := slices.ContainsFunc(v.Findings, func(f model.VerdictFinding) bool { return f.Blame == model.BlameHeadset })
		if good == own {
			t.Fatalf("%s with findings %+v", v.State, v.Findings)
		}
		if v.State != model.VerdictReplace {
			return
		}
		f := v.Findings[0]
		if f.Blame != model.BlameHeadset || f.Severity != meter.Bad || len(f.Calls) < headset.DefaultReplaceAfter {
			t.Fatalf("replace because of %+v", f)
		}
		if f.Kind == meter.Quiet || f.Kind == meter.Loud {
			t.Fatalf("replace because of the person's %s", f.Kind)
		}
	})
}

func TestWithACleanMicrophoneTheWireNeverConvictsTheHeadset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPast(t)
		for i, r := range p.records { // the same calls, with a clean microphone in each
			p.records[i].Report.Tap = meter.TapWire
			p.records = append(p.records, model.ReportRecord{
				Call: r.Call, Headset: r.Headset, Report: meter.Report{Tap: meter.TapMic, ActiveSpeech: 60, Duration: 100},
			})
		}
		v := headset.Judge(p.newestFirst(), model.HeadsetRules{}, today)
		if v.State == model.VerdictReplace {
			t.Fatalf("replace: %s", v.Text)
		}
	})
}
