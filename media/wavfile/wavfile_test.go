package wavfile_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

func TestWhatIsWrittenIsReadBackToHalfAStep(t *testing.T) {
	want := []float32{0, 0.5, -0.5, 0.999, -1, 1.0 / 32768}
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := wavfile.Write(path, 16000, want); err != nil {
		t.Fatal(err)
	}
	c, err := wavfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Rate != 16000 || c.Channels != 1 || len(c.Samples) != len(want) {
		t.Fatalf("read back as %d Hz, %d channels, %d samples", c.Rate, c.Channels, len(c.Samples))
	}
	for i := range want {
		if math.Abs(float64(c.Samples[i]-want[i])) > 1.0/32768 {
			t.Errorf("sample %d: wrote %v, read %v", i, want[i], c.Samples[i])
		}
	}
}

func TestStereoBecomesTheMeanOfBothSides(t *testing.T) {
	c := wavfile.Clip{Channels: 2, Samples: []float32{1, 0, -1, -0.5}}
	if got := c.Mono(); len(got) != 2 || got[0] != 0.5 || got[1] != -0.75 {
		t.Errorf("mono is %v", got)
	}
}

func TestAFileThatIsNoWAVSaysSo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.wav")
	if err := os.WriteFile(path, []byte("this is not sound at all, just words in a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "not a WAV file", dir: "is a folder", filepath.Join(dir, "none.wav"): "no such file"} {
		if _, err := wavfile.Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, should contain %q", name, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range testdata.Names() {
		b, err := testdata.Speech(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:2000])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := wavfile.Decode(data)
		if err != nil {
			return
		}
		if c.Channels < 1 || len(c.Samples)%c.Channels != 0 || len(c.Samples) == 0 || len(c.Samples) > len(data) {
			t.Fatalf("%d bytes gave %d samples in %d channels", len(data), len(c.Samples), c.Channels)
		}
		for _, v := range c.Samples {
			if !(v >= -1.01 && v <= 1.01) {
				t.Fatalf("sample %v out of range", v)
			}
		}
	})
}
