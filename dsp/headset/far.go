package headset

import (
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// far follows the other party: blocks of 20 ms in step with the microphone's.
type far struct {
	block    []float32 // under way
	fill     int
	highPass *filter.HighPass
	filtered []float32
	spectrum *spectrum.Analyzer
	speech   *vad.Detector

	unanswered uint64 // near blocks since the far end had spoken for farSpoken
	answered   bool   // the near end has spoken
}

// farSpoken is how much the other party must have said, in seconds, to expect an answer.
const farSpoken = 2.0

func newFar(rate int) (far, error) {
	size := rate / blocksPerSecond
	f := far{block: make([]float32, size), filtered: make([]float32, size), highPass: filter.NewHighPass(rate, highPassHz)}
	var err error
	if f.spectrum, err = spectrum.New(rate); err != nil {
		return f, err
	}
	f.speech, err = vad.New(rate)
	return f, err
}

func (f *far) reset() {
	f.highPass.Reset()
	f.spectrum.Reset()
	f.speech.Reset()
	f.fill, f.unanswered, f.answered = 0, 0, false
}

func (f *far) process(frame []float32) {
	for len(frame) > 0 {
		n := min(len(frame), len(f.block)-f.fill)
		for i, s := range frame[:n] {
			f.block[f.fill+i] = dsp.Sample(s)
		}
		f.fill += n
		frame = frame[n:]
		if f.fill == len(f.block) {
			f.fill = 0
			f.hear()
		}
	}
}

// hear takes the block that is complete.
func (f *far) hear() {
	f.highPass.Process(f.filtered, f.block)
	f.speech.Process(f.spectrum.Next(f.block), f.filtered)
}

// near counts one block of the near end.
func (f *far) near(speech bool) {
	f.answered = f.answered || speech
	if f.speech.SpeechSeconds() >= farSpoken {
		f.unanswered++
	}
}
