package talk_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/talk"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// A text and how many syllables it has, counted by hand.
const (
	text      = "Good morning, you are speaking with the service of the power company. I have found your contract. The last reading was taken in November, and the amount is forty seven euros. Shall I send you the letter again, or do you want to pay it now?"
	syllables = 63
)

func pace(t testing.TB, rate int, x []float32) *talk.Pace {
	t.Helper()
	s, err := spectrum.New(rate)
	v, err2 := vad.New(rate)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	p := talk.NewPace()
	x = metertest.HighPass(rate, x)
	for ; len(x) >= s.Hop(); x = x[s.Hop():] {
		f := s.Next(x[:s.Hop()])
		p.Process(f, v.Process(f, x[:s.Hop()]).Speech)
	}
	return p
}

func TestSyllablesOfKnownTextAreCounted(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	espeak, err := exec.LookPath("espeak-ng")
	if err != nil {
		t.Skip("espeak-ng is not installed")
	}
	for _, voice := range []string{"en-us", "en-gb+f3", "en-gb-scotland+m7"} {
		for _, speed := range []int{110, 150, 190, 240} {
			file := filepath.Join(t.TempDir(), "x.wav")
			if out, err := exec.CommandContext(t.Context(), espeak, "-v", voice, "-s", strconv.Itoa(speed), "-w", file, text).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			x, rate := metertest.Recording(t, file)
			p := pace(t, rate, x)
			if n := p.Syllables(); n < syllables*85/100 || n > syllables*115/100 {
				t.Errorf("%s at %d words a minute: %d syllables, want %d", voice, speed, n, syllables)
			}
			t.Logf("%s %d: %d, %.2f a second", voice, speed, p.Syllables(), p.PerSecond())
		}
	}
}

func TestPauseNoiseAndNothingHaveNoSyllables(t *testing.T) {
	t.Parallel()
	p := talk.NewPace()
	if p.PerSecond().Valid() || p.Syllables() != 0 {
		t.Error("a pace of nothing")
	}
	for range 1000 {
		p.Process(&spectrum.Frame{BinHz: 31.25, Power: make([]float32, 257)}, true)
	}
	if v := p.PerSecond(); v != 0 {
		t.Errorf("silence that is called speech: %.2f", v)
	}
	p.Reset()
	for range 1000 {
		p.Process(nil, false)
	}
	if p.PerSecond().Valid() {
		t.Error("a pace without speech")
	}
}

func TestPaceIsTheSameAtEveryRate(t *testing.T) {
	t.Parallel()
	want := float64(pace(t, 16000, metertest.Speech(t, "agent-2", 16000, 15)).PerSecond())
	for _, rate := range []int{8000, 44100, 48000} {
		if got := float64(pace(t, rate, metertest.Speech(t, "agent-2", rate, 15)).PerSecond()); got < want*0.88 || got > want*1.12 {
			t.Errorf("%d Hz: %.2f, want %.2f", rate, got, want)
		}
	}
}

func BenchmarkPace(b *testing.B) {
	p := talk.NewPace()
	f := &spectrum.Frame{BinHz: 31.25, Power: make([]float32, 257)}
	b.ReportAllocs()
	for b.Loop() {
		p.Process(f, true)
	}
}
