package audio

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writeWAV makes a file of interleaved samples.
func writeWAV(t testing.TB, rate, bits, channels int, pcm ...float32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.wav")
	w, err := wavfile.Create(path, wavfile.Format{Rate: rate, Channels: channels, Bits: bits, Float: bits == 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(pcm), w.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileIsSpokenInRealTimeAndOverAgain(t *testing.T) {
	// 150 samples more than whole frames: the loop must not click or slip.
	data := make([]float32, 8000+150)
	for i := range data {
		data[i] = float32(i) / 32768
	}
	source, err := OpenWAV(writeWAV(t, 8000, 16, 1, data...))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second-time.Millisecond)
		defer cancel()
		n := 0
		err := source.Run(ctx, func(frame []float32, mark dsp.Mark) {
			for _, v := range frame {
				if want := data[n%len(data)]; v != want || mark != 0 {
					t.Fatalf("sample %d is %g (mark %v), want %g", n, v, mark, want)
				}
				n++
			}
			// Whoever takes the frame needs time too; that must not add up.
			time.Sleep(time.Duration(n%7) * time.Millisecond)
		})
		if err != nil || n != 60*8000 {
			t.Errorf("%d samples in 60 s, want %d; %v", n, 60*8000, err)
		}
	})
}

func TestComputerThatSleptDoesNotRushAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second-time.Millisecond)
		defer cancel()
		n := 0
		_ = everyFrame(ctx, func() error {
			if n++; n == 1 {
				time.Sleep(time.Minute)
			}
			return nil
		})
		if n < 500 || n > 502 {
			t.Errorf("%d frames in 10 s after the sleep, want 500", n)
		}
	})
}

func TestEveryWidthAndChannelCountIsRead(t *testing.T) {
	for _, c := range []struct {
		bits, channels int
		data           []float32
		want           float32
	}{
		{8, 1, []float32{0.5}, 0.5},
		{16, 1, []float32{0.5}, 0.5},
		{16, 2, []float32{0.5, 0}, 0.25},
		{24, 1, []float32{-0.5}, -0.5},
		{32, 2, []float32{0.5, 0.5}, 0.5},
		{64, 1, []float32{1.5}, 1}, // a float beyond full scale is clipped
	} {
		s, err := OpenWAV(writeWAV(t, 16000, c.bits, c.channels, c.data...))
		if err != nil {
			t.Errorf("%d bits, %d channels: %v", c.bits, c.channels, err)
			continue
		}
		if len(s.pcm) != 1 || s.pcm[0] != c.want || s.Rate() != 16000 {
			t.Errorf("%d bits, %d channels: %v at %d Hz, want %v", c.bits, c.channels, s.pcm, s.Rate(), c.want)
		}
	}
}

func TestFilesThatCannotBeSpokenSayWhy(t *testing.T) {
	noise := filepath.Join(t.TempDir(), "noise.wav")
	if err := os.WriteFile(noise, []byte(strings.Repeat("RIFFWAVE", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "gone.wav"): "gone.wav",
		noise:                                  "not a WAV file",
		writeWAV(t, 22050, 16, 1, 0.1, 0.2):    "22050 Hz",
		writeWAV(t, 8000, 16, 1):               "no samples",
	} {
		if _, err := OpenWAV(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a word of %q", path, err, want)
		}
	}
	if _, err := NewWAVSink("x.wav", 12345); err == nil {
		t.Error("records at 12345 Hz")
	}
}

func TestWhatTheEarphonePlaysIsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ear.wav")
	sink, err := NewWAVSink(path, 16000)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-time.Millisecond)
		defer cancel()
		n := 0
		if err := sink.Run(ctx, func(frame []float32) {
			for i := range frame {
				frame[i] = float32(math.Sin(2 * math.Pi * 1000 * float64(n) / 16000)) // full scale
				if n == 7 {
					frame[i] = 2 // beyond: clipped, not wrapped
				}
				n++
			}
		}); err != nil {
			t.Fatal(err)
		}
	})
	s, err := OpenWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.pcm) != 16000 {
		t.Errorf("%d samples of 1 s", len(s.pcm))
	}
	for i, v := range s.pcm {
		want := math.Sin(2 * math.Pi * 1000 * float64(i) / 16000)
		if i == 7 {
			want = 1
		}
		if math.Abs(float64(v)-want) > 1.5/32768 {
			t.Fatalf("sample %d is %g, want %g", i, v, want)
		}
	}
	if sink, err := NewWAVSink(filepath.Join(t.TempDir(), "no", "such", "folder.wav"), 8000); err != nil {
		t.Error(err)
	} else if err := sink.Run(t.Context(), func([]float32) {}); err == nil {
		t.Error("recorded into a folder that is not there")
	}
}

func TestSilenceKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-time.Millisecond)
		defer cancel()
		silence := NewSilence(44100)
		var in, out int
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = silence.Source().Run(ctx, func(f []float32, _ dsp.Mark) { in += len(f) })
		})
		wg.Go(func() { _ = silence.Sink().Run(ctx, func(f []float32) { out += len(f) }) })
		wg.Wait()
		if in != 44100 || out != 44100 || silence.Rate() != 44100 {
			t.Errorf("%d in, %d out in a second", in, out)
		}
	})
}

func TestRingKeepsOrderBetweenTwoGoroutines(t *testing.T) {
	const total = 200_000
	r := NewRing(1000)
	if r.Cap() != 1024 {
		t.Errorf("capacity %d", r.Cap())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]float32, 700)
		for n := 0; n < total; {
			want := min(1+rand.IntN(len(buf)), total-n)
			for i := range want {
				buf[i] = float32(n + i)
			}
			n += r.Write(buf[:want]) // what does not fit is written again
			if r.Len() > r.Cap() {
				t.Error("holds more than it can")
			}
		}
	})
	buf := make([]float32, 300)
	for n := 0; n < total; {
		got := r.Read(buf[:1+rand.IntN(len(buf))])
		for _, v := range buf[:got] {
			if v != float32(n) {
				t.Fatalf("sample %d is %g", n, v)
			}
			n++
		}
	}
	wg.Wait()
	if allocs := testing.AllocsPerRun(100, func() { r.Write(buf); r.Read(buf) }); allocs != 0 {
		t.Errorf("%g allocations in a callback", allocs)
	}
}
