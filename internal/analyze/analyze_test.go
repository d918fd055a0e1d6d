package analyze_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/analyze"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func run(o analyze.Options) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = analyze.Run(context.Background(), o, &out, &err)
	return status, out.String(), err.String()
}

// write makes a 16-bit WAV file in a folder of the test.
func write(t *testing.T, name string, rate, channels int, x []float32) string {
	t.Helper()
	return writeAs(t, name, wavfile.Format{Rate: rate, Channels: channels, Bits: 16}, x)
}

func writeAs(t *testing.T, name string, f wavfile.Format, x []float32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := wavfile.Create(path, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(x), w.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func samples(t *testing.T, name string) ([]float32, int) {
	t.Helper()
	x, rate, err := testdata.Samples(name)
	if err != nil {
		t.Fatal(err)
	}
	return x, rate
}

func TestReportOfTheProjectsSpeechIsGolden(t *testing.T) {
	t.Chdir("../../testdata/speech")
	files, err := filepath.Glob("*.wav")
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	status, stdout, stderr := run(analyze.Options{JSON: true, Files: files})
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	const golden = "../../internal/analyze/testdata/speech.json"
	if *update {
		if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got, expect any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &expect); err != nil {
		t.Fatal(err)
	}
	compare(t, "", got, expect)
}

// compare allows numbers a thousandth, since processors round their sums differently.
func compare(t *testing.T, at string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			t.Errorf("%s: %v, want %v (-update rewrites the golden file)", at, got, want)
			return
		}
		for k := range w {
			compare(t, at+"."+k, g[k], w[k])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			t.Errorf("%s: %v, want %v (-update rewrites the golden file)", at, got, want)
			return
		}
		for i := range w {
			compare(t, fmt.Sprintf("%s[%d]", at, i), g[i], w[i])
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-w) > 0.001*math.Max(1, math.Abs(w)) {
			t.Errorf("%s: %v, want %v", at, got, w)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

func TestOneFileIsAnObjectAndFaultsAreInIt(t *testing.T) {
	x, rate := samples(t, "agent-1")
	path := write(t, "clipped.wav", rate, 1, dsptest.Overdrive(x, 12, 0.7))
	status, stdout, _ := run(analyze.Options{JSON: true, Files: []string{path}})
	var got struct {
		File       string             `json:"file"`
		SampleRate int                `json:"sample_rate"`
		Duration   float64            `json:"duration_s"`
		Active     float64            `json:"active_speech_s"`
		Metrics    map[string]any     `json:"metrics"`
		Findings   []*headset.Finding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err, stdout)
	}
	if status != 0 || got.File != path || got.SampleRate != 16000 || got.Duration != 21.5 || got.Active < 10 {
		t.Errorf("status %d, %+v", status, got)
	}
	for _, name := range []string{"active_level_dbov", "activity", "noise_floor_dbov", "snr_db", "peak_dbov", "clipped_share"} {
		if _, ok := got.Metrics[name].(float64); !ok {
			t.Errorf("metric %s is %v", name, got.Metrics[name])
		}
	}
	found := false
	for _, f := range got.Findings {
		found = found || f.Kind == headset.Clipping && f.Severity == headset.Bad
	}
	if !found {
		t.Errorf("no clipping in %s", stdout)
	}
}

func TestBadFilesAreNamedAndTheOthersDone(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := testdata.Speech("caller-1")
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, b ...byte) string {
		c := bytes.Clone(whole)
		copy(c[at:], b)
		return string(c)
	}
	good := put("good.wav", string(whole))
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing.wav"), "no such file"},
		{dir, "is a folder"},
		{put("empty.wav", ""), "is not a WAV file"},
		{put("text.wav", "dear diary, today I was not a WAV file at all"), "is not a WAV file"},
		{put("header.wav", string(whole[:36])), "has no samples"},
		{put("nothing.wav", string(whole[:44])), "has no samples"},
		{put("adpcm.wav", changed(20, 2)), "WAV format 2"},
		{put("bits.wav", changed(34, 12)), "12-bit"},
		{put("rate.wav", changed(24, 0x88, 0x13, 0, 0)), "5000 Hz is not within"},
		{put("zero.wav", changed(24, 0, 0, 0, 0)), "0 Hz"},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			status, stdout, stderr := run(analyze.Options{JSON: true, Files: []string{c.path, good}})
			if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.path) || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d: %s", status, stderr)
			}
			var results []analyze.Result
			if err := json.Unmarshal([]byte(stdout), &results); err != nil || len(results) != 1 || results[0].File != good {
				t.Errorf("the good file was not done: %v %s", err, stdout)
			}
			if status, stdout, _ := run(analyze.Options{JSON: true, Files: []string{c.path}}); status != 1 || stdout != "" {
				t.Errorf("alone: status %d, %q", status, stdout)
			}
		})
	}
	if status, _, stderr := run(analyze.Options{}); status != 1 || !strings.Contains(stderr, "no files") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestOnlyTheFirstChannelCounts(t *testing.T) {
	x, rate := samples(t, "caller-1")
	stereo := make([]float32, 0, 2*len(x))
	for _, v := range x {
		stereo = append(stereo, v, 0.9)
	}
	mono, err := analyze.File(context.Background(), write(t, "mono.wav", rate, 1, x), headset.TapMic)
	if err != nil {
		t.Fatal(err)
	}
	left, err := analyze.File(context.Background(), write(t, "stereo.wav", rate, 2, stereo), headset.TapMic)
	if err != nil {
		t.Fatal(err)
	}
	if mono.Metrics.ActiveLevel != left.Metrics.ActiveLevel || mono.Metrics.Peak != left.Metrics.Peak || mono.Duration != left.Duration {
		t.Errorf("mono %+v, left %+v", mono.Metrics, left.Metrics)
	}
	if status, text, _ := run(analyze.Options{Files: []string{left.File}}); status != 0 || !strings.Contains(text, "only the first of its 2 channels") {
		t.Errorf("nobody is told: %s", text)
	}
}

func TestEverySampleWidthReadsTheSame(t *testing.T) {
	x, rate := samples(t, "caller-1")
	want, err := analyze.File(context.Background(), write(t, "16.wav", rate, 1, x), headset.TapMic)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []wavfile.Format{{Bits: 24}, {Bits: 32}, {Bits: 32, Float: true}, {Bits: 64, Float: true}} {
		f.Rate, f.Channels = rate, 1
		got, err := analyze.File(context.Background(), writeAs(t, "x.wav", f, x), headset.TapMic)
		if err != nil {
			t.Fatal(f, err)
		}
		if got.Metrics.ActiveLevel != want.Metrics.ActiveLevel || got.Duration != want.Duration {
			t.Errorf("%+v: %+v, want %+v", f, got.Metrics, want.Metrics)
		}
	}
}

func TestTextTellsAPersonWhatIsWrong(t *testing.T) {
	x, rate := samples(t, "agent-2")
	noisy := write(t, "noisy.wav", rate, 1, dsptest.AddNoise(x, -35, 1))
	short := write(t, "short.wav", rate, 1, x[:rate])
	clean := write(t, "clean.wav", rate, 1, x)
	status, stdout, stderr := run(analyze.Options{Tap: headset.TapWire, Files: []string{noisy, short, clean}})
	if status != 0 || stderr != "" {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, want := range []string{noisy, "BAD   noise", "check the plug", "too little speech", "no faults found", "tap: wire", "noise floor   -34.8 dBov"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestUnknownTapAndCancelAreErrors(t *testing.T) {
	x, rate := samples(t, "caller-1")
	path := write(t, "x.wav", rate, 1, x[:rate])
	if status, _, stderr := run(analyze.Options{Tap: "ear", Files: []string{path}}); status != 1 || !strings.Contains(stderr, `tap "ear"`) {
		t.Errorf("status %d: %s", status, stderr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := analyze.File(ctx, path, headset.TapMic); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
