package bridge_test

import (
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestWhoIsHushedIsNotHeardAndHearsOverAHoldToo(t *testing.T) {
	caller, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
	br := join(t, caller, agent, bridge.Options{})
	down, up := voice(t, media.PCMU, 20*ms, 700, -20, 60), voice(t, media.PCMU, 20*ms, 1000, -20, 60)
	n := 0
	hears := func(what string, want bool) {
		t.Helper()
		before, back := len(agent.Heard()), len(caller.Heard())
		for range 5 {
			caller.Say(&down[n])
			agent.Say(&up[n])
			n++
		}
		if got := len(agent.Heard()) > before; got != want {
			t.Errorf("%s: the agent hears the caller: %v", what, got)
		}
		if len(caller.Heard()) == back {
			t.Errorf("%s: the caller does not hear the agent", what)
		}
	}
	hears("at first", true)
	br.Hush(true)
	hears("hushed", false)
	br.Hold(true)
	br.Hold(false)
	hears("after a hold", false)
	br.Hush(false)
	hears("at last", true)
	br.Hold(true)
	br.Hush(true)
	br.Hush(false) // does not undo the hold
	before := len(agent.Heard())
	for range 5 {
		caller.Say(&down[n])
		n++
	}
	if len(agent.Heard()) > before+1 { // the last word fades out
		t.Error("a hush that ended has undone the hold")
	}
}
