package prompt

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

//go:embed voice/*.wav
var english embed.FS

// maxPosition is the last place in a queue that is said as a number.
const maxPosition = 99

// Voice is the snippets of which a place in a queue is put together. A folder of WAV files makes
// one: position ("You are number"), then a number, then queue ("in the queue"); next ("You are
// next") for the first place; many for those beyond 99; 1 to 19 and 20, 30 to 90. Any other number
// may be there as a whole, for languages that put the units before the tens.
type Voice struct {
	position, queue, next, many *Clip
	numbers                     [maxPosition + 1]*Clip
}

// English is the voice that is built in: synthesised by voice/make.sh.
func English() (*Voice, error) {
	dir, err := fs.Sub(english, "voice")
	if err != nil {
		return nil, fmt.Errorf("prompt: voice: %w", err)
	}
	return readVoice(dir)
}

// LoadVoice reads a folder. The error names every file that is missing or cannot be played.
func LoadVoice(folder string) (*Voice, error) {
	v, err := readVoice(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return v, nil
}

func readVoice(dir fs.FS) (*Voice, error) {
	v := &Voice{}
	var wrong error
	read := func(name string, needed bool) *Clip {
		f, err := dir.Open(name + ".wav")
		if err != nil {
			if needed || !errors.Is(err, fs.ErrNotExist) {
				wrong = errors.Join(wrong, fmt.Errorf("prompt: voice: %w", err))
			}
			return nil
		}
		defer func() { _ = f.Close() }() // read only
		c, err := ReadClip(f)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("prompt: voice: %s.wav: %w", name, err))
		}
		return c
	}
	v.position, v.queue, v.next, v.many = read("position", true), read("queue", true), read("next", true), read("many", true)
	for n := 1; n <= maxPosition; n++ {
		v.numbers[n] = read(strconv.Itoa(n), n < 20 || n%10 == 0)
	}
	if wrong != nil {
		return nil, wrong
	}
	return v, nil
}

// Position says that somebody is the n-th in a queue, from 1.
func (v *Voice) Position(n int) []*Clip {
	switch {
	case n <= 1:
		return []*Clip{v.next}
	case n > maxPosition:
		return []*Clip{v.many}
	case v.numbers[n] != nil:
		return []*Clip{v.position, v.numbers[n], v.queue}
	}
	return []*Clip{v.position, v.numbers[n/10*10], v.numbers[n%10], v.queue}
}
