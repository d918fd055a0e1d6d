package level_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/level"
)

// A tone of -20 dBov that sounds half the time is nearly as loud as one that
// sounds all the time: a word lasts 0.2 s longer than it is heard.
func Example() {
	const rate = 16000
	m, err := level.New(rate)
	if err != nil {
		panic(err)
	}
	for range 5 {
		m.Process(dsptest.Tone(rate, rate, 1000, -20))
		m.Process(make([]float32, rate))
	}
	r := m.Result()
	fmt.Printf("active level %.1f dBov, in %.0f %% of the time\n", r.Active, 100*r.Activity)
	fmt.Printf("RMS of all   %.1f dBov\n", r.RMS)
	// Output:
	// active level -21.1 dBov, in 64 % of the time
	// RMS of all   -23.0 dBov
}
