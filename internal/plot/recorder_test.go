package plot

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/headset"
)

func TestLongRecordingTakesNoMoreMemory(t *testing.T) {
	r := NewRecorder(8000, false)
	minute := make([]float32, 60*8000)
	minute[100] = 0.75
	const minutes = 3
	for range minutes {
		r.Add(minute, nil)
	}
	const events = 3 * maxSpans
	for i := range events {
		r.Event(headset.Event{Kind: headset.Crackle, At: float64(i) / 3, Length: float64(i%2) / 10})
	}
	for i := range 3 * maxReadings { // of hours
		r.Reading(headset.Reading{At: float64(i + 1), ActiveLevel: -20, NoiseFloor: -50, Speech: 1})
	}
	m := r.marks[headset.Crackle]
	if len(r.near.columns) > waveColumns || len(r.spectrum.columns) > spectrumColumns || len(r.readings) > maxReadings || len(m.spans) >= maxSpans {
		t.Errorf("%d columns, %d of the spectrum, %d readings, %d spans", len(r.near.columns), len(r.spectrum.columns), len(r.readings), len(m.spans))
	}
	if got := r.Seconds(); got != minutes*60 {
		t.Errorf("%v s", got)
	}
	if m.count != events {
		t.Errorf("%d events, want %d", m.count, events)
	}
	all := r.near.between(0, minutes*60, 8000)
	if all.high != 0.75 || all.n != minutes*60*8000 || math.Abs(all.sum-minutes*0.75*0.75) > 1e-6 {
		t.Errorf("altogether %+v", all)
	}
	last := r.readings[len(r.readings)-1]
	if last.at != 3*maxReadings || math.Abs(last.active.value()+20) > 1e-9 {
		t.Errorf("last reading %+v", last)
	}
	for i := 1; i < len(r.readings); i++ {
		if r.readings[i].from != r.readings[i-1].at {
			t.Fatalf("a gap before %v", r.readings[i].at)
		}
	}
}

func TestColumnsKeepPeaksAndEnergyHoweverSamplesCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-1, 1), 1, 1000).Draw(t, "samples")
		w := wave{size: 1, columns: make([]column, 0, waveColumns)}
		repeat := rapid.IntRange(1, 8).Draw(t, "repeat")
		sum, high := 0.0, float32(-1)
		for range repeat {
			for rest := x; len(rest) > 0; {
				n := min(len(rest), rapid.IntRange(1, 500).Draw(t, "n"))
				w.add(rest[:n])
				rest = rest[n:]
			}
			for _, v := range x {
				sum += float64(v) * float64(v)
				high = max(high, v)
			}
		}
		all := w.between(0, float64(w.samples), 1)
		if all.n != repeat*len(x) || all.high != high || math.Abs(all.sum-sum) > 1e-4*(1+sum) {
			t.Fatalf("%+v, want sum %v high %v", all, sum, high)
		}
	})
}

func TestFrequenciesStandInOrder(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000, 96000} {
		s := newSpectrogram(rate)
		for i, b := range s.bins {
			if b[0] >= b[1] || b[1] > s.analyzer.Bins() || i > 0 && b[0] < s.bins[i-1][0] {
				t.Fatalf("%d Hz: row %d has the bins %v", rate, i, b)
			}
		}
		for _, hz := range []float64{50, 1000, 3400} {
			if got := s.hz(s.at(hz)); math.Abs(got-hz) > 0.01 {
				t.Errorf("%v Hz comes back as %v", hz, got)
			}
		}
	}
}

func TestTicksAreRoundAndNotCrowded(t *testing.T) {
	for _, seconds := range []float64{0.001, 0.7, 21.5, 600, 3612, 86400, 1e6} {
		d := drawing{seconds: seconds}
		if px := d.step() / seconds * (right - left); px < tickDistance-1e-9 {
			t.Errorf("%v s: ticks every %v px", seconds, px)
		}
	}
	for want, c := range map[string][2]float64{"0:00.2": {0.2, 0.2}, "1:05": {65, 5}, "1:00:30": {3630, 30}} {
		if got := clock(c[0], c[1]); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}
