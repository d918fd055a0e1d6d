package guard_test

import (
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// ear keeps what a meter is offered.
type ear struct{ pcm []float32 }

func (e *ear) Offer(pcm []float32, _ int, _ media.Codec, _ dsp.Mark) { e.pcm = append(e.pcm, pcm...) }

func TestTheMeterNeverHearsTheGuard(t *testing.T) {
	trunk, agent := mediatest.NewLeg(ptime, media.PCMU), mediatest.NewLeg(ptime, media.PCMU)
	var meter ear
	b, err := bridge.Join(trunk, guard.New(all).Wrap(agent), bridge.Options{FromA: []media.Tap{&meter}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	said := packets(t, media.PCMU, dsptest.Tone(2*8000, 8000, 2100, -12))
	for i := range said {
		trunk.Say(&said[i])
	}
	if _, level := mediatest.FindTone(meter.pcm[8000:], 8000); level < -12.5 || level > -11.5 {
		t.Errorf("the meter hears the tone at %.1f dBov, it is at -12", level)
	}
	if _, level := mediatest.FindTone(decode(t, agent.Heard()[50:]), 8000); level > shock.ToneDBov+1 {
		t.Errorf("the agent hears it at %.1f dBov", level)
	}
}
