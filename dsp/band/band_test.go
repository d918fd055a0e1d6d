package band_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/band"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// rig feeds a Meter as the analyzer does.
type rig struct {
	*band.Meter
	highPass        *filter.HighPass
	spectrum        *spectrum.Analyzer
	speech          *vad.Detector
	block, filtered []float32
}

func newRig(rate int) (*rig, error) {
	m, err := band.New(rate)
	if err != nil {
		return nil, err
	}
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, err
	}
	d, err := vad.New(rate)
	return &rig{
		Meter: m, highPass: filter.NewHighPass(rate, 100), spectrum: s, speech: d,
		block: make([]float32, 0, rate/50), filtered: make([]float32, rate/50),
	}, err
}

func (r *rig) feed(x []float32) {
	for len(x) > 0 {
		n := min(len(x), cap(r.block)-len(r.block))
		r.block = append(r.block, x[:n]...)
		x = x[n:]
		if len(r.block) == cap(r.block) {
			r.highPass.Process(r.filtered, r.block)
			f := r.spectrum.Next(r.block)
			v := r.speech.Process(f, r.filtered)
			r.Process(f, v.Speech, v.Tonal)
			r.block = r.block[:0]
		}
	}
}

func (r *rig) Gap() {
	r.Meter.Gap()
	r.spectrum.Gap()
	r.speech.Gap()
}

func (r *rig) Reset() {
	r.Meter.Reset()
	r.highPass.Reset()
	r.spectrum.Reset()
	r.speech.Reset()
	r.block = r.block[:0]
}

// plain makes results comparable: None equals None.
func plain(r band.Result) band.Result {
	for _, v := range []*dsp.Value{&r.HighLow, &r.HighMid, &r.Tilt, &r.Rolloff, &r.Edge, &r.Cut, &r.Steepest, &r.Skirt} {
		if !v.Valid() {
			*v = -999
		}
	}
	for i, v := range r.Spectrum {
		if !v.Valid() {
			r.Spectrum[i] = -999
		}
	}
	return r
}

var meter = metertest.Meter[*rig, band.Result]{New: newRig, Process: (*rig).feed, Result: func(r *rig) band.Result { return plain(r.Result()) }}

func measure(t *testing.T, rate int, x []float32) band.Result {
	t.Helper()
	m := meter.Make(t, rate)
	m.feed(x)
	return m.Result()
}

// talk gives 20 s of a voice with a pause every five seconds.
func talk(t *testing.T, name string, rate int) []float32 {
	t.Helper()
	x := metertest.Speech(t, name, rate, 0)[:16*rate]
	var y []float32
	for i := 0; i < len(x); i += 4 * rate {
		y = append(append(y, x[i:i+4*rate]...), make([]float32, rate)...)
	}
	return y
}

func TestACoveredCapsuleStandsApartFromEveryClearVoice(t *testing.T) {
	metertest.Long(t)
	for _, name := range []string{"agent-1", "agent-2", "agent-3"} {
		for _, rate := range []int{16000, 48000} {
			x := talk(t, name, 16000)
			if rate == 48000 {
				x = metertest.Speech(t, name, rate, 0)[:16*rate]
			}
			clean := measure(t, rate, x)
			if !(clean.HighLow > -28 && clean.HighMid > -11 && clean.Rolloff > -11 && clean.Edge > 7000) || clean.Masked {
				t.Errorf("%s at %d Hz, clear: %+v", name, rate, clean)
			}
			dull := measure(t, rate, dsptest.LowPass(x, rate, 1500, 4))
			if !(dull.HighLow < -38 && dull.Rolloff < -16 && dull.Tilt < -24 && dull.Edge < 5500) || dull.Cut.Valid() {
				t.Errorf("%s at %d Hz, muffled: %+v", name, rate, dull)
			}
		}
	}
}

func TestANarrowSourceEndsAtAWallAndIsNotMuffled(t *testing.T) {
	metertest.Long(t)
	for _, name := range []string{"agent-1", "agent-3", "caller-1"} {
		r := measure(t, 16000, dsptest.LowPass(dsptest.LowPass(talk(t, name, 16000), 16000, 3600, 8), 16000, 3600, 8))
		if name == "caller-1" { // recorded at 8 kHz
			r = measure(t, 16000, talk(t, name, 16000))
		}
		if !(r.Cut > 3300 && r.Cut < 4700) || !(r.Rolloff > -11) || !(r.Steepest > 20) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestASteepCapsuleIsLessSteepThanASource(t *testing.T) {
	metertest.Long(t)
	for _, name := range []string{"agent-1", "agent-2", "agent-3"} {
		x := dsptest.AddNoise(talk(t, name, 16000), -70, 3)
		if r := measure(t, 16000, dsptest.LowPass(x, 16000, 3400, 6)); !(r.Steepest < 19) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestNoiseFallsWithTheCapsuleItCameThrough(t *testing.T) {
	x := talk(t, "agent-2", 16000)
	through := measure(t, 16000, dsptest.LowPass(dsptest.AddNoise(x, -45, 1), 16000, 3500, 6))
	after := measure(t, 16000, dsptest.AddNoise(dsptest.LowPass(x, 16000, 3500, 6), -60, 1))
	if !(through.Skirt > 12) || !(after.Skirt < 2) {
		t.Errorf("%+v\nadded behind %+v", through, after)
	}
}

func TestTellsTheTiltOfNarrowBandSpeechToo(t *testing.T) {
	x := talk(t, "caller-1", 8000)
	clear, dull := measure(t, 8000, x), measure(t, 8000, dsptest.LowPass(x, 8000, 1500, 4))
	if clear.HighLow.Valid() || !(clear.Rolloff > -11) || !(dull.Rolloff < -16) || !(dull.Tilt < clear.Tilt-12) {
		t.Errorf("clear %+v\nmuffled %+v", clear, dull)
	}
}

func TestNoiseDoesNotBrightenAVoice(t *testing.T) {
	x := talk(t, "agent-2", 16000)
	clean, noisy := measure(t, 16000, x), measure(t, 16000, dsptest.AddNoise(x, -50, 1))
	if math.Abs(float64(clean.HighLow-noisy.HighLow)) > 1 {
		t.Errorf("%.1f dB, in noise %.1f", clean.HighLow, noisy.HighLow)
	}
	masked := measure(t, 16000, dsptest.AddNoise(dsptest.LowPass(x, 16000, 1500, 4), -42, 1))
	if !masked.Masked {
		t.Errorf("highs that are noise: %+v", masked)
	}
}

func TestTheSpectrumIsInDecibelsOfFullScale(t *testing.T) {
	m, _ := band.New(16000)
	s, _ := spectrum.New(16000)
	x := dsptest.Tone(320*400, 16000, 1000, -23)
	for ; len(x) >= 320; x = x[320:] {
		m.Process(s.Next(x[:320]), true, false)
	}
	r := m.Result()
	if got := float64(r.Spectrum[10]); math.Abs(got+23) > 0.2 || math.Abs(band.Center(10)-1000) > 1e-9 {
		t.Errorf("1 kHz at -23 dBov reads %.2f", got)
	}
	if got := r.Spectrum[17]; !(got < -70) || r.Spectrum[21].Valid() {
		t.Errorf("5 kHz reads %.1f, above the Nyquist frequency %.1f", got, r.Spectrum[21])
	}
}

func TestTooLittleSpeechIsNoBand(t *testing.T) {
	if r := measure(t, 16000, dsptest.Noise(10*16000, -40, 1)); r.Tilt.Valid() || r.Edge.Valid() || r.Spectrum[5].Valid() {
		t.Errorf("of noise: %+v", r)
	}
}

func TestGainMovesTheSpectrumAndNoRatio(t *testing.T) {
	x := talk(t, "agent-1", 16000)
	a, b := measure(t, 16000, x), measure(t, 16000, dsptest.Gain(x, -14))
	if math.Abs(float64(a.HighLow-b.HighLow)) > 0.5 || math.Abs(float64(a.Rolloff-b.Rolloff)) > 0.5 || math.Abs(float64(a.Spectrum[8]-b.Spectrum[8])-14) > 0.5 {
		t.Errorf("%+v\n14 dB softer %+v", a, b)
	}
}

func TestBrokenSamplesDoNotPoison(t *testing.T) {
	x := talk(t, "agent-1", 16000)
	for i := 0; i < len(x); i += 16001 {
		x[i] = float32(math.NaN())
	}
	if r := measure(t, 16000, x); !r.HighLow.Valid() || !(r.HighLow > -28) {
		t.Errorf("%+v", r)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, metertest.Speech(t, "caller-1", 8000, 7))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, metertest.Speech(t, "agent-1", 16000, 1)[:320])
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) {
	m, _ := band.New(16000)
	s, _ := spectrum.New(16000)
	block := dsptest.Noise(320, -40, 1)
	s.Next(block)
	f := s.Next(block)
	b.ReportAllocs()
	for b.Loop() {
		m.Process(f, true, false)
	}
}

func TestKeysPressedInAPauseAreNoNoise(t *testing.T) {
	const rate = 16000
	speech := metertest.Speech(t, "agent-1", rate, 20)
	keys := dsptest.AddNoise(dsptest.DTMF("01234567890123456789", rate, -12), -75, 1)
	plain, err := newRig(rate)
	keyed, _ := newRig(rate)
	if err != nil {
		t.Fatal(err)
	}
	plain.feed(slices.Concat(speech, make([]float32, len(keys))))
	keyed.feed(slices.Concat(speech, keys))
	want, got := plain.Result(), keyed.Result()
	if !got.HighLow.Valid() || math.Abs(float64(got.HighLow-want.HighLow)) > 1 || math.Abs(float64(got.Rolloff-want.Rolloff)) > 1 {
		t.Errorf("highs %.1f dB and roll-off %.1f dB, without keys %.1f and %.1f", got.HighLow, got.Rolloff, want.HighLow, want.Rolloff)
	}
}
