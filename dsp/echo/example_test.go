package echo_test

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/echo"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
	"github.com/headroom-voice/headroom/testdata"
)

// The far end comes back 100 ms later and 25 dB softer.
func Example() {
	voice, rate, err := testdata.Samples("caller-1")
	if err != nil {
		panic(err)
	}
	far := voice
	near := dsptest.AddNoise(dsptest.Echo(far, rate, 0.1, 25, 1), -70, 2)

	m, _ := echo.New(rate)
	nearSpectrum, _ := spectrum.New(rate)
	farSpectrum, _ := spectrum.New(rate)
	farSpeech, err := vad.New(rate) // errors are all of an impossible rate
	if err != nil {
		panic(err)
	}
	hop := nearSpectrum.Hop()
	for at := range len(near) / hop {
		n, f := near[at*hop:][:hop], far[at*hop:][:hop]
		fs := farSpectrum.Next(f)
		m.Far(at, f, fs, farSpeech.Process(fs, f))
		m.Process(at, n, nearSpectrum.Next(n), vad.Frame{}) // this end is silent
	}
	r := m.Result()
	fmt.Printf("echo loss %.0f dB, delay %.0f ms\n", r.LossDB, 10*math.Round(float64(r.DelayMS)/10))
	// Output:
	// echo loss 25 dB, delay 100 ms
}
