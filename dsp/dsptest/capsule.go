package dsptest

import "math"

// SoftClip amplifies by a number of dB into a soft ceiling (an amplitude): a hyperbolic
// tangent, 2.4 dB down where the amplified sample would reach the ceiling.
func SoftClip(x []float32, gainDB float64, ceiling float32) []float32 {
	y := Gain(x, gainDB)
	for i, v := range y {
		y[i] = ceiling * float32(math.Tanh(float64(v/ceiling)))
	}
	return y
}

// Offset adds a constant, as a share of full scale.
func Offset(x []float32, dc float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v + float32(dc)
	}
	return y
}

// Pump swings the gain up and down by depth dB (half the way from lowest to highest) with a
// period in seconds that wavers by a third, as a loose contact or an automatic gain that
// hunts does.
func Pump(x []float32, rate int, depthDB, period float64, seed uint64) []float32 {
	rng := generator(seed, 0x9a39)
	y := make([]float32, len(x))
	phase, speed := rng.Float64(), 1.0
	gain := float32(1)
	for i, v := range x {
		if i%rate == 0 {
			speed = 2.0/3 + 2.0/3*rng.Float64()
		}
		phase += speed / (period * float64(rate))
		if i%16 == 0 {
			gain = float32(math.Pow(10, depthDB*math.Sin(2*math.Pi*phase)/20))
		}
		y[i] = v * gain
	}
	return y
}

// Echo gives what comes back of the far end's voice: delay seconds later, by a handful of
// paths that spread over 30 ms and lose their highs, lossDB softer than it left.
func Echo(far []float32, rate int, delay, lossDB float64, seed uint64) []float32 {
	rng := generator(seed, 0xec40)
	y := make([]float32, len(far))
	start := int(delay * float64(rate))
	for path := range 16 {
		at, a := start, 1.0
		if path > 0 {
			spread := rng.Float64()
			at += 1 + int(spread*0.03*float64(rate))
			a = 0.5 * math.Exp(-3*spread) * rng.NormFloat64()
		}
		for i := at; i < len(y); i++ {
			y[i] += float32(a) * far[i-at]
		}
	}
	y = LowPass(y, rate, 5000, 1)
	return ToLevel(y, RMS(far)-lossDB)
}

// follower is the level of a signal as a compressor sees it.
type follower struct{ env, attack, release float64 }

func newFollower(rate int, attack, release float64) follower {
	return follower{attack: 1 - math.Exp(-1/(attack*float64(rate))), release: 1 - math.Exp(-1/(release*float64(rate)))}
}

// next gives the level in dBov.
func (f *follower) next(x float32) float64 {
	p := float64(x) * float64(x)
	step := f.release
	if p > f.env {
		step = f.attack
	}
	f.env += step * (p - f.env)
	return 10 * math.Log10(f.env+1e-12)
}

// Compress makes what is louder than a threshold in dBov rise by a decibel only for every
// ratio decibels (attack 5 ms, release 120 ms).
func Compress(x []float32, rate int, thresholdDBov, ratio float64) []float32 {
	f := newFollower(rate, 0.005, 0.12)
	y := make([]float32, len(x))
	for i, v := range x {
		over := max(0, f.next(v)-thresholdDBov)
		y[i] = v * float32(math.Pow(10, over*(1/ratio-1)/20))
	}
	return y
}

// AGC brings speech to a target level in dBov, slowly, by no more than 20 dB either way,
// and stands still in pauses.
func AGC(x []float32, rate int, targetDBov float64) []float32 {
	f := newFollower(rate, 0.02, 0.05)
	y := make([]float32, len(x))
	gain, top := 0.0, -50.0
	for i, v := range x {
		level := f.next(v)
		if top = max(top-3/float64(rate), level, -50); level > top-12 {
			gain += (max(-20, min(20, targetDBov-level)) - gain) / (1.5 * float64(rate))
		}
		y[i] = v * float32(math.Pow(10, gain/20))
	}
	return y
}

// Gate makes what lies below a threshold in dBov softer by a number of dB (held for 150 ms,
// opened in 2 ms, closed in 60 ms), as noise suppression does in pauses.
func Gate(x []float32, rate int, thresholdDBov, attenuationDB float64) []float32 {
	f := newFollower(rate, 0.001, 0.02)
	y := make([]float32, len(x))
	closed := math.Pow(10, -attenuationDB/20)
	gain, hold := closed, 0
	for i, v := range x {
		if hold--; f.next(v) > thresholdDBov {
			hold = rate * 15 / 100
		}
		if hold > 0 {
			gain += (1 - gain) / (0.002 * float64(rate))
		} else {
			gain += (closed - gain) / (0.06 * float64(rate))
		}
		y[i] = v * float32(gain)
	}
	return y
}

// Limit keeps peaks below a ceiling in dBov by turning the gain down 4 ms before they
// come and up again within 80 ms: no sample is flattened.
func Limit(x []float32, rate int, ceilingDBov float64) []float32 {
	ceiling := math.Pow(10, ceilingDBov/20)
	ahead := rate / 250
	need := make([]float64, len(x)+ahead)
	for i := range need {
		need[i] = 1
	}
	for i, v := range x {
		if a := math.Abs(float64(v)); a > ceiling {
			for k := max(0, i-ahead); k <= i; k++ {
				need[k] = min(need[k], ceiling/a)
			}
		}
	}
	y := make([]float32, len(x))
	// A mean over the look-ahead of what release lets through reaches what is needed in time.
	held, sum := 1.0, float64(ahead+1)
	ring := make([]float64, ahead+1)
	for i := range ring {
		ring[i] = 1
	}
	up := 1 / (0.08 * float64(rate))
	for i, v := range x {
		held = min(held+(1-held)*up, need[i])
		at := i % len(ring)
		sum += held - ring[at]
		ring[at] = held
		g := sum / float64(len(ring))
		y[i] = float32(max(-ceiling, min(ceiling, float64(v)*g)))
	}
	return y
}
