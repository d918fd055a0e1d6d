package testenv_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
)

// supervisor is somebody who uses the API.
func supervisor(t *testing.T, env *testenv.Env) func(method, path, body string, into any) int {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: testenv.Patience}
	ask := func(method, path, body string, into any) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, env.URL()+"/api/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		if into != nil && json.Unmarshal(text.Bytes(), into) != nil {
			t.Fatalf("%s %s: %s", method, path, text.String())
		}
		return res.StatusCode
	}
	if status := ask(http.MethodPost, "/session", fmt.Sprintf(`{"user":%q,"password":%q}`, testenv.Supervisor, testenv.Password), nil); status != http.StatusOK {
		t.Fatalf("sign-in: %d", status)
	}
	return ask
}

func TestASupervisorSeesAnAgentsPhoneAndWhatIsHeardOfItsHeadset(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: func(site *model.Site) {
		testenv.WithPhones(site)
		site.Users[1].Phone.Headset = model.PhoneHeadset{Model: "Brand 5", Serial: "77"}
	}})
	ask := supervisor(t, env)
	if status := ask(http.MethodPut, "/agents/agent/state", `{"state":"ready"}`, nil); status != http.StatusConflict {
		t.Errorf("without a phone: %d", status)
	}
	phone := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.SIP(), Hz: 1000, DBov: -20, Account: ";answermode=auto"})
	is(t, env, "agent", model.Break)
	if status := ask(http.MethodPut, "/agents/agent/state", `{"state":"ready"}`, nil); status != http.StatusNoContent {
		t.Errorf("ready: %d", status)
	}
	is(t, env, "agent", model.Ready)
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	var a api.Agent
	testenv.Eventually(t, "the headset is measured on the wire", func() bool {
		a = api.Agent{}
		ask(http.MethodGet, "/agents/agent", "", &a)
		return a.Wire != nil
	})
	if !a.Phone || a.Mic != nil || a.Headset == nil || a.Headset.ID != "Brand 5/77" || len(a.Phones) != 1 {
		t.Fatalf("%+v", a)
	}
	if p := a.Phones[0]; p.Transport != "UDP" || !p.Reachable || !strings.HasPrefix(p.UserAgent, "baresip") || !strings.HasPrefix(p.Source, "127.0.0.1:") || time.Until(p.Expires) > time.Minute {
		t.Errorf("%+v", p)
	}
	if status := ask(http.MethodPut, "/agents/agent/state", `{"state":"break","reason":"training"}`, nil); status != http.StatusNoContent {
		t.Errorf("break in a call: %d", status)
	}
	phone.Press("/hangup")
	testenv.Eventually(t, "the break comes after the call", func() bool {
		state, reason := stateOf(env, "agent")
		return state == model.Break && reason == "training"
	})
}

func TestWhatTheAgentDeclinesGoesToSomebodyElse(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Agents: []model.AgentID{"agent", "other"}, Site: testenv.WithPhones})
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	caller := env.Caller(load.Config{})
	phone.Says("Incoming call", 1)
	phone.Press("/hangup")
	is(t, env, "agent", model.Break)
	other := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "other", Server: env.SIP(), Hz: 1500, DBov: -20, Account: ";answermode=auto"})
	is(t, env, "other", model.Break)
	other.Says("registered successfully", 1)
	other.Press("/dial *10")
	testenv.Hears(t, "the caller", 1500, -20, testenv.CallerRate, testenv.LastHeard(caller))
	if state, reason := stateOf(env, "agent"); state != model.Break || reason != "declined" {
		t.Errorf("the agent is %s (%s)", state, reason)
	}
}

func TestAnAgentGoesFromPhoneToProgramAndBack(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	program := testenv.NewAgent(t, "agent", testenv.AgentOptions{Server: env.URL(), Config: func(c *agentclient.Config) { c.Ready = false }})
	ask := supervisor(t, env)
	onPhone := func(want bool) {
		t.Helper()
		testenv.Eventually(t, fmt.Sprintf("on a phone: %v", want), func() bool {
			var a api.Agent
			ask(http.MethodGet, "/agents/agent", "", &a)
			return a.State != model.Offline && a.Phone == want
		})
	}
	onPhone(false)
	program.Stop()
	is(t, env, "agent", model.Offline) // and the phone, which is registered, does not sign in behind the agent's back
	phone.Press("/dial *11")
	onPhone(true)
	is(t, env, "agent", model.Break)
	phone.Says("session closed", 2)
	phone.Press("/dial *12")
	is(t, env, "agent", model.Offline)
}

func TestAnAgentDialsByPhoneAndEndsTheWrapUp(t *testing.T) {
	t.Parallel()
	carrier := testenv.NewCarrier(t)
	env := testenv.Start(t, testenv.Options{Dialling: testenv.Anybody{}, Site: func(site *model.Site) {
		testenv.WithPhones(site)
		site.Trunks[0].Outbound = carrier.Outbound()
		site.Queues[0].WrapUp = time.Hour
	}})
	ear := pulsetest.Start(t, "desk")
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20, Ear: ear, Headset: "desk"})
	phone.Press("/dial " + friend)
	callee := carrier.Next()
	if callee.To() != friend {
		t.Errorf("called %s", callee.To())
	}
	is(t, env, "agent", model.OnCall)
	callee.Answers(testenv.Tone(600, -18))
	testenv.Hears(t, "the agent", 600, -18, pulsetest.Rate, phone.Heard().Last)
	testenv.Hears(t, "the callee", 1000, -20, testenv.CallerRate, callee.Last)
	phone.Press("/hangup")
	is(t, env, "agent", model.Ready) // a call for no queue has no wrap-up

	caller := env.Caller(load.Config{})
	phone.Says("Incoming call", 1)
	phone.Press("/accept")
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	phone.Press("/hangup")
	is(t, env, "agent", model.WrapUp)
	phone.Press("/dial *13")
	is(t, env, "agent", model.Ready)
}
