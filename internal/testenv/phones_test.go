package testenv_test

import (
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// stateOf is what an agent is doing, and why.
func stateOf(env *testenv.Env, agent model.AgentID) (model.AgentState, string) {
	for _, a := range env.Service.Snapshot().Agents {
		if a.ID == agent {
			return a.State, a.Reason
		}
	}
	return model.Offline, ""
}

// is waits for an agent's state.
func is(t *testing.T, env *testenv.Env, agent model.AgentID, want model.AgentState) {
	t.Helper()
	testenv.Eventually(t, string(agent)+" is "+string(want), func() bool {
		got, _ := stateOf(env, agent)
		return got == want
	})
}

func TestAnAgentAtADeskPhoneTakesACall(t *testing.T) {
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	ear := pulsetest.Start(t, "desk")
	phone := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.SIP(), Hz: 1000, DBov: -20, Ear: ear, Headset: "desk"})
	is(t, env, "agent", model.Break)
	phone.Press("/dial *10")
	testenv.Eventually(t, "the agent hears that it is done", func() bool {
		pcm := phone.Heard().Last(200 * time.Millisecond)
		if len(pcm) == 0 {
			return false
		}
		hz, dbov := mediatest.FindTone(pcm, pulsetest.Rate)
		return math.Abs(hz-880) < 5 && dbov > -25
	})
	is(t, env, "agent", model.Ready)
	phone.Says("terminated", 1)

	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	phone.Says("Incoming call", 1)
	is(t, env, "agent", model.Offered)
	phone.Press("/accept")
	is(t, env, "agent", model.OnCall)
	testenv.Hears(t, "the agent", 440, -18, pulsetest.Rate, phone.Heard().Last)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	phone.Press("/hangup")
	is(t, env, "agent", model.WrapUp)
	is(t, env, "agent", model.Ready)
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the record says that the agent hung up", func() bool {
		call := testenv.OnlyCall(t, record).Call
		return call.EndedAt != nil && call.Cause == model.CauseAgentHungUp && call.Agent == "agent"
	})
}

func TestAPhoneThatDiesInACallGivesTheCallerBack(t *testing.T) {
	env := testenv.Start(t, testenv.Options{Agents: []model.AgentID{"agent", "other"}, Site: testenv.WithPhones, Call: call.Config{OutageGrace: time.Second}})
	phone := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.SIP(), Hz: 1000, DBov: -20, Account: ";answermode=auto"})
	is(t, env, "agent", model.Break)
	phone.Press("/dial *10")
	is(t, env, "agent", model.Ready)
	env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	is(t, env, "agent", model.OnCall)
	phone.PullOut()
	_ = time.Second
}
