package headset_test

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/testdata"
)

// A microphone hums.
func Example() {
	voice, rate, err := testdata.Samples("agent-1")
	if err != nil {
		panic(err)
	}
	x := dsptest.Mix(voice, dsptest.Hum(len(voice), rate, 50, -50, 1))

	a, err := headset.New(headset.Config{SampleRate: rate, Tap: headset.TapMic})
	if err != nil {
		panic(err)
	}
	a.Process(x, 0) // any number of samples at a time
	r := a.Report()
	fmt.Printf("speech at %.0f dBov\n", r.Metrics.ActiveLevelHP)
	for _, f := range r.Findings {
		fmt.Println(f.Kind, f.Severity)
	}
	// Output:
	// speech at -22 dBov
	// hum watch
}
