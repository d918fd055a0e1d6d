package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/wavfile"
)

const (
	rate   = 16000 // Hz, of everything compared
	block  = rate / 50
	sounds = "/usr/share/asterisk/sounds"
	reader = "/usr/share/pocketsphinx/test/data/librivox"
	music  = "/usr/share/asterisk/moh"
)

// voice is one person's recordings, each at an active level of 0 dBov (beyond full
// scale, to be brought down by a scene).
type voice struct {
	name string
	said [][]float32
}

// The prompts are between these sizes, in bytes of G.722 (8000 a second).
const (
	shortest = 12000
	longest  = 250000
	enough   = 25 // seconds of each voice
)

// voices gives everybody, half a minute of each.
func voices(ctx context.Context) ([]voice, error) {
	var all []voice
	for _, dir := range []string{"en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"} {
		files, err := prompts(filepath.Join(sounds, dir))
		if err != nil {
			return nil, err
		}
		v := voice{name: dir[:2]}
		seconds := 0.0
		for _, f := range files {
			x, err := decodeG722(ctx, f)
			if err != nil {
				return nil, err
			}
			if x = atZero(x); x == nil {
				continue
			}
			v.said = append(v.said, x)
			if seconds += float64(len(x)) / rate; seconds > enough {
				break
			}
		}
		all = append(all, v)
	}
	files, err := filepath.Glob(filepath.Join(reader, "*.wav"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no recordings in %s (pocketsphinx-testdata)", reader)
	}
	v := voice{name: "reader"}
	for _, f := range files {
		x, err := open(f)
		if err != nil {
			return nil, err
		}
		if x = atZero(x); x != nil {
			v.said = append(v.said, x)
		}
	}
	return append(all, v), nil
}

// prompts lists the spoken files of a folder in an order that mixes them well.
func prompts(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".g722") {
			return err
		}
		for _, not := range []string{"silence", "beep", "tone", "monkeys", "weasels"} {
			if strings.Contains(path[len(dir):], not) {
				return nil
			}
		}
		info, err := e.Info()
		if err == nil && info.Size() > shortest && info.Size() < longest {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no prompts in %s (asterisk-core-sounds-*-g722): %w", dir, errors.Join(err, os.ErrNotExist))
	}
	slices.Sort(files)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files, nil
}

func decodeG722(ctx context.Context, path string) ([]float32, error) {
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "g722", "-i", path, "-ar", "16000", "-ac", "1", "-f", "f32le", "-").Output()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %s: %w", path, err)
	}
	x := make([]float32, len(out)/4)
	return x, binary.Read(bytes.NewReader(out), binary.LittleEndian, x)
}

func open(path string) ([]float32, error) {
	c, err := wavfile.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := resample.New(c.Rate, rate)
	if err != nil {
		return nil, err
	}
	return r.Process(nil, wavfile.AppendFirst(nil, c.Samples, c.Channels)), nil
}

// atZero brings speech to an active level (P.56) of 0 dBov; nil when there is none.
func atZero(x []float32) []float32 {
	m, _ := level.New(rate)
	m.Process(highPass(x))
	r := m.Result()
	if !r.Active.Valid() {
		return nil
	}
	return gain(x, -float64(r.Active))
}
