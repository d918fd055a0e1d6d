package headset_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

var (
	makeFaults = flag.Bool("make-faults", false, "make testdata/faults/*.wav anew")
	update     = flag.Bool("update", false, "rewrite testdata/golden/*.json with what is measured now")
)

const (
	faultsDir  = "../../testdata/faults"
	faultsRate = 16000
)

// faulty is one recording in testdata/faults: how it is made, and what it is to show.
type faulty struct {
	name string
	far  string // a recording of the other party, or ""
	want []headset.Kind
	make func(agent, other []float32) []float32
}

func recordings() []faulty {
	second := func(s float64) int { return int(s * faultsRate) }
	spoken := func(x []float32, n int, seed uint64) []int { return dsptest.Spoken(x, faultsRate, n, 1, seed) }
	return []faulty{
		{name: "clean", make: func(x, _ []float32) []float32 { return x }},
		{name: "quiet", want: list(headset.Quiet), make: func(x, _ []float32) []float32 { return dsptest.Gain(x, -17) }},
		{name: "loud", want: list(headset.Loud), make: func(x, _ []float32) []float32 {
			return dsptest.Limit(dsptest.Gain(x, 10), faultsRate, -1) // louder than clean speech can be
		}},
		{name: "clipping", want: list(headset.Clipping), make: func(x, _ []float32) []float32 { return dsptest.Overdrive(x, 16, 0.6) }},
		{name: "saturation", want: list(headset.Clipping), make: func(x, _ []float32) []float32 { return dsptest.SoftClip(x, 22, 0.4) }},
		{name: "hiss", want: list(headset.Noise), make: func(x, _ []float32) []float32 { return dsptest.AddNoise(x, -37, 3) }},
		{name: "hum", want: list(headset.Hum), make: func(x, _ []float32) []float32 {
			return dsptest.Mix(x, dsptest.Hum(len(x), faultsRate, 50, -40, 4))
		}},
		{name: "buzz", want: list(headset.Buzz), make: func(x, _ []float32) []float32 {
			return dsptest.Mix(x, dsptest.Buzz(len(x), faultsRate, dsptest.GSM(), 0.5, -38, 5))
		}},
		{name: "dropouts", want: list(headset.Dropout), make: func(x, _ []float32) []float32 {
			return dsptest.DropOut(x, spoken(x, 6, 6), second(0.03), dsptest.Zeros)
		}},
		{name: "crackle", want: list(headset.Crackle), make: func(x, _ []float32) []float32 {
			return dsptest.Crackle(x, faultsRate, spoken(x, 8, 7), 3, 0.4, 7)
		}},
		{name: "muffled", want: list(headset.Muffled), make: func(x, _ []float32) []float32 { return dsptest.Muffle(x, faultsRate, 1200, 4) }},
		{name: "offset", want: list(headset.DCOffset), make: func(x, _ []float32) []float32 { return dsptest.Offset(x, 0.02) }},
		{name: "dead", want: list(headset.Dead), make: func(x, _ []float32) []float32 {
			return dsptest.Silence(x, second(1), len(x))
		}},
		{name: "echo", far: "echo-far", want: list(headset.Echo), make: func(x, other []float32) []float32 {
			return dsptest.Mix(x, dsptest.Echo(other, faultsRate, 0.12, 18, 8))
		}},
		{name: "echo-far", make: func(_, other []float32) []float32 { return other }},
	}
}

func list(kinds ...headset.Kind) []headset.Kind { return kinds }

// conversation gives two people who take turns, 4 s each, and the noise of their rooms.
func conversation(t *testing.T, seconds int) (agent, other []float32) {
	agent = slices.Clone(metertest.Speech(t, "agent-1", faultsRate, seconds))
	other = slices.Clone(metertest.Speech(t, "caller-1", faultsRate, seconds))
	for i := range agent {
		if (i/(4*faultsRate))%2 == 0 {
			other[i] = 0
		} else {
			agent[i] = 0
		}
	}
	return dsptest.AddNoise(agent, -72, 1), dsptest.AddNoise(other, -72, 2)
}

// The recordings are for people, too: `headroom analyze testdata/faults/hum.wav`.
func TestMakeFaults(t *testing.T) {
	if !*makeFaults {
		t.Skip("they are there; -make-faults makes them anew")
	}
	for _, r := range recordings() {
		x := metertest.Speech(t, "agent-1", faultsRate, 14)
		other := x
		if r.far != "" || r.name == "echo-far" {
			x, other = conversation(t, 20)
		}
		if err := wavfile.Write(filepath.Join(faultsDir, r.name+".wav"), faultsRate, r.make(x, other)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReportsOfTheCommittedRecordingsStayAsTheyAre(t *testing.T) {
	for _, r := range recordings() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			got := measured(t, r)
			for _, kind := range r.want {
				if !slices.ContainsFunc(got.Findings, func(f headset.Finding) bool { return f.Kind == kind }) {
					t.Errorf("no %s in %+v", kind, got.Findings)
				}
			}
			if len(r.want) == 0 && len(got.Findings) > 0 {
				t.Errorf("a sound headset has %+v", got.Findings)
			}
			compareGolden(t, filepath.Join("testdata/golden", r.name+".json"), got)
		})
	}
}

// measured gives the report of a recording, the far end in step.
func measured(t *testing.T, r faulty) headset.Report {
	t.Helper()
	x := recording(t, r.name)
	far := make([]float32, 0)
	if r.far != "" {
		far = recording(t, r.far)
	}
	a := analyzer(t, faultsRate, headset.TapMic)
	for at := 0; at < len(x); at += 320 {
		if at+320 <= len(far) {
			a.ProcessFar(far[at : at+320])
		}
		a.Process(x[at:min(len(x), at+320)], 0)
	}
	return a.Report()
}

func recording(t *testing.T, name string) []float32 {
	t.Helper()
	c, err := wavfile.Open(filepath.Join(faultsDir, name+".wav"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Samples
}

// compareGolden holds a report to a file: names, kinds and counts exactly, numbers within
// a twentieth or half a percent, since not every processor rounds alike; of texts, the words.
func compareGolden(t *testing.T, file string, got headset.Report) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var have, want any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	for _, difference := range differences("", have, want) {
		t.Error(difference)
	}
}

var digits = regexp.MustCompile(`-?[0-9][0-9.]*`)

func differences(at string, have, want any) []string {
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		var out []string
		for key, v := range w {
			out = append(out, differences(at+"."+key, h[key], v)...)
		}
		for key := range h {
			if _, there := w[key]; !there {
				out = append(out, fmt.Sprintf("%s.%s is new: %v; -update writes it down", at, key, h[key]))
			}
		}
		return out
	case []any:
		h, _ := have.([]any)
		if len(h) != len(w) {
			return []string{fmt.Sprintf("%s: %v, was %v", at, have, want)}
		}
		var out []string
		for i, v := range w {
			out = append(out, differences(fmt.Sprintf("%s[%d]", at, i), h[i], v)...)
		}
		return out
	case float64:
		if h, ok := have.(float64); ok && math.Abs(h-w) <= 0.05+0.005*math.Abs(w) {
			return nil
		}
	case string:
		if h, ok := have.(string); ok && digits.ReplaceAllString(h, "#") == digits.ReplaceAllString(w, "#") {
			return nil
		}
	default:
		if have == want {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %v, was %v", at, have, want)}
}
