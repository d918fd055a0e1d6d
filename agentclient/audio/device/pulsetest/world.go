package pulsetest

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Rate is that of the virtual headsets, in Hz.
const Rate = 48000

// speakFrames is how much Speak hands over at once, in samples.
const speakFrames = Rate / 50

// Speak says pcm (at Rate, full scale ±1) into a headset's microphone, over and over until
// the test ends. It is PulseAudio's own player, so that nothing of ours is on this side.
func (s *Server) Speak(t testing.TB, headset string, pcm []float32) {
	t.Helper()
	cmd := s.tool(t, headset+"-voice", "--playback")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, cmd, func() {
		var frame []byte
		for at := 0; ; {
			frame = frame[:0]
			for range speakFrames {
				frame = binary.LittleEndian.AppendUint32(frame, math.Float32bits(pcm[at]))
				at = (at + 1) % len(pcm)
			}
			if _, err := in.Write(frame); err != nil {
				return // the player has ended
			}
		}
	})
}

// Recording is what a headset's earphone played.
type Recording struct {
	mu  sync.Mutex
	pcm []float32
}

// Hear records what a headset's earphone plays until the test ends, with PulseAudio's own
// recorder.
func (s *Server) Hear(t testing.TB, headset string) *Recording {
	t.Helper()
	cmd := s.tool(t, headset+"-ear.monitor", "--record")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := &Recording{}
	s.run(t, cmd, func() { r.take(out) })
	return r
}

// Last is the newest d of the recording; less when there is less.
func (r *Recording) Last(d time.Duration) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pcm[max(0, len(r.pcm)-int(d.Seconds()*Rate)):])
}

func (r *Recording) take(from io.Reader) {
	var block [4096]byte
	for {
		n, err := io.ReadFull(from, block[:])
		r.mu.Lock()
		for at := 0; at+4 <= n; at += 4 {
			r.pcm = append(r.pcm, math.Float32frombits(binary.LittleEndian.Uint32(block[at:])))
		}
		r.mu.Unlock()
		if err != nil {
			return // the recorder has ended
		}
	}
}

// latency is the tools' buffer: long enough for a machine that is busy.
const latency = 300 * time.Millisecond

// tool is PulseAudio's own player or recorder, at a device.
func (s *Server) tool(t testing.TB, device, direction string) *exec.Cmd {
	t.Helper()
	need(t, "pacat", "pulseaudio-utils")
	args := []string{direction, "--raw", "--format=float32le", "--channels=1", "--rate=" + strconv.Itoa(Rate),
		"--latency-msec=" + strconv.FormatInt(latency.Milliseconds(), 10), "--device=" + device}
	cmd := exec.Command("pacat", args...) //nolint:noctx // ended by run
	cmd.Env = append(os.Environ(), s.Env()...)
	return cmd
}

// run starts a tool, does work beside it, and ends both with the test.
func (s *Server) run(t testing.TB, cmd *exec.Cmd, work func()) {
	t.Helper()
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		work()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-worked               // before Wait, which closes the pipes
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s said:\n%s", cmd.Args[0], said.String())
		}
	})
}

// need skips the test when a program is not installed.
func need(t testing.TB, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed (Debian: apt install %s)", program, debianPackage)
	}
}
