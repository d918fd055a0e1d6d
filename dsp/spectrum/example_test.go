package spectrum_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// A tone of -20 dBov lies in its own band and nowhere else.
func Example() {
	const rate = 16000
	s, err := spectrum.New(rate)
	if err != nil {
		panic(err)
	}
	x := dsptest.Tone(rate, rate, 1000, -20)
	var f *spectrum.Frame
	for ; len(x) >= s.Hop(); x = x[s.Hop():] {
		f = s.Next(x[:s.Hop()]) // nil until the window is full
	}
	for _, hz := range []float64{500, 1000, 2000} {
		low, high := f.Band(hz-100, hz+100)
		fmt.Printf("%4.0f Hz: %.0f dBov\n", hz, max(-99, dsp.PowerDBov(f.Sum(low, high))))
	}
	// Output:
	//  500 Hz: -99 dBov
	// 1000 Hz: -20 dBov
	// 2000 Hz: -99 dBov
}
