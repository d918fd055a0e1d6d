package main

import (
	"context"
	"slices"
	"syscall"

	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// detector tells for each block of each file whether it is speech, and the nanoseconds of
// processor time that a block took.
type detector struct {
	name   string
	listen func(ctx context.Context, files []string) (said [][]bool, nanoseconds float64, err error)
}

// inGo lists our own and the one before it.
func inGo() []detector {
	return []detector{
		{"own", each(listenOwn)},
		{"energy", each(func(x []float32) ([]bool, error) { return listenEnergy(x), nil })},
	}
}

// each makes a detector of what hears one recording.
func each(listen func(x []float32) ([]bool, error)) func(context.Context, []string) ([][]bool, float64, error) {
	return func(ctx context.Context, files []string) ([][]bool, float64, error) {
		var all [][]bool
		var spent int64
		blocks := 0
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			c, err := wavfile.Open(f)
			if err != nil {
				return nil, 0, err
			}
			filtered := highPass(c.Samples)
			before := processorTime()
			said, err := listen(filtered)
			if err != nil {
				return nil, 0, err
			}
			spent += processorTime() - before
			blocks += len(said)
			all = append(all, said)
		}
		return all, float64(spent) / float64(blocks), nil
	}
}

func listenOwn(x []float32) ([]bool, error) {
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, err
	}
	d, err := vad.New(rate)
	if err != nil {
		return nil, err
	}
	said := make([]bool, 0, len(x)/block)
	for i := 0; i+block <= len(x); i += block {
		b := x[i : i+block]
		said = append(said, d.Process(s.Next(b), b).Speech)
	}
	return said, nil
}

// costAlone times our own detector on spectra that are there already: nanoseconds a block.
func costAlone(file string) (float64, error) {
	c, err := wavfile.Open(file)
	if err != nil {
		return 0, err
	}
	s, err := spectrum.New(rate)
	if err != nil {
		return 0, err
	}
	d, err := vad.New(rate)
	if err != nil {
		return 0, err
	}
	x := highPass(c.Samples)
	frames := make([]*spectrum.Frame, len(x)/block)
	for i := range frames {
		if f := s.Next(x[i*block:][:block]); f != nil {
			frames[i] = &spectrum.Frame{BinHz: f.BinHz, Power: slices.Clone(f.Power)}
		}
	}
	const rounds = 100
	before := processorTime()
	for range rounds {
		for i, f := range frames {
			d.Process(f, x[i*block:][:block])
		}
	}
	return float64(processorTime()-before) / float64(rounds*len(frames)), nil
}

func listenEnergy(x []float32) []bool {
	var d energy
	said := make([]bool, 0, len(x)/block)
	for i := 0; i+block <= len(x); i += block {
		said = append(said, d.next(x[i:i+block]))
	}
	return said
}

// processorTime is what this process has spent, in nanoseconds.
func processorTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
