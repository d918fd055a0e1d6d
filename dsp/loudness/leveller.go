package loudness

import "math"

// What is comfortable, and what is done about the rest. Who speaks between TooQuietDBov and
// TooLoudDBov is passed as they are. The levels are those at which a report on a headset
// calls it quiet or loud (headset.DefaultLimits), and 2 or 3 dB more, so that nobody is
// levelled who would not be complained of.
const (
	TooQuietDBov = -33.0 // below this is raised, to RaisedDBov ...
	RaisedDBov   = -28.0
	QuietEnough  = -31.0 // ... until the talker speaks louder than this
	TooLoudDBov  = -16.0 // above this is lowered, to LoweredDBov ...
	LoweredDBov  = -20.0
	LoudEnough   = -18.0 // ... until the talker speaks more softly than this
	MostDB       = 12.0  // either way
	RisePerS     = 3.0   // dB in a second of speech
	FallPerS     = 6.0

	// NoiseStays is what the noise under the speech is not raised beyond, dBov.
	NoiseStays = -45.0
)

const (
	patience = 30  // blocks without speech, 0.3 s, after which a raised level goes back
	fade     = 0.5 // dB a block that it goes back by: 50 dB in a second
)

// Leveller brings one signal to a comfortable level. What it adds to a level it takes back in
// pauses, so that their noise is never raised. It is not safe for concurrent use.
type Leveller struct {
	*Follower
	state   int     // -1 lowers, 1 raises, 0 does nothing
	gain    float64 // dB: what the talker's speech is given, slowly
	now     float64 // dB: what the signal is given at this sample
	factor  float32 // the same as a factor; exactly 1 when nothing is done
	idle    int     // blocks since the last speech
	changed uint64  // samples of blocks that were
}

// New makes one for a sample rate in Hz: 8000 to 48000.
func New(rate int) (*Leveller, error) {
	f, err := NewFollower(rate)
	if err != nil {
		return nil, err
	}
	return &Leveller{Follower: f, factor: 1}, nil
}

// Reset starts again as if new.
func (l *Leveller) Reset() {
	l.Follower.Reset()
	*l = Leveller{Follower: l.Follower, factor: 1}
}

// GainDB is what speech is given now.
func (l *Leveller) GainDB() float64 { return l.gain }

// Samples is how many were given another level so far.
func (l *Leveller) Samples() uint64 { return l.changed }

// Process levels the next samples in place, any number, full scale ±1, and reports whether it
// changed any. Samples that it raises beyond full scale are cut off there. It allocates nothing.
func (l *Leveller) Process(pcm []float32) bool {
	changed := false
	for len(pcm) > 0 {
		before := l.factor
		n := min(l.size-l.fill, len(pcm))
		part := pcm[:n]
		whole := l.fill+n == l.size
		l.Follower.Process(part)
		if whole {
			l.decide()
		}
		pcm = pcm[n:]
		if before == 1 && l.factor == 1 {
			continue
		}
		changed = true
		l.changed += uint64(n)
		ramp(part, before, l.factor)
	}
	return changed
}

// decide sets what the signal is given from the end of this block on.
func (l *Leveller) decide() {
	speaks := l.Speaks()
	if speaks {
		l.idle = 0
		if l.Known() {
			l.follow()
		}
	} else {
		l.idle++
	}
	switch {
	case l.gain <= 0 || speaks:
		l.now = l.gain
	case l.idle > patience:
		l.now = max(0, l.now-fade)
	}
	l.factor = 1
	if l.now != 0 {
		l.factor = float32(math.Pow(10, l.now/20))
	}
}

// follow brings the gain a block's worth nearer to what the talker needs.
func (l *Leveller) follow() {
	level := l.LevelDBov()
	switch {
	case level < TooQuietDBov:
		l.state = 1
	case level > TooLoudDBov:
		l.state = -1
	case l.state > 0 && level > QuietEnough, l.state < 0 && level < LoudEnough:
		l.state = 0
	}
	want := 0.0
	switch l.state {
	case 1:
		want = min(MostDB, RaisedDBov-level, max(0, NoiseStays-l.NoiseDBov()))
	case -1:
		want = max(-MostDB, LoweredDBov-level)
	}
	l.gain = min(l.gain+RisePerS/blocksPerSecond, max(l.gain-FallPerS/blocksPerSecond, want))
}

// ramp multiplies by a factor that goes from one value to another.
func ramp(pcm []float32, from, to float32) {
	step := (to - from) / float32(len(pcm))
	for i, x := range pcm {
		from += step
		x *= from
		pcm[i] = max(-1, min(1, x))
	}
}
