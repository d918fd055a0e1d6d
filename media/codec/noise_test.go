package codec_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

func comfort(t *testing.T, payload ...byte) []float32 {
	t.Helper()
	dec, err := codec.NewDecoder(media.CN, 8000)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, 8000)
	n, err := dec.Decode(payload, pcm)
	if err != nil || n != codec.Samples(media.CN, payload) {
		t.Fatalf("%d samples, %v", n, err)
	}
	dec.Conceal(pcm[n:])
	return pcm
}

func TestComfortNoiseIsAtTheLevelThatThePartySays(t *testing.T) {
	for _, level := range []byte{30, 50, 70, 0x80 | 60} {
		for _, colour := range [][]byte{nil, {60}, {190, 100}, {40, 180, 127, 90}, {250, 5, 250, 5, 250, 5, 250, 5, 250, 5, 250, 5, 250, 5}} {
			got := power(comfort(t, append([]byte{level}, colour...)...))
			if want := -float64(level & 0x7f); math.Abs(got-want) > 1.5 && len(colour) < 14 {
				t.Errorf("level %d, coefficients %v: %.1f dBov", level, colour, got)
			} else if math.IsNaN(got) || got > want+12.5 {
				t.Errorf("level %d, coefficients %v: %.1f dBov", level, colour, got)
			}
		}
	}
	if got := power(comfort(t, 127)); got > -100 && got != dsp.SilenceDBov {
		t.Errorf("the quietest noise is at %.1f dBov", got)
	}
}

// A first coefficient below zero is a spectrum that falls, as a room's does.
func TestComfortNoiseHasTheColourThatThePartySays(t *testing.T) {
	tilt := func(pcm []float32) float64 { // of the differences to the signal: white noise has +3 dB
		d := make([]float32, len(pcm)-1)
		for i := range d {
			d[i] = pcm[i+1] - pcm[i]
		}
		return power(d) - power(pcm)
	}
	white, dark, bright := tilt(comfort(t, 40)), tilt(comfort(t, 40, 27)), tilt(comfort(t, 40, 227))
	if math.Abs(white-3) > 0.5 || dark > -3 || bright < 4 {
		t.Errorf("white %.1f dB, dark %.1f, bright %.1f", white, dark, bright)
	}
}

func TestComfortNoiseThatIsNoneIsRefused(t *testing.T) {
	dec, err := codec.NewDecoder(media.CN, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Decode(nil, make([]float32, 160)); err == nil {
		t.Error("an empty payload was taken")
	}
	if _, err := dec.Decode([]byte{30}, make([]float32, 80)); err == nil {
		t.Error("a buffer of 10 ms was taken")
	}
	if !codec.Silent(media.CN, []byte{30}) {
		t.Error("comfort noise is taken for a voice")
	}
}
