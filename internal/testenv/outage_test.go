package testenv_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestACallGoesOnWhileTheAgentsWebSocketIsGoneForFiveSeconds(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{})
	plug := testenv.NewPlug(t, env.Service.Addrs().HTTP)
	agent := env.Agent("agent", testenv.AgentOptions{Server: plug.URL(), Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	const outage = 5 * time.Second
	plug.Pull()
	testenv.Await[agentclient.LinkLost](agent, 1)
	agent.Ear.Forget()
	back := time.AfterFunc(outage, plug.PutBack)
	defer back.Stop()
	if again := testenv.Await[agentclient.SignedIn](agent, 2); !again.Resumed {
		t.Error("the client signed in anew instead of resuming")
	}

	// Every second of the outage carried the caller's tone. Where the machine itself stands still
	// for a moment tenths are broken or missing; without the audio all ten of them would be.
	heard := agent.Ear.Last(outage)
	for second := range slices.Chunk(heard[:len(heard)/testenv.EarRate*testenv.EarRate], testenv.EarRate) {
		carried := 0
		for tenth := range slices.Chunk(second, testenv.EarRate/10) {
			if hz, dbov := mediatest.FindTone(tenth, testenv.EarRate); math.Abs(hz-440) < 10 && math.Abs(dbov+18) < 3 {
				carried++
			}
		}
		if carried < 3 {
			t.Errorf("in a second of the outage the agent heard the tone for %d tenths", carried)
		}
	}
	if n := len(heard) / testenv.EarRate; n < 4 {
		t.Errorf("only %d seconds were heard during the outage", n)
	}
	testenv.Hears(t, "the caller, afterwards,", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	if ended := testenv.Events[agentclient.CallEnded](agent); len(ended) != 0 {
		t.Errorf("the call ended: %+v", ended)
	}
}

func TestACallerWhoseAgentDiesIsServedByTheNextOne(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{
		Agents: []model.AgentID{"first", "second"},
		Call:   call.Config{OutageGrace: time.Second, MediaGrace: time.Second},
	})
	first := testenv.KillableAgent(t, env.URL(), "first")
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Eventually(t, "the first agent on the call", func() bool {
		agents := env.Service.Snapshot().Agents
		return len(agents) == 1 && agents[0].State == model.OnCall
	})
	second := env.Agent("second", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})

	first.Kill()
	testenv.Await[agentclient.CallStarted](second, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the story tells of it", func() bool {
		story := testenv.OnlyCall(t, record)
		kinds := testenv.Kinds(story)
		i := slices.Index(kinds, "requeued")
		return i >= 0 && slices.Contains(kinds[i:], "connected") &&
			slices.ContainsFunc(story.Legs, func(l model.Leg) bool { return l.Agent == "first" && l.Cause == model.CauseAgentLost })
	})
}

func TestAfterKillNineTheRecordIsWholeAndTheAgentSignsBackIn(t *testing.T) {
	t.Parallel()
	process, _ := testenv.Prepare(t, testenv.Options{})
	service := testenv.StartProcess(t, process)
	process = service.Fixed(process)
	agent := testenv.NewAgent(t, "agent", testenv.AgentOptions{
		Server: "http://" + service.Addrs.HTTP, Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	testenv.Eventually(t, "the agent ready", func() bool { return agent.State() == string(model.Ready) })
	target := "sip:" + testenv.Number + "@" + service.Addrs.SIPUDP.String()
	caller := dial(t, load.Config{Target: target, Source: testenv.Tone(440, -18)})
	started := testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	// What must survive is what had been written: the story up to here, in the store.
	record := testenv.OpenRecord(t, process)
	var before []model.CallEvent
	testenv.Eventually(t, "the story up to the connection is stored", func() bool {
		before = testenv.OnlyCall(t, record).Events
		return slices.Contains(testenv.Kinds(testenv.OnlyCall(t, record)), "connected")
	})
	service.Kill()

	again := testenv.StartProcess(t, process)
	story := testenv.OnlyCall(t, record)
	if string(story.Call.ID) != started.Call.ID || story.Call.EndedAt == nil || story.Call.Cause != model.CauseServiceLost {
		t.Errorf("the dead call is recorded as %+v", story.Call)
	}
	for _, l := range story.Legs {
		if l.EndedAt == nil || l.Cause != model.CauseServiceLost {
			t.Errorf("a leg of the dead call is recorded as %+v", l)
		}
	}
	if len(story.Legs) != 2 || len(story.Events) < len(before)+1 || story.Events[len(story.Events)-1].Kind != "ended" {
		t.Errorf("the story is %v with %d legs; before the kill it was %d events", testenv.Kinds(story), len(story.Legs), len(before))
	}

	// The agent comes back by itself and takes the next call.
	testenv.Eventually(t, "the agent is back", func() bool {
		return len(testenv.Events[agentclient.SignedIn](agent)) >= 2 && agent.State() == string(model.Ready)
	})
	next := dial(t, load.Config{Target: target, Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 2)
	testenv.Hears(t, "the next caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(next))
	agent.Stop() // before the service, so that goodbye is heard
	again.Kill()
}
