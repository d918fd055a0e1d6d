package testdata

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/headroom-voice/headroom/media/wavfile"
)

//go:embed speech/*.wav
var files embed.FS

// Speech gives one recording as a whole WAV file: mono, 16 bit, 16 kHz for the agents
// and 8 kHz for the caller. The name is one of Names.
func Speech(name string) ([]byte, error) {
	b, err := files.ReadFile(path.Join("speech", name+".wav"))
	if err != nil {
		return nil, fmt.Errorf("testdata: no speech %q, there are %s: %w", name, strings.Join(Names(), ", "), fs.ErrNotExist)
	}
	return b, nil
}

// Samples gives one recording as samples, full scale ±1, and its rate in Hz.
func Samples(name string) ([]float32, int, error) {
	b, err := Speech(name)
	if err != nil {
		return nil, 0, err
	}
	c, err := wavfile.Decode(b)
	if err != nil {
		return nil, 0, fmt.Errorf("testdata: %s: %w", name, err)
	}
	return c.Samples, c.Rate, nil
}

// Names lists the recordings in order of name.
func Names() []string {
	entries, err := files.ReadDir("speech")
	if err != nil { // cannot be: the folder is compiled in
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".wav"))
	}
	return names
}
