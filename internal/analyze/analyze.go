// Package analyze is the logic of `headroom analyze`: it reads WAV files, runs the
// headset meter over each and prints what it found, as JSON or for a person.
package analyze

import (
	"context"
	"io"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Options are the command's flags and arguments.
type Options struct {
	JSON  bool        // print JSON instead of text
	Tap   headset.Tap // where the recordings were taken; empty means headset.TapMic
	Files []string    // WAV files
}

// Run analyzes each file and gives the exit status: 0 when every file was measured, 1
// when any could not be. Complaints go to stderr, one line a file; the others are
// still done.
func Run(_ context.Context, _ Options, _, _ io.Writer) int { return 0 }
