package testenv_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// sippCallee is SIPp as a carrier that takes one call and echoes its audio; ended gives what
// it said if it was not content.
func sippCallee(t *testing.T) (target string, ended chan string) {
	t.Helper()
	path, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed")
	}
	scenario, err := filepath.Abs("testdata/callee.xml")
	if err != nil {
		t.Fatal(err)
	}
	port := func() string {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return fmt.Sprint(conn.LocalAddr().(*net.UDPAddr).Port)
	}
	at := port()
	ctx, cancel := context.WithTimeout(context.Background(), 2*testenv.Patience)
	cmd := exec.CommandContext(ctx, path, "-sf", scenario, "-i", "127.0.0.1", "-p", at, "-mi", "127.0.0.1", "-mp", port(), "-rtp_echo", "-m", "1",
		"-nostdin", "-timeout", "50s", "-timeout_error")
	cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := cmd.Wait(); err != nil {
			ended <- err.Error() + "\n" + out.String()[max(0, out.Len()-3000):]
			return
		}
		ended <- ""
	}()
	t.Cleanup(func() { cancel(); <-done })
	var n int
	if _, err := fmt.Sscan(at, &n); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "SIPp listens", func() bool {
		table, err := os.ReadFile("/proc/net/udp")
		return err == nil && strings.Contains(string(table), fmt.Sprintf("0100007F:%04X ", n))
	})
	return "sip:127.0.0.1:" + at, ended
}

func TestSIPpIsCalledAndTheAgentHearsTheEcho(t *testing.T) {
	t.Parallel()
	target, sipp := sippCallee(t)
	env := testenv.Start(t, testenv.Options{Dialling: testenv.Anybody{}, Site: func(s *model.Site) {
		s.Trunks[0].Outbound = model.TrunkOutbound{Targets: []model.TrunkTarget{{URI: target}}, Prefixes: []string{""}}
	}})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 700, -20, testenv.MicRate)})
	agent.Dial(friend, string(testenv.Queue))
	told(agent, protocol.Ringing)
	told(agent, protocol.EarlyMedia)
	id := testenv.Await[agentclient.CallStarted](agent, 1).Call.ID
	testenv.Hears(t, "the agent, echoed,", 700, -20, testenv.EarRate, agent.Ear.Last)
	agent.Hangup(id)
	select {
	case said := <-sipp:
		if said != "" {
			t.Error(said)
		}
	case <-time.After(testenv.Patience):
		t.Error("SIPp was not hung up on")
	}
	if story, _ := ended(t, env, 1); story.Call.Cause != model.CauseAgentHungUp {
		t.Errorf("%s", story.Call.Cause)
	}
}
