package loudness

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// UsualDBov is what somebody is taken to speak at who has not spoken yet: what telephones
// that keep to their loudness ratings send.
const UsualDBov = -22.0

const (
	blocksPerSecond = 100
	memory          = 200   // blocks of speech that the level follows: 2 s
	prior           = 20    // blocks of speech that UsualDBov counts for
	enough          = 60    // blocks of speech after which the level is known
	hangover        = 20    // blocks: 0.2 s, as P.56 has it
	margin          = 38.9  // 15.9 dB as a ratio of powers
	outstanding     = 10.0  // times the noise that speech is
	loudest         = 4.0   // times the level that a block counts at the most
	faintest        = 1e-6  // -60 dBov: below this nobody speaks
	softer          = 0.994 // that the level becomes with a block of fainter speech: somebody else may speak
	noiseRises      = 1.007 // a block: 3 dB in a second
	firstNoise      = 1e-6  // until it is known
	lowestNoise     = 1e-9
)

// Follower knows the level at which one signal's talker speaks. It is not safe for concurrent use.
type Follower struct {
	size int // samples of a block

	fill  int
	power float32 // sum of squares of the block under way

	level  float64 // power
	speech int     // blocks that it is made of, up to memory
	noise  float64
	smooth float64 // power over some blocks, for the noise
	hang   int     // blocks that still count as speech
}

// NewFollower makes one for a sample rate in Hz: 8000 to 48000.
func NewFollower(rate int) (*Follower, error) {
	if rate < 8000 || rate > 48000 {
		return nil, fmt.Errorf("loudness: sample rate %d Hz is outside 8000 to 48000", rate)
	}
	f := &Follower{size: rate / blocksPerSecond}
	f.Reset()
	return f, nil
}

// Reset starts again as if new.
func (f *Follower) Reset() {
	*f = Follower{size: f.size, level: math.Pow(10, UsualDBov/10), noise: firstNoise}
}

// Rate is the sample rate in Hz.
func (f *Follower) Rate() int { return f.size * blocksPerSecond }

// LevelDBov is the active speech level, UsualDBov before anybody has spoken.
func (f *Follower) LevelDBov() float64 { return dsp.PowerDBov(f.level) }

// Known reports whether there was speech enough, 0.6 s, to judge the level by.
func (f *Follower) Known() bool { return f.speech >= enough }

// Speaks reports whether the last whole block was speech, hangover included.
func (f *Follower) Speaks() bool { return f.hang > 0 }

// NoiseDBov is the noise beneath the speech.
func (f *Follower) NoiseDBov() float64 { return dsp.PowerDBov(f.noise) }

// Process takes the next samples, full scale ±1, any number. Broken ones count as 0.
func (f *Follower) Process(pcm []float32) {
	intact := dsp.Intact(pcm)
	for len(pcm) > 0 {
		n := min(f.size-f.fill, len(pcm))
		f.add(pcm[:n], intact)
		pcm = pcm[n:]
	}
}

// add takes samples of one block, and decides on it when it is whole.
func (f *Follower) add(pcm []float32, intact bool) {
	if intact {
		f.power += energy(pcm)
	} else {
		for _, x := range pcm {
			x = dsp.Sample(x)
			f.power += x * x
		}
	}
	if f.fill += len(pcm); f.fill == f.size {
		f.block(float64(f.power) / float64(f.size))
		f.fill, f.power = 0, 0
	}
}

func (f *Follower) block(p float64) {
	f.smooth += (p - f.smooth) / 4
	f.noise = max(lowestNoise, min(f.noise*noiseRises, max(p, f.smooth)))
	if p < faintest || p < outstanding*f.noise {
		f.hang = max(0, f.hang-1)
		return
	}
	f.hang = hangover
	if p*margin < f.level {
		f.level *= softer
		return
	}
	f.speech = min(f.speech+1, memory)
	f.level += (min(p, loudest*f.level) - f.level) / float64(min(prior+f.speech, memory))
}

// energy is the sum of squares.
func energy(pcm []float32) float32 {
	var a, b, c, d float32
	for len(pcm) >= 4 {
		x := (*[4]float32)(pcm)
		a += x[0] * x[0]
		b += x[1] * x[1]
		c += x[2] * x[2]
		d += x[3] * x[3]
		pcm = pcm[4:]
	}
	for _, x := range pcm {
		a += x * x
	}
	return a + b + c + d
}
