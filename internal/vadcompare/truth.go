package main

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/filter"
)

// What a block of 20 ms is. Blocks about which honest detectors may differ are not
// scored: short gaps inside words, the fall of a word into the pause, very soft starts.
type truth byte

const (
	unscored truth = iota
	speech
	pause
)

const (
	speechBelow = 15.9 // dB under the active level a block of speech may be, as in P.56
	pauseBelow  = 30   // dB under it a pause is at most
	shortestRun = 3    // blocks of speech in a row; less is a click or a smack
	beforeWord  = 3    // blocks before the first sound of a word that are not scored
	afterWord   = 13   // and after its last: anybody's hangover
)

// label tells the blocks of clean speech, at an active level of 0 dBov, apart.
func label(clean []float32) []truth {
	filtered := highPass(clean)
	n := len(clean) / block
	out := make([]truth, n)
	levels := make([]float64, n)
	for i := range levels {
		levels[i] = dBov(filtered[i*block : (i+1)*block])
	}
	for i := 0; i < n; {
		j := i
		for j < n && levels[j] > -speechBelow {
			j++
		}
		if j-i >= shortestRun {
			for k := i; k < j; k++ {
				out[k] = speech
			}
		}
		i = max(j, i+1)
	}
	quiet := func(i int) bool {
		for k := max(0, i-afterWord); k <= min(n-1, i+beforeWord); k++ {
			if levels[k] > -pauseBelow {
				return false
			}
		}
		return true
	}
	for i := range out {
		if out[i] == unscored && quiet(i) {
			out[i] = pause
		}
	}
	return out
}

// score counts what a detector got wrong.
type score struct{ speech, missed, pause, falseAlarm int }

func (s *score) add(said []bool, what []truth) {
	for i, t := range what {
		heard := i < len(said) && said[i]
		switch t {
		case speech:
			s.speech++
			if !heard {
				s.missed++
			}
		case pause:
			s.pause++
			if heard {
				s.falseAlarm++
			}
		}
	}
}

// miss and alarm are shares; NaN when there was nothing to miss or to raise.
func (s score) miss() float64  { return float64(s.missed) / float64(s.speech) }
func (s score) alarm() float64 { return float64(s.falseAlarm) / float64(s.pause) }

func (s score) balanced() float64 { return 1 - (s.miss()+s.alarm())/2 }

func highPass(x []float32) []float32 {
	y := make([]float32, len(x))
	filter.NewHighPass(rate, 100).Process(y, x)
	return y
}

func dBov(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(x))+1e-15)
}

func gain(x []float32, db float64) []float32 {
	g := float32(math.Pow(10, db/20))
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v * g
	}
	return y
}
