package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

const (
	rate      = 16000 // Hz, of every scene
	clipLevel = -26.0 // dBov, active, of every clip
	maxClips  = 70    // of one voice
)

// voice is one talker, or a few of one collection: utterances cut of their silence, each
// at clipLevel.
type voice struct {
	name   string
	source string // the package and its licence
	narrow bool   // recorded at 8 kHz
	clips  [][]float32
}

// collection is where a voice comes from.
type collection struct {
	name, source string
	narrow       bool
	hums         bool     // was recorded with a hum of 60 Hz, which is taken away
	glob         []string // of files that ffmpeg decodes, or WAV
	input        []string // ffmpeg's options before -i
}

// collections lists the Debian packages that hold speech.
func collections() []collection {
	const sounds = "/usr/share/asterisk/sounds/"
	prompts := func(lang, folder, licence string) collection {
		return collection{
			name: lang, source: "asterisk-core-sounds-" + lang + "-g722, " + licence,
			glob:  []string{sounds + folder + "/*.g722", sounds + folder + "/*/*.g722"},
			input: []string{"-f", "g722"},
		}
	}
	const pocket = "/usr/share/pocketsphinx/test/data/"
	const codec2 = "/usr/share/codec2/"
	return []collection{
		prompts("en", "en_US_f_Allison", "Allison Smith, CC-BY-SA-3.0"),
		prompts("es", "es_MX_f_Allison", "Allison Smith, CC-BY-SA-3.0"),
		prompts("fr", "fr_CA_f_June", "June Wallack, CC-BY-SA-3.0"),
		prompts("it", "it_IT_m_Carlo", "Carlo Flora, CC-BY-3.0"),
		prompts("ru", "ru_RU_f_IvrvoiceRU", "ivrvoice.ru, CC-BY-3.0"),
		{
			name: "pocketsphinx", source: "pocketsphinx-testdata, several readers, Carnegie Mellon University, BSD-2; high-passed for its own hum of 60 Hz",
			hums: true,
			glob: []string{pocket + "cards/*.wav", pocket + "librivox/*.wav"},
		},
		{
			name: "codec2", source: "codec2-examples, several speakers at 8 kHz, David Rowe, LGPL-2.1", narrow: true,
			glob: []string{
				codec2 + "wav/hts1a.wav", codec2 + "wav/hts2a.wav", codec2 + "wav/cross.wav",
				codec2 + "wav/big_dog.wav", codec2 + "wav/morig.wav", codec2 + "wav/mmt1.wav",
			},
		},
	}
}

// loadVoices gives the voices that can be had, decoding into cache what is not there yet,
// and says in notes what is missing.
func loadVoices(ctx context.Context, cache string, want []string) (voices []*voice, notes []string, err error) {
	for _, c := range collections() {
		if len(want) > 0 && !slices.Contains(want, c.name) {
			continue
		}
		v, err := c.load(ctx, filepath.Join(cache, c.name))
		if err != nil {
			notes = append(notes, fmt.Sprintf("voice %s left out: %v", c.name, err))
			continue
		}
		voices = append(voices, v)
	}
	if len(voices) < 3 && len(want) == 0 {
		made, err := synthesised(ctx, filepath.Join(cache, "espeak"))
		if err != nil {
			notes = append(notes, fmt.Sprintf("no espeak-ng voices: %v", err))
		}
		voices = append(voices, made...)
	}
	if len(want) == 0 || slices.Contains(want, "testdata") {
		v, err := embedded()
		if err != nil {
			return nil, notes, err
		}
		voices = append(voices, v)
	}
	if len(voices) == 0 {
		return nil, notes, fmt.Errorf("no voice of %s; make deps-accuracy installs them", strings.Join(want, ", "))
	}
	return voices, notes, nil
}

func (c collection) load(ctx context.Context, folder string) (*voice, error) {
	files, err := c.files()
	if err != nil {
		return nil, err
	}
	v := &voice{name: c.name, source: c.source, narrow: c.narrow}
	var wavs []string
	for i, f := range files {
		wav := filepath.Join(folder, fmt.Sprintf("%03d-%s.wav", i, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))))
		wavs = append(wavs, wav)
		if _, err := os.Stat(wav); err == nil {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
		part := wav + ".part"
		args := append(append([]string{"-nostdin", "-y", "-v", "error"}, c.input...), "-i", f, "-ar", fmt.Sprint(rate), "-ac", "1", "-f", "wav", part)
		if err := command(ctx, "ffmpeg", args...); err != nil {
			return nil, err
		}
		if err := os.Rename(part, wav); err != nil {
			return nil, err
		}
	}
	for _, wav := range wavs {
		w, err := wavfile.Open(wav)
		if err != nil {
			return nil, err
		}
		x := w.Mono()
		if c.hums {
			x = highPass(highPass(x))
		}
		v.add(x)
	}
	return v, v.check()
}

// files picks utterances of 1.5 to 15 s, spread evenly over the collection; no jingles.
func (c collection) files() ([]string, error) {
	var all []string
	for _, g := range c.glob {
		found, err := filepath.Glob(g)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(a, b) })
	if len(c.input) > 0 {
		all = slices.DeleteFunc(all, func(f string) bool {
			for _, not := range []string{"beep", "tone", "ring", "monkeys", "screams", "silence", "weasels", "confbridge-"} {
				if strings.Contains(filepath.Base(f), not) {
					return true
				}
			}
			info, err := os.Stat(f)
			return err != nil || info.Size() < 12000 || info.Size() > 120000 // 8000 bytes a second
		})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s", fs.ErrNotExist, c.glob[0])
	}
	if len(all) > maxClips {
		picked := make([]string, maxClips)
		for i := range picked {
			picked[i] = all[i*len(all)/maxClips]
		}
		all = picked
	}
	return all, nil
}

func command(ctx context.Context, name string, args ...string) error {
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return nil
}

// add keeps an utterance if it is clean: not clipped itself, its own noise 35 dB under it.
func (v *voice) add(x []float32) {
	x = trim(x)
	active, ok := activeLevel(x)
	if len(x) < rate/2 || !ok || flatTop(x) || active-softest(x) < 30 {
		return
	}
	mean := 0.0
	for _, s := range x {
		mean += float64(s)
	}
	y := dsptest.Gain(dsptest.Offset(x, -mean/float64(len(x))), clipLevel-active)
	fade := rate / 50
	for i := range min(fade, len(y)/2) {
		g := float32(i) / float32(fade)
		y[i] *= g
		y[len(y)-1-i] *= g
	}
	v.clips = append(v.clips, y)
}

func (v *voice) check() error {
	total := 0
	for _, c := range v.clips {
		total += len(c)
	}
	if total < 10*rate {
		return fmt.Errorf("only %.1f s of clean speech", float64(total)/rate)
	}
	return nil
}

// trim cuts what lies 45 dB under the loudest 20 ms off both ends, but for 60 ms.
func trim(x []float32) []float32 {
	levels := frameLevels(x)
	if len(levels) == 0 {
		return nil
	}
	threshold := slices.Max(levels) - 45
	first, last := 0, len(levels)-1
	for first < last && levels[first] < threshold {
		first++
	}
	for last > first && levels[last] < threshold {
		last--
	}
	first, last = max(0, first-3), min(len(levels)-1, last+3)
	return x[first*frame : (last+1)*frame]
}

const frame = rate / 50 // 20 ms

func frameLevels(x []float32) []float64 {
	levels := make([]float64, len(x)/frame)
	for i := range levels {
		levels[i] = dsptest.RMS(x[i*frame : (i+1)*frame])
	}
	return levels
}

// softest is the level that a twentieth of the 20 ms frames do not reach, high-passed.
func softest(x []float32) float64 {
	levels := frameLevels(highPass(x))
	slices.Sort(levels)
	return levels[len(levels)/20]
}

// flatTop reports whether a recording was clipped when it was made: four samples in a row
// within half a percent of its highest.
func flatTop(x []float32) bool {
	top := float32(0)
	for _, s := range x {
		top = max(top, s, -s)
	}
	run := 0
	for _, s := range x {
		if run++; max(s, -s) < 0.995*top {
			run = 0
		}
		if run >= 4 {
			return true
		}
	}
	return top >= 0.999
}

func highPass(x []float32) []float32 {
	y := make([]float32, len(x))
	filter.NewHighPass(rate, 100).Process(y, x)
	return y
}

// activeLevel is P.56's, behind a 100 Hz high-pass as the verdict has it.
func activeLevel(x []float32) (float64, bool) { return p56(highPass(x)) }

func p56(x []float32) (float64, bool) {
	m, err := level.New(rate)
	if err != nil {
		return math.NaN(), false
	}
	m.Process(x)
	r := m.Result()
	return float64(r.Active), r.Active.Valid()
}

// embedded is the project's own synthesised speech.
func embedded() (*voice, error) {
	v := &voice{name: "testdata", source: "the project's own, synthesised (testdata/README.md)"}
	for _, name := range []string{"agent-1", "agent-2", "agent-3"} {
		x, from, err := testdata.Samples(name)
		if err != nil {
			return nil, err
		}
		r, err := resample.New(from, rate)
		if err != nil {
			return nil, err
		}
		v.addSentences(r.Process(nil, x))
	}
	return v, v.check()
}

// addSentences cuts a recording where it pauses for a quarter of a second.
func (v *voice) addSentences(x []float32) {
	levels := frameLevels(x)
	threshold := slices.Max(levels) - 40
	start, quiet := -1, 0
	for i, l := range append(levels, slices.Repeat([]float64{-120}, 13)...) {
		if l >= threshold {
			if start < 0 {
				start = i
			}
			quiet = 0
			continue
		}
		if quiet++; start >= 0 && quiet > 12 {
			v.add(x[max(0, start-3)*frame : min(len(x), (i-quiet+4)*frame)])
			start = -1
		}
	}
}

// synthesised makes voices with espeak-ng, for a machine without the packages.
func synthesised(ctx context.Context, folder string) ([]*voice, error) {
	lines := []string{
		"Good morning, you are speaking with the service desk. How may I help you today?",
		"I see two contracts under that address. Which one are you calling about?",
		"That is no trouble at all. I will send the papers to you this afternoon.",
		"Could you please read me the number on the top right of the letter?",
		"Thank you for waiting. The payment was made on the ninth, so nothing is open.",
		"Let me check with my colleague, one moment please.",
		"The technician will be with you between eight and twelve on Thursday.",
		"Is there anything else that I can do for you? Then have a pleasant evening.",
	}
	var voices []*voice
	for _, name := range []string{"en-gb+f2", "en-us+m3", "de+f4", "fr+m1", "es+f3"} {
		v := &voice{name: "espeak-" + name, source: "espeak-ng, synthesised"}
		for i, line := range lines {
			wav := filepath.Join(folder, fmt.Sprintf("%s-%d.wav", name, i))
			if _, err := os.Stat(wav); errors.Is(err, fs.ErrNotExist) {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					return voices, err
				}
				if err := command(ctx, "espeak-ng", "-v", name, "-w", wav, line); err != nil {
					return voices, err
				}
			}
			w, err := wavfile.Open(wav)
			if err != nil {
				return voices, err
			}
			x := w.Mono()
			if w.Rate != 44100 { // espeak-ng's 22050 Hz: every sample twice, then filtered
				x = dsptest.LowPass(twice(x), 44100, 9000, 8)
			}
			r, err := resample.New(44100, rate)
			if err != nil {
				return voices, err
			}
			v.add(r.Process(nil, x))
		}
		if err := v.check(); err != nil {
			return voices, fmt.Errorf("%s: %w", v.name, err)
		}
		voices = append(voices, v)
	}
	return voices, nil
}

func twice(x []float32) []float32 {
	y := make([]float32, 2*len(x))
	for i, v := range x {
		y[2*i], y[2*i+1] = v, v
	}
	return y
}
