package codec_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// lossy sends a tone through PCMU and conceals the 20 ms packets for which lost says so.
func lossy(t *testing.T, hz float64, packets int, lost func(int) bool) []float32 {
	t.Helper()
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.NewDecoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	tone, payload := mediatest.Tone(8000, hz, -20, packets*160), make([]byte, 160)
	out := make([]float32, packets*160)
	for i := range packets {
		frame := out[i*160 : (i+1)*160]
		if lost(i) {
			dec.Conceal(frame)
			continue
		}
		if _, err := enc.Encode(tone[i*160:(i+1)*160], payload); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(payload, frame); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func power(pcm []float32) float64 {
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return dsp.PowerDBov(sum / float64(len(pcm)))
}

func TestALostPacketOfATonePassesUnheard(t *testing.T) {
	for _, hz := range []float64{100, 200, 333, 1000} {
		out := lossy(t, hz, 50, func(i int) bool { return i%10 == 9 })
		got, level := mediatest.FindTone(out[1600:], 8000)
		if math.Abs(got-hz) > 2 || math.Abs(level+20) > 1 {
			t.Errorf("%v Hz with every tenth packet lost: %.1f Hz at %.2f dBov, want -20", hz, got, level)
		}
		largest := 0.0
		for i := 1600; i < len(out); i++ {
			largest = max(largest, math.Abs(float64(out[i]-out[i-1])))
		}
		// The steepest slope of the tone itself is its amplitude times 2πf/fs.
		if slope := math.Sqrt2 * 0.1 * 2 * math.Pi * hz / 8000; largest > slope+0.06 {
			t.Errorf("%v Hz: a step of %.3f is heard as a click (the tone's own is %.3f)", hz, largest, slope)
		}
	}
}

func TestALongLossFadesToSilence(t *testing.T) {
	out := lossy(t, 200, 20, func(i int) bool { return i >= 10 })
	lost := out[1600:]
	if got := power(lost[:80]); math.Abs(got+20) > 1 {
		t.Errorf("the first 10 ms are at %.1f dBov, want -20", got)
	}
	if got := power(lost[240:320]); got > -22 || got < -34 {
		t.Errorf("30 to 40 ms are at %.1f dBov, want faded", got)
	}
	if got := power(lost[480:]); got != dsp.SilenceDBov {
		t.Errorf("after 60 ms %.1f dBov are left", got)
	}
}

func TestConcealmentDoesNotDependOnChunks(t *testing.T) {
	make3 := func(chunk int) []float32 {
		dec, err := codec.NewDecoder(media.PCMA, 8000)
		if err != nil {
			t.Fatal(err)
		}
		enc, err := codec.NewEncoder(media.PCMA, 8000)
		if err != nil {
			t.Fatal(err)
		}
		payload, pcm := make([]byte, 800), make([]float32, 800)
		if _, err := enc.Encode(mediatest.Tone(8000, 123, -15, 800), payload); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(payload, pcm); err != nil {
			t.Fatal(err)
		}
		out := make([]float32, 480)
		for rest := out; len(rest) > 0; rest = rest[chunk:] {
			dec.Conceal(rest[:chunk])
		}
		return out
	}
	whole := make3(480)
	for _, chunk := range []int{1, 16, 80, 160} {
		for i, x := range make3(chunk) {
			if x != whole[i] {
				t.Fatalf("in chunks of %d, sample %d differs", chunk, i)
			}
		}
	}
}

func TestLossBeforeAnythingWasHeardIsSilence(t *testing.T) {
	dec, err := codec.NewDecoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	pcm := mediatest.Tone(8000, 100, -10, 160)
	dec.Conceal(pcm)
	if got := power(pcm); got != dsp.SilenceDBov {
		t.Errorf("%.1f dBov out of nothing", got)
	}
}
