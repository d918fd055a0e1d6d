package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
)

// The goals, at 16 kHz.
const (
	goalMicros = 12.0 // a block of 20 ms
	goalState  = 256  // KiB
)

// heardSeconds is how much speech is heard again and again, passes how often.
const (
	heardSeconds = 60
	passes       = 7
)

// blocks writes what the whole analyzer costs per 20 ms.
func blocks(ctx context.Context, page io.Writer, speech string) error {
	x, err := hear(speech, heardSeconds+10)
	if err != nil {
		return err
	}
	fmt.Fprintf(page, "\n## A block of 20 ms\n\nThe whole analyzer, µs of processor time a block: %d s of the same speech, best of %d passes. The goal at 16 kHz is %g.\n\n", heardSeconds, passes, goalMicros)
	fmt.Fprintf(page, "| sample rate | mic | wire | mic with far end | allocations |\n|---|---|---|---|---|\n")
	for _, rate := range []int{8000, 16000, 48000} {
		r, err := resample.New(speechRate, rate)
		if err != nil {
			return err
		}
		all := r.Process(nil, x)
		near, far := all[:heardSeconds*rate], all[10*rate:]
		fmt.Fprintf(page, "| %d Hz |", rate)
		allocations := uint64(0)
		for _, c := range []struct {
			tap headset.Tap
			far []float32
		}{{headset.TapMic, nil}, {headset.TapWire, nil}, {headset.TapMic, far}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			micros, n, err := cost(rate, c.tap, near, c.far)
			if err != nil {
				return err
			}
			allocations += n
			fmt.Fprintf(page, " %.1f |", micros)
		}
		fmt.Fprintf(page, " %d |\n", allocations)
	}
	return nil
}

// cost hears near, with far beside it if there is one, and gives µs a block and how often
// memory was asked for.
func cost(rate int, tap headset.Tap, near, far []float32) (micros float64, allocations uint64, err error) {
	a, err := headset.New(headset.Config{SampleRate: rate, Tap: tap})
	if err != nil {
		return 0, 0, err
	}
	best, block := math.Inf(1), rate/50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range passes {
		began := cpu()
		for i := 0; i+block <= len(near); i += block {
			if i+block <= len(far) {
				a.ProcessFar(far[i : i+block])
			}
			a.Process(near[i:i+block], 0)
			for _, ok := a.Reading(); ok; _, ok = a.Reading() {
			}
			for _, ok := a.Event(); ok; _, ok = a.Event() {
			}
		}
		best = min(best, float64((cpu()-began).Microseconds())/float64(len(near)/block))
	}
	runtime.ReadMemStats(&after)
	return best, after.Mallocs - before.Mallocs, nil
}

// state writes how much memory an analyzer has.
func state(page io.Writer) error {
	fmt.Fprintf(page, "\n## Memory\n\nWhat an analyzer holds, far end included, by the heap of 200 of them; it does not grow. The goal is %d KiB.\n\n", goalState)
	fmt.Fprintf(page, "| sample rate | KiB |\n|---|---|\n")
	for _, rate := range []int{8000, 16000, 48000} {
		const n = 200
		all := make([]*headset.Analyzer, n)
		before := heap()
		for i := range all {
			a, err := headset.New(headset.Config{SampleRate: rate, Tap: headset.TapMic})
			if err != nil {
				return err
			}
			all[i] = a
		}
		fmt.Fprintf(page, "| %d Hz | %.0f |\n", rate, float64(heap()-before)/n/1024)
		runtime.KeepAlive(all)
	}
	return nil
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
