package headset_test

import (
	"testing"

	"github.com/headroom-voice/headroom/dsp/internal/metertest"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

func TestCrackleIsGradedByHowOftenItComes(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	x := minutes(t, 2)
	for n, want := range map[int]headset.Severity{0: "", 6: headset.Watch, 30: headset.Bad} {
		places := dsptest.Anywhere(len(x), glitchRate, n, 1, 7)
		r := report(t, glitchRate, headset.TapMic, dsptest.Quantize(dsptest.Crackle(x, glitchRate, places, 3, 0.5, 7)))
		if f, _ := find(r, headset.Crackle); f.Severity != want {
			t.Errorf("%d crackles: %+v (%v a minute)", n, f, r.Metrics.CrackleRate)
		}
		if f, found := find(r, headset.Dropout); found {
			t.Errorf("%d crackles: %+v", n, f)
		}
	}
}

func TestTypingIsNoCrackle(t *testing.T) {
	t.Parallel()
	x := minutes(t, 1)
	r := report(t, glitchRate, headset.TapMic, dsptest.Quantize(dsptest.Mix(x, dsptest.Keyboard(len(x), glitchRate, 5, 0.2, 3))))
	if f, found := find(r, headset.Crackle); found {
		t.Errorf("%+v (%v a minute)", f, r.Metrics.CrackleRate)
	}
}
