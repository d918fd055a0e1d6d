package testenv_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/internal/toll"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// scrape reads /metrics with the token of a scraper.
func scrape(t *testing.T, env *testenv.Env, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Two call centres, of which one is the carrier of the other: an agent dials as people type,
// is heard and hears, is shown as their queue, and has then used up what the rules allow, also
// after a restart.
func TestAnAgentCallsByTheRulesOfTheSiteAndARestartGivesNoNewDay(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	far := testenv.Start(t, testenv.Options{Agents: []model.AgentID{"callee"}, Site: func(s *model.Site) { s.Queues[0].Numbers = []string{"+442079460101"} }})
	callee := far.Agent("callee", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 440, -18, testenv.MicRate)})

	options := testenv.Options{
		Data: t.TempDir(), Agents: []model.AgentID{"zoe"},
		Process: func(p *config.Process) { p.HTTP.MetricsToken = token },
		Site: func(s *model.Site) {
			s.Trunks = append(s.Trunks, model.Trunk{ID: "carrier", Outbound: model.TrunkOutbound{
				Targets: []model.TrunkTarget{{URI: "sip:" + far.SIP().String()}}, Prefixes: []string{"+44"}}})
			s.Queues[0].CallerID = model.CallerID{Number: "+442079460100"}
			s.Dialling = model.DialRules{Numbers: model.TrunkNumbers{Country: "44", National: "0"}, LongestCall: time.Minute,
				Limits: model.DialLimits{User: model.DialLimit{Calls: 1, Talk: time.Hour, AtOnce: 2}},
				Roles:  []model.DialRole{{Name: model.RoleAgent, Classes: []string{toll.National}}}}
		},
	}
	env := testenv.Start(t, options)
	agent := env.Agent("zoe", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 700, -20, testenv.MicRate)})
	agent.Dial("0909 879 0000", string(testenv.Queue))
	if r := testenv.Await[agentclient.Refused](agent, 1); r.Code != protocol.CodeNotAllowed || !strings.Contains(r.Message, "premium") {
		t.Errorf("a premium number: %+v", r)
	}
	agent.Dial("020 7946 0101", string(testenv.Queue))
	call := testenv.Await[agentclient.CallStarted](agent, 1).Call
	testenv.Hears(t, "the callee", 700, -20, testenv.EarRate, callee.Ear.Last)
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
	if got := testenv.Await[agentclient.CallStarted](callee, 1).Call.From; got != "+442079460100" {
		t.Errorf("the callee is shown %q, wanted the queue's number", got)
	}
	agent.Hangup(call.ID)
	testenv.Await[agentclient.CallEnded](agent, 1)

	agent.Dial("+442079460101", "")
	if r := testenv.Await[agentclient.Refused](agent, 2); !strings.Contains(r.Message, "placed 1 call in the last 24 hours") {
		t.Errorf("past the limit: %+v", r)
	}
	metrics := scrape(t, env, token)
	for _, want := range []string{`headroom_dial_permits_total{class="national"} 1`, `headroom_dial_refusals_total{reason="class_closed"} 1`, `headroom_dial_refusals_total{reason="limit_user_calls"} 1`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	agent.Stop()
	env.Stop()

	record := testenv.OpenRecord(t, env.Process)
	if c := testenv.OnlyCall(t, record).Call; c.Direction != model.Outbound || c.To != "+442079460101" || c.From != "+442079460100" || c.Cause != model.CauseAgentHungUp {
		t.Errorf("recorded %+v", c)
	}
	if err := record.ReserveDial(t.Context(), model.Dialled{User: "zoe", Class: toll.National, At: time.Now()}, true, func(u model.DialUsage) (time.Duration, bool) {
		if u.User != u.ClassSite || u.User.Calls != 1 || u.User.AtOnce != 0 || u.User.Talk <= 0 || u.User.Talk >= time.Minute {
			t.Errorf("used %+v, wanted one call that is over, with what it lasted", u)
		}
		return 0, false
	}); err != nil {
		t.Error(err)
	}
	_ = record.Close()

	env = testenv.Start(t, options)
	agent = env.Agent("zoe", testenv.AgentOptions{})
	agent.Dial("+442079460101", "")
	if r := testenv.Await[agentclient.Refused](agent, 1); !strings.Contains(r.Message, "in the last 24 hours") {
		t.Errorf("after a restart: %+v", r)
	}
}
