package testenv_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
)

// placed has a user's client call a number, by the API, and gives the answer.
func placed(t *testing.T, env *testenv.Env, user, order string) (status int, body []byte) {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, step := range [][2]string{{"/api/v1/session", fmt.Sprintf(`{"user":%q,"password":%q}`, user, testenv.Password)}, {"/api/v1/calls", order}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env.URL()+step[0], strings.NewReader(step[1]))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		status = resp.StatusCode
	}
	return status, body
}

func free(env *testenv.Env, agent model.AgentID) func() bool {
	return func() bool {
		for _, a := range env.Service.Snapshot().Agents {
			if a.ID == agent && a.State == model.Ready {
				return true
			}
		}
		return false
	}
}

// A client that dies takes the call with it that it placed, unless somebody has answered.
func TestACallThatIsPlacedByTheAPIOutlivesItsClientOnlyOnceAnswered(t *testing.T) {
	t.Parallel()
	carrier := testenv.NewCarrier(t)
	env := testenv.Start(t, testenv.Options{
		Agents: []model.AgentID{"first", "second", "third"}, Dialling: testenv.Anybody{}, Call: call.Config{OutageGrace: time.Second},
		Site: func(s *model.Site) { s.Trunks[0].Outbound = carrier.Outbound() },
	})
	if status, body := placed(t, env, "first", `{"to":"+4930555"}`); status != http.StatusConflict {
		t.Errorf("without a client: %d %s", status, body)
	}
	for _, answered := range []bool{false, true} {
		user := map[bool]model.AgentID{false: "first", true: "second"}[answered]
		client := testenv.KillableAgent(t, env.URL(), user)
		testenv.Eventually(t, "the agent is ready", free(env, user))
		if status, body := placed(t, env, string(user), `{"to":"0900"}`); status != http.StatusForbidden || !strings.Contains(string(body), "Premium numbers are closed.") {
			t.Errorf("a closed number: %d %s", status, body)
		}
		status, body := placed(t, env, string(user), `{"to":"+4930555","queue":"service"}`)
		var got api.CallPlaced
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusCreated || got.Call == "" {
			t.Fatalf("%d %s", status, body)
		}
		callee := carrier.Next()
		callee.Rings()
		if !answered {
			client.Kill()
			within(t, "the CANCEL", callee.Cancelled)
			continue
		}
		callee.Answers(testenv.Tone(440, -18))
		testenv.Eventually(t, "the two speak", func() bool {
			calls := env.Service.Calls()
			return len(calls) == 1 && calls[0].AnsweredAt != nil
		})
		client.Kill()
		third := testenv.NewAgent(t, "third", testenv.AgentOptions{Server: env.URL()})
		if c := testenv.Await[agentclient.CallStarted](third, 1).Call; c.ID != string(got.Call) || c.Direction != "outbound" || c.To != "+4930555" {
			t.Errorf("the callee came to the next agent as %+v", c)
		}
		testenv.Hears(t, "the next agent", 440, -18, testenv.EarRate, third.Ear.Last)
		callee.HangsUp()
	}
}

// typed is an agent's program that takes commands.
type typed struct {
	t     *testing.T
	in    io.Writer
	lines chan string
}

func (p *typed) says(want string) {
	p.t.Helper()
	late := time.After(testenv.Patience)
	for {
		select {
		case line := <-p.lines:
			if strings.Contains(line, want) {
				return
			}
		case <-late:
			p.t.Fatalf("it did not say %q", want)
		}
	}
}

func (p *typed) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func TestTheAgentsProgramDialsAndPassesOn(t *testing.T) {
	t.Parallel()
	carrier := testenv.NewCarrier(t)
	env := testenv.Start(t, testenv.Options{
		Dialling: testenv.Anybody{}, Site: func(s *model.Site) { s.Trunks[0].Outbound = carrier.Outbound() },
	})
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(testenv.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*testenv.Patience) // past the test's own, which ends before the goodbye
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, testenv.Build(t, "cmd/headroom-agent"), "--server", env.URL(), "--user", "agent", "--password-file", password, "--headless", "--commands", "--mic", "none", "--ear", "none")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &typed{t: t, in: in, lines: make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	testenv.Eventually(t, "its audio stands", func() bool {
		p.types("ready")
		return free(env, "agent")()
	})
	p.types("dial 0900")
	p.says("refused: Premium numbers are closed.")
	p.types("dial +4930555 for service")
	first := carrier.Next()
	first.Rings()
	p.says("call to +4930555: ringing: It rings.")
	first.Answers(testenv.Tone(440, -18))
	p.says("call with +4930555")
	p.types("transfer +4930666")
	carrier.Next().Refuses("603 Decline")
	p.says("transfer to +4930666: failed: The call was declined.")
	p.types("transfer +4930777")
	second := carrier.Next()
	second.Answers(testenv.Tone(600, -20))
	p.says("call ended: transferred")
	testenv.Hears(t, "the first callee", 600, -20, testenv.CallerRate, first.Last)
	testenv.Hears(t, "the second callee", 440, -18, testenv.CallerRate, second.Last)
	first.HangsUp()
	within(t, "the second hears of the end", second.Done)
}
