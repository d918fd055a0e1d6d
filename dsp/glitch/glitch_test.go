package glitch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/glitch"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

var meter = metertest.Meter[*glitch.Meter, glitch.Result]{New: glitch.New, Process: (*glitch.Meter).Process, Result: (*glitch.Meter).Result}

func speech(t testing.TB, name string, rate, seconds int) []float32 {
	t.Helper()
	return dsptest.Quantize(metertest.Speech(t, name, rate, seconds))
}

func measure(t *testing.T, rate int, x []float32) glitch.Result {
	t.Helper()
	return meter.Measure(t, rate, x)
}

// spots gives places in x, in the middle of sound, some 0.4 s apart, where a fault of n
// samples fits.
func spots(rate, n int, x []float32) []int {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	side := rate / 100
	var at []int
	for p := rate / 2; p+n+rate/2 < len(x); p += rate * 2 / 5 {
		q := p + rng.IntN(rate/5)
		if loud(x[q-side:q]) && loud(x[q+n:q+n+side]) {
			at = append(at, q)
		}
	}
	return at
}

func loud(x []float32) bool { return dsptest.RMS(x) > -40 }

// spoil damages x at its spots and says at how many.
func spoil(rate, n int, x []float32, damage func(x []float32, at int)) int {
	at := spots(rate, n, x)
	for _, q := range at {
		damage(x, q)
	}
	return len(at)
}

func TestDropOutsInSpeechAreFound(t *testing.T) {
	for _, rate := range []int{8000, 16000, 32000, 44100, 48000} {
		clean := speech(t, "agent-1", rate, 8)
		for _, ms := range []int{4, 30, 100} {
			n := rate * ms / 1000
			for name, damage := range map[string]func([]float32, int){
				"silent": func(x []float32, q int) { clear(x[q : q+n]) },
				"held": func(x []float32, q int) {
					for i := range n {
						x[q+i] = x[q-1]
					}
				},
				"with a click at its end": func(x []float32, q int) {
					clear(x[q : q+n])
					x[q+n] += 0.3
				},
			} {
				x := slices.Clone(clean)
				want := spoil(rate, n, x, damage)
				r := measure(t, rate, x)
				least := want - 1
				if name == "held" {
					least = want * 7 / 10 // a sample held at the top of a wave may as well be clipped
				}
				if r.Dropouts < least || r.Dropouts > want+1 {
					t.Errorf("%d Hz, %d ms, %s: %d drop-outs of %d found", rate, ms, name, r.Dropouts, want)
				}
				if r.Crackles > 1+want/10 {
					t.Errorf("%d Hz, %d ms, %s: %d edges read as crackle", rate, ms, name, r.Crackles)
				}
			}
		}
	}
}

func TestDropOutsInNoiseAreFound(t *testing.T) {
	for _, level := range []float64{-20, -45, -60} {
		x := dsptest.Noise(20*16000, level, 1)
		want := 0
		for q := 16000; q < len(x)-16000; q += 12345 {
			clear(x[q : q+80+want*7])
			want++
		}
		if r := measure(t, 16000, dsptest.Quantize(x)); r.Dropouts != want || r.Lost() != want {
			t.Errorf("noise at %.0f dBov: %d drop-outs of %d found", level, r.Dropouts, want)
		}
	}
}

func TestRepeatedBuffersAreFound(t *testing.T) {
	for _, c := range []struct{ rate, n int }{{8000, 80}, {16000, 80}, {16000, 256}, {16000, 320}, {32000, 320}, {44100, 441}, {48000, 256}, {48000, 960}} {
		x := metertest.Speech(t, "agent-1", c.rate, 20)
		want := spoil(c.rate, 2*c.n, x, func(x []float32, q int) { copy(x[q+c.n:q+2*c.n], x[q:q+c.n]) })
		if r := measure(t, c.rate, dsptest.Quantize(x)); float64(r.Repeats) < 0.75*float64(want) || r.Repeats > want {
			t.Errorf("%+v: %d repeats of %d found (%+v)", c, r.Repeats, want, r)
		}
	}
}

func TestClicksAreFound(t *testing.T) {
	for _, rate := range []int{16000, 48000} {
		clean := metertest.Speech(t, "agent-1", rate, 20)
		for _, n := range []int{3, 6, 12} {
			rng := rand.New(rand.NewPCG(uint64(n), 2))
			x := slices.Clone(clean)
			want := 0
			for q := rate; q+rate < len(x); q += rate/2 + rng.IntN(rate/4) {
				for i := range n {
					x[q+i] += float32(0.5 * (2*rng.Float64() - 1))
				}
				want++
			}
			r := measure(t, rate, dsptest.Quantize(x))
			if float64(r.Clicking()) < 0.6*float64(want) || r.Clicking() > want+1 {
				t.Errorf("%d Hz: %d clicks of %d samples out of %d found (%+v)", rate, r.Clicking(), n, want, r)
			}
		}
	}
}

func TestMissingSamplesAreFound(t *testing.T) {
	x := metertest.Speech(t, "agent-1", 16000, 20)
	want := spoil(16000, 160, x, func(x []float32, q int) { copy(x[q:], x[q+160:]) })
	if r := measure(t, 16000, dsptest.Quantize(x)); r.Slips < 2 || r.Slips+r.Crackles > want {
		t.Errorf("%d skips: %+v", want, r)
	}
}

func TestOrdinarySoundIsNoGlitch(t *testing.T) {
	for rate, seconds := range map[int]int{8000: 15, 16000: 0, 48000: 8} {
		sounds := map[string][]float32{
			"noise":  dsptest.Noise(10*rate, -30, 3),
			"keypad": keypad(rate),
			"keys":   keyboard(rate),
			"tone":   dsptest.Tone(3*rate, rate, 1000, -20),
			"fan":    dsptest.Fan(5*rate, rate, -35, 4),
			"hum":    dsptest.Hum(5*rate, rate, 50, -30, 5),
		}
		for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
			x := metertest.Speech(t, name, rate, seconds)
			sounds[name] = x
			switch name {
			case "agent-1":
				sounds["clipped"] = dsptest.Overdrive(x, 25, 0.5)
				sounds["loud"] = dsptest.Gain(x, 8)
				sounds["quiet"] = dsptest.Gain(x, -20)
			case "agent-2":
				sounds["gated"] = gated(rate, slices.Clone(x))
			case "agent-3":
				sounds["comfort noise"] = comfort(rate, slices.Clone(x))
			}
		}
		for name, x := range sounds {
			r := measure(t, rate, dsptest.Quantize(x))
			if r.Lost() > 0 || r.Clicking() > 1 || r.Dips > 3 {
				t.Errorf("%s at %d Hz: %+v", name, rate, r)
			}
		}
	}
}

// keypad presses the twelve keys for 60 ms each, 60 ms apart, over a little noise.
func keypad(rate int) []float32 {
	x := dsptest.Noise(6*rate, -70, 4)
	at := rate
	for range 3 {
		for i, low := range []float64{697, 770, 852, 941} {
			high := []float64{1209, 1336, 1477}[i%3]
			n := rate * 60 / 1000
			key := dsptest.Mix(dsptest.Tone(n, rate, low, -13), dsptest.Tone(n, rate, high, -13))
			for j, v := range key {
				x[at+j] += v
			}
			clear(x[at+n : at+2*n])
			at += 2 * n
		}
	}
	return x
}

// keyboard types: knocks that ring for some milliseconds at a few kilohertz over the
// thump of the case.
func keyboard(rate int) []float32 {
	rng := rand.New(rand.NewPCG(9, 9))
	x := dsptest.Noise(20*rate, -65, 5)
	for at := rate / 2; at+rate/2 < len(x); at += rate/12 + rng.IntN(rate/6) {
		decay := (0.003 + 0.006*rng.Float64()) * float64(rate)
		a := 0.02 + 0.2*rng.Float64()
		thump := 120 + 200*rng.Float64()
		for i := range rate / 10 {
			v := a * math.Exp(-float64(i)/decay) * rng.NormFloat64()
			v += a * math.Exp(-float64(i)/(4*decay)) * math.Sin(2*math.Pi*thump*float64(i)/float64(rate))
			x[at+i] += float32(v)
		}
	}
	return x
}

// gated lets through only what is louder than -45 dBov, and 100 ms after it: all or
// nothing, 10 ms at a time.
func gated(rate int, x []float32) []float32 {
	n, held := rate/100, 0
	for i := 0; i+n <= len(x); i += n {
		if held--; dsptest.RMS(x[i:i+n]) > -45 {
			held = 10
		}
		if held <= 0 {
			clear(x[i : i+n])
		}
	}
	return x
}

// comfort puts noise in place of pauses, 20 ms at a time.
func comfort(rate int, x []float32) []float32 {
	n := rate / 50
	hiss := dsptest.Noise(len(x), -62, 6)
	for i := 0; i+n <= len(x); i += n {
		if !loud(x[i : i+n]) {
			copy(x[i:i+n], hiss[i:i+n])
		}
	}
	return x
}

func TestWhatACodecLeavesOfAHoleIsADip(t *testing.T) {
	x := speech(t, "agent-1", 16000, 20)
	want := spoil(16000, 1600, x, func(x []float32, q int) {
		for i := range 1600 { // it sinks over 10 ms and comes back over as many
			x[q+i] *= float32(math.Exp(-float64(min(i, 1600-i)) / 16))
		}
	})
	if r := measure(t, 16000, x); r.Lost() > want/4 || r.Dips < want/4 {
		t.Errorf("%d holes: %+v", want, r)
	}
}

func TestWhatFollowsAGapIsNotJudged(t *testing.T) {
	x := dsptest.Noise(16000, -30, 1)
	clear(x[800:1000])
	x[1400] = 0.9
	m := meter.Make(t, 16000)
	m.Process(dsptest.Noise(16000, -30, 2))
	m.Gap()
	m.Process(x)
	if r := m.Result(); r.Lost() > 0 || r.Crackles > 0 {
		t.Errorf("%+v", r)
	}
	r := m.Result() // nor is the very start judged
	if r.Seconds != 2 || math.Abs(r.Judged-2*(1-0.120)) > 1e-9 || math.Abs(r.ClicksJudged-2*(1-0.269)) > 1e-9 {
		t.Errorf("heard, judged, judged for clicks %v %v %v, want 2, 1.76, 1.462 s", r.Seconds, r.Judged, r.ClicksJudged)
	}
}

func TestEventsSayWhereAndHowLong(t *testing.T) {
	x := dsptest.Noise(4*16000, -45, 1)
	clear(x[20000:20400])
	x[40000] += 0.8
	x[40001] -= 0.8
	m := meter.Make(t, 16000)
	m.Process(x)
	var got []glitch.Event
	for e, ok := m.Event(); ok; e, ok = m.Event() {
		got = append(got, e)
	}
	if len(got) != 2 || got[0].Kind != glitch.Dropout || got[1].Kind != glitch.Crackle {
		t.Fatalf("%+v", got)
	}
	if math.Abs(got[0].At-1.25) > 0.001 || math.Abs(got[0].Length-0.025) > 0.001 || math.Abs(got[1].At-2.5) > 0.001 {
		t.Errorf("%+v", got)
	}
}

func TestBrokenSamplesPoisonNothing(t *testing.T) {
	x := dsptest.Noise(16000, -30, 1)
	for i := 100; i < 2000; i += 50 {
		x[i], x[i+1] = float32(math.NaN()), float32(math.Inf(1))
	}
	x = append(x, dsptest.Noise(32000, -30, 2)...)
	clear(x[32000:32200])
	if r := measure(t, 16000, x); r.Dropouts != 1 {
		t.Errorf("%+v", r)
	}
}

// readers are voices with a room's noise that Debian has.
var readers = []string{
	"/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
	"/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
}

func TestHolesOfFortyDecibelsInAVoiceAreFound(t *testing.T) {
	for _, path := range readers {
		x, rate := metertest.Recording(t, path)
		n := rate * 30 / 1000
		want := spoil(rate, n, x, func(x []float32, q int) {
			for i := range n {
				x[q+i] *= 0.01
			}
		})
		if r := measure(t, rate, dsptest.Quantize(x)); float64(r.Lost()) < 0.6*float64(want) || r.Lost() > want {
			t.Errorf("%s: %d of %d holes found: %+v", path, r.Lost(), want, r)
		}
	}
}

// A synthetic voice without noise is cut off at its consonants as if by a fault, and is
// silent in them.
func TestASyntheticVoiceThatPausesInSilenceLosesNothing(t *testing.T) {
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		x := metertest.Speech(t, name, 16000, 0)
		for i, v := range x {
			if math.Abs(float64(v)) < 0.001 {
				x[i] = 0
			}
		}
		if r := measure(t, 16000, dsptest.Quantize(x)); r.Lost() > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTheFirstDropOutsCountUntilSilenceShowsThatTheSourceHasNoFloor(t *testing.T) {
	x := dsptest.Noise(4*16000, -30, 2)
	clear(x[16000:16320])
	if r := measure(t, 16000, x); r.Lost() != 1 {
		t.Errorf("a hole in noise: %+v", r)
	}
	clear(x[32000:40000])
	if r := measure(t, 16000, x); r.Lost() != 0 || r.Doubtful != 1 {
		t.Errorf("a hole in what pauses in silence: %+v", r)
	}
}

func TestAKeypadBehindG711LosesNothing(t *testing.T) {
	x := keypad(8000)
	for i, v := range x {
		x[i] = alaw(v)
	}
	if r := measure(t, 8000, x); r.Lost() > 0 || r.Doubtful > 0 || r.Dips > 0 {
		t.Errorf("%+v", r)
	}
}

// The steps of A-law are higher than a quiet room: behind it every pause is silent in pieces.
func TestASoftVoiceBehindG711LosesNothing(t *testing.T) {
	for _, name := range []string{"agent-1", "agent-2", "caller-1"} {
		x := dsptest.Gain(metertest.Speech(t, name, 8000, 0), -12)
		for i, v := range x {
			x[i] = alaw(v)
		}
		m, err := glitch.New(8000)
		if err != nil {
			t.Fatal(err)
		}
		m.Coarse(true)
		m.Process(x)
		if r := m.Result(); r.Lost() > 0 || r.Dips > 3 || r.Crackles > 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// alaw takes a sample through A-law (ITU-T G.711): 16 steps an octave.
func alaw(v float32) float32 {
	_, octave := math.Frexp(math.Abs(float64(v)))
	step := math.Ldexp(1, max(octave, -6)-5)
	return float32((math.Floor(float64(v)/step) + 0.5) * step)
}

func TestInstalledVoicesHaveNoGlitches(t *testing.T) {
	for _, path := range readers {
		x, rate := metertest.Recording(t, path)
		if r := measure(t, rate, x); r.Lost() > 0 || r.Crackles > 0 {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := speech(t, "caller-1", 16000, 3)
	clear(x[20000:20200])
	copy(x[30160:30320], x[30000:30160])
	x[40000] += 0.7
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 16000, x)
}

func TestProcessDoesNotAllocate(t *testing.T) {
	x := speech(t, "agent-2", 16000, 4)
	for q := 2000; q+4000 < len(x); q += 4000 {
		clear(x[q : q+100])
		x[q+2000] += 0.5
	}
	m := meter.Make(t, 16000)
	at := 0
	if n := testing.AllocsPerRun(190, func() { m.Process(x[at : at+320]); m.Result(); m.Event(); at += 320 }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkSpeech(b *testing.B) {
	for _, rate := range []int{8000, 16000, 48000} {
		b.Run(map[int]string{8000: "8kHz", 16000: "16kHz", 48000: "48kHz"}[rate], func(b *testing.B) {
			x := speech(b, "agent-1", rate, 15)
			m := meter.Make(b, rate)
			b.ReportAllocs()
			n, at := rate/50, 0
			for b.Loop() {
				m.Process(x[at : at+n])
				if at += n; at+n > len(x) {
					at = 0
				}
			}
		})
	}
}
