package echo

import "github.com/headroom-voice/headroom/dsp/spectrum"

// The shared spectra's windows hardly overlap at 22.05, 44.1 and 48 kHz, and of an echo
// that falls between two of them next to nothing is seen. There the meter makes its own,
// of a third of the samples or fewer: they overlap by more than a third.

// narrow says whether the windows of s hardly overlap.
func narrow(s *spectrum.Analyzer) bool { return 10*2*(s.Bins()-1) < 13*s.Hop() }

// thinned makes spectra of means of step samples.
type thinned struct {
	step     int
	mean     []float32
	spectrum *spectrum.Analyzer
}

func newThinned(rate int) *thinned {
	t := &thinned{step: 3}
	if rate > 64000 {
		t.step = 6
	}
	t.spectrum, _ = spectrum.New(rate / t.step) // more than 7 and less than 32 kHz is possible
	t.mean = make([]float32, t.spectrum.Hop())
	return t
}

func (t *thinned) next(block []float32) *spectrum.Frame {
	n := min(len(t.mean), len(block)/t.step)
	for i := range t.mean[:n] {
		sum := float32(0)
		for _, v := range block[i*t.step : (i+1)*t.step] {
			sum += v
		}
		t.mean[i] = sum / float32(t.step)
	}
	clear(t.mean[n:])
	return t.spectrum.Next(t.mean)
}
