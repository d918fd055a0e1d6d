package hum_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/hum"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
)

// The mains hum at 50 Hz under a noise.
func Example() {
	const rate = 16000
	band, err := lowband.New(rate)
	if err != nil {
		panic(err)
	}
	m, err := hum.New(rate)
	if err != nil {
		panic(err)
	}
	x := dsptest.Mix(dsptest.Hum(10*rate, rate, 50, -50, 1), dsptest.Noise(10*rate, -60, 2))
	m.Process(band.Process(nil, x))
	r := m.Result()
	fmt.Printf("%.1f Hz at %.0f dBov\n", r.Hz, r.Level)
	// Output:
	// 50.0 Hz at -50 dBov
}
