package pulsetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const startTimeout = 15 * time.Second

// Server is a PulseAudio of the test's own.
type Server struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
	stop sync.Once
}

// Start runs a server with the named headsets, at least one, until the test ends. The
// first is the default device.
func Start(t testing.TB, headsets ...string) *Server {
	t.Helper()
	need(t, "pulseaudio", "pulseaudio libasound2-plugins")
	// norewinds below: a null sink otherwise works in blocks of 2 s.
	// Not t.TempDir: a test's name makes the path longer than a socket's may be.
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a leftover in /tmp is no failure
	s := &Server{dir: dir, done: make(chan struct{})}
	s.file(t, "setup.pa", s.setup(headsets))
	s.file(t, "asound.conf", s.alsa(headsets))
	var log strings.Builder
	// The idle time ends a server whose test was killed; while a headset is in use it is not idle.
	s.cmd = exec.Command("pulseaudio", "--system=false", "--daemonize=no", "--exit-idle-time=120", "--use-pid-file=no", //nolint:noctx // ended by Stop
		"--disable-shm=yes", "--high-priority=no", "--realtime=no", "-n", "-F", filepath.Join(dir, "setup.pa"))
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "PULSE_RUNTIME_PATH="+dir, "DBUS_SESSION_BUS_ADDRESS=disabled:")
	s.cmd.Stdout, s.cmd.Stderr = &log, &log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start PulseAudio: %v", err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // it is told to end by a signal
	}()
	t.Cleanup(s.Stop)
	late := time.After(startTimeout)
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", s.socket())
		if err == nil {
			_ = conn.Close() // it was only to see that the server is there
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("PulseAudio ended:\n%s", log.String())
		case <-late:
			t.Fatalf("PulseAudio did not start within %v: %v", startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Env is what a program needs in its environment to use the headsets, through ALSA or
// with PulseAudio's own tools. It also keeps their settings out of the person's home.
func (s *Server) Env() []string {
	return []string{
		"HOME=" + s.dir,
		"XDG_RUNTIME_DIR=" + s.dir,
		"ALSA_CONFIG_PATH=" + filepath.Join(s.dir, "asound.conf"),
		"PULSE_SERVER=unix:" + s.socket(),
		"JACK_NO_START_SERVER=1", // PortAudio looks for JACK too
	}
}

// Use lets the test's own process use the headsets.
func (s *Server) Use(t testing.TB) {
	for _, pair := range s.Env() {
		key, value, _ := strings.Cut(pair, "=")
		t.Setenv(key, value)
	}
}

// Stop ends the server now: every headset is unplugged.
func (s *Server) Stop() {
	s.stop.Do(func() { _ = s.cmd.Process.Kill() }) // it may have ended already
	<-s.done
}

func (s *Server) socket() string { return filepath.Join(s.dir, "native") }

func (s *Server) file(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// setup is PulseAudio's script. The socket comes last: whoever can connect finds everything.
func (s *Server) setup(headsets []string) string {
	var b strings.Builder
	for _, h := range headsets {
		fmt.Fprintf(&b, "load-module module-null-sink sink_name=%s-voice rate=48000 channels=1 norewinds=1\n", h)
		fmt.Fprintf(&b, "load-module module-null-sink sink_name=%s-ear rate=48000 channels=1 norewinds=1\n", h)
		fmt.Fprintf(&b, "load-module module-remap-source source_name=%s-mic master=%s-voice.monitor\n", h, h)
	}
	fmt.Fprintf(&b, "load-module module-native-protocol-unix socket=%s auth-anonymous=1\n", s.socket())
	return b.String()
}

func (s *Server) alsa(headsets []string) string {
	var b strings.Builder
	pcm := func(name, plays, records string) {
		fmt.Fprintf(&b, "pcm.%q {\n\ttype asym\n\tplayback.pcm { type pulse server \"unix:%s\" device %q }\n\tcapture.pcm { type pulse server \"unix:%s\" device %q }\n\thint { show on description %q }\n}\n",
			name, s.socket(), plays, s.socket(), records, name)
	}
	// PortAudio aborts the program on a system whose ALSA has no "default".
	pcm("default", headsets[0]+"-ear", headsets[0]+"-mic")
	for _, h := range headsets {
		pcm(h, h+"-ear", h+"-mic")
		pcm(h+"-world", h+"-voice", h+"-ear.monitor")
	}
	return b.String()
}
