package dsptest_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
)

const rate = 16000

// band is the level of x between two frequencies.
func band(x []float32, low, high float64) float64 { return rms(dsptest.BandPass(x, rate, low, high)) }

func TestEveryNoiseHasTheLevelAsked(t *testing.T) {
	n := 4 * rate
	voices := [][]float32{dsptest.Noise(rate, -20, 1), dsptest.Noise(2*rate, -26, 2)}
	for name, x := range map[string][]float32{
		"pink":   dsptest.Pink(n, -40, 1),
		"fan":    dsptest.Fan(n, rate, -40, 1),
		"babble": dsptest.Babble(voices, n, rate, 7, -40, 1),
		"wind":   dsptest.Wind(n, rate, -40, 1),
		"hum":    dsptest.Hum(n, rate, 50, -40, 1),
		"level":  dsptest.ToLevel(dsptest.Noise(n, -3, 1), -40),
	} {
		if got := rms(x); len(x) != n || math.Abs(got+40) > 0.05 {
			t.Errorf("%s: %d samples at %.2f dBov", name, len(x), got)
		}
	}
	if got := rms(dsptest.Babble(nil, n, rate, 7, -40, 1)); !math.IsInf(got, -1) {
		t.Errorf("babble of nobody at %.1f dBov", got)
	}
}

func TestPinkFallsThreeDecibelsAnOctave(t *testing.T) {
	x := dsptest.Pink(20*rate, -20, 3)
	if d := band(x, 200, 400) - band(x, 1600, 3200); math.Abs(d) > 1.2 {
		t.Errorf("octaves three apart differ by %.1f dB", d)
	}
}

func TestBuzzComesInBursts(t *testing.T) {
	for _, radio := range []dsptest.Radio{dsptest.GSM(), dsptest.DECT()} {
		x := dsptest.Buzz(60*rate, rate, radio, 0.4, -30, 2)
		var sounding []float32
		frames := 0
		for i := 0; i+320 <= len(x); i += 320 {
			frames++
			if slices.Max(x[i:i+320]) > 0 {
				sounding = append(sounding, x[i:i+320]...)
			}
		}
		if share := float64(len(sounding)) / float64(320*frames); share < 0.25 || share > 0.55 {
			t.Errorf("%.0f Hz: sounds %.0f %% of the time", radio.FrameHz, 100*share)
		}
		if got := rms(sounding); math.Abs(got+30) > 0.5 {
			t.Errorf("%.0f Hz: %.1f dBov while it sounds", radio.FrameHz, got)
		}
	}
}

func TestLowPassTakesThreeDecibelsAtItsCorner(t *testing.T) {
	for order := 1; order <= 8; order++ {
		corner := dsptest.LowPass(dsptest.Tone(2*rate, rate, 1000, -10), rate, 1000, order)
		if got := rms(corner[rate:]) + 10; math.Abs(got+3.01) > 0.05 {
			t.Errorf("order %d: %.2f dB at the corner", order, got)
		}
		above := dsptest.LowPass(dsptest.Tone(2*rate, rate, 2000, -10), rate, 1000, order)
		if got := rms(above[rate:]) + 10; got > -6*float64(order)+1 {
			t.Errorf("order %d: %.1f dB an octave above", order, got)
		}
	}
}

// speechLike is a second of tone and a second of near silence, in turn.
func speechLike(seconds int) []float32 {
	x := dsptest.Tone(seconds*rate, rate, 300, -20)
	for i := range x {
		if i/rate%2 == 1 {
			x[i] *= 0.001
		}
	}
	return x
}

func TestPlacesAreInsideSpeechAndApart(t *testing.T) {
	x := speechLike(20)
	places := dsptest.Spoken(x, rate, 12, 0.4, 5)
	if len(places) != 12 {
		t.Fatalf("%d places", len(places))
	}
	for i, at := range places {
		if at/rate%2 == 1 || i > 0 && at-places[i-1] < rate*4/10 {
			t.Errorf("place %d at %d", i, at)
		}
	}
	if got := dsptest.Anywhere(len(x), rate, 1000, 1, 5); len(got) < 8 || len(got) > 20 {
		t.Errorf("%d places a second apart in 20 s", len(got))
	}
	if !slices.Equal(places, dsptest.Spoken(x, rate, 12, 0.4, 5)) {
		t.Error("places do not follow their seed")
	}
}

func TestGlitchesTouchOnlyTheirPlaces(t *testing.T) {
	x := dsptest.Noise(rate, -20, 1)
	places := []int{4000, 12000}
	for name, y := range map[string][]float32{
		"zeros":   dsptest.DropOut(x, places, 320, dsptest.Zeros),
		"faded":   dsptest.DropOut(x, places, 320, dsptest.Faded),
		"held":    dsptest.DropOut(x, places, 320, dsptest.HeldSample),
		"dip":     dsptest.DropOut(x, places, 320, dsptest.Attenuated),
		"crackle": dsptest.Crackle(x, rate, places, 4, 0.5, 1),
		"repeat":  dsptest.Repeat(x, places, 160, 2),
	} {
		changed := 0
		for i := range x {
			near := i >= 4000 && i < 4000+700 || i >= 12000 && i < 12000+700
			switch {
			case x[i] == y[i]:
			case near:
				changed++
			default:
				t.Fatalf("%s: sample %d changed", name, i)
			}
		}
		if changed < 6 || len(y) != len(x) {
			t.Errorf("%s: %d samples changed", name, changed)
		}
	}
	for _, by := range []int{40, -40} {
		y := dsptest.Slip(x, places, by)
		if len(y) != len(x) || !slices.Equal(y[4000:11000], x[4000+by:11000+by]) {
			t.Errorf("slip by %d", by)
		}
	}
	if y := dsptest.Freeze(dsptest.Silence(x, 0, 100), 200, 300); y[50] != 0 || y[299] != x[200] || y[300] != x[300] {
		t.Error("silence or freeze at the wrong place")
	}
}

func TestPumpAndEchoHaveTheSizeAsked(t *testing.T) {
	x := dsptest.Tone(120*rate, rate, 500, -20)
	y := dsptest.Pump(x, rate, 6, 20, 1)
	low, high := 0.0, -100.0
	for at := 0; at < len(y); at += rate {
		l := rms(y[at : at+rate])
		low, high = min(low, l), max(high, l)
	}
	if math.Abs(low+26) > 0.5 || math.Abs(high+14) > 0.5 {
		t.Errorf("swings from %.1f to %.1f dBov", low, high)
	}
	e := dsptest.Echo(dsptest.Noise(5*rate, -20, 2), rate, 0.2, 30, 3)
	if got := rms(e); math.Abs(got+50) > 0.05 {
		t.Errorf("echo at %.2f dBov", got)
	}
	for i, v := range e[:rate/5] {
		if v > 1e-9 || v < -1e-9 {
			t.Fatalf("echo begins at sample %d", i)
		}
	}
}

func TestLimiterFlattensNothing(t *testing.T) {
	x := dsptest.Gain(dsptest.Noise(2*rate, -12, 4), 6)
	y := dsptest.Limit(x, rate, -3)
	top := float32(math.Pow(10, -3.0/20))
	for i, v := range y {
		if v > top || v < -top {
			t.Fatalf("%v is past the ceiling", v)
		}
		if i > 0 && v == y[i-1] && (v == top || v == -top) {
			t.Fatalf("samples %d and %d are flat", i-1, i)
		}
	}
}

func TestGateCompressorAndAGCDoTheirWork(t *testing.T) {
	x := speechLike(20)
	gated := dsptest.Gate(x, rate, -45, 30)
	if got := rms(gated[rate*3/2:rate*2]) - rms(x[rate*3/2:rate*2]); math.Abs(got+30) > 1 {
		t.Errorf("gate takes %.1f dB", got)
	}
	if got := rms(dsptest.Compress(x, rate, -30, 4)[rate/2 : rate]); got > -26.5 || got < -30 {
		t.Errorf("compressed 4:1 over -30: %.1f dBov", got)
	}
	if got := rms(dsptest.AGC(x, rate, -30)[18*rate : 19*rate]); math.Abs(got+30) > 2 {
		t.Errorf("AGC leaves %.1f dBov", got)
	}
}

func TestLossComesInBurstsOfTheLengthAsked(t *testing.T) {
	lost := dsptest.Loss(200000, 0.05, 3, 1)
	n, bursts := 0, 0
	for i, l := range lost {
		if l {
			n++
			if i == 0 || !lost[i-1] {
				bursts++
			}
		}
	}
	if share, length := float64(n)/200000, float64(n)/float64(bursts); math.Abs(share-0.05) > 0.005 || math.Abs(length-3) > 0.2 {
		t.Errorf("%.3f lost in bursts of %.2f", share, length)
	}
}

func TestKeysAndPuffsAreHeard(t *testing.T) {
	if keys := dsptest.Keyboard(10*rate, rate, 5, 0.1, 1); rms(keys) < -60 || slices.Max(keys) > 0.25 {
		t.Errorf("keyboard at %.1f dBov, peak %.2f", rms(keys), slices.Max(keys))
	}
	quiet := make([]float32, rate)
	if puff := dsptest.Plosives(quiet, rate, []int{2000}, 0.3, 1); slices.Max(puff) < 0.03 || band(puff, 500, 4000) > -55 {
		t.Errorf("plosive: peak %.2f, %.1f dBov above 500 Hz", slices.Max(puff), band(puff, 500, 4000))
	}
	if air := dsptest.Breath(quiet, rate, []int{12000}, -40, 1); rms(air) > -42 || rms(air) < -50 || air[13000] != 0 {
		t.Errorf("breath at %.1f dBov", rms(air))
	}
	tones := dsptest.DTMF("5 #", rate, -10)
	if got := rms(tones[:1600]); len(tones) != 3*2880 || math.Abs(got+10) > 0.3 || rms(tones[2880:2*2880]) > -100 {
		t.Errorf("keypad at %.1f dBov", got)
	}
}
