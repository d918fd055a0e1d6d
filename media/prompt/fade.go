package prompt

import "math"

// fade is what is done to a packet at an end of a sound, so that it does not click.
type fade uint8

const (
	fadeIn fade = iota // the first packet
	noFade
	fadeOut // the last
)

// fadeTime is how long a fade takes, as a part of a second: 10 ms.
const fadeTime = 100

// apply fades pcm: in from its first sample on, or out with its last.
func (f fade) apply(pcm []float32, rate int) {
	n := min(rate/fadeTime, len(pcm))
	switch f {
	case fadeIn:
		for i := range n {
			pcm[i] *= ramp(i, n)
		}
	case fadeOut:
		for i := range n {
			pcm[len(pcm)-1-i] *= ramp(i, n)
		}
	}
}

// ramp rises from 0 to 1 over n samples as half a cosine does, without a corner.
func ramp(i, n int) float32 {
	return float32(0.5 - 0.5*math.Cos(math.Pi*(float64(i)+0.5)/float64(n)))
}
