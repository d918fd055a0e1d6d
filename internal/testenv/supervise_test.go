package testenv_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// Who hears whom, over SIP, RTP, DTLS-SRTP and Opus, in each mode of a supervisor.
func TestASupervisorsModesWithRealSockets(t *testing.T) {
	t.Parallel()
	const callerHz, agentHz, bossHz = 400, 1000, 2200 // a jitter buffer that leaves out 5 ms harms none of them
	env := testenv.Start(t, testenv.Options{})
	mic := func(hz float64) []float32 { return mediatest.Tone(testenv.MicRate, hz, -20, testenv.MicRate) }
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mic(agentHz)})
	boss := env.Agent(testenv.Supervisor, testenv.AgentOptions{Mic: mic(bossHz), Serial: "boss"})
	caller := env.Caller(load.Config{Source: testenv.Tone(callerHz, -20)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	id := env.Service.Calls()[0].ID
	ask := supervisor(t, env)
	do := func(method, path, body string) {
		t.Helper()
		if got := ask(method, path, body, nil); got != http.StatusNoContent {
			t.Fatalf("%s %s %s: %d", method, path, body, got)
		}
	}

	hear := func(when string, toCaller, toAgent, toBoss []float64) {
		t.Helper()
		for who, ear := range map[string]struct {
			rate int
			last func(time.Duration) []float32
			want []float64
		}{
			"the caller":     {testenv.CallerRate, testenv.LastHeard(caller), toCaller},
			"the agent":      {testenv.EarRate, agent.Ear.Last, toAgent},
			"the supervisor": {testenv.EarRate, boss.Ear.Last, toBoss},
		} {
			got := map[float64]float64{}
			defer func() {
				if t.Failed() {
					t.Logf("%s: %s heard %v dBov last", when, who, got)
				}
			}()
			testenv.Eventually(t, fmt.Sprintf("%s: %s hears %v", when, who, ear.want), func() bool {
				pcm := ear.last(500 * time.Millisecond)
				if len(pcm) < ear.rate/2 {
					return false
				}
				for _, hz := range []float64{callerHz, agentHz, bossHz} {
					level, wanted := mediatest.ToneDBov(pcm, ear.rate, hz), false
					got[hz] = level
					for _, w := range ear.want {
						wanted = wanted || w == hz
					}
					if wanted && (level < -22 || level > -18) || !wanted && level > -55 {
						return false
					}
				}
				return true
			})
		}
	}
	hear("before", []float64{agentHz}, []float64{callerHz}, nil)
	path := "/calls/" + string(id) + "/supervise"
	both := []float64{callerHz, agentHz}
	do("POST", path, `{"mode":"listen"}`)
	hear("listen", []float64{agentHz}, []float64{callerHz}, both)
	do("POST", path, `{"mode":"whisper"}`)
	hear("whisper", []float64{agentHz}, []float64{callerHz, bossHz}, both)
	do("POST", path, `{"mode":"barge"}`)
	hear("barge", []float64{agentHz, bossHz}, []float64{callerHz, bossHz}, both)
	do("DELETE", path, "")
	hear("after", []float64{agentHz}, []float64{callerHz}, nil)
	do("POST", path, `{"mode":"take_over"}`)
	testenv.Await[agentclient.CallEnded](agent, 1)
	testenv.Await[agentclient.CallStarted](boss, 1)
	hear("taken over", []float64{bossHz}, nil, []float64{callerHz})

	modes := ""
	for _, e := range testenv.Events[agentclient.Supervised](agent) {
		modes += e.Mode + ","
	}
	if modes != "listen,whisper,barge,,listen,," {
		t.Errorf("the agent saw %q", modes)
	}
}
