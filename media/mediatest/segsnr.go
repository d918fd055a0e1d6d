package mediatest

import "math"

// Of SegmentalSNR.
const (
	segSNRLow   = -10.0 // dB: what is no better is no worse either
	segSNRHigh  = 35.0  // dB: what is better sounds the same
	segSNRFloor = 1e-5  // mean square (-50 dBov) below which a frame is a pause
)

// SegmentalSNR compares a voice with what was heard of it, sample by sample: the mean of the
// signal-to-noise ratios, in dB, of the frames of 20 ms in which there is a voice, each within
// -10 and 35 dB (Quackenbush, Barnwell, Clements: Objective Measures of Speech Quality, 1988).
// counts picks frames by number; nil takes all. frames is how many were compared.
func SegmentalSNR(clean, heard []float32, rate int, counts func(frame int) bool) (db float64, frames int) {
	size := rate / 50
	var sum float64
	for k := 0; (k+1)*size <= min(len(clean), len(heard)); k++ {
		if counts != nil && !counts(k) {
			continue
		}
		var signal, noise float64
		for i := k * size; i < (k+1)*size; i++ {
			d := float64(heard[i]) - float64(clean[i])
			signal += float64(clean[i]) * float64(clean[i])
			noise += d * d
		}
		if signal < segSNRFloor*float64(size) {
			continue
		}
		sum += min(max(10*math.Log10(signal/(noise+1e-12)), segSNRLow), segSNRHigh)
		frames++
	}
	return sum / float64(max(frames, 1)), frames
}
