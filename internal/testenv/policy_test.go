package testenv_test

import (
	"slices"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
)

// flaggedAnd starts a service with one queue of this policy and two agents: one whose
// headset is known to be faulty and who is ready, and one who is not here yet.
func flaggedAnd(t *testing.T, policy model.HeadsetPolicy) (*testenv.Env, *testenv.Agent) {
	t.Helper()
	env := testenv.Start(t, testenv.Options{
		Agents: []model.AgentID{"flagged", "sound"},
		Site:   func(s *model.Site) { s.Queues[0].HeadsetPolicy, s.Queues[0].WrapUp = policy, 0 },
	})
	verdict := model.Verdict{Headset: "Test/faulty", State: model.VerdictReplace, Text: "It clips.", Findings: []model.VerdictFinding{}, At: time.Now()}
	if err := testenv.OpenRecord(t, env.Process).SaveVerdict(t.Context(), verdict); err != nil {
		t.Fatal(err)
	}
	agent := env.Agent("flagged", testenv.AgentOptions{Serial: "faulty"})
	if told := testenv.Await[agentclient.Judged](agent, 1); told.Verdict.State != string(model.VerdictReplace) || told.Verdict.Text != verdict.Text {
		t.Errorf("who wears it is told %+v", told)
	}
	return env, agent
}

func TestExcludeLeavesTheCallerToSomebodyWhoCanBeHeard(t *testing.T) {
	t.Parallel()
	env, _ := flaggedAnd(t, model.PolicyExclude)
	env.Caller(load.Config{})
	testenv.Eventually(t, "the caller waits beside an excluded agent", func() bool {
		q := env.Service.Snapshot().Queues[0]
		return len(q.Waiting) == 1 && q.Waiting[0].Offered == "" && q.ReadyFlagged == 1
	})
	sound := testenv.NewAgent(t, "sound", testenv.AgentOptions{Serial: "fine", Server: env.URL()}) // rings as soon as it is ready
	testenv.Await[agentclient.CallStarted](sound, 1)
	wantOffers(t, env, map[string]string{"sound": "false"})
}

func TestLastResortTakesTheFlaggedAgentOnlyWhenNobodyElseIsFree(t *testing.T) {
	t.Parallel()
	env, flagged := flaggedAnd(t, model.PolicyLastResort)
	sound := env.Agent("sound", testenv.AgentOptions{Serial: "fine"})
	env.Caller(load.Config{}) // the flagged one has been idle longer
	testenv.Await[agentclient.CallStarted](sound, 1)
	wantOffers(t, env, map[string]string{"sound": "false"})
	env.Caller(load.Config{})
	testenv.Await[agentclient.CallStarted](flagged, 1)
	wantOffers(t, env, map[string]string{"sound": "false", "flagged": "true"})
}

func TestIgnoreOffersByIdleTimeAlone(t *testing.T) {
	t.Parallel()
	env, flagged := flaggedAnd(t, model.PolicyIgnore)
	env.Agent("sound", testenv.AgentOptions{Serial: "fine"})
	env.Caller(load.Config{})
	testenv.Await[agentclient.CallStarted](flagged, 1)
	wantOffers(t, env, map[string]string{"flagged": "false"})
}

// wantOffers wants the record to tell of one offer to each of these agents, and whether it
// was for want of others.
func wantOffers(t *testing.T, env *testenv.Env, want map[string]string) {
	t.Helper()
	record := testenv.OpenRecord(t, env.Process)
	var got []string
	testenv.Eventually(t, "the offers in the record", func() bool {
		got = got[:0]
		for _, c := range env.Service.Calls() {
			story, err := record.Call(t.Context(), c.ID)
			if err != nil {
				return false // not written yet
			}
			for _, e := range story.Events {
				if e.Kind == "offered" {
					got = append(got, string(e.Agent)+" last_resort="+e.Detail["last_resort"])
				}
			}
		}
		return len(got) >= len(want)
	})
	slices.Sort(got)
	var wanted []string
	for agent, last := range want {
		wanted = append(wanted, agent+" last_resort="+last)
	}
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("offers %v, wanted %v", got, wanted)
	}
}
