package testenv_test

import (
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/testdata"
)

// TestBothTapsAreReadOnceASecond has an agent speak, mute and hold. Both taps give a reading for
// every second, and what was muted or held is scored by neither.
func TestBothTapsAreReadOnceASecond(t *testing.T) {
	t.Parallel()
	voice, rate, err := testdata.Samples("agent-1")
	if err != nil || rate != testenv.MicRate {
		t.Fatalf("%d Hz: %v", rate, err)
	}
	env := testenv.Start(t, testenv.Options{})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: voice})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	call := testenv.Await[agentclient.CallStarted](agent, 1).Call.ID
	time.Sleep(3500 * time.Millisecond)
	agent.Mute(true)
	time.Sleep(3500 * time.Millisecond)
	agent.Mute(false)
	agent.Hold(call, true)
	time.Sleep(3500 * time.Millisecond)
	agent.Hold(call, false)
	time.Sleep(2500 * time.Millisecond)
	if err := caller.Hangup(t.Context()); err != nil {
		t.Error(err)
	}

	record := testenv.OpenRecord(t, env.Process)
	readings := map[headset.Tap][]headset.Reading{}
	testenv.Eventually(t, "the readings of both taps are stored", func() bool {
		clear(readings)
		chunks, err := record.Readings(t.Context(), testenv.OnlyCall(t, record).Call.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range chunks {
			readings[c.Tap] = append(readings[c.Tap], c.Readings...)
		}
		return len(readings[headset.TapMic]) >= 12 && len(readings[headset.TapWire]) >= 12
	})
	for tap, rs := range readings {
		unscored := 0
		for i, r := range rs {
			if i > 0 && math.Abs(r.At-rs[i-1].At-1) > 1e-6 {
				t.Errorf("%s: after the second at %v comes the one at %v", tap, rs[i-1].At, r.At)
			}
			if r.Scored < 0.1 { // between the two a frame may pass
				unscored++
			}
		}
		if unscored < 5 || unscored > 8 { // of 7 s
			t.Errorf("%s: %d of %d seconds carry marks from start to end: %+v", tap, unscored, len(rs), rs)
		}
		if first, last := rs[1], rs[len(rs)-1]; first.Scored < 0.99 || last.Scored < 0.99 {
			t.Errorf("%s: outside of mute and hold %v and %v of a second are scored", tap, first.Scored, last.Scored)
		}
	}
}

// TestAFaxIsTurnedDownOnItsWayToTheAgent calls an agent at a client and one at a phone.
func TestAFaxIsTurnedDownOnItsWayToTheAgent(t *testing.T) {
	t.Parallel()
	t.Run("client", func(t *testing.T) {
		env := testenv.Start(t, testenv.Options{})
		agent := env.Agent("agent", testenv.AgentOptions{})
		caller := env.Caller(load.Config{Source: testenv.Tone(2100, -13)})
		testenv.Await[agentclient.CallStarted](agent, 1)
		testenv.Hears(t, "the agent", 2100, shock.ToneDBov, testenv.EarRate, agent.Ear.Last)
		wantShock(t, env, caller)
	})
	t.Run("phone", func(t *testing.T) {
		env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
		ear := pulsetest.Start(t, "desk")
		phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20, Ear: ear, Headset: "desk"})
		caller := env.Caller(load.Config{Source: testenv.Tone(2100, -13)})
		phone.Says("Incoming call", 1)
		phone.Press("/accept")
		testenv.Hears(t, "the agent", 2100, shock.ToneDBov, pulsetest.Rate, phone.Heard().Last)
		wantShock(t, env, caller)
	})
}

// wantShock hangs up and wants the story to tell of a fax.
func wantShock(t *testing.T, env *testenv.Env, caller *load.Call) {
	t.Helper()
	if err := caller.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the story tells of the fax", func() bool {
		for _, e := range testenv.OnlyCall(t, record).Events {
			if e.Kind == "shock" && e.Detail["kind"] == shock.FaxAnswer.String() && e.Agent == "agent" {
				return true
			}
		}
		return false
	})
}
