package dsp

// MaxSample is the largest amplitude that is taken for audio: 18 dB above full scale,
// which float recordings reach. What lies beyond, and what is not a number, is a
// broken sample.
const MaxSample = 8

// Sample gives x, or 0 where x is not a number, infinite or beyond MaxSample, so that
// one broken sample poisons no meter.
func Sample(x float32) float32 {
	if x > -MaxSample && x < MaxSample {
		return x
	}
	return 0
}
