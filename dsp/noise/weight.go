package noise

import "math"

// aWeight is the power gain of frequency weighting A at hz: IEC 61672-1:2013, annex E,
// which sets it to 1 at 1 kHz.
func aWeight(hz float64) float64 {
	const (
		f1, f2, f3, f4 = 20.598997, 107.65265, 737.86223, 12194.217
		gain1k         = 1.2588966 // 2.000 dB in amplitude
	)
	s := hz * hz
	a := gain1k * f4 * f4 * s * s / ((s + f1*f1) * math.Sqrt((s+f2*f2)*(s+f3*f3)) * (s + f4*f4))
	return a * a
}

// highPass is the power gain of the analyzer's high-pass (fourth-order Butterworth at
// 100 Hz, filter.HighPass) at hz.
func highPass(hz float64) float64 {
	if hz <= 0 {
		return 0
	}
	return 1 / (1 + math.Pow(100/hz, 8))
}
