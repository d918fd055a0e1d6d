package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/level"
)

const (
	blocksPerSecond = 50 // the meters hear blocks of 20 ms
	levelWindow     = 10 // seconds of the running active level
	minRate         = 8000
	maxRate         = 96000
	maxReadings     = 120 // kept for whoever fetches them late; then the oldest are lost
	maxEvents       = 128 // kept in the same way
)

// Config says what an Analyzer listens to.
type Config struct {
	SampleRate int    // Hz: 8000 to 96000
	Tap        Tap    // TapMic or TapWire; it decides which evidence counts
	Codec      Codec  // on the wire: what carried the samples; see CodecUnknown
	Limits     Limits // what counts as a fault; the zero value means DefaultLimits
	// HighLowBaseline is the high/low ratio (Metrics.HighLow, dB) that this headset or its
	// model usually has; 0 when unknown.
	HighLowBaseline float64
}

// Analyzer is every meter over one microphone. It is not safe for concurrent use.
type Analyzer struct {
	cfg    Config
	meters meters
	far    far

	samples uint64    // all, whatever their mark
	scored  uint64    // of them in complete blocks without a mark
	block   []float32 // under way
	fill    int       // samples of it
	gap     bool      // the last samples carried a mark
	missing int       // how many did, up to a second

	opus       bool   // they come through Opus now
	opusScored uint64 // of scored, those that did

	second   second
	history  [levelWindow]past // what was at the end of the last seconds, a ring
	seconds  int               // finished
	readings ring[Reading]
	events   ring[Event]
}

// past is what had been heard at a moment.
type past struct {
	level.Counts
	scored, opus uint64
}

// second is what the second under way began with.
type second struct {
	fill    int // samples, whatever their mark
	scored  int
	peak    float64
	counts  level.Counts
	clipped uint64
	speech  float64
	buzzed  float64
}

// New makes an Analyzer, or says what is wrong with cfg.
func New(cfg Config) (*Analyzer, error) {
	if cfg.SampleRate < minRate || cfg.SampleRate > maxRate {
		return nil, fmt.Errorf("headset: sample rate %d Hz is not within %d to %d", cfg.SampleRate, minRate, maxRate)
	}
	if cfg.Tap != TapMic && cfg.Tap != TapWire {
		return nil, fmt.Errorf("headset: tap %q is neither %q nor %q", cfg.Tap, TapMic, TapWire)
	}
	if !cfg.Codec.known() {
		return nil, fmt.Errorf("headset: codec %q is none of %q", cfg.Codec, Codecs())
	}
	a := &Analyzer{
		cfg:      cfg,
		block:    make([]float32, cfg.SampleRate/blocksPerSecond),
		readings: newRing[Reading](maxReadings),
		events:   newRing[Event](maxEvents),
	}
	a.SetLimits(cfg.Limits)
	var err error
	if a.meters, err = newMeters(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.far, err = newFar(cfg.SampleRate, a.meters.spectrum); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	a.SetCodec(cfg.Codec)
	return a, nil
}

// Reset starts again as if new.
func (a *Analyzer) Reset() {
	a.meters.reset()
	a.far.reset()
	a.readings.reset()
	a.events.reset()
	*a = Analyzer{cfg: a.cfg, opus: a.opus, meters: a.meters, far: a.far, block: a.block, readings: a.readings, events: a.events}
}

// SetLimits changes what counts as a fault, also in what was heard already. The zero
// value means DefaultLimits.
func (a *Analyzer) SetLimits(l Limits) {
	if l == (Limits{}) {
		l = DefaultLimits()
	}
	a.cfg.Limits = l
}

// Process takes the next samples (mono, full scale ±1, any number) and what is known of
// them. Samples with a mark pass the time but are not scored; nor is the rest of a 20 ms
// block that a mark cuts short. Broken samples count as 0 (dsp.Sample). It allocates
// nothing.
func (a *Analyzer) Process(frame []float32, mark dsp.Mark) {
	if len(frame) == 0 {
		return
	}
	scored := mark.Scored()
	if !scored && !a.gap {
		a.meters.gap()
		a.far.echo.Gap()
		a.fill = 0
	}
	if scored && a.gap {
		a.meters.stuck.Gap(a.missing)
		a.missing = 0
	}
	a.gap = !scored
	for len(frame) > 0 {
		n := min(len(frame), a.cfg.SampleRate-a.second.fill, len(a.block)-a.fill)
		if scored {
			a.collect(frame[:n])
		} else {
			a.missing = min(a.missing+n, a.cfg.SampleRate)
			a.far.unscored(n, mark, a.samples+uint64(n))
		}
		a.samples += uint64(n)
		a.second.fill += n
		frame = frame[n:]
		if a.second.fill == a.cfg.SampleRate {
			a.endSecond()
		}
	}
}

// collect adds samples to the block under way and has it heard when it is complete.
func (a *Analyzer) collect(piece []float32) {
	dsp.Samples(a.block[a.fill:], piece)
	a.fill += len(piece)
	a.second.scored += len(piece)
	if a.fill < len(a.block) {
		return
	}
	a.fill = 0
	a.scored += uint64(len(a.block))
	if a.opus {
		a.opusScored += uint64(len(a.block))
	}
	end := a.samples + uint64(len(piece))
	a.hear(block{raw: a.block, end: float64(end) / float64(a.cfg.SampleRate), at: int(end/uint64(len(a.block))) - 1})
}

// ProcessFar takes what the other party said meanwhile, at the same sample rate, any number
// of samples. Both ends are counted from the start, and either may be handed over up to 200 ms
// before the other: how they take turns changes nothing. A far end that begins later, or that
// is further out of step, is taken to be said now. It allocates nothing.
func (a *Analyzer) ProcessFar(frame []float32) {
	a.far.process(frame, int(a.samples/uint64(len(a.block))))
}

// endSecond makes a Reading of the second that is complete.
func (a *Analyzer) endSecond() {
	rate := float64(a.cfg.SampleRate)
	counts, countsHP := a.meters.levels.Counts()
	clipped := a.clipped()
	speech := a.meters.speech.SpeechSeconds()
	stretch := counts.Minus(&a.second.counts)
	r := Reading{
		At:          float64(a.samples) / rate,
		Level:       stretch.Result().RMS,
		ActiveLevel: dsp.None(),
		NoiseFloor:  a.meters.noise.Recent(),
		Peak:        dsp.None(),
		Clipped:     dsp.None(),
		Speech:      max(0, min(1, speech-a.second.speech)),
		Scored:      float64(a.second.scored) / rate,
	}
	slot := &a.history[a.seconds%levelWindow] // of the second levelWindow ago
	window := counts.Minus(&slot.Counts)
	r.ActiveLevel = window.Result().Active
	noise := 0.0
	if r.NoiseFloor.Valid() {
		noise = math.Pow(10, float64(r.NoiseFloor)/10)
	}
	a.meters.pump.Process(countsHP, noise)
	if scored := a.scored - slot.scored; scored > 0 {
		r.beforeCodec(float64(a.opusScored-slot.opus) / float64(scored))
	} else if a.opus {
		r.beforeCodec(1)
	}
	*slot = past{Counts: counts, scored: a.scored, opus: a.opusScored}
	a.seconds++
	if a.second.scored > 0 {
		r.Peak = dsp.Value(dsp.AmplitudeDBov(a.second.peak))
		r.Clipped = dsp.Value(min(1, float64(clipped-min(clipped, a.second.clipped))/float64(a.second.scored)))
	}
	if clipped > a.second.clipped {
		a.event(Clipping, r.At, 1)
	}
	buzzed := a.meters.buzz.Result().Seconds
	if buzzed > a.second.buzzed {
		a.event(Buzz, r.At, buzzed-a.second.buzzed)
	}
	a.second = second{counts: counts, clipped: clipped, speech: speech, buzzed: buzzed}
	a.readings.push(r)
}

// Reading gives the next finished second that has not been given yet. The last 120 are
// kept.
func (a *Analyzer) Reading() (Reading, bool) { return a.readings.pop() }

// Event gives the next moment at which a fault showed and that has not been given yet.
// The last 128 are kept. Events are for eyes and ears; what is judged is in the Report.
func (a *Analyzer) Event() (Event, bool) { return a.events.pop() }
