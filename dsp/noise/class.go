package noise

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// Class says what a noise sounds like, and so where it comes from.
type Class string

// The classes.
const (
	Hiss   Class = "hiss"   // steady, reaching high: an amplifier, a plug, a gain set too high
	Hum    Class = "hum"    // steady low tones, mains or their harmonics
	Buzz   Class = "buzz"   // steady tones that reach high: a supply, a phone's radio
	Babble Class = "babble" // wavering like voices: people in the room
	Room   Class = "room"   // steady and low: a fan, air conditioning, traffic
	Music  Class = "music"  // wavering, of sustained tones
)

// Blocks to look at phases: a snapshot is compared with those after it.
const (
	lagHum  = 5 // 100 ms: whole periods of 50 and of 60 Hz and all their harmonics
	lagBuzz = 3 // 60 ms: 13 bursts of a GSM phone's radio (216.7 Hz)
	lagFast = 2
	lagSlow = 10
)

// classifier gathers, from spectra of noise alone, what tells the classes apart.
type classifier struct {
	low, split, high int              // bins: tones of a hum up to split, of a buzz and music up to high
	re, im           []float32        // the snapshot, bins [low, high)
	re1, im1         []float32        // the block after it
	age              int              // blocks since the snapshot, -1: none
	levels           [lagSlow]float64 // of the last blocks, dB, a ring
	run              int              // blocks heard without a gap
	sum              features
}

// features are sums over snapshots.
type features struct {
	looks               int
	humLow, humHigh     float64 // power that keeps its phase over 100 ms
	buzz                float64 // over 60 ms
	powerLow, powerHigh float64 // against which these are
	buzzPower           float64
	tonal, tonalPower   float64 // power of bins whose phase goes on evenly
	fast, slow          float64 // squared change of level over two lags, dB²
	changes             int
}

func newClassifier(binHz float64, n int) classifier {
	at := func(hz float64) int { return min(n, int(math.Ceil(hz/binHz))) }
	c := classifier{low: at(90), split: at(700), high: at(3400)}
	k := c.high - c.low
	c.re, c.im, c.re1, c.im1 = make([]float32, k), make([]float32, k), make([]float32, k), make([]float32, k)
	return c
}

func (c *classifier) reset() {
	c.sum = features{}
	c.gap()
}

func (c *classifier) gap() { c.age, c.run = -1, 0 }

// hear takes the next spectrum of noise alone and the level of its block.
func (c *classifier) hear(f *spectrum.Frame, levelDBov float64) {
	c.follow(levelDBov)
	re, im, p := f.Re[c.low:c.high], f.Im[c.low:c.high], f.Power[c.low:c.high]
	c.age++
	switch c.age {
	case 0:
		copy(c.re, re)
		copy(c.im, im)
	case 1:
		copy(c.re1, re)
		copy(c.im1, im)
	case 2:
		c.predict(re, im, p)
	case lagBuzz:
		same, power := c.coherent(re, im, p, 0, len(re))
		c.sum.buzz += same
		c.sum.buzzPower += power
	case lagHum:
		k := c.split - c.low
		same, power := c.coherent(re, im, p, 0, k)
		c.sum.humLow += same
		c.sum.powerLow += power
		same, power = c.coherent(re, im, p, k, len(re))
		c.sum.humHigh += same
		c.sum.powerHigh += power
		c.sum.looks++
		c.age = -1
	}
}

// follow sees how the level moves: voices and music swell and fade, the levels of a steady
// noise are as far apart after 40 ms as after 200.
func (c *classifier) follow(levelDBov float64) {
	if c.run >= lagSlow {
		fast := levelDBov - c.levels[(c.run-lagFast)%lagSlow]
		slow := levelDBov - c.levels[c.run%lagSlow]
		c.sum.fast += fast * fast
		c.sum.slow += slow * slow
		c.sum.changes++
	}
	c.levels[c.run%lagSlow] = levelDBov
	c.run++
}

// coherent gives the power of the bins [from, to) that is in step with the snapshot, and
// all of it.
func (c *classifier) coherent(re, im, p []float32, from, to int) (same, power float64) {
	var s, q float32
	for i := from; i < to; i++ {
		s += re[i]*c.re[i] + im[i]*c.im[i]
		q += (p[i] + c.re[i]*c.re[i] + c.im[i]*c.im[i]) / 2
	}
	return float64(s), float64(q)
}

// predict looks how far each bin's phase goes on as it went from the snapshot to the next
// block: a sustained tone's does, whatever its frequency.
func (c *classifier) predict(re, im, p []float32) {
	for i := range re {
		ar, ai, br, bi := c.re[i], c.im[i], c.re1[i], c.im1[i]
		// x·a·conj(b²): its angle is how far the phase has gone astray.
		sr, si := br*br-bi*bi, 2*br*bi
		ur, ui := re[i]*ar-im[i]*ai, re[i]*ai+im[i]*ar
		b2 := br*br + bi*bi
		norm := b2 * float32(math.Sqrt(float64(p[i]*(ar*ar+ai*ai))))
		if norm < 1e-30 {
			continue
		}
		c.sum.tonal += float64(b2 * (ur*sr + ui*si) / norm)
		c.sum.tonalPower += float64(b2)
	}
}

// What separates the classes [M].
const (
	linesShare = 0.4  // of the power in lines of constant phase: hum or buzz
	buzzReach  = 0.12 // of that power above 700 Hz: buzz
	tonalShare = 0.45 // of the power in sustained tones: music has 0.6 and more, voices 0.3 and less
	steadyTone = 1.0  // dB: music wavers more
	voices     = 1.3  // babble has 1.4 to 2.6, a steady noise with speech about it up to 1.2
	hissShare  = 0.17 // of the power above 2 kHz: hiss
	minLooks   = 10   // snapshots, 1.2 s or more
)

// shares is how the mean spectrum of a noise divides up.
type shares struct{ low, mid, high, bright float64 }

func (c *classifier) shares(mean []float64, binHz float64) (s shares) {
	all := 0.0
	for i, p := range mean {
		hz := float64(i) * binHz
		switch p *= highPass(hz); {
		case i < c.split:
			s.low += p
		case i < c.high:
			s.mid += p
		default:
			s.high += p
		}
		if hz >= 2000 {
			s.bright += p
		}
		all += p
	}
	if !(all > 0) {
		return shares{}
	}
	return shares{s.low / all, s.mid / all, s.high / all, s.bright / all}
}

// decide names the noise and says how sure that is: 0.5 at the border to the next class,
// 1 far from it.
func (c *classifier) decide(mean []float64, binHz float64, spread float64) (Class, float64) {
	if c.sum.looks < minLooks {
		return "", 0
	}
	sh := c.shares(mean, binHz)
	low, mid := sh.low*ratio(c.sum.humLow, c.sum.powerLow), sh.mid*ratio(c.sum.humHigh, c.sum.powerHigh)
	lines, bursts := low+mid, (sh.low+sh.mid)*ratio(c.sum.buzz, c.sum.buzzPower)
	tonal := (sh.low + sh.mid) * ratio(c.sum.tonal, c.sum.tonalPower)
	babble := voiceLike(ratio(c.sum.fast, c.sum.slow), tonal, spread)
	switch {
	case lines > linesShare && mid > buzzReach*lines:
		return Buzz, sure(lines, linesShare, 0.9)
	case lines > linesShare:
		return Hum, sure(lines, linesShare, 0.9)
	case bursts > linesShare:
		return Buzz, sure(bursts, linesShare, 0.9)
	case tonal > tonalShare && spread < steadyTone && sh.low > 0.5:
		return Hum, sure(tonal, tonalShare, 1) * 0.7
	case tonal > tonalShare && spread < steadyTone:
		return Buzz, sure(tonal, tonalShare, 1) * 0.7
	case tonal > tonalShare:
		return Music, sure(tonal, tonalShare, 0.75)
	case babble > voices:
		return Babble, sure(babble, voices, 2.2)
	case sh.bright > hissShare:
		return Hiss, sure(sh.bright, hissShare, 0.5)
	default:
		return Room, sure(sh.bright, hissShare, 0.05)
	}
}

// voiceLike adds up three signs of voices, each about 1 where it is clear: levels that
// swell and fade rather than jump, some sustained tones, levels that spread wide.
func voiceLike(moves, tonal, spread float64) float64 {
	return max(0, min(1.2, (1-moves)/0.5)) + min(1.2, tonal/0.3) + max(0, min(1, (spread-1)/2))
}

// sure maps x from 0.5 at the border to 1 where the class is certain.
func sure(x, border, certain float64) float64 {
	return 0.5 + 0.5*max(0, min(1, (x-border)/(certain-border)))
}

// ratio is a/b, 0 where that is negative or nothing.
func ratio(a, b float64) float64 {
	if !(b > 0) {
		return 0
	}
	return max(0, a/b)
}
