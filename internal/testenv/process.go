package testenv

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/service"
)

// role is the environment variable that makes a test binary one of the processes below
// in place of running its tests; its value is the role's parameters in JSON.
const role = "HEADROOM_TESTENV_ROLE"

// roles are what a test binary can be.
type roles struct {
	Serve *config.Process // a service
	Agent *agentRole      // an agent's client with a silent headset
}

type agentRole struct{ Server, User string }

// Main runs the tests, or the role the process was started for. A package that uses
// StartProcess or KillableAgent calls it from TestMain.
func Main(m *testing.M, runTests func(*testing.M)) {
	value := os.Getenv(role)
	if value == "" {
		runTests(m)
		return
	}
	if err := play(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(value string) error {
	var r roles
	if err := json.Unmarshal([]byte(value), &r); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if r.Agent != nil {
		silent := audio.NewSilence(MicRate)
		client, err := agentclient.New(agentclient.Config{
			Server: r.Agent.Server, User: r.Agent.User, Password: Password, Program: "testenv",
			Headset: protocol.Headset{Model: "Test", Serial: "killable"},
			Mic:     silent.Source(), Ear: silent.Sink(), Ready: true, AutoAnswer: true, Log: log,
		})
		if err != nil {
			return err
		}
		return client.Run(ctx)
	}
	s, err := service.New(ctx, service.Config{Process: *r.Serve, Version: "test"}, log)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.Addrs()); err != nil {
		return err
	}
	return s.Run(ctx)
}

// Process is a role in a process of its own, which can be killed.
type Process struct {
	t     testing.TB
	cmd   *exec.Cmd
	Addrs service.Addrs // of a service
}

// StartProcess runs a service as a process of its own. The configuration comes from
// Prepare; ports left to the system are fixed by giving Addrs back in a second start.
func StartProcess(t testing.TB, p config.Process) *Process {
	t.Helper()
	proc := spawn(t, roles{Serve: &p})
	out, err := proc.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	proc.start()
	if err := json.NewDecoder(out).Decode(&proc.Addrs); err != nil {
		t.Fatalf("the service did not say where it is: %v", err)
	}
	return proc
}

// KillableAgent runs an agent's client as a process of its own.
func KillableAgent(t testing.TB, server string, user model.AgentID) *Process {
	t.Helper()
	proc := spawn(t, roles{Agent: &agentRole{server, string(user)}})
	proc.start()
	return proc
}

func spawn(t testing.TB, r roles) *Process {
	t.Helper()
	value, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) //nolint:noctx // killed by the test
	cmd.Env = append(os.Environ(), role+"="+string(value))
	cmd.Stderr = testWriter{t}
	return &Process{t: t, cmd: cmd}
}

func (p *Process) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.Kill)
}

// Kill is kill -9. It may be called more than once.
func (p *Process) Kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !strings.Contains(err.Error(), "finished") {
		p.t.Errorf("kill: %v", err)
	}
	_ = p.cmd.Wait() // says that it was killed
}

// Fixed is the configuration with the ports that a process got, so that the next one can
// be found where the first was.
func (p *Process) Fixed(c config.Process) config.Process {
	c.HTTP.Listen, c.WebRTC.Listen = p.Addrs.HTTP, p.Addrs.WebRTC.String()
	c.SIP.UDP, c.SIP.TCP = p.Addrs.SIPUDP.String(), p.Addrs.SIPTCP.String()
	return c
}
