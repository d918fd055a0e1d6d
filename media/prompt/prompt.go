package prompt

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// Source is a sound without end that can be rendered from anywhere. Many plays may
// share one, at the same time.
type Source interface {
	// Render fills pcm with the samples from position at (in samples) at rate, 8000 or
	// 16000 Hz, mono, full scale ±1.
	Render(pcm []float32, at int64, rate int)
}

// Tone is a steady sine of hz at dbov, below 4 kHz.
func Tone(hz, dbov float64) Source {
	return tone{hz: hz, amplitude: math.Sqrt2 * math.Pow(10, dbov/20)}
}

type tone struct{ hz, amplitude float64 }

// Render is part of Source.
func (t tone) Render(pcm []float32, at int64, rate int) {
	for i := range pcm {
		_, turn := math.Modf(t.hz / float64(rate) * float64(at+int64(i)))
		pcm[i] = float32(t.amplitude * math.Sin(2*math.Pi*turn))
	}
}

const (
	musicDBov = -26.0
	musicRate = 16000 // Hz
	noteLen   = musicRate * 2 / 5
)

// HoldMusic is a quiet (-26 dBov), generated pattern: a slow arpeggio over four chords,
// all below 3 kHz. It holds its rendering of about 400 KiB: make one and share it.
func HoldMusic() Source {
	// A minor, F, C, G: the notes of each as semitones from A4, up and down again.
	chords := [...][8]int{
		{-12, -5, 0, 3, 7, 3, 0, -5},
		{-16, -9, -4, 0, 3, 0, -4, -9},
		{-9, -5, -2, 3, 7, 3, -2, -5},
		{-14, -7, -2, 2, 5, 2, -2, -7},
	}
	m := &music{loop: make([]float32, len(chords)*len(chords[0])*noteLen)}
	for c, chord := range chords {
		for n, semitone := range chord {
			m.pluck((c*len(chord)+n)*noteLen, 440*math.Pow(2, float64(semitone)/12))
		}
	}
	m.level(musicDBov)
	return m
}

// music is a loop at musicRate without anything above 3 kHz, so that every second
// sample is the same loop at half the rate.
type music struct{ loop []float32 }

// pluck adds a decaying note with two overtones. It rings over three notes, past the
// end of the loop into its beginning.
func (m *music) pluck(start int, hz float64) {
	for i := range 3 * noteLen {
		t := float64(i) / musicRate
		attack := min(t/0.015, 1)
		tail := min(float64(3*noteLen-i)/(0.05*musicRate), 1)
		x := 0.0
		for k, strength := range [...]float64{1, 0.35, 0.12} {
			partial := float64(k + 1)
			x += strength * math.Exp(-t*2.2*partial) * math.Sin(2*math.Pi*hz*partial*t)
		}
		m.loop[(start+i)%len(m.loop)] += float32(x * attack * tail)
	}
}

// level scales the loop to a mean power of dbov.
func (m *music) level(dbov float64) {
	var power float64
	for _, x := range m.loop {
		power += float64(x) * float64(x)
	}
	gain := float32(math.Pow(10, (dbov-dsp.PowerDBov(power/float64(len(m.loop))))/20))
	for i := range m.loop {
		m.loop[i] *= gain
	}
}

// Render is part of Source.
func (m *music) Render(pcm []float32, at int64, rate int) {
	step := musicRate / rate
	n := len(m.loop)
	from := int(at % int64(n/step) * int64(step))
	for i := range pcm {
		pcm[i] = m.loop[from]
		if from += step; from >= n {
			from -= n
		}
	}
}
