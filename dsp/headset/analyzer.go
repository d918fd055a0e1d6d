package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/dsp/vad"
)

const (
	framesPerSecond = 50  // the meters' frames are 20 ms
	highPassHz      = 100 // corner of the high-pass before noise, speech and the verdict's level
	levelWindow     = 10  // seconds of the running active level
	minRate         = 8000
	maxRate         = 96000
	maxReadings     = 600 // kept for whoever fetches them late; then the oldest are lost
)

// Config says what an Analyzer listens to.
type Config struct {
	SampleRate int    // Hz: 8000 to 96000
	Tap        Tap    // TapMic or TapWire; it decides which evidence counts
	Limits     Limits // what counts as a fault; the zero value means DefaultLimits
}

// Analyzer is every meter over one microphone. It is not safe for concurrent use.
type Analyzer struct {
	cfg   Config
	frame int // samples of 20 ms

	highPass *filter.HighPass
	levels   *level.Meter // as the samples came
	levelsHP *level.Meter // behind the high-pass
	noise    *noise.Meter
	speech   *vad.Detector
	clip     *clip.Meter
	tops     tops
	stuck    stuck
	far      far

	samples uint64 // all, whatever their mark
	scored  uint64 // without a mark
	fill    int    // samples of the 20 ms frame under way
	gap     bool   // the last samples carried a mark
	scratch []float32

	second   second
	history  [levelWindow]level.Counts // levels at the end of the last seconds, a ring
	seconds  int                       // finished
	readings [maxReadings]Reading
	first    int // index of the oldest reading not fetched
	waiting  int // readings not fetched
}

// second is what the second under way began with.
type second struct {
	fill    int // samples, whatever their mark
	scored  int
	peak    float64
	counts  level.Counts
	clipped uint64
	speech  float64
}

// New makes an Analyzer, or says what is wrong with cfg.
func New(cfg Config) (*Analyzer, error) {
	if cfg.SampleRate < minRate || cfg.SampleRate > maxRate {
		return nil, fmt.Errorf("headset: sample rate %d Hz is not within %d to %d", cfg.SampleRate, minRate, maxRate)
	}
	if cfg.Tap != TapMic && cfg.Tap != TapWire {
		return nil, fmt.Errorf("headset: tap %q is neither %q nor %q", cfg.Tap, TapMic, TapWire)
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	a := &Analyzer{cfg: cfg, frame: cfg.SampleRate / framesPerSecond}
	a.highPass = filter.NewHighPass(cfg.SampleRate, highPassHz)
	a.scratch = make([]float32, a.frame)
	var err error
	if a.levels, err = level.New(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.levelsHP, err = level.New(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.noise, err = noise.New(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.speech, err = vad.New(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.clip, err = clip.New(cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	if a.far, err = newFar(cfg.SampleRate, a.frame); err != nil {
		return nil, fmt.Errorf("headset: %w", err)
	}
	return a, nil
}

// Reset starts again as if new.
func (a *Analyzer) Reset() {
	a.highPass.Reset()
	a.levels.Reset()
	a.levelsHP.Reset()
	a.noise.Reset()
	a.speech.Reset()
	a.clip.Reset()
	a.far.reset()
	*a = Analyzer{
		cfg: a.cfg, frame: a.frame, highPass: a.highPass, levels: a.levels, levelsHP: a.levelsHP,
		noise: a.noise, speech: a.speech, clip: a.clip, far: a.far, scratch: a.scratch,
	}
}

// Process takes the next samples (mono, full scale ±1, any number) and what is known of
// them. Samples with a mark pass the time but are not scored. Broken samples count as 0
// (dsp.Sample). It allocates nothing.
func (a *Analyzer) Process(frame []float32, mark dsp.Mark) {
	scored := mark.Scored()
	if !scored && !a.gap && len(frame) > 0 {
		a.noise.Gap()
		a.speech.Gap()
		a.clip.Gap()
		a.tops.gap()
		a.stuck.gap()
		a.fill = 0
	}
	if len(frame) > 0 {
		a.gap = !scored
	}
	for len(frame) > 0 {
		n := min(len(frame), a.cfg.SampleRate-a.second.fill, a.frame-a.fill)
		if scored {
			a.score(frame[:n])
		}
		a.samples += uint64(n)
		a.second.fill += n
		frame = frame[n:]
		if a.second.fill == a.cfg.SampleRate {
			a.endSecond()
		}
	}
}

// score gives every meter a piece that ends with or before the 20 ms frame under way.
func (a *Analyzer) score(piece []float32) {
	a.scored += uint64(len(piece))
	a.second.scored += len(piece)
	filtered := a.scratch[:len(piece)]
	a.highPass.Process(filtered, piece)
	a.levels.Process(piece)
	a.levelsHP.Process(filtered)
	a.noise.Process(filtered)
	a.clip.Process(piece)
	a.tops.process(piece)
	a.stuck.process(piece)
	a.second.peak = max(a.second.peak, a.tops.pieceTop)
	if a.speech.Process(filtered) > 0 {
		speech := a.speech.Last().Speech
		a.tops.endFrame(speech)
		a.far.near(speech)
	}
	a.fill = (a.fill + len(piece)) % a.frame
}

// ProcessFar takes what the other party said meanwhile, at the same sample rate. It
// allocates nothing.
func (a *Analyzer) ProcessFar(frame []float32) { a.far.process(frame) }

// endSecond makes a Reading of the second that is complete.
func (a *Analyzer) endSecond() {
	rate := float64(a.cfg.SampleRate)
	counts := a.levels.Counts()
	clipped := a.clipped()
	stretch := counts.Minus(&a.second.counts)
	r := Reading{
		At:          float64(a.samples) / rate,
		Level:       stretch.Result().RMS,
		ActiveLevel: dsp.None(),
		NoiseFloor:  a.noise.Recent(),
		Peak:        dsp.None(),
		Clipped:     dsp.None(),
		Speech:      a.speech.SpeechSeconds() - a.second.speech,
		Scored:      float64(a.second.scored) / rate,
	}
	r.Speech = max(0, min(1, r.Speech))
	slot := &a.history[a.seconds%levelWindow] // of the second levelWindow ago
	window := counts.Minus(slot)
	r.ActiveLevel = window.Result().Active
	*slot = counts
	a.seconds++
	if a.second.scored > 0 {
		r.Peak = dsp.Value(dsp.AmplitudeDBov(a.second.peak))
		r.Clipped = dsp.Value(min(1, float64(clipped-min(clipped, a.second.clipped))/float64(a.second.scored)))
	}
	a.second = second{counts: counts, clipped: clipped, speech: a.speech.SpeechSeconds()}
	if a.waiting == maxReadings {
		a.first = (a.first + 1) % maxReadings
		a.waiting--
	}
	a.readings[(a.first+a.waiting)%maxReadings] = r
	a.waiting++
}

// clipped counts the samples that the tap's own evidence calls clipped.
func (a *Analyzer) clipped() uint64 {
	if a.cfg.Tap == TapWire {
		return a.tops.hot
	}
	return a.clip.Result().Clipped
}

// Reading gives the next finished second that has not been given yet. The last 600 are
// kept.
func (a *Analyzer) Reading() (Reading, bool) {
	if a.waiting == 0 {
		return Reading{}, false
	}
	r := a.readings[a.first]
	a.first = (a.first + 1) % maxReadings
	a.waiting--
	return r, true
}
