package vad_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
	"github.com/headroom-voice/headroom/testdata"
)

// Someone speaks after three and a half seconds of noise.
func Example() {
	voice, rate, err := testdata.Samples("agent-1")
	if err != nil {
		panic(err)
	}
	x := dsptest.AddNoise(append(make([]float32, 3*rate), voice[:7*rate]...), -60, 1)

	s, err := spectrum.New(rate)
	if err != nil {
		panic(err)
	}
	d, err := vad.New(rate)
	if err != nil {
		panic(err)
	}
	highPass := filter.NewHighPass(rate, 100)
	filtered := make([]float32, s.Hop())
	first := 0.0
	for ; len(x) >= s.Hop(); x = x[s.Hop():] {
		block := x[:s.Hop()]
		highPass.Process(filtered, block)
		if v := d.Process(s.Next(block), filtered); v.Speech && first == 0 {
			first = d.Seconds()
		}
	}
	fmt.Printf("the first word comes after %.1f s, %.0f of %.0f s are speech\n", first, d.SpeechSeconds(), d.Seconds())
	// Output:
	// the first word comes after 3.5 s, 4 of 10 s are speech
}
