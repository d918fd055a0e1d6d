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
	Longest    float64   // seconds of it without a break, at a level that stays within 6 dB
	Heard      float64   // seconds of windows looked at
}

// tally adds up windows by frequency, in cells of a tenth of a Hertz.
type tally struct {
	cells   [cells]cell
	run     cell // windows in a row that agree
	missed  bool // in the last window
	longest float64
}

const (
	cells   = 11
	cellHz  = 2 * range50Hz / (cells - 1)
	agreeHz = 0.15
	agreeDB = 6.0
)

// cell holds sums, weighted by seconds.
type cell struct{ seconds, hz, level, prominence, odd float64 }

func (c *cell) add(o *cell) {
	c.seconds += o.seconds
	c.hz += o.hz
	c.level += o.level
	c.prominence += o.prominence
	c.odd += o.odd
}

// add counts a window; nominal is the comb's frequency in Hz.
func (t *tally) add(nominal, seconds float64, f found) {
	level := dsp.PowerDBov(f.power)
	c := cell{
		seconds: seconds, hz: f.hz * seconds, level: level * seconds,
		prominence: math.Pow(10, f.prominence/10) * seconds, odd: f.odd / f.power * seconds,
	}
	i := int(math.Round((f.hz - nominal + range50Hz) / cellHz))
	t.cells[max(0, min(cells-1, i))].add(&c)
	if n := t.run.seconds; n > 0 && (math.Abs(t.run.hz/n-f.hz) > agreeHz || math.Abs(t.run.level/n-level) > agreeDB) {
		t.run = cell{}
	}
	t.run.add(&c)
	t.missed = false
	t.longest = max(t.longest, t.run.seconds)
}

// miss notes a window without; two in a row end a run.
func (t *tally) miss() {
	if t.missed {
		t.run = cell{}
	}
	t.missed = true
}

// best gives three cells in a row with most windows: mains wander by a tenth of a Hertz.
func (t *tally) best() (best cell) {
	for i := range t.cells {
		var c cell
		for j := max(0, i-1); j <= min(cells-1, i+1); j++ {
			c.add(&t.cells[j])
		}
		if c.seconds > best.seconds {
			best = c
		}
	}
	return best
}

// Result gives the comb that was heard longer since the start.
func (m *Meter) Result() Result {
	r := Result{Hz: dsp.None(), Level: dsp.None(), Prominence: dsp.None(), OddShare: dsp.None(), Heard: m.heard}
	var best cell
	for i := range m.tallies {
		t := &m.tallies[i]
		if c := t.best(); c.seconds > best.seconds || c.seconds == best.seconds && c.prominence > best.prominence {
			best = c
			r.Longest = t.longest
		}
	}
	if best.seconds == 0 {
		return r
	}
	n := best.seconds
	r.Hz, r.Level, r.Prominence = dsp.Value(best.hz/n), dsp.Value(best.level/n), dsp.Value(10*math.Log10(best.prominence/n))
	r.OddShare = dsp.Value(best.odd / n)
	r.Seconds = n
	return r
}
