package analyze

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// Options are the command's flags and arguments.
type Options struct {
	JSON  bool        // print JSON instead of text
	Tap   headset.Tap // where the recordings were taken; empty means headset.TapMic
	Files []string    // WAV files
}

// Result is what is printed of one file: its name, how many channels it holds, and the
// meter's report on the first of them.
type Result struct {
	File     string `json:"file"`
	Channels int    `json:"channels"`
	headset.Report
}

// Run analyzes each file and gives the exit status: 0 when every file was measured, 1
// when any could not be. Complaints go to stderr, one line a file; the others are
// still done. JSON is one object for one file and an array for several.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) int {
	if o.Tap == "" {
		o.Tap = headset.TapMic
	}
	if len(o.Files) == 0 {
		fmt.Fprintln(stderr, "analyze: no files given")
		return 1
	}
	status := 0
	results := []Result{}
	for _, name := range o.Files {
		result, err := File(ctx, name, o.Tap)
		if err != nil {
			fmt.Fprintf(stderr, "analyze: %v\n", err)
			status = 1
			continue
		}
		results = append(results, result)
		if !o.JSON { // a person need not wait for the last file
			if err := printText(stdout, result); err != nil {
				fmt.Fprintf(stderr, "analyze: write: %v\n", err)
				return 1
			}
		}
	}
	if o.JSON {
		if err := printJSON(stdout, len(o.Files), results); err != nil {
			fmt.Fprintf(stderr, "analyze: write: %v\n", err)
			return 1
		}
	}
	return status
}

// printJSON writes one object where one file was asked for, and nothing if it failed;
// else an array of the files that could be measured.
func printJSON(w io.Writer, asked int, results []Result) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if asked > 1 {
		return enc.Encode(results)
	}
	if len(results) == 0 {
		return nil
	}
	return enc.Encode(results[0])
}

// File runs the meter over one WAV file's first channel. Only the first: mixing channels
// would bury the very faults that are looked for. The error names the file.
func File(ctx context.Context, name string, tap headset.Tap) (Result, error) {
	wav, err := wavfile.Stream(name)
	if err != nil {
		return Result{}, err
	}
	defer wav.Close()
	meter, err := headset.New(headset.Config{SampleRate: wav.Rate, Tap: tap})
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", name, err)
	}
	const frames = 4096
	block, frame := make([]float32, frames*wav.Channels), make([]float32, 0, frames)
	for {
		n, err := wav.Read(block)
		if errors.Is(err, io.EOF) {
			return Result{File: name, Channels: wav.Channels, Report: meter.Report()}, nil
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", name, err)
		}
		frame = wavfile.AppendFirst(frame[:0], block[:n], wav.Channels)
		meter.Process(frame, 0)
	}
}
