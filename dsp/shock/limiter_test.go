package shock_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/shock"
)

const rate = 8000

func newLimiter(t testing.TB, rate int) *shock.Limiter {
	t.Helper()
	l, err := shock.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hear sends x through a limiter that expects a talker at a level, in frames of 20 ms, and
// gives what comes out and how often each kind began.
func hear(t testing.TB, x []float32, rate int, level float64) (y []float32, began map[shock.Kind]int) {
	t.Helper()
	l := newLimiter(t, rate)
	l.Expect(level)
	y, began = slices.Clone(x), map[shock.Kind]int{}
	for at := 0; at < len(y); at += rate / 50 {
		frame := y[at:min(len(y), at+rate/50)]
		before := slices.Clone(frame)
		r := l.Process(frame)
		if r.Began != shock.Nothing {
			began[r.Began]++
		}
		if !r.Changed && !slices.Equal(frame, before) {
			t.Fatal("a frame was changed and not said to be")
		}
	}
	return y, began
}

// loudest gives the power of the loudest 5 ms of x, in dBov.
func loudest(x []float32) float64 {
	most := 0.0
	for at := 0; at+40 <= len(x); at += 40 {
		sum := 0.0
		for _, v := range x[at : at+40] {
			sum += float64(v) * float64(v)
		}
		most = max(most, sum/40)
	}
	return dsp.PowerDBov(most)
}

func rms(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return dsp.PowerDBov(sum / float64(len(x)))
}

func TestSpeechPassesToTheLastBit(t *testing.T) {
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		for _, rate := range []int{8000, 16000} {
			for _, gain := range []float64{-10, 0, 2} {
				x := dsptest.Overdrive(metertest.Speech(t, name, rate, 0), gain, 1)
				if y, began := hear(t, x, rate, -22+gain); !slices.Equal(x, y) {
					t.Errorf("%s at %d Hz, %+.0f dB: changed, because of %v", name, rate, gain, began)
				}
			}
		}
	}
}

func TestABurstIsLimitedWhereverItComes(t *testing.T) {
	speech := metertest.Speech(t, "caller-1", rate, 10)
	const level = -22.0
	for at := 4 * rate; at < 4*rate+160; at += 13 { // anywhere in a frame
		x := slices.Clone(speech)
		bang := dsptest.Noise(rate/2, level+20, 7)
		for i, v := range bang {
			x[at+i] = max(-1, min(1, x[at+i]+v))
		}
		y, began := hear(t, x, rate, level)
		if began[shock.Burst] != 1 {
			t.Fatalf("burst at sample %d: %v began", at, began)
		}
		// At once within the limit of 5 ms; blocks of the test lie across those of the limiter,
		// and one that a burst begins in is only partly loud.
		if got := loudest(y[at+8 : at+len(bang)]); got > level+shock.BurstOverDB+2 {
			t.Errorf("burst at sample %d: %.1f dBov is left, the limit is %.1f", at, got, level+shock.BurstOverDB)
		}
		// After 60 ms within that of what lasts.
		if got := loudest(y[at+rate*60/1000 : at+len(bang)]); got > level+shock.LastingOverDB+2 {
			t.Errorf("burst at sample %d: %.1f dBov lasts, the limit is %.1f", at, got, level+shock.LastingOverDB)
		}
		if !slices.Equal(x[:at-160], y[:at-160]) {
			t.Errorf("burst at sample %d: speech before it was changed", at)
		}
		if rest := at + len(bang) + 2*rate; !slices.Equal(x[rest:], y[rest:]) {
			t.Errorf("burst at sample %d: two seconds after its end speech is not itself", at)
		}
	}
}

func TestNothingIsLouderThanTheAbsoluteLimit(t *testing.T) {
	for _, level := range []float64{-60, -22, -5, 0, math.NaN(), math.Inf(1)} {
		x := dsptest.Noise(2*rate, 3, 1)
		for i := range x {
			x[i] = max(-1, min(1, x[i]))
		}
		y, _ := hear(t, x, rate, level)
		if got := loudest(y); got > shock.BurstMostDBov+1 {
			t.Errorf("talker at %v: %.1f dBov is left, the limit is %.1f", level, got, shock.BurstMostDBov)
		}
		if got := rms(y[rate:]); got > shock.LastingMostDBov+1 {
			t.Errorf("talker at %v: %.1f dBov lasts, the limit is %.1f", level, got, shock.LastingMostDBov)
		}
	}
}

func TestTonesThatDoNotStopAreTurnedDown(t *testing.T) {
	sweep := func(from, to float64) []float32 { // an alarm, up and down twice a second
		y, phase := make([]float32, 3*rate), 0.0
		for i := range y {
			_, turn := math.Modf(float64(i) / rate * 2)
			phase += 2 * math.Pi * (from + (to-from)*math.Abs(2*turn-1)) / rate
			y[i] = float32(0.25 * math.Sin(phase))
		}
		return y
	}
	howl := dsptest.Tone(3*rate, rate, 2650, -3.01)
	for i := range howl {
		howl[i] *= float32(math.Pow(10, min(0, -40+100*float64(i)/rate)/20)) // 100 dB a second
	}
	for _, c := range []struct {
		name  string
		x     []float32
		kind  shock.Kind
		most  float64 // dBov, of the last second
		after float64 // s, after which it is
	}{
		{"fax calling", dsptest.Tone(rate/2, rate, 1100, -15), shock.FaxCalling, shock.ToneDBov, 0.15},
		{"fax answering", dsptest.AddNoise(dsptest.Tone(3*rate, rate, 2100, -13), -45, 1), shock.FaxAnswer, shock.ToneDBov, 0.15},
		{"smoke alarm", dsptest.Tone(3*rate, rate, 3100, -8), shock.Tone, shock.ToneDBov, 0.15},
		{"siren", sweep(950, 1500), shock.Tone, shock.ToneDBov, 0.4},
		{"howl", howl, shock.Howl, shock.ToneDBov, 0.6},
		{"low hoot", dsptest.Tone(3*rate, rate, 500, -8), shock.Tone, shock.LowToneDBov, 0.4},
	} {
		y, began := hear(t, c.x, rate, -22)
		if began[c.kind] == 0 {
			t.Errorf("%s: %v began", c.name, began)
		}
		if got := rms(y[int(c.after*rate):]); got > c.most+1.5 {
			t.Errorf("%s: %.1f dBov is left, the limit is %.0f", c.name, got, c.most)
		}
	}
}

func TestAToneThatBecomesSofterIsNotTurnedDownTwice(t *testing.T) {
	x := dsptest.Tone(4*rate, rate, 2100, -13)
	for i := rate; i < len(x); i++ {
		x[i] *= 0.5
	}
	y, began := hear(t, x, rate, -22)
	if got := rms(y[3*rate:]); math.Abs(got-shock.ToneDBov) > 0.5 || began[shock.FaxAnswer] != 1 {
		t.Errorf("%.1f dBov is left, the limit is %.0f; %v began", got, shock.ToneDBov, began)
	}
}

// TestAModemIsTurnedDown has the answering side of V.21: 300 bit/s between 1650 and 1850 Hz.
func TestAModemIsTurnedDown(t *testing.T) {
	x, phase, bits := make([]float32, 4*rate), 0.0, uint32(0xace1)
	for i := range x {
		if i%27 == 0 {
			bits = bits>>1 ^ -(bits&1)&0xb400
		}
		hz := 1650.0
		if bits&1 == 1 {
			hz = 1850
		}
		phase += 2 * math.Pi * hz / rate
		x[i] = float32(0.2 * math.Sin(phase))
	}
	y, began := hear(t, x, rate, -22)
	if got := rms(y[rate:]); got > shock.ToneDBov+1.5 {
		t.Errorf("%.1f dBov is left, the limit is %.0f; %v began", got, shock.ToneDBov, began)
	}
}

func TestKeysRingingAndMusicPass(t *testing.T) {
	us := dsptest.Mix(dsptest.Tone(2*rate, rate, 440, -22), dsptest.Tone(2*rate, rate, 480, -22))
	for name, x := range map[string][]float32{
		"keys":              dsptest.DTMF("123A456B789C*0#D", rate, -14),
		"ringing":           dsptest.Tone(rate, rate, 425, -19),
		"American ringing":  us,
		"dialling tone":     dsptest.Mix(dsptest.Tone(4*rate, rate, 350, -20), dsptest.Tone(4*rate, rate, 440, -20)),
		"a faint 1 kHz":     dsptest.Tone(2*rate, rate, 1000, -31),
		"short beep":        dsptest.Tone(rate*8/100, rate, 1400, -20),
		"noise of the room": dsptest.Noise(4*rate, -40, 3),
	} {
		if y, began := hear(t, x, rate, -22); !slices.Equal(x, y) {
			t.Errorf("%s: changed, because of %v", name, began)
		}
	}
}

func TestALoudKeyIsStillAKey(t *testing.T) {
	y, _ := hear(t, dsptest.DTMF("159D", rate, -4), rate, -30)
	d, err := dtmf.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, k := range d.Flush(d.Process(nil, append(y, make([]float32, rate/4)...))) {
		got += string(k.Key)
	}
	if got != "159D" {
		t.Errorf("heard %q after the limiter, want 159D", got)
	}
}

// TestNoClick looks for what is spread over the spectrum when the gain moves: a tone of 400 Hz
// that is limited has nothing above 1 kHz but what a step of gain would put there.
func TestNoClick(t *testing.T) {
	x := dsptest.Tone(4*rate, rate, 400, -19) // a talker, so to speak
	for i := range x[:rate] {
		x[rate+i] *= 4 // 12 dB more for a second, from the middle of a period
	}
	x = append(make([]float32, 57), x...)
	high := func(x []float32) float64 { // what is above 1 kHz, without the edge of the burst itself
		y := slices.Clone(x)
		for range 4 { // 4 times a fourth-order high-pass by differences of a period
			for i := len(y) - 1; i >= 20; i-- {
				y[i] -= y[i-20] // 400 Hz and its multiples
			}
		}
		most := 0.0
		for i, v := range y {
			if at := i - 57; at > rate+400 && at < 2*rate-200 || at > 2*rate+400 {
				most = max(most, math.Abs(float64(v))/16)
			}
		}
		return dsp.AmplitudeDBov(most)
	}
	y, began := hear(t, x, rate, -40)
	if began[shock.Burst] == 0 {
		t.Fatal("it was not limited")
	}
	if got := high(y); got > -50 {
		t.Errorf("what is no tone peaks at %.1f dBov beside a tone at -19, a click would", got)
	}
}

func TestBrokenSamplesAndOddFrames(t *testing.T) {
	l := newLimiter(t, rate)
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), 1e30, -1e30}
	if r := l.Process(bad); !r.Changed || !slices.Equal(bad, make([]float32, 4)) {
		t.Errorf("broken samples became %v", bad)
	}
	l.Process(nil)
	speech := metertest.Speech(t, "caller-1", rate, 5)
	for at, n := 0, 1; at+n < len(speech); at, n = at+n, n%641+7 {
		part := slices.Clone(speech[at : at+n])
		if l.Process(part); !slices.Equal(part, speech[at:at+n]) {
			t.Fatalf("speech in frames of %d was changed", n)
		}
	}
}

func TestResetIsNew(t *testing.T) {
	x := dsptest.Noise(rate, -3, 9)
	l := newLimiter(t, rate)
	first := slices.Clone(x)
	l.Process(first)
	l.Reset()
	second := slices.Clone(x)
	l.Process(second)
	if !slices.Equal(first, second) {
		t.Error("after Reset it does something else")
	}
}

func TestImpossibleRatesAreRefused(t *testing.T) {
	for _, rate := range []int{0, -1, 7999, 96000} {
		if _, err := shock.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

func TestAFrameAllocatesNothing(t *testing.T) {
	l := newLimiter(t, rate)
	loud, speech := dsptest.Noise(160, -3, 1), metertest.Speech(t, "caller-1", rate, 1)[:160]
	frame := make([]float32, 160)
	if n := testing.AllocsPerRun(200, func() {
		copy(frame, loud)
		l.Process(frame)
		copy(frame, speech)
		l.Process(frame)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0xff, 0x80, 0}, uint16(160), int8(-22))
	f.Fuzz(func(t *testing.T, data []byte, size uint16, level int8) {
		l := newLimiter(t, rate)
		l.Expect(float64(level))
		x := make([]float32, len(data))
		for i, b := range data {
			x[i] = float32(int8(b)) / 100 // beyond full scale, too
		}
		for rest := x; len(rest) > 0; {
			n := min(len(rest), int(size)%1000+1)
			before := slices.Clone(rest[:n])
			r := l.Process(rest[:n])
			if !r.Changed && !slices.Equal(before, rest[:n]) {
				t.Fatal("changed and not said to be")
			}
			for i, v := range rest[:n] {
				if !(math.Abs(float64(v)) <= math.Abs(float64(before[i]))) || math.Signbit(float64(v)) != math.Signbit(float64(before[i])) && v != 0 {
					t.Fatalf("%v became %v", before[i], v)
				}
			}
			rest = rest[n:]
		}
	})
}

func BenchmarkSpeech(b *testing.B) {
	l, x := newLimiter(b, rate), metertest.Speech(b, "caller-1", rate, 8)
	frame := make([]float32, 160)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 160) % (len(x) - 160) {
		copy(frame, x[i:])
		l.Process(frame)
	}
}
