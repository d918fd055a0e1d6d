package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		exit int
		says string
	}{
		{"no window", []string{"--server", "http://x", "--user", "ada"}, exitUsage, "--headless"},
		{"no server", []string{"--headless"}, exitUsage, "--server"},
		{"no address", []string{"--headless", "--server", "192.0.2.10:8080"}, exitUsage, "http://192.0.2.10:8080"},
		{"no user", []string{"--headless", "--server", "http://x"}, exitUsage, "--user"},
		{"no password", []string{"--headless", "--server", "http://x", "--user", "ada"}, exitUsage, "--password-file"},
		{"unknown flag", []string{"--window"}, exitUsage, "unknown flag"},
		{"no such file", []string{"--headless", "--server", "http://x", "--user", "ada", "--password-file", "/nowhere/pw"}, exitFailed, "/nowhere/pw"},
		{"version", []string{"--version"}, 0, ""},
		{"help", []string{"--help"}, 0, "--auto-answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if exit := run(c.args, strings.NewReader(""), &stdout, &stderr); exit != c.exit {
				t.Errorf("exit %d, want %d", exit, c.exit)
			}
			if said := stdout.String() + stderr.String(); !strings.Contains(said, c.says) || said == "" {
				t.Errorf("said %q, want a word of %q", said, c.says)
			}
		})
	}
}

func TestPasswordIsTheFirstLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	for text, want := range map[string]string{"secret\n": "secret", "secret": "secret", "se cret \r\nmore": "se cret "} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPassword(path, nil); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if got, err := readPassword("-", strings.NewReader("typed\n")); err != nil || got != "typed" {
		t.Errorf("standard input: %q, %v", got, err)
	}
	for _, bad := range []string{"", "\nsecret", strings.Repeat("x", maxPassword+1)} {
		if got, err := readPassword("-", strings.NewReader(bad)); err == nil {
			t.Errorf("%.10q: %q", bad, got)
		}
	}
}

func TestHeadsetsIdentity(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		f    flags
		mic  string
		want protocol.Headset
	}{
		{"as given", flags{HeadsetModel: "H", HeadsetSerial: "1"}, "USB Audio", protocol.Headset{Model: "H", Serial: "1"}},
		{"the device's", flags{}, "USB Audio", protocol.Headset{Model: "USB Audio", Serial: host}},
		{"a file is no device", flags{}, "", protocol.Headset{}},
	} {
		if got := c.f.headset(c.mic); got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
