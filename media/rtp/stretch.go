package rtp

import "math"

// Bounds of time-stretching.
const (
	alike       = 0.6  // least similarity of two stretches of waveform that may be merged
	quietEnergy = 1e-6 // mean square (-60 dBov) below which anything may be merged
)

// mergeLag finds how many samples may best be cut from or added to frame: the lag at
// which its start looks most like what follows, between 2.5 ms and half the frame.
// It is 0 when no lag is good enough, unless forced.
func mergeLag(frame []float32, rate int, forced bool) int {
	low, high := rate/400, min(len(frame)/2, rate/80)
	if high <= low {
		return 0
	}
	step := max(rate/8000, 1)
	best, bestScore, total := 0, math.Inf(-1), 0.0
	for lag := low; lag <= high; lag += step {
		var product, left, right float64
		for i := 0; i < lag; i += step {
			a, b := float64(frame[i]), float64(frame[i+lag])
			product, left, right = product+a*b, left+a*a, right+b*b
		}
		total = (left + right) / float64(2*(lag/step))
		if score := product / math.Sqrt(left*right+1e-12); score > bestScore {
			best, bestScore = lag, score
		}
	}
	if bestScore < alike && total > quietEnergy && !forced {
		return 0
	}
	return best
}

// cut takes lag samples out of frame by blending its start into what lies lag later,
// and returns what is left.
func cut(frame []float32, lag int) []float32 {
	for i := range lag {
		w := float32(i+1) / float32(lag+1)
		frame[lag+i] = (1-w)*frame[i] + w*frame[lag+i]
	}
	return frame[lag:]
}

// grow appends lag samples to frame's first period by playing it twice. frame needs
// room for lag more.
func grow(frame []float32, lag int) []float32 {
	n := len(frame)
	frame = frame[:n+lag]
	copy(frame[2*lag:], frame[lag:n])
	// Now frame[2*lag:] goes on as it did; between them, the second period turns back
	// into the first.
	for i := range lag {
		w := float32(i+1) / float32(lag+1)
		frame[lag+i] = (1-w)*frame[2*lag+i] + w*frame[i]
	}
	return frame
}
