package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// plainRun marks the run that TestMain starts.
const plainRun = "HEADROOM_DEVICE_TEST_PLAIN"

// TestMain keeps -race usable. The race detector brings Go's pointer check with it, which
// stops the program at PortAudio's binding: that hands a number to C in a pointer's place
// (harmless, gordonklaus/portaudio OpenStream). So under -race the tests run once more, in
// a program where the binding alone is built without that check.
func TestMain(m *testing.M) {
	if raceEnabled && os.Getenv(plainRun) == "" {
		cmd := exec.Command("go", "test", "-race", "-count=1", "-gcflags=github.com/gordonklaus/portaudio=-d=checkptr=0", ".") //nolint:noctx // bounded by go test's own time-out
		cmd.Env = append(os.Environ(), plainRun+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// recorder keeps what a microphone gives.
type recorder struct {
	mu  sync.Mutex
	pcm []float32
}

func (r *recorder) take(frame []float32, _ dsp.Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcm = append(r.pcm, frame...)
}

func (r *recorder) last(n int) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pcm) < n {
		return nil
	}
	return slices.Clone(r.pcm[len(r.pcm)-n:])
}

func toneFill(hz, levelDBov float64, rate int) func([]float32) {
	amplitude, n := math.Pow(10, levelDBov/20)*math.Sqrt2, 0
	return func(frame []float32) {
		for i := range frame {
			frame[i] = float32(amplitude * math.Sin(2*math.Pi*hz*float64(n)/float64(rate)))
			n++
		}
	}
}

func TestHeadsetHearsAndPlaysAndItsUnpluggingIsNoticed(t *testing.T) {
	server := pulsetest.Start(t, "desk")
	server.Use(t)
	mic, err := OpenMic("desk")
	if err != nil {
		t.Fatal(err)
	}
	world, err := OpenEar("desk-world")
	if err != nil {
		t.Fatal(err)
	}
	ear, err := OpenEar("desk")
	if err != nil {
		t.Fatal(err)
	}
	back, err := OpenMic("DESK-W") // a part of the name will do
	if err != nil {
		t.Fatal(err)
	}
	if mic.Name() != "desk" || back.Name() != "desk-world" || mic.Rate() != 48000 || ear.Rate() != 48000 {
		t.Errorf("mic %q at %d Hz, world %q, ear %q at %d Hz", mic.Name(), mic.Rate(), back.Name(), ear.Name(), ear.Rate())
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var voice, heard recorder
	ended := make(chan error, 4)
	go func() { ended <- mic.Run(ctx, voice.take) }()
	go func() { ended <- back.Run(ctx, heard.take) }()
	go func() { ended <- world.Run(ctx, toneFill(1000, -20, world.Rate())) }()
	go func() { ended <- ear.Run(ctx, toneFill(440, -15, ear.Rate())) }()

	wantTone(t, "microphone", &voice, mic.Rate(), 1000, -20)
	wantTone(t, "earphone", &heard, back.Rate(), 440, -15)

	server.Stop()
	for range 4 {
		select {
		case err := <-ended:
			if !errors.Is(err, audio.ErrDevice) || !strings.Contains(err.Error(), "desk") {
				t.Errorf("unplugged: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("unplugging was not noticed")
		}
	}
}

func wantTone(t *testing.T, what string, r *recorder, rate int, hz, levelDBov float64) {
	t.Helper()
	late := time.After(15 * time.Second)
	for {
		pcm := r.last(rate / 4)
		tone, rest := mediatest.ToneAndRest(pcm, rate, hz)
		if pcm != nil && math.Abs(tone-levelDBov) < 0.5 && rest < tone-20 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			t.Fatalf("%s: %g Hz at %.2f dBov, %.2f dBov of other sound; want %g", what, hz, tone, rest, levelDBov)
		}
	}
}

func TestStoppedDeviceGivesEverythingBack(t *testing.T) {
	pulsetest.Start(t, "desk").Use(t)
	for range 3 {
		mic, err := OpenMic("desk")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		frames := 0
		err = mic.Run(ctx, func([]float32, dsp.Mark) {
			if frames++; frames == 3 {
				cancel()
			}
		})
		if err != nil || frames < 3 {
			t.Fatalf("%d frames, %v", frames, err)
		}
		cancel()
	}
}

func TestDevicesAreChosenByNumberNameOrPart(t *testing.T) {
	list := []Info{
		{Index: 0, Name: "HDMI", Outputs: 2, DefaultOut: true},
		{Index: 1, Name: "USB Headset", Inputs: 1, Outputs: 2},
		{Index: 2, Name: "USB Headset Pro", Inputs: 1, Outputs: 2},
		{Index: 3, Name: "Webcam", Inputs: 2, DefaultIn: true},
	}
	for _, c := range []struct {
		name string
		want int // index, or -1
		says string
	}{
		{"", 3, ""}, {Default, 3, ""}, {"1", 1, ""}, {"webcam", 3, ""}, {"USB Headset", 1, ""}, {"pro", 2, ""},
		{"0", -1, "not a microphone"}, {"9", -1, "--list-devices"}, {"HDMI", -1, "no microphone"}, {"usb", -1, "fits 2 devices"},
	} {
		d, err := choose(list, c.name, "microphone", func(i Info) int { return i.Inputs }, func(i Info) bool { return i.DefaultIn })
		switch {
		case c.want >= 0 && (err != nil || d.Index != c.want):
			t.Errorf("%q: %+v, %v", c.name, d, err)
		case c.want < 0 && (!errors.Is(err, audio.ErrDevice) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%q: %v, want a word of %q", c.name, err, c.says)
		}
	}
	if _, err := choose(nil, Default, "microphone", func(i Info) int { return i.Inputs }, func(i Info) bool { return i.DefaultIn }); err == nil {
		t.Error("found a device where there is none")
	}
	var b bytes.Buffer
	if err := Print(&b, list); err != nil || !strings.Contains(b.String(), "USB Headset Pro") {
		t.Errorf("list: %v\n%s", err, b.String())
	}
	b.Reset()
	if err := Print(&b, nil); err != nil || !strings.Contains(b.String(), "no audio devices") {
		t.Errorf("empty list: %v\n%s", err, b.String())
	}
}

func TestStereoCardsServeMonoPeople(t *testing.T) {
	mono := make([]float32, 4)
	if n := downmix(mono, []float32{1, 0, 0.5, 0.5}, 2); n != 2 || mono[0] != 0.5 || mono[1] != 0.5 {
		t.Errorf("%d frames, %v", n, mono)
	}
	if n := downmix(mono, []float32{1, 2, 3, 4, 5, 6}, 1); n != 4 || mono[3] != 4 {
		t.Errorf("%d frames, %v", n, mono)
	}
	out := make([]float32, 4)
	upmix(out, []float32{1, 2}, 2)
	if !slices.Equal(out, []float32{1, 1, 2, 2}) {
		t.Errorf("%v", out)
	}
}
