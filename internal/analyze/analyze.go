package analyze

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/config"
)

// Options are the command's flags and arguments.
type Options struct {
	JSON       bool          // print JSON instead of text
	Tap        headset.Tap   // where the recordings were taken; empty means headset.TapMic
	Codec      headset.Codec // that carried them to headset.TapWire; empty tells by the sample rate
	Channel    int           // that is measured, from 1; 0 means the first
	Far        string        // WAV file of the other party, for one recording; or empty
	FarChannel int           // of the same file that holds the other party, from 1; 0 means none
	Limits     string        // file of limits; empty means headset.DefaultLimits
	Plot       string        // picture to draw; see Pictures in docs/analyze.md; or empty
	Color      string        // "always", "never", or for a terminal: "auto" or empty
	Stdin      io.Reader     // what the file "-" is
	Files      []string      // WAV files, folders of them, or "-"
}

// The exit statuses.
const (
	statusOK          = 0
	statusFailed      = 1
	statusInterrupted = 130 // as shells have it: 128 + SIGINT
)

var errInterrupted = errors.New("interrupted")

// Run analyzes each file and gives the exit status: 0 when every file was measured, 1
// when any could not be, 130 when ctx was ended before. Complaints go to stderr, one line
// a file; the others are still done. JSON is one object for one file and an array for
// several or a folder; a file that could not be measured is in it with its error.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) int {
	r, err := newRun(o, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "analyze: %v\n", err)
		return statusFailed
	}
	return r.all(ctx)
}

// run is one call of the command.
type run struct {
	Options
	limits         headset.Limits
	jobs           []job
	many           bool // more than one recording, or a folder, which may hold more
	paint          paint
	stdout, stderr io.Writer
}

// job is one recording to do, or why it cannot be.
type job struct {
	file    string
	picture string // to draw; or empty
	err     error
}

// newRun checks the options against each other and finds the files.
func newRun(o Options, stdout, stderr io.Writer) (*run, error) {
	if o.Tap == "" {
		o.Tap = headset.TapMic
	}
	if o.Channel < 0 || o.FarChannel < 0 {
		return nil, errors.New("--channel and --far-channel count from 1")
	}
	o.Channel = max(o.Channel, 1)
	r := &run{Options: o, limits: headset.DefaultLimits(), stdout: stdout, stderr: stderr}
	var err error
	if r.paint, err = painter(o.Color, stdout); err != nil {
		return nil, err
	}
	if o.Limits != "" {
		if r.limits, err = config.LoadLimits(o.Limits); err != nil {
			return nil, fmt.Errorf("--limits: %w", err)
		}
	}
	if _, err := headset.New(headset.Config{SampleRate: 16000, Tap: o.Tap, Codec: o.Codec}); err != nil {
		return nil, err
	}
	if o.Codec != headset.CodecUnknown && o.Tap != headset.TapWire {
		return nil, errors.New("--codec goes with --tap wire: before a codec there is none")
	}
	if r.jobs, r.many, err = find(o.Files); err != nil {
		return nil, err
	}
	switch {
	case o.Far != "" && r.many:
		return nil, errors.New("--far goes with one recording only; run it once for each")
	case o.Far == stdinName && r.jobs[0].file == stdinName:
		return nil, errors.New("standard input cannot be both the recording and the far end")
	case o.Far != "" && o.FarChannel > 0:
		return nil, errors.New("--far and --far-channel both say where the far end is; give one")
	case o.FarChannel == o.Channel:
		return nil, fmt.Errorf("channel %d cannot be both ends; give another --channel or --far-channel", o.Channel)
	}
	return r, r.namePictures()
}

// all measures the recordings, as many at once as there are processors, and prints them
// in order.
func (r *run) all(ctx context.Context) int {
	results := make([]chan outcome, len(r.jobs))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range results {
		results[i] = make(chan outcome, 1)
	}
	go func() {
		for i, j := range r.jobs {
			slots <- struct{}{}
			go func() {
				results[i] <- r.do(ctx, j)
				<-slots
			}()
		}
	}()
	status := statusOK
	all := make([]Result, 0, len(r.jobs))
	for i := range r.jobs {
		out := <-results[i]
		all = append(all, out.Result)
		for _, err := range out.errs {
			status = max(status, statusFailed)
			if errors.Is(err, errInterrupted) {
				status = statusInterrupted
			} else if status != statusInterrupted {
				fmt.Fprintf(r.stderr, "analyze: %s\n", shown(err.Error()))
			}
		}
		if out.Warning != "" {
			fmt.Fprintf(r.stderr, "analyze: warning: %s %s\n", name(out.File), out.Warning)
		}
		if r.JSON || out.Report == nil {
			continue
		}
		if err := r.printReport(out.Result); err != nil { // a person need not wait for the last file
			return r.cannotWrite(err)
		}
	}
	if status == statusInterrupted {
		fmt.Fprintln(r.stderr, "analyze: interrupted")
		if !r.JSON {
			return status // nobody waits for a table of what was not done
		}
	}
	if err := r.printAll(all); err != nil {
		return r.cannotWrite(err)
	}
	return status
}

// outcome is a result and what went wrong on the way: a recording may be measured and
// its picture not be drawn.
type outcome struct {
	Result
	errs []error
}

// do measures one recording and draws its picture.
func (r *run) do(ctx context.Context, j job) outcome {
	failed := func(err error) outcome {
		return outcome{Result{File: j.file, Error: shown(err.Error())}, []error{err}}
	}
	if j.err != nil {
		return failed(j.err)
	}
	if ctx.Err() != nil {
		return failed(errInterrupted)
	}
	result, recorder, err := r.measure(ctx, j)
	if err != nil {
		return failed(err)
	}
	out := outcome{Result: result}
	if j.picture != "" {
		if err := r.draw(result, recorder, j.picture); err != nil {
			out.errs = append(out.errs, err)
		}
	}
	return out
}

// printAll writes what can only be written when all is known.
func (r *run) printAll(all []Result) error {
	switch {
	case r.JSON && r.many:
		return printJSON(r.stdout, all)
	case r.JSON:
		return printJSON(r.stdout, all[0])
	case r.many:
		return r.printSummary(all)
	}
	return nil
}

func (r *run) cannotWrite(err error) int {
	fmt.Fprintf(r.stderr, "analyze: write: %v\n", err)
	return statusFailed
}
