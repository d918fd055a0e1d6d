package testenv_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
)

const friend = "+4930555"

// dialling is a service with a carrier to call out by, and an agent who says 1000 Hz.
func dialling(t *testing.T, opt testenv.Options) (*testenv.Env, *testenv.Carrier, *testenv.Agent) {
	t.Helper()
	carrier := testenv.NewCarrier(t)
	opt.Dialling = testenv.Anybody{}
	opt.Site = func(s *model.Site) { s.Trunks[0].Outbound = carrier.Outbound() }
	env := testenv.Start(t, opt)
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate), Serial: "1"})
	return env, carrier, agent
}

// told waits for a state of progress.
func told(a *testenv.Agent, state string) protocol.Progress {
	for n := 1; ; n++ {
		if p := testenv.Await[agentclient.Progressed](a, n).Progress; p.State == state {
			return p
		}
	}
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(testenv.Patience):
		t.Fatalf("not within %s: %s", testenv.Patience, what)
	}
}

// ended is the story of the one call, once it is over and its ladders are kept.
func ended(t *testing.T, env *testenv.Env, ladders int) (store.CallStory, []model.CallLadder) {
	t.Helper()
	record := testenv.OpenRecord(t, env.Process)
	var story store.CallStory
	var said []model.CallLadder
	testenv.Eventually(t, "the call and its SIP are in the record", func() bool {
		story = testenv.OnlyCall(t, record)
		var err error
		if said, err = record.Ladders(t.Context(), story.Call.ID); err != nil {
			t.Fatal(err)
		}
		over := story.Call.EndedAt != nil
		for _, l := range story.Legs {
			over = over && l.EndedAt != nil
		}
		return over && len(said) == ladders
	})
	return story, said
}

func firsts(l model.CallLadder) string {
	var out []string
	for _, m := range l.Messages {
		out = append(out, strings.TrimSuffix(m.First, " SIP/2.0"))
	}
	return strings.Join(out, "\n")
}

func TestAnAgentCallsANumberAndHearsWhatIsAnnounced(t *testing.T) {
	t.Parallel()
	env, carrier, agent := dialling(t, testenv.Options{})
	agent.Dial(friend, string(testenv.Queue))
	callee := carrier.Next()
	if callee.To() != friend || !strings.Contains(callee.Header("From"), "sip:"+testenv.Number+"@") {
		t.Errorf("called %s from %s; wanted the queue's number", callee.To(), callee.Header("From"))
	}
	callee.Announces(testenv.Tone(600, -18))
	told(agent, protocol.EarlyMedia)
	testenv.Hears(t, "the agent, before the answer,", 600, -18, testenv.EarRate, agent.Ear.Last)
	if n := callee.Packets(); n != 0 {
		t.Errorf("the callee was sent %d packets before the answer", n)
	}
	callee.Answers(testenv.Tone(440, -18))
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
	testenv.Hears(t, "the callee", 1000, -20, testenv.CallerRate, callee.Last)
	if status := callee.Asks("REFER", "Refer-To: <sip:+88212345@premium.example>"); status != "405" {
		t.Errorf("a callee who wants us to call somebody was answered %s", status)
	}
	call := ask[struct{ Calls []model.Call }](t, env, string(testenv.Supervisor), "/api/v1/calls").Calls[0]
	if call.Direction != model.Outbound || call.To != friend || call.Agent != "agent" || call.Trunk != "loopback" {
		t.Errorf("shown %+v", call)
	}
	agent.Hangup(string(call.ID))
	within(t, "the callee hears of the end", callee.Done)
	story, said := ended(t, env, 1)
	if story.Call.Cause != model.CauseAgentHungUp || !slices.Equal(testenv.Kinds(story), []string{"dialled", "progress", "progress", "answered", "connected", "ended"}) {
		t.Errorf("%s: %v", story.Call.Cause, testenv.Kinds(story))
	}
	if len(story.Legs) != 2 || story.Legs[0].Cause != model.CauseAgentHungUp {
		t.Errorf("legs %+v", story.Legs)
	}
	for _, line := range []string{"INVITE sip:", "SIP/2.0 183", "SIP/2.0 200", "ACK", "BYE"} {
		if !strings.Contains(firsts(said[0])+"\n", line) {
			t.Errorf("no %s in the ladder\n%s", line, firsts(said[0]))
		}
	}
	if said[0].Leg != "" && !slices.ContainsFunc(story.Legs, func(l model.Leg) bool { return l.ID == said[0].Leg }) {
		t.Errorf("the ladder is of leg %s", said[0].Leg)
	}
}

func TestACalleeThatOnlyRingsIsHeardAsRinging(t *testing.T) {
	t.Parallel()
	_, carrier, agent := dialling(t, testenv.Options{})
	agent.Dial(friend, "")
	callee := carrier.Next()
	callee.Rings()
	told(agent, protocol.Ringing)
	testenv.Eventually(t, "the ringing tone", func() bool {
		pcm := agent.Ear.Last(400 * time.Millisecond)
		if len(pcm) < testenv.EarRate/3 {
			return false
		}
		hz, level := mediatest.FindTone(pcm, testenv.EarRate)
		return hz > 420 && hz < 430 && level > -28
	})
	p := told(agent, protocol.Ringing)
	agent.Hangup(p.CallID)
	within(t, "the CANCEL", callee.Cancelled)
	if e := testenv.Await[agentclient.CallEnded](agent, 1); e.Cause != string(model.CauseCancelled) {
		t.Errorf("told %+v", e)
	}
}

func TestABusyNumberIsSaidToBeBusy(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	env, carrier, agent := dialling(t, testenv.Options{Process: func(p *config.Process) { p.HTTP.MetricsToken = token }})
	agent.Dial(friend, "")
	callee := carrier.Next()
	callee.Refuses("486 Busy Here")
	if p := told(agent, protocol.Failed); p.Status != 486 || p.Text != "The number is busy." {
		t.Errorf("told %+v", p)
	}
	within(t, "the refusal is acknowledged", callee.Acked)
	story, said := ended(t, env, 1)
	if story.Call.Cause != model.CauseBusy || len(story.Legs) != 0 || !strings.Contains(firsts(said[0]), "SIP/2.0 486 Busy Here") {
		t.Errorf("%s, %d legs\n%s", story.Call.Cause, len(story.Legs), firsts(said[0]))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `headroom_calls_outbound_total{result="busy",trunk="loopback"} 1`) {
		t.Errorf("the metrics do not count it: %v\n%s", err, text)
	}
	agent.Dial("0900", "")
	if r := testenv.Await[agentclient.Refused](agent, 1); r.Code != protocol.CodeNotAllowed || r.Message != "Premium numbers are closed." {
		t.Errorf("told %+v", r)
	}
}

func TestAnEmergencyGoesOutWhileTheServiceStops(t *testing.T) {
	t.Parallel()
	env, carrier, agent := dialling(t, testenv.Options{
		Agents: []model.AgentID{"agent", "other"}, Process: func(p *config.Process) { p.Shutdown.Drain = testenv.Patience },
	})
	env.Caller(load.Config{})
	testenv.Await[agentclient.CallStarted](agent, 1)
	other := env.Agent("other", testenv.AgentOptions{})
	env.Drain()
	testenv.Eventually(t, "the service stops", func() bool { return get(t, env.URL()+"/readyz", "") == http.StatusServiceUnavailable })
	other.Dial("112", "")
	callee := carrier.Next()
	if callee.To() != "112" {
		t.Errorf("called %s", callee.To())
	}
	callee.Answers(testenv.Tone(440, -18))
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, other.Ear.Last)
	callee.HangsUp()
	env.Service.Hurry()
}

func TestANumberThatNobodyAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	env, carrier, agent := dialling(t, testenv.Options{Call: call.Config{DialTimeout: 2 * time.Second}})
	agent.Dial(friend, "")
	callee := carrier.Next()
	callee.Rings()
	within(t, "the CANCEL", callee.Cancelled)
	if p := told(agent, protocol.Failed); p.Text != "Nobody answered within 2 seconds." {
		t.Errorf("told %+v", p)
	}
	if story, _ := ended(t, env, 1); story.Call.Cause != model.CauseNoAnswer {
		t.Errorf("%s", story.Call.Cause)
	}
}

func TestACallerIsPassedOnToANumberAndTheTwoHearEachOther(t *testing.T) {
	t.Parallel()
	for _, takes := range []media.Codec{media.PCMU, media.PCMA} {
		t.Run(takes.String(), func(t *testing.T) {
			env, carrier, agent := dialling(t, testenv.Options{})
			caller := env.Caller(load.Config{Codec: media.PCMU, Source: testenv.Tone(700, -18)})
			id := testenv.Await[agentclient.CallStarted](agent, 1).Call.ID
			testenv.Hears(t, "the agent", 700, -18, testenv.EarRate, agent.Ear.Last)

			agent.Transfer(id, friend)
			busy := carrier.Next()
			busy.Refuses("486 Busy Here")
			told(agent, protocol.Failed)
			caller.Forget()
			testenv.Hears(t, "the caller, back with the agent,", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
			testenv.Hears(t, "the agent, back with the caller,", 700, -18, testenv.EarRate, agent.Ear.Last)

			agent.Transfer(id, "+4930666")
			callee := carrier.Next()
			callee.Takes(takes)
			callee.Answers(testenv.Tone(500, -22))
			if p := told(agent, protocol.Answered); !p.Transfer || p.To != "+4930666" {
				t.Errorf("told %+v", p)
			}
			if e := testenv.Await[agentclient.CallEnded](agent, 1); e.Cause != string(model.CauseTransferred) {
				t.Errorf("told %+v", e)
			}
			testenv.Hears(t, "the caller", 500, -22, testenv.CallerRate, testenv.LastHeard(caller))
			testenv.Hears(t, "the callee", 700, -18, testenv.CallerRate, callee.Last)
			testenv.Eventually(t, "the agent is free", func() bool { return agent.State() == string(model.Ready) })
			callee.HangsUp()
			within(t, "the caller hears of the end", caller.Done())
			story, said := ended(t, env, 3)
			if story.Call.Cause != model.CauseCalleeHungUp || len(story.Legs) != 3 {
				t.Errorf("%s: %+v", story.Call.Cause, story.Legs)
			}
			causes := map[model.LegKind][]model.Cause{}
			for _, l := range story.Legs {
				causes[l.Kind] = append(causes[l.Kind], l.Cause)
			}
			if !slices.Equal(causes[model.AgentLeg], []model.Cause{model.CauseTransferred}) || !slices.Equal(causes[model.TrunkLeg], []model.Cause{model.CauseCalleeHungUp, model.CauseCalleeHungUp}) {
				t.Errorf("legs ended %v", causes)
			}
			for i, l := range said {
				if l.Messages[0].First == "" || i > 0 && l.Leg == said[i-1].Leg {
					t.Errorf("ladder %d is of leg %s", i, l.Leg)
				}
			}
		})
	}
}
