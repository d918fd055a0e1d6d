package analyze_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/internal/analyze"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// one measures a file; it must be possible.
func one(t *testing.T, path string, o analyze.Options) analyze.Result {
	t.Helper()
	o.JSON, o.Files = true, []string{path}
	status, stdout, stderr := run(o)
	var r analyze.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 0 || stderr != "" || r.Report == nil {
		t.Fatalf("%s: status %d: %s %s", path, status, stdout, stderr)
	}
	return r
}

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

// compare allows numbers a thousandth, since processors round their sums differently. What
// is in no golden file yet may be there: a metric more breaks nobody.
func compare(t *testing.T, at string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
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
		Verdict    string             `json:"verdict"`
		Events     []headset.Event    `json:"events"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err, stdout)
	}
	if status != 0 || got.File != path || got.SampleRate != 16000 || got.Duration != 21.5 || got.Active < 10 || got.Verdict != "bad" || len(got.Events) < 5 {
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
	whole = cut(whole, 44+4*8000*2)
	changed := func(at int, b ...byte) string {
		c := bytes.Clone(whole)
		copy(c[at:], b)
		return string(c)
	}
	good := put("good.wav", string(whole))
	empty := filepath.Join(dir, "empty folder")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing.wav"), "no such file"},
		{empty, "the folder holds no .wav file"},
		{put("empty.wav", ""), "is empty: it is not a WAV file"},
		{put("text.wav", "dear diary, today I was not a WAV file at all"), "is not a WAV file; convert it first, for instance with: ffmpeg"},
		{put("header.wav", string(whole[:36])), "has no samples"},
		{put("nothing.wav", string(whole[:44])), "has no samples"},
		{put("adpcm.wav", changed(20, 2)), "WAV format 2"},
		{put("bits.wav", changed(34, 12)), "12-bit"},
		{put("rate.wav", changed(24, 0x88, 0x13, 0, 0)), "has a sample rate of 5000 Hz, 8000 to 96000 are measured"},
		{put("zero.wav", changed(24, 0, 0, 0, 0)), "0 Hz"},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			status, stdout, stderr := run(analyze.Options{JSON: true, Files: []string{c.path, good}})
			if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.path) || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d: %s", status, stderr)
			}
			var results []analyze.Result
			if err := json.Unmarshal([]byte(stdout), &results); err != nil || len(results) != 2 {
				t.Fatalf("%v %s", err, stdout)
			}
			if bad := results[0]; bad.File != c.path || !strings.Contains(bad.Error, c.want) || bad.Report != nil {
				t.Errorf("%+v", bad)
			}
			if r := results[1]; r.File != good || r.Error != "" || r.Report == nil {
				t.Errorf("the good file was not done: %+v", r)
			}
			if status, stdout, _ := run(analyze.Options{JSON: true, Files: []string{c.path}}); status != 1 || !strings.Contains(stdout, c.want) {
				t.Errorf("alone: status %d, %q", status, stdout)
			}
		})
	}
	status, stdout, _ := run(analyze.Options{Files: []string{filepath.Join(dir, "text.wav"), good}})
	if status != 1 || !strings.Contains(stdout, "text.wav  not measured") || !strings.Contains(stdout, "2 files: 0 bad, 0 watch, 0 good, 1 with too little speech, 1 not measured") {
		t.Errorf("status %d, the summary is\n%s", status, stdout)
	}
}

func TestOptionsThatDoNotFitAreErrorsBeforeAnythingIsRead(t *testing.T) {
	x, rate := samples(t, "caller-1")
	path := write(t, "x.wav", rate, 1, x[:rate])
	for want, o := range map[string]analyze.Options{
		"no files given":                      {},
		`tap "ear"`:                           {Tap: "ear", Files: []string{path}},
		"one recording only":                  {Far: path, Files: []string{path, path}},
		"cannot be both ends":                 {FarChannel: 1, Files: []string{path}},
		"count from 1":                        {FarChannel: -1, Files: []string{path}},
		"--limits: ":                          {Limits: "none.yaml", Files: []string{path}},
		"give one":                            {FarChannel: 2, Far: path, Files: []string{path}},
		"read once only":                      {Files: []string{"-", "-"}},
		"both the recording and the far end":  {Far: "-", Files: []string{"-"}},
		"does not end in .svg or .png":        {Plot: "out.jpg", Files: []string{path}},
		"there is no folder":                  {Plot: filepath.Join(t.TempDir(), "none") + "/", Files: []string{path}},
		`--color is "blue"`:                   {Color: "blue", Files: []string{path}},
		"no such file":                        {Limits: filepath.Join(t.TempDir(), "l.yaml"), Files: []string{path}},
		"there is no channel 2, the file has": {Channel: 2, Files: []string{path}},
		"there is no channel 7, the file has": {FarChannel: 7, Files: []string{path}},
		"there is no standard input":          {Files: []string{"-"}},
	} {
		if status, stdout, stderr := run(o); status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d: %s %s", want, status, stdout, stderr)
		}
	}
}

func TestOneChannelCounts(t *testing.T) {
	x, rate := samples(t, "caller-1")
	x = x[:4*rate]
	stereo := make([]float32, 0, 2*len(x))
	for _, v := range x {
		stereo = append(stereo, v, 0.9)
	}
	mono := one(t, write(t, "mono.wav", rate, 1, x), analyze.Options{})
	both := write(t, "stereo.wav", rate, 2, stereo)
	left := one(t, both, analyze.Options{})
	if mono.Metrics.ActiveLevel != left.Metrics.ActiveLevel || mono.Metrics.Peak != left.Metrics.Peak || mono.Duration != left.Duration {
		t.Errorf("mono %+v, left %+v", mono.Metrics, left.Metrics)
	}
	if right := one(t, both, analyze.Options{Channel: 2}); right.Channel != 2 || math.Abs(float64(right.Metrics.Peak)+0.915) > 0.01 {
		t.Errorf("right: %+v", right.Metrics)
	}
	if status, text, _ := run(analyze.Options{Files: []string{both}}); status != 0 || !strings.Contains(text, "channel 1 of 2") {
		t.Errorf("nobody is told: %s", text)
	}
}

func TestEverySampleWidthReadsTheSame(t *testing.T) {
	x, rate := samples(t, "caller-1")
	x = x[:4*rate]
	want := one(t, write(t, "16.wav", rate, 1, x), analyze.Options{})
	for _, f := range []wavfile.Format{{Bits: 24}, {Bits: 32}, {Bits: 32, Float: true}, {Bits: 64, Float: true}} {
		f.Rate, f.Channels = rate, 1
		got := one(t, writeAs(t, "x.wav", f, x), analyze.Options{})
		if got.Metrics.ActiveLevel != want.Metrics.ActiveLevel || got.Duration != want.Duration {
			t.Errorf("%+v: %+v, want %+v", f, got.Metrics, want.Metrics)
		}
	}
}

func TestFolderIsSearchedForRecordings(t *testing.T) {
	dir := t.TempDir()
	wav, err := testdata.Speech("caller-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.wav", "a/z.WAV", "a/c.wav", "notes.txt", ".hidden/x.wav", "._b.wav"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, cut(wav, 44+8000*2), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	status, stdout, stderr := run(analyze.Options{JSON: true, Files: []string{link}})
	var results []analyze.Result
	if err := json.Unmarshal([]byte(stdout), &results); err != nil || status != 0 || stderr != "" {
		t.Fatal(err, status, stderr)
	}
	var names []string
	for _, r := range results {
		rel, err := filepath.Rel(link, r.File)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(rel))
	}
	if got := strings.Join(names, " "); got != "a/c.wav a/z.WAV b.wav" {
		t.Errorf("found %s", got)
	}
}

func TestStandardInputIsARecording(t *testing.T) {
	wav, err := testdata.Speech("agent-2")
	if err != nil {
		t.Fatal(err)
	}
	if r := one(t, "-", analyze.Options{Stdin: bytes.NewReader(wav)}); r.File != "-" || r.Duration < 10 {
		t.Errorf("%+v", r)
	}
	if _, text, _ := run(analyze.Options{Stdin: bytes.NewReader(wav), Files: []string{"-"}}); !strings.HasPrefix(text, "standard input: GOOD") {
		t.Errorf("%s", text)
	}
}

func TestInterruptEndsEvenAWaitForInput(t *testing.T) {
	x, rate := samples(t, "caller-1")
	ctx, cancel := context.WithCancel(context.Background())
	never, w := io.Pipe()
	defer func() { _ = w.Close() }()
	time.AfterFunc(20*time.Millisecond, cancel)
	var out, complaints bytes.Buffer
	o := analyze.Options{JSON: true, Stdin: never, Files: []string{"-", write(t, "x.wav", rate, 1, x[:rate])}}
	if status := analyze.Run(ctx, o, &out, &complaints); status != 130 || complaints.String() != "analyze: interrupted\n" {
		t.Errorf("status %d: %s", status, complaints.String())
	}
	if !strings.Contains(out.String(), `"error": "interrupted"`) {
		t.Errorf("%s", out.String())
	}
}

// What a ticket is about stands first: the bad hum before the noise that it makes.
func TestTheWorstFindingStandsFirst(t *testing.T) {
	_, out, _ := run(analyze.Options{Files: []string{"../../testdata/faults/hum.wav"}})
	bad, watch := strings.Index(out, "BAD   hum"), strings.Index(out, "WATCH noise")
	if bad < 0 || watch < bad {
		t.Errorf("hum at %d, noise at %d of:\n%s", bad, watch, out)
	}
}

// The far end is taken in step with the microphone, however the file is read.
func TestEchoIsFoundBesideTheFarEnd(t *testing.T) {
	near, far := "../../testdata/faults/echo.wav", "../../testdata/faults/echo-far.wav"
	x, err := wavfile.Open(near)
	if err != nil {
		t.Fatal(err)
	}
	y, err := wavfile.Open(far)
	if err != nil {
		t.Fatal(err)
	}
	stereo := make([]float32, 0, 2*len(x.Samples))
	for i, v := range x.Samples {
		stereo = append(stereo, v, y.Samples[i])
	}
	for _, c := range []struct {
		name string
		o    analyze.Options
	}{
		{near, analyze.Options{Far: far}},
		{write(t, "stereo.wav", x.Rate, 2, stereo), analyze.Options{FarChannel: 2}},
	} {
		r := one(t, c.name, c.o)
		if len(r.Findings) != 1 || r.Findings[0].Kind != headset.Echo || math.Abs(float64(r.Metrics.EchoLoss)-18) > 2 {
			t.Errorf("%+v: echo loss %.1f dB, %+v", c.o, r.Metrics.EchoLoss, r.Findings)
		}
	}
}

// A microphone that never answers can only be told with the far end beside it.
func TestFarEndIsHeardFromAFileOrAChannel(t *testing.T) {
	caller, rate := samples(t, "caller-1")
	caller = caller[:14*rate]
	limits := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(limits, []byte("unanswered_s: 6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	near := dsptest.Noise(len(caller), -68, 1)
	alone := write(t, "near.wav", rate, 1, near)
	stereo := make([]float32, 0, 2*len(near))
	for i, v := range near {
		stereo = append(stereo, v, caller[i])
	}
	up, err := resample.New(rate, 48000)
	if err != nil {
		t.Fatal(err)
	}
	at48 := writeAs(t, "far.wav", wavfile.Format{Rate: 48000, Channels: 1, Bits: 24}, up.Process(nil, caller))
	dead := func(r analyze.Result) bool {
		for _, f := range r.Findings {
			if f.Kind == headset.Dead {
				return true
			}
		}
		return false
	}
	if r := one(t, alone, analyze.Options{Limits: limits}); dead(r) {
		t.Errorf("without a far end: %+v", r.Findings)
	}
	for _, c := range []struct {
		name string
		o    analyze.Options
	}{
		{alone, analyze.Options{Far: write(t, "far8.wav", rate, 1, caller)}},
		{alone, analyze.Options{Far: at48}},
		{write(t, "stereo.wav", rate, 2, stereo), analyze.Options{FarChannel: 2}},
	} {
		c.o.Limits = limits
		if r := one(t, c.name, c.o); !dead(r) || r.Far == "" {
			t.Errorf("%+v: %+v", c.o, r.Findings)
		}
	}
	odd := write(t, "odd.wav", 22050, 1, caller)
	if status, _, stderr := run(analyze.Options{Far: odd, Files: []string{alone}}); status != 1 || !strings.Contains(stderr, "sox FAR.wav -r 8000") || !strings.Contains(stderr, odd) {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestLimitsComeFromAFile(t *testing.T) {
	x, rate := samples(t, "agent-2")
	path := write(t, "x.wav", rate, 1, x[:10*rate])
	file := filepath.Join(t.TempDir(), "limits.yaml")
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("quiet_dbov: {watch: -10, bad: -12}\n")
	if r := one(t, path, analyze.Options{Limits: file}); len(r.Findings) != 1 || r.Findings[0].Kind != headset.Quiet || r.Verdict != analyze.Bad {
		t.Errorf("%+v", r.Findings)
	}
	put("quiet_dbov: {watch: -10, bad: -12}\nquite: 3\n")
	if status, _, stderr := run(analyze.Options{Limits: file, Files: []string{path}}); status != 1 || !strings.Contains(stderr, file+":2: quite: unknown key") {
		t.Errorf("status %d: %s", status, stderr)
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
	for _, want := range []string{
		noisy + ": BAD, noise\n", "  BAD   noise      ", "check the plug", "TOO LITTLE SPEECH to judge", clean + ": GOOD, no faults found\n",
		"tap wire", " dBov  bad   good ≤ -50        bad > -41\n", "BAD   noise\n", "GOOD\n",
		"3 files: 1 bad, 0 watch, 1 good, 1 with too little speech",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Error("colours where there is no terminal")
	}
	for _, line := range strings.Split(stdout, "\n") {
		if n := len([]rune(line)); n > 100 && !strings.Contains(line, ".wav") {
			t.Errorf("%d letters: %s", n, line)
		}
	}
	if _, stdout, _ := run(analyze.Options{Color: "always", Files: []string{noisy}}); !strings.Contains(stdout, "\x1b[1;31mBAD, noise\x1b[0m") {
		t.Errorf("no red in %q", stdout)
	}
}

func TestTextSaysWhenFaultsWereHeard(t *testing.T) {
	x, rate := samples(t, "agent-1")
	path := write(t, "clipped.wav", rate, 1, dsptest.Overdrive(x, 12, 0.7))
	if _, stdout, _ := run(analyze.Options{Files: []string{path}}); !strings.Contains(stdout, "Heard at 0:00, 0:01,") || !strings.Contains(stdout, "times more.") {
		t.Errorf("%s", stdout)
	}
}

func TestNameOfAFileCannotDriveTheTerminal(t *testing.T) {
	x, rate := samples(t, "agent-1")
	path := write(t, "x\x1b[2J\n.wav", rate, 1, x[:rate])
	_, stdout, _ := run(analyze.Options{Files: []string{path}})
	_, _, stderr := run(analyze.Options{Files: []string{path + "\x1b[2J"}})
	if strings.Contains(stdout+stderr, "\x1b") || !strings.Contains(stdout, `x\x1b[2J`) {
		t.Errorf("%q %q", stdout, stderr)
	}
}

func TestPictureIsDrawnForEachRecording(t *testing.T) {
	x, rate := samples(t, "caller-1")
	dir := t.TempDir()
	a, b := write(t, "call.wav", rate, 1, x[:2*rate]), write(t, "call.wav", rate, 1, x[:rate])
	folder := filepath.Join(dir, "pictures")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plot  string
		files []string
		want  []string
	}{
		{filepath.Join(dir, "one.svg"), []string{a}, []string{"one.svg"}},
		{filepath.Join(dir, "two.SVG"), []string{a, b}, []string{"two-call.SVG", "two-call-2.SVG"}},
		{folder, []string{a}, []string{"pictures/call.png"}},
	} {
		if status, _, stderr := run(analyze.Options{Plot: c.plot, Files: c.files}); status != 0 {
			t.Errorf("%s: status %d: %s", c.plot, status, stderr)
		}
		for _, name := range c.want {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.HasPrefix(data, []byte("<svg")) && !bytes.HasPrefix(data, []byte("\x89PNG")) {
				t.Errorf("%s: %v %.20q", name, err, data)
			}
		}
	}
	status, stdout, stderr := run(analyze.Options{Plot: filepath.Join(dir, "none", "x.svg"), Files: []string{a}})
	if status != 1 || !strings.Contains(stderr, "--plot: there is no folder") || stdout != "" {
		t.Errorf("status %d: %s %s", status, stdout, stderr)
	}
}

// cut gives the first bytes of a WAV file whose header says that there are no more.
func cut(wav []byte, size int) []byte {
	wav = bytes.Clone(wav[:size])
	binary.LittleEndian.PutUint32(wav[4:], uint32(size-8))
	binary.LittleEndian.PutUint32(wav[40:], uint32(size-44))
	return wav
}

// TestAFileThatIsCutShortIsMeasuredAndSaidToBe also has one that does not know its length.
func TestAFileThatIsCutShortIsMeasuredAndSaidToBe(t *testing.T) {
	wav, err := testdata.Speech("caller-1")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "short.wav")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut":     {wav[:44+8*8000*2], "short.wav is cut short: it says that it is 0:25.0 long and 0:08.0 are there"},
		"whole":   {wav, ""},
		"unknown": {slices.Concat(wav[:40], []byte{0xff, 0xff, 0xff, 0xff}, wav[44:44+8*8000*2]), ""},
		"piped":   {slices.Concat(wav[:40], []byte{0, 0xff, 0xff, 0x7f}, wav[44:44+8*8000*2]), ""},
	} {
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := run(analyze.Options{JSON: true, Files: []string{path}})
		if status != 0 || !strings.Contains(stdout, "noise_floor_dbov") || (c.want == "") != (stderr == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d: %s", name, status, stderr)
		}
		if strings.Contains(stdout, `"warning": "is cut short`) != (c.want != "") {
			t.Errorf("%s: %s", name, stdout)
		}
	}
}

func TestDiskThatIsFullIsSaid(t *testing.T) {
	x, rate := samples(t, "caller-1")
	path := write(t, "x.wav", rate, 1, x[:rate])
	for _, o := range []analyze.Options{{JSON: true}, {}} {
		o.Files = []string{path}
		var complaints bytes.Buffer
		if status := analyze.Run(context.Background(), o, full{}, &complaints); status != 1 || !strings.Contains(complaints.String(), "disk full") {
			t.Errorf("status %d: %s", status, complaints.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }
