package testdata_test

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/go-audio/wav"

	"github.com/headroom-voice/headroom/testdata"
)

func TestEveryRecordingIsMono16BitAndSmall(t *testing.T) {
	want := []string{"agent-1", "agent-2", "agent-3", "caller-1"}
	if got := testdata.Names(); !slices.Equal(got, want) {
		t.Fatalf("names %v, want %v", got, want)
	}
	for _, name := range want {
		b, err := testdata.Speech(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 700<<10 {
			t.Errorf("%s is %d bytes", name, len(b))
		}
		d := wav.NewDecoder(bytes.NewReader(b))
		d.ReadInfo()
		rate := uint32(16000)
		if name == "caller-1" {
			rate = 8000
		}
		if d.NumChans != 1 || d.BitDepth != 16 || d.SampleRate != rate {
			t.Errorf("%s: %d channels, %d bit, %d Hz", name, d.NumChans, d.BitDepth, d.SampleRate)
		}
		pcm, err := d.FullPCMBuffer()
		if err != nil {
			t.Fatal(err)
		}
		x, r, err := testdata.Samples(name)
		if err != nil || r != int(rate) || len(x) != len(pcm.Data) {
			t.Fatalf("%s: %d samples at %d Hz of %d (%v)", name, len(x), r, len(pcm.Data), err)
		}
		for i := range x {
			if x[i] != float32(pcm.Data[i])/32768 {
				t.Fatalf("%s: sample %d is %v, want %d", name, i, x[i], pcm.Data[i])
			}
		}
	}
}

func TestUnknownRecordingIsNamed(t *testing.T) {
	if _, err := testdata.Speech("nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, _, err := testdata.Samples("nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
