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
	"time"

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
	p := program(t, []string{role + "=" + string(value)}, os.Args[0])
	p.cmd.Stdout = nil // StartProcess reads it
	return p
}

func (p *Process) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.Kill)
}

// StartProgram runs another program, with env on top of the test's own environment, until
// the test ends.
func StartProgram(t testing.TB, env []string, name string, args ...string) *Process {
	t.Helper()
	p := program(t, env, name, args...)
	p.start()
	return p
}

func program(t testing.TB, env []string, name string, args ...string) *Process {
	cmd := exec.Command(name, args...) //nolint:noctx // killed by the test
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = testWriter{t}, testWriter{t}
	return &Process{t: t, cmd: cmd}
}

// End asks the process to end and waits; it must do so in order.
func (p *Process) End() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s: %v", p.cmd.Path, err)
	}
	if code := p.Wait(); code != 0 {
		p.t.Errorf("%s, told to end, gave exit code %d", p.cmd.Path, code)
	}
}

// Wait waits until the process has ended and gives its exit code. One that does not end is
// killed; its code is -1.
func (p *Process) Wait() int {
	late := time.AfterFunc(Patience, func() { _ = p.cmd.Process.Kill() }) // the code tells of it
	defer late.Stop()
	_ = p.cmd.Wait() // so does this
	return p.cmd.ProcessState.ExitCode()
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
