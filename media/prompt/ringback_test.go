package prompt_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
)

func TestTheRingingToneRingsASecondInFive(t *testing.T) {
	const rate = 8000
	pcm := make([]float32, 10*rate)
	for at := 0; at < len(pcm); at += 160 {
		prompt.Ringback().Render(pcm[at:at+160], int64(at), rate)
	}
	for second := range 10 {
		part := pcm[second*rate : (second+1)*rate]
		if second%5 != 0 {
			for i, x := range part {
				if x != 0 {
					t.Fatalf("sample %d of second %d is %g, want a pause", i, second, x)
				}
			}
			continue
		}
		if hz, level := mediatest.FindTone(part, rate); math.Abs(hz-425) > 1 || math.Abs(level+26) > 0.5 {
			t.Errorf("second %d: %.1f Hz at %.1f dBov, want 425 Hz at -26", second, hz, level)
		}
	}
}
