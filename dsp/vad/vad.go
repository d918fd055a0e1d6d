package vad

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

const (
	blocksPerSecond = 50
	settling        = 10   // spectra, until the noise is known a little
	hangover        = 8    // blocks: 160 ms, as the pause between two syllables
	begins          = 3    // counts of evidence that begin speech; a strong block counts two
	lowestDBov      = -74. // nobody speaks more softly than this [A]
	risen           = 4    // times the noise that a steady sound has when it comes again
	past            = 0.2  // of the power in the window, that lies in its newest block at least

	// Evidence that a block of speech has. In steady noise of any colour 99 of 100 blocks
	// have less than 0.08 [M]. It is that much where bins are no wider than usualBin Hz; the
	// fewer fall into a band, the more noise alone looks like evidence.
	enoughEvidence = 0.15
	usualBin       = 31.25
	strongEvidence = 1.0
	mostAsked      = 1.5 // beside a restless background ...
	asked          = 2.0 // ... this many times what that has

	// Of the lower sort of blocks, as loudness tells them.
	restless       = 0.3         // evidence: steady noise has up to 0.06, babble and music from 1 [M]
	oneSort        = 6.5         // dB apart: less is one and the same sort, as babble alone [M]
	oneSortsAsked  = 3.5         // evidence asked then
	within         = 0.0251      // 16 dB below the talker's level speech stays (P.56: 15.9) ...
	closest        = 0.251       // ... and 6 dB at least beside a restless background
	louder, softer = 0.02, 0.002 // of the way that the talker's level follows, a block
	elsewhere      = 0.001       // by which it falls with each block of what may be a softer talker
)

// Detector decides for one signal. It is not safe for concurrent use.
type Detector struct {
	rate   int
	layout layout

	power    levels  // of the bands in the newest spectrum
	inBands  float32 // sum of it
	clean    levels  // of the speech in it
	noise    noiseTracker
	steady   steadiness
	loudness loudness
	tone     toneFinder

	spectra int     // heard, up to settling
	enough  float32 // evidence that makes speech
	talker  float64 // mean power of speech; 0 until there was any
	count   int     // of evidence in the last blocks
	hang    int     // blocks that still count as speech

	blocks, speech uint64
	last           Frame
}

// Frame is the decision on one block of 20 ms.
type Frame struct {
	Speech      bool    // of somebody near the microphone, hangover included
	Tonal       bool    // a pure tone or a pair of them, as a keypad sends
	LevelDBov   float64 // of the block
	NoiseDBov   float64 // of the noise beneath, 150 Hz to 7 kHz, as the detector tracks it
	Probability float64 // that this very block is speech, 0 to 1: 0.5 is where the evidence is enough
}

// New makes a Detector for a sample rate in Hz: 4000 to 192000.
func New(rate int) (*Detector, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("vad: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	d := &Detector{rate: rate}
	d.Reset()
	return d, nil
}

// Reset starts again as if new.
func (d *Detector) Reset() {
	*d = Detector{rate: d.rate, tone: newToneFinder(d.rate), enough: enoughEvidence}
	d.last.LevelDBov, d.last.NoiseDBov = dsp.SilenceDBov, dsp.SilenceDBov
}

// Gap says that samples are missing between the last block and the next. What is known of
// the noise and of the talker stays.
func (d *Detector) Gap() {
	d.count = 0
	d.tone.gap()
}

// Last is the decision on the newest block.
func (d *Detector) Last() Frame { return d.last }

// SpeechSeconds is how much speech there has been.
func (d *Detector) SpeechSeconds() float64 { return float64(d.speech) / blocksPerSecond }

// Seconds is how much has been decided on.
func (d *Detector) Seconds() float64 { return float64(d.blocks) / blocksPerSecond }

// Process decides on the next block: 20 ms, high-passed (filter.HighPass at 100 Hz), full
// scale ±1, and the spectrum of the window that ends with it, nil just after a gap.
// Without a spectrum no speech begins, but it may go on.
func (d *Detector) Process(f *spectrum.Frame, block []float32) Frame {
	s := look(block)
	e := float32(0)
	if f != nil {
		e = d.listen(f)
	}
	level := dsp.PowerDBov(s.power)
	share := float32(1)
	if f != nil {
		share = concentration(&d.power, d.inBands)
	}
	tonal := share > inTwoPeaks && d.tone.find(block, level)
	tonal = tonal || share > coarsened && f != nil && keypad(f)
	if tonal {
		e = 0
	}
	if f != nil {
		d.loudness.next(level, e)
	}
	noise := float64(d.noise.total())
	over := max(0, s.power-noise)
	wants, loud := d.demands()
	near := level > lowestDBov && over > loud
	d.follow(e, wants, near, over, s)
	d.last = Frame{
		Speech: d.hang > 0 && !tonal, Tonal: tonal,
		LevelDBov: level, NoiseDBov: dsp.PowerDBov(noise),
	}
	if near {
		e := max(0, e)
		d.last.Probability = float64(e * e / (e*e + wants*wants))
	}
	d.blocks++
	if d.last.Speech {
		d.speech++
	}
	return d.last
}

// listen takes a spectrum and gives the evidence of speech in it.
func (d *Detector) listen(f *spectrum.Frame) float32 {
	if d.layout.n == 0 {
		d.layout = newLayout(d.rate, f.BinHz)
		d.enough = enoughEvidence * max(1, float32(f.BinHz/usualBin))
	}
	n := d.layout.n
	d.inBands = d.layout.power(&d.power, f)
	d.noise.next(&d.power)
	steady, known := d.steady.next(&d.power, n)
	if steady {
		before := d.noise.total()
		d.noise.set(&d.steady.mean)
		if d.noise.total() > notable*before {
			d.steady.remember()
		}
	}
	e := evidence(&d.power, &d.noise.mean, &d.clean, n)
	if d.spectra < settling {
		d.spectra++
		return 0
	}
	if known && d.inBands > risen*d.noise.total() {
		return 0
	}
	return e
}

// demands says how much evidence speech has to have, and what power over the noise.
func (d *Detector) demands() (evidence float32, power float64) {
	l := &d.loudness
	power = d.talker * within
	if !l.known || l.unrest < restless {
		return d.enough, power
	}
	evidence = max(d.enough, min(mostAsked, asked*l.unrest))
	if l.apart < oneSort {
		evidence = oneSortsAsked
	}
	return evidence, max(power, min(d.talker*closest, l.between))
}

// follow counts the evidence e of a block, and follows the talker.
func (d *Detector) follow(e, wants float32, near bool, over float64, s shape) {
	// A click, or the rest of a sound that is already over, is evidence of nothing.
	idle := s.click || s.power < past*float64(d.inBands)
	switch {
	case e >= wants && near && idle:
	case e >= wants && near && s.even && e > strongEvidence:
		d.count = min(begins+1, d.count+2)
	case e >= wants && near:
		d.count = min(begins+1, d.count+1)
	default:
		d.count = max(0, d.count-1)
		if e > strongEvidence {
			d.talker *= 1 - elsewhere
		}
	}
	if d.count >= begins || d.hang > 0 && near && !idle && e > wants/2 {
		d.hang = hangover
		rate := softer
		if over > d.talker {
			rate = louder
		}
		d.talker += rate * (over - d.talker)
	} else if d.hang > 0 {
		d.hang--
	}
}
