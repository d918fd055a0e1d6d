package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

// voices is where Debian's asterisk-core-sounds-*-g722 are: people in five languages.
const voices = "/usr/share/asterisk/sounds"

const speechRate = 16000

// makeSpeech writes a WAV file of 16 kHz speech, of real voices where they are installed,
// else of the project's own. It is kept for the next time.
func makeSpeech(ctx context.Context, path string, seconds int) (wav, source string, err error) {
	codes, err := g722(seconds)
	if err != nil {
		return "", "", err
	}
	if codes != nil {
		if _, err := exec.LookPath("ffmpeg"); err == nil {
			source = "the voices of Debian's asterisk-core-sounds"
			if _, err := os.Stat(path); err == nil {
				return path, source, nil
			}
			ffmpeg := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-y", "-f", "g722", "-i", "-", "-t", strconv.Itoa(seconds), "-ar", strconv.Itoa(speechRate), path)
			ffmpeg.Stdin, ffmpeg.Stderr = bytes.NewReader(codes), os.Stderr
			return path, source, ffmpeg.Run()
		}
	}
	return path, "the project's own synthesised speech", writeOwn(path, seconds)
}

// g722 gives so many seconds of all voices that are installed, one after the other; none
// where there are none.
func g722(seconds int) ([]byte, error) {
	const bytesPerSecond = 8000
	var codes []byte
	err := filepath.WalkDir(voices, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".g722") || strings.Contains(path, "silence") {
			return nil // not installed, or none of ours
		}
		b, err := os.ReadFile(path)
		codes = append(codes, b...)
		return err
	})
	if err != nil || len(codes) == 0 {
		return nil, err
	}
	all := len(codes)
	for len(codes) < seconds*bytesPerSecond {
		codes = append(codes, codes[:all]...)
	}
	return codes[:seconds*bytesPerSecond], nil
}

// writeOwn repeats the project's recordings at that rate.
func writeOwn(path string, seconds int) error {
	w, err := wavfile.Create(path, wavfile.Format{Rate: speechRate, Channels: 1, Bits: 16})
	if err != nil {
		return err
	}
	for left := seconds * speechRate; left > 0; {
		for _, name := range testdata.Names() {
			x, rate, err := testdata.Samples(name)
			if err != nil || rate != speechRate {
				continue
			}
			x = x[:min(left, len(x))]
			left -= len(x)
			if err := w.Write(x); err != nil {
				return errors.Join(err, w.Close())
			}
		}
	}
	return w.Close()
}

// hear reads so many seconds of a recording.
func hear(path string, seconds int) ([]float32, error) {
	r, err := wavfile.Stream(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	want := seconds * speechRate
	x := make([]float32, 0, want)
	block := make([]float32, 4096)
	for len(x) < want {
		n, err := r.Read(block)
		if err != nil {
			return nil, fmt.Errorf("%s: is shorter than %d s: %w", path, seconds, err)
		}
		x = append(x, block[:n]...)
	}
	return x[:want], nil
}
