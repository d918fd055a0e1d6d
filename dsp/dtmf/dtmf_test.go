package dtmf_test

import (
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

const (
	rate = 8000
	keys = "123A456B789C*0#D"
	// A tone of 0 dBm0 is 3.14 dB below the loudest one that A-law carries (G.711), whose
	// amplitude is 1.
	overload = 3.14
)

var low, high = [4]float64{697, 770, 852, 941}, [4]float64{1209, 1336, 1477, 1633}

// press is one key as a telephone sends it.
type press struct {
	key        byte
	ms, gap    float64
	dBm0       float64 // of the low tone
	twist      float64 // dB, the high tone over the low one
	stray      float64 // of both frequencies
	strayOfLow float64 // more of the low one
}

func sound(presses []press) []float32 {
	out := make([]float32, rate/10)
	for i, p := range presses {
		k := strings.IndexByte(keys, p.key)
		a := math.Pow(10, (p.dBm0-overload)/20)
		b := a * math.Pow(10, p.twist/20)
		f1, f2 := low[k/4]*(1+p.stray+p.strayOfLow), high[k%4]*(1+p.stray)
		phase := float64(i)
		for n := range int(p.ms * rate / 1000) {
			t := float64(n) / rate
			out = append(out, float32(a*math.Sin(2*math.Pi*f1*t+phase)+b*math.Sin(2*math.Pi*f2*t+2*phase)))
		}
		out = append(out, make([]float32, int(p.gap*rate/1000))...)
	}
	return append(out, make([]float32, rate/10)...)
}

// noisy adds white noise so many dB below the tones of a press at dBm0.
func noisy(pcm []float32, dBm0, snr float64, seed uint64) []float32 {
	random := rand.New(rand.NewPCG(seed, 1))
	sigma := math.Pow(10, (dBm0-overload-snr)/20) // two tones of amplitude a have the power a²
	out := make([]float32, len(pcm))
	for i, x := range pcm {
		out[i] = x + float32(sigma*random.NormFloat64())
	}
	return out
}

func hear(t *testing.T, pcm []float32, chunk int) []dtmf.Digit {
	t.Helper()
	d, err := dtmf.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	var out []dtmf.Digit
	for len(pcm) > 0 {
		n := min(chunk, len(pcm))
		out = d.Process(out, pcm[:n])
		pcm = pcm[n:]
	}
	return d.Flush(out)
}

func text(digits []dtmf.Digit) string {
	var b strings.Builder
	for _, d := range digits {
		b.WriteByte(d.Key)
	}
	return b.String()
}

func all(p press) []press {
	var out []press
	for _, k := range []byte(keys) {
		p.key = k
		out = append(out, p)
	}
	return out
}

func TestEveryKeyIsHeardWithinTheLimitsOfQ24(t *testing.T) {
	for _, p := range []press{
		{ms: 40, gap: 40, dBm0: -6},
		{ms: 40, gap: 40, dBm0: 0},
		{ms: 40, gap: 40, dBm0: -25},
		{ms: 100, gap: 60, dBm0: -10, twist: 4},
		{ms: 100, gap: 60, dBm0: -10, twist: -8},
		{ms: 40, gap: 40, dBm0: -10, stray: 0.015},
		{ms: 40, gap: 40, dBm0: -10, stray: -0.015},
		{ms: 40, gap: 40, dBm0: -20, stray: -0.015, strayOfLow: 0.03},
		{ms: 2000, gap: 200, dBm0: -10},
	} {
		for _, snr := range []float64{60, 15} {
			pcm := noisy(sound(all(p)), p.dBm0+10*math.Log10((1+math.Pow(10, p.twist/10))/2), snr, uint64(p.ms))
			digits := hear(t, pcm, 160)
			if got := text(digits); got != keys {
				t.Errorf("%+v at %v dB over noise: heard %s", p, snr, got)
				continue
			}
			for i, d := range digits {
				at := 0.1 + float64(i)*(p.ms+p.gap)/1000
				if math.Abs(d.At-at) > 0.015 || math.Abs(d.Seconds-p.ms/1000) > 0.02 {
					t.Errorf("%+v: %+v, wanted %.3f s for %.3f s", p, d, at, p.ms/1000)
				}
			}
		}
	}
}

func TestAThousandDigitsAtFifteenDecibelsOverNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, dBm0 := range []float64{0, -5, -10, -15, -20, -25} { // of the weaker tone, or at 0 of the stronger
		var presses []press
		var want strings.Builder
		for range 1000 {
			p := press{key: keys[random.IntN(16)], ms: 40 + 60*random.Float64(), gap: 40 + 60*random.Float64(), dBm0: dBm0,
				twist: -8 + 12*random.Float64(), stray: 0.03*random.Float64() - 0.015}
			if dBm0 > -10 {
				p.dBm0 -= max(p.twist, 0)
			} else {
				p.dBm0 -= min(p.twist, 0)
			}
			presses = append(presses, p)
			want.WriteByte(p.key)
		}
		digits := hear(t, noisy(sound(presses), dBm0, 15, 9), 160)
		if got := text(digits); got != want.String() {
			t.Errorf("at %v dBm0 %d of 1000 were heard, or others", dBm0, len(got))
		}
	}
}

func TestWhatIsNoDigitIsNotHeard(t *testing.T) {
	for _, p := range []press{
		{ms: 20, gap: 60, dBm0: -10},
		{ms: 100, gap: 60, dBm0: -10, stray: 0.035},
		{ms: 100, gap: 60, dBm0: -10, stray: -0.035},
		{ms: 100, gap: 60, dBm0: -36},
		{ms: 100, gap: 60, dBm0: -20, twist: 14},
		{ms: 100, gap: 60, dBm0: -6, twist: -16},
	} {
		if got := text(hear(t, sound(all(p)), 160)); got != "" {
			t.Errorf("%+v: heard %s", p, got)
		}
	}
	tones := make([]float32, 4*rate)
	for i := range tones { // dial tone, and one tone of a pair alone
		x := float64(i) / rate
		tones[i] = float32(0.2*math.Sin(2*math.Pi*350*x) + 0.2*math.Sin(2*math.Pi*440*x))
		if i > 2*rate {
			tones[i] = float32(0.3 * math.Sin(2*math.Pi*1336*x))
		}
	}
	if got := text(hear(t, tones, 160)); got != "" {
		t.Errorf("heard %s in other tones", got)
	}
}

func TestAKeyHeldThroughAShortBreakIsOnePress(t *testing.T) {
	p := sound([]press{{key: '5', ms: 200, dBm0: -10}})
	for i := range 8 * rate / 1000 {
		p[rate/10+rate/10+i] = 0 // 8 ms of nothing, halfway
	}
	if got := text(hear(t, p, 160)); got != "5" {
		t.Errorf("heard %q", got)
	}
}

func TestNobodysVoiceIsADigit(t *testing.T) {
	files, err := filepath.Glob("../../testdata/speech/*.wav")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		pcm, from, err := testdata.Samples(strings.TrimSuffix(filepath.Base(file), ".wav"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := dtmf.New(from)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Process(nil, pcm); len(got) > 0 {
			t.Errorf("%s: %v", file, got)
		}
	}
}

// voices is a folder of speech, such as the one that make accuracy leaves in build/voices:
//
//	go test ./dsp/dtmf -run Hours -v -args -voices $PWD/build/voices
var voices = flag.String("voices", "", "listen to the speech in this folder, at five speeds")

func TestNoDigitInHoursOfSpeech(t *testing.T) {
	if *voices == "" {
		t.Skip("no folder of speech is named")
	}
	var seconds float64
	err := filepath.WalkDir(*voices, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".wav") {
			return err
		}
		clip, err := wavfile.Open(path)
		if err != nil || clip.Rate > 40000 { // nothing in it, or too fast for the detector at the highest speed
			t.Logf("left out: %s: %v", path, err)
			return nil
		}
		pcm := clip.Mono()
		for speed := 100; speed <= 120; speed += 5 { // five people of each
			hz := clip.Rate * speed / 100 / 200 * 200
			d, err := dtmf.New(hz)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			for _, digit := range d.Flush(d.Process(nil, pcm)) {
				t.Errorf("%s at %d %%: %c for %.3f s at %.2f s", path, speed, digit.Key, digit.Seconds, digit.At)
			}
			seconds += float64(len(pcm)) / float64(hz)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f hours of speech", seconds/3600)
}

func TestDigitsDoNotDependOnHowTheSamplesCome(t *testing.T) {
	pcm := noisy(sound(all(press{ms: 50, gap: 50, dBm0: -15})), -15, 20, 3)
	want := fmt.Sprint(hear(t, pcm, len(pcm)))
	for _, chunk := range []int{1, 7, 160, 333} {
		if got := fmt.Sprint(hear(t, pcm, chunk)); got != want {
			t.Errorf("by %d: %s, wanted %s", chunk, got, want)
		}
	}
}

func TestRatesThatAreNoneAreRefused(t *testing.T) {
	for _, r := range []int{0, -8000, 7999, 11025, 96000} {
		if _, err := dtmf.New(r); err == nil {
			t.Errorf("%d Hz is taken", r)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte{0, 1, 2, 255, 128})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := dtmf.New(rate)
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]float32, len(data))
		for i, b := range data {
			pcm[i] = (float32(b) - 128) / 128
			if b == 255 {
				pcm[i] = float32(math.NaN())
			}
		}
		for _, digit := range d.Flush(d.Process(nil, pcm)) {
			if !strings.Contains(keys, string(digit.Key)) || digit.Seconds <= 0 || digit.At < 0 {
				t.Errorf("%+v", digit)
			}
		}
	})
}

func BenchmarkASecond(b *testing.B) {
	d, err := dtmf.New(rate)
	if err != nil {
		b.Fatal(err)
	}
	pcm := noisy(make([]float32, rate), -10, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		d.Process(nil, pcm)
	}
}
