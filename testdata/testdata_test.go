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
	want := []string{"agent-anna", "agent-ben", "agent-clara", "caller-dave"}
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
		if name == "caller-dave" {
			rate = 8000
		}
		if d.NumChans != 1 || d.BitDepth != 16 || d.SampleRate != rate {
			t.Errorf("%s: %d channels, %d bit, %d Hz", name, d.NumChans, d.BitDepth, d.SampleRate)
		}
	}
}

func TestUnknownRecordingIsNamed(t *testing.T) {
	if _, err := testdata.Speech("nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
