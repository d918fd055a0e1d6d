package bridge_test

import (
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestWhoListensIsNotHeard(t *testing.T) {
	callee, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.Opus, media.PCMU)
	began := 0
	l, err := bridge.Listen(callee, agent, func() { began++ })
	if err != nil {
		t.Fatal(err)
	}
	said := voice(t, media.PCMU, 20*ms, 425, -20, 3)
	for i := range said {
		callee.Say(&said[i])
		agent.Say(&said[i])
	}
	if heard := len(agent.Heard()); heard != 3 || began != 1 {
		t.Errorf("%d of 3 packets heard, the beginning told %d times", heard, began)
	}
	if len(callee.Heard()) != 0 {
		t.Error("who listens is heard")
	}
	l.Close()
	callee.Say(&said[0])
	if len(agent.Heard()) != 3 {
		t.Error("heard after the end")
	}
	if _, err := bridge.Listen(callee, callee, nil); err == nil {
		t.Error("a leg listens to itself")
	}
}

func TestOnHoldNeitherHearsTheOtherAndTheMeterKnows(t *testing.T) {
	for _, codec := range []media.Codec{media.PCMU, media.Opus} {
		trunk, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU, codec)
		var tap ear
		br := join(t, trunk, agent, bridge.Options{FromB: []media.Tap{&tap}})
		up, down := voice(t, codec, 20*ms, 1000, -20, 30), voice(t, media.PCMU, 20*ms, 700, -20, 30)
		for i := range up {
			switch i {
			case 10:
				br.Hold(true)
			case 20:
				br.Hold(false)
			}
			agent.Say(&up[i])
			trunk.Say(&down[i])
		}
		heard := trunk.Heard()
		if n := len(heard); n < 20 || n > 21 {
			t.Errorf("%v: the caller heard %d packets, want the 20 of before and after, and the one that fades", codec, n)
		}
		if n := len(agent.Heard()); n != 21 {
			t.Errorf("%v: the agent heard %d packets, want 20 and the one that fades", codec, n)
		}
		held, rest := tap.marks[dsp.Held], tap.marks[0]
		if held < tap.rate/10 || held > tap.rate/4 || rest < 3*tap.rate/10 {
			t.Errorf("%v: the meter heard %d samples on hold and %d else, at %d Hz", codec, held, rest, tap.rate)
		}
	}
}
