package shock

import "math"

// What makes a tone. Blocks are 10 ms.
const (
	toneBlocksPerS = 100
	lagRate        = 8000 // Hz
	maxPast        = 2 * 48000 / lagRate
	lowest         = 300.0 // Hz: below this is hum, which frightens nobody
	low            = 900.0 // Hz: below this are ringing and dialling tones
	faintest       = 1e-5  // -50 dBov
	pure           = 400.0 // power of the sine over what is left: 26 dB; a key's two tones have up to 24
	narrow         = 4.0   // of a band that a modem fills: 6 dB
	pureRun        = 10    // blocks: 0.1 s
	lowRun         = 30    // 0.3 s
	narrowRun      = 60    // 0.6 s
	strays         = 0.06  // of the frequency, from a block to the next
	wanders        = 0.15  // of a narrow band's
	swells         = 2.0   // times the power, from a block to the next
	keeps          = 1.6   // times the power, that a narrow band's stays within
	grows          = 2.0   // times the power, that a howl gains while it is found
)

// finder tells steady tones and narrow bands from everything else.
type finder struct {
	rate int
	size int // samples of a block
	lag  int // samples: 1/8000 s, so that every rate sees the same

	fill        int
	uv, vv, uu  float32          // u = x[n]+x[n-2·lag], v = x[n-lag]
	past        [maxPast]float32 // the last 2·lag samples, the newest last
	run, band   int              // blocks in a row
	hz, power   float64
	first       float64 // power when the run began
	least, most float64 // power of the narrow band
	is          Kind
	over        float32 // power over the limit
}

func newFinder(rate int) finder {
	return finder{rate: rate, size: rate / toneBlocksPerS, lag: rate / lagRate}
}

// process takes the next samples and says what tone there is, and by what factor its power is
// over the limit.
func (f *finder) process(pcm []float32) (Kind, float32) {
	for len(pcm) > 0 {
		n := min(len(pcm), f.size-f.fill)
		f.add(pcm[:n])
		if f.fill += n; f.fill == f.size {
			f.block()
			f.fill, f.uv, f.vv, f.uu = 0, 0, 0, 0
		}
		pcm = pcm[n:]
	}
	return f.is, f.over
}

func (f *finder) add(pcm []float32) {
	past := f.past[:2*f.lag]
	var joined [2 * maxPast]float32
	n := copy(joined[:], past)
	n += copy(joined[n:], pcm[:min(len(pcm), len(past))])
	f.sums(joined[:n])
	if len(pcm) > len(past) {
		f.sums(pcm)
		copy(past, pcm[len(pcm)-len(past):])
	} else {
		copy(past, joined[n-len(past):n])
	}
}

// sums adds what x[2·lag:] contributes.
func (f *finder) sums(x []float32) {
	newest := x[2*f.lag:]
	middle, oldest := x[f.lag:][:len(newest)], x[:len(newest)]
	var uv, vv, uu float32
	for i, a := range newest {
		u, v := a+oldest[i], middle[i]
		uv += u * v
		vv += v * v
		uu += u * u
	}
	f.uv += uv
	f.vv += vv
	f.uu += uu
}

// block decides on 10 ms.
func (f *finder) block() {
	power := float64(f.vv) / float64(f.size)
	hz, clear := f.fit()
	before, was := f.hz, f.power
	f.hz, f.power = hz, power
	if power < faintest || hz < lowest {
		f.none()
		return
	}
	stays := math.Abs(hz-before) < strays*hz
	level := power < swells*was && was < swells*power
	if clear > pure && (f.run == 0 || stays && level) {
		if f.run++; f.run == 1 {
			f.first = power
		}
	} else {
		f.run = 0
	}
	f.follow(clear > narrow && hz >= low && math.Abs(hz-before) < wanders*hz, power)
	f.name()
}

// fit gives the frequency of the sine that explains the block best, and the power of it over
// that of the rest. White noise of power s leaves (2+c²)·s, c being 2cos(w).
func (f *finder) fit() (hz, clear float64) {
	uv, vv, uu := float64(f.uv), float64(f.vv), float64(f.uu)
	if vv == 0 {
		return 0, 0
	}
	c := max(-2, min(2, uv/vv))
	rest := max(uu-2*c*uv+c*c*vv, 1e-6*vv)
	return math.Acos(c/2) * lagRate / (2 * math.Pi), vv * (2 + c*c) / rest
}

// follow counts blocks of a narrow band that holds its level.
func (f *finder) follow(is bool, power float64) {
	if !is {
		f.band = 0
		return
	}
	if f.band++; f.band == 1 {
		f.least, f.most = power, power
	}
	f.least, f.most = min(f.least, power), max(f.most, power)
	if f.most > keeps*f.least {
		f.band, f.least, f.most = 1, power, power
	}
}

func (f *finder) none() { f.run, f.band, f.is, f.over = 0, 0, Nothing, 0 }

// name says what it is, once it has lasted.
func (f *finder) name() {
	limit := ToneDBov
	switch {
	case f.run >= pureRun && f.hz >= low:
		if f.is == Nothing || f.is == Modem {
			f.is = f.kind()
		}
	case f.run >= lowRun:
		limit = LowToneDBov
		f.is = Tone
	case f.band >= narrowRun:
		f.is = Modem
	default:
		f.is, f.over = Nothing, 0
		return
	}
	f.over = float32(f.power) / power(limit)
}

// kind tells tones apart (ITU-T T.30 clause 4: 1100 ± 38 Hz, 2100 ± 15 Hz).
func (f *finder) kind() Kind {
	switch {
	case f.power > grows*f.first:
		return Howl
	case math.Abs(f.hz-1100) < 45:
		return FaxCalling
	case math.Abs(f.hz-2100) < 25:
		return FaxAnswer
	default:
		return Tone
	}
}
