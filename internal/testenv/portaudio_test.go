package testenv_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// desk is the virtual headset of an agent's program.
const desk = "desk"

func TestTheAgentsProgramTalksListensAndMeasuresThroughASoundCard(t *testing.T) {
	cards := pulsetest.Start(t, "other", desk) // the default is the wrong one
	program := testenv.Build(t, "cmd/headroom-agent")
	listsDevice(t, program, cards)
	env := testenv.Start(t, testenv.Options{})
	cards.Speak(t, desk, mediatest.Tone(pulsetest.Rate, 1000, -20, pulsetest.Rate))
	heard := cards.Hear(t, desk)
	agent := sitDown(t, program, cards, env, "agent")
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)}) // music until the agent is ready

	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	testenv.Hears(t, "the agent's earphone", 440, -18, pulsetest.Rate, heard.Last)

	agent.End()
	testenv.Eventually(t, "the agent signed out", func() bool { return len(env.Service.Snapshot().Agents) == 0 })
	measured(t, testenv.OpenRecord(t, env.Process))
}

func TestTheCallerOfAnUnpluggedHeadsetIsPutThroughToSomebodyElse(t *testing.T) {
	cards := pulsetest.Start(t, desk)
	program := testenv.Build(t, "cmd/headroom-agent")
	env := testenv.Start(t, testenv.Options{Agents: []model.AgentID{"first", "second"}})
	cards.Speak(t, desk, mediatest.Tone(pulsetest.Rate, 1000, -20, pulsetest.Rate))
	first := sitDown(t, program, cards, env, "first")
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	second := env.Agent("second", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 700, -20, testenv.MicRate)})

	cards.Stop()
	testenv.Await[agentclient.CallStarted](second, 1)
	testenv.Hears(t, "the caller", 700, -20, testenv.CallerRate, testenv.LastHeard(caller))
	if code := first.Wait(); code != 1 {
		t.Errorf("the program whose headset is gone gave exit code %d", code)
	}
}

// sitDown starts an agent's program at the desk's headset.
func sitDown(t *testing.T, program string, cards *pulsetest.Server, env *testenv.Env, user string) *testenv.Process {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(testenv.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return testenv.StartProgram(t, cards.Env(), program, "--server", env.URL(), "--user", user, "--password-file", password,
		"--headless", "--auto-answer", "--mic", desk, "--ear", desk, "--headset-model", "Acme One", "--headset-serial", "42")
}

func listsDevice(t *testing.T, program string, cards *pulsetest.Server) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "--list-devices")
	cmd.Env = append(os.Environ(), cards.Env()...)
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), desk) {
		t.Errorf("--list-devices: %v\n%s", err, out)
	}
}

// measured checks that the record knows the headset by the name it was given, with a report
// of what its microphone gave.
func measured(t *testing.T, record *store.Store) {
	t.Helper()
	headsets, err := record.Headsets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(headsets) != 1 || headsets[0].Model != "Acme One" || headsets[0].Serial != "42" || headsets[0].LastAgent != "agent" {
		t.Fatalf("the headset is known as %+v", headsets)
	}
	testenv.Eventually(t, "a report of the microphone at its own rate and level", func() bool {
		reports, err := record.Reports(t.Context(), headsets[0].ID, 10)
		return err == nil && slices.ContainsFunc(reports, func(r model.ReportRecord) bool {
			// Within 1 dB: a busy machine may lose a frame of the two seconds or so.
			level := r.Report.Metrics.Level
			return r.Report.Tap == headset.TapMic && r.Report.SampleRate == pulsetest.Rate && level > -21 && level < -19
		})
	})
}
