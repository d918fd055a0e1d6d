package hum

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// Result is what has been measured since the start.
type Result struct {
	Hz         dsp.Value // of the mains: near 50 or 60; None without hum
	Level      dsp.Value // of the comb up to 800 Hz, dBov
	Prominence dsp.Value // of its lines over their neighbourhood, dB
	OddShare   dsp.Value // of the comb's power in odd harmonics, 0..1: none of it in a rectified 100 or 120 Hz
	Seconds    float64   // in which it was heard
	Heard      float64   // seconds of windows looked at
}

// tally adds up windows by frequency, in cells of a tenth of a Hertz.
type tally struct{ cells [cells]cell }

const (
	cells  = 11
	cellHz = 2 * range50Hz / (cells - 1)
)

type cell struct {
	windows                    int
	hz, level, prominence, odd float64 // sums
}

func (c *cell) add(o *cell) {
	c.windows += o.windows
	c.hz += o.hz
	c.level += o.level
	c.prominence += o.prominence
	c.odd += o.odd
}

func (t *tally) add(f found) {
	nearest := nominal[0]
	if f.hz > 55 {
		nearest = nominal[1]
	}
	i := int(math.Round((f.hz - nearest + range50Hz) / cellHz))
	t.cells[max(0, min(cells-1, i))].add(&cell{
		windows: 1, hz: f.hz, level: dsp.PowerDBov(f.power), prominence: math.Pow(10, f.prominence/10), odd: f.odd / f.power,
	})
}

// best gives three cells in a row with most windows: mains wander by a tenth of a Hertz.
func (t *tally) best() (best cell) {
	for i := range t.cells {
		var c cell
		for j := max(0, i-1); j <= min(cells-1, i+1); j++ {
			c.add(&t.cells[j])
		}
		if c.windows > best.windows {
			best = c
		}
	}
	return best
}

// Result gives the stronger comb of the two since the start.
func (m *Meter) Result() Result {
	hop := windowHop * shift / m.rate
	r := Result{Hz: dsp.None(), Level: dsp.None(), Prominence: dsp.None(), OddShare: dsp.None(), Heard: float64(m.analysed) * hop}
	var best cell
	for i := range m.tallies {
		if c := m.tallies[i].best(); c.windows > best.windows || c.windows == best.windows && c.prominence > best.prominence {
			best = c
		}
	}
	if best.windows == 0 {
		return r
	}
	n := float64(best.windows)
	r.Hz, r.Level, r.Prominence = dsp.Value(best.hz/n), dsp.Value(best.level/n), dsp.Value(10*math.Log10(best.prominence/n))
	r.OddShare = dsp.Value(best.odd / n)
	r.Seconds = n * hop
	return r
}
