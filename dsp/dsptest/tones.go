package dsptest

import "math"

// wave is one period of a waveform in steps fine enough to read between.
type wave [4097]float32

// harmonics gives a period of a sum of cosines: amplitude[k] of the (k+1)-th harmonic of
// hz, none at or above 0.45 of the rate.
func harmonics(amplitude []float64, hz float64, rate int) *wave {
	var w wave
	for k, a := range amplitude {
		if float64(k+1)*hz >= 0.45*float64(rate) {
			break
		}
		for i := range w {
			// Each harmonic starts elsewhere, so that the peaks do not all meet.
			w[i] += float32(a * math.Cos(2*math.Pi*float64(k+1)*float64(i)/4096+1.9*float64(k*k)))
		}
	}
	return &w
}

// at reads the waveform at a phase in periods.
func (w *wave) at(phase float64) float32 {
	f := (phase - math.Floor(phase)) * 4096
	i := min(4095, int(f))
	part := float32(f - float64(i))
	return w[i] + part*(w[i+1]-w[i])
}

// Hum gives n samples of mains hum at a level in dBov: hz (50 or 60, or what the mains
// have at the moment) and its harmonics up to the twelfth, weaker the higher, in a mixture
// that follows the seed.
func Hum(n, rate int, hz, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0x50)
	amplitude := make([]float64, 12)
	for k := range amplitude {
		amplitude[k] = math.Pow(float64(k+1), -0.7) * (0.3 + 0.7*rng.Float64())
	}
	amplitude[0] = 1
	table := harmonics(amplitude, hz, rate)
	y := make([]float32, n)
	start := rng.Float64()
	for i := range y {
		y[i] = table.at(start + hz*float64(i)/float64(rate))
	}
	return ToLevel(y, levelDBov)
}

// Radio is what sends the bursts of a Buzz.
type Radio struct {
	FrameHz float64 // how often a burst comes
	Burst   float64 // how long it lasts, seconds
	Idle    int     // every how manieth burst is left out; 0 is none
}

// GSM and DECT are the two radios that are heard in headsets. GSM: a burst of 577 µs
// every 4.615 ms, 216.7 Hz, one in 26 idle (3GPP TS 45.002). DECT: a slot of 417 µs every
// 10 ms, 100 Hz (ETSI EN 300 175-2).
func GSM() Radio { return Radio{FrameHz: 26 / 0.12, Burst: 577e-6, Idle: 26} }

// DECT is described with GSM.
func DECT() Radio { return Radio{FrameHz: 100, Burst: 417e-6} }

// Buzz gives n samples of a radio's bursts as an amplifier's input makes them audible. It
// sounds for a share of the time, in stretches of 0.4 to 2.5 s; the level in dBov is that
// while it sounds.
func Buzz(n, rate int, radio Radio, share, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0xb022)
	amplitude := make([]float64, 40)
	for k := range amplitude {
		at := math.Pi * float64(k+1) * radio.FrameHz * radio.Burst
		hz := float64(k+1) * radio.FrameHz
		amplitude[k] = math.Abs(math.Sin(at)/at) / math.Hypot(1, hz/3000)
	}
	table := harmonics(amplitude, radio.FrameHz, rate)
	y := make([]float32, n)
	power, sounding := 0.0, 0
	for at := int(rng.Float64() * float64(rate)); at < n; {
		length := min(n-at, int((0.4+2.1*rng.Float64())*float64(rate)))
		for i := range length {
			phase := float64(i) * radio.FrameHz / float64(rate)
			if radio.Idle > 0 && int(phase)%radio.Idle == radio.Idle-1 {
				continue
			}
			v := table.at(phase) * edge(i, length, rate/200)
			y[at+i] = v
			power += float64(v) * float64(v)
		}
		sounding += length
		pause := float64(length) * (1 - share) / max(share, 1e-3)
		at += length + int(pause*(0.7+0.6*rng.Float64()))
	}
	if sounding == 0 || power == 0 {
		return y
	}
	return Gain(y, levelDBov-10*math.Log10(power/float64(sounding)))
}

// edge fades the first and last samples of a stretch of n in and out.
func edge(i, n, fade int) float32 {
	if d := min(i, n-1-i); d < fade {
		return float32(d+1) / float32(fade+1)
	}
	return 1
}

// DTMF gives the tones of digits (0-9, *, #, A-D), each 100 ms with 80 ms of silence
// after it, at a level in dBov while they sound; other characters are pauses as long.
func DTMF(digits string, rate int, levelDBov float64) []float32 {
	const keys = "123A456B789C*0#D"
	low := [4]float64{697, 770, 852, 941}
	high := [4]float64{1209, 1336, 1477, 1633}
	tone, pause := rate/10, rate*8/100
	y := make([]float32, 0, len(digits)*(tone+pause))
	a := math.Pow(10, levelDBov/20) // two sines of amplitude a have a power of a²
	for _, d := range digits {
		at := -1
		for k, key := range keys {
			if key == d {
				at = k
			}
		}
		for i := range tone {
			if at < 0 {
				y = append(y, 0)
				continue
			}
			t := 2 * math.Pi * float64(i) / float64(rate)
			v := a * (math.Sin(low[at/4]*t) + math.Sin(high[at%4]*t))
			y = append(y, float32(v)*edge(i, tone, rate/500))
		}
		y = append(y, make([]float32, pause)...)
	}
	return y
}
