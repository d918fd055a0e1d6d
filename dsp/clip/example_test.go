package clip_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/dsptest"
)

// A tone is driven 6 dB into a ceiling at half of full scale.
func Example() {
	const rate = 16000
	m, err := clip.New(rate)
	if err != nil {
		panic(err)
	}
	m.Process(dsptest.Quantize(dsptest.Overdrive(dsptest.Tone(2*rate, rate, 333, -9), 6, 0.5)))
	r := m.Result()
	fmt.Printf("%.0f %% of the samples stand at %.1f dBov\n", 100*r.Share(), r.Ceiling)
	// Output:
	// 67 % of the samples stand at -6.0 dBov
}
