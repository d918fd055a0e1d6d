package testenv

import (
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"testing"
)

const module = "github.com/headroom-voice/headroom"

// Build makes one of the module's programs, e.g. cmd/headroom-agent, and gives the path to
// it. Under the race detector the program has it too.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), path.Base(pkg))
	args := []string{"build", "-o", bin}
	if underRace() {
		// The race detector brings Go's pointer check with it, which stops the program at
		// PortAudio's binding (see agentclient/audio/device).
		args = append(args, "-race", "-gcflags=github.com/gordonklaus/portaudio=-d=checkptr=0")
	}
	if out, err := exec.CommandContext(t.Context(), "go", append(args, module+"/"+pkg)...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return bin
}

func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
