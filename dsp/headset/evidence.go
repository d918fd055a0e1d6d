package headset

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// hotLevel is the share of full scale from which a decoded sample inside speech counts
// as clipped: a codec rounds flat tops, but does not take them down.
const hotLevel = 0.95

// tops looks at how speech fills the range: samples near full scale, and how the highest
// samples of the 20 ms frames of speech spread.
type tops struct {
	pieceTop float64 // largest |sample| of the last piece
	top      float64 // ... of the frame under way
	hotNow   uint64  // samples near full scale in the frame under way
	hot      uint64  // ... in all frames of speech
	frames   [topBins]uint32
	total    uint32
}

// Bins of half a decibel from -60 to +18 dBov.
const (
	topBins   = 156
	topPerDB  = 2
	topLowest = -60.0
)

func (t *tops) gap() { t.top, t.hotNow = 0, 0 }

func (t *tops) process(piece []float32) {
	top := float32(0)
	for _, s := range piece {
		x := dsp.Sample(s)
		if x < 0 {
			x = -x
		}
		top = max(top, x)
	}
	t.pieceTop = float64(top)
	t.top = max(t.top, t.pieceTop)
	if top < hotLevel {
		return
	}
	for _, s := range piece {
		if x := dsp.Sample(s); x >= hotLevel || x <= -hotLevel {
			t.hotNow++
		}
	}
}

func (t *tops) endFrame(speech bool) {
	if speech {
		t.hot += t.hotNow
		bin := int((dsp.AmplitudeDBov(t.top) - topLowest) * topPerDB)
		t.frames[max(0, min(topBins-1, bin))]++
		t.total++
	}
	t.gap()
}

// pile is the share of the frames of speech whose highest sample lies within 3 dB of the
// very highest (the top half percent of frames left out, so that no click sets it).
// A voice that runs into a ceiling piles up there; a free one spreads.
func (t *tops) pile() float64 {
	if t.total == 0 {
		return 0
	}
	top := topBins - 1
	for above := 0.0; top > 0; top-- {
		above += float64(t.frames[top])
		if above > 0.005*float64(t.total) {
			break
		}
	}
	var near uint32
	for bin := max(0, top-3*topPerDB); bin < topBins; bin++ {
		near += t.frames[bin]
	}
	return float64(near) / float64(t.total)
}

// stuck finds stretches in which the samples do not move: digital silence, or one frozen
// value. A live microphone has noise.
type stuck struct {
	low, high float32 // of the stretch under way
	length    uint64  // of it, in samples
	longest   uint64
	silent    bool // the longest was digital silence, not a frozen value
}

// stuckRange is how far samples may move and still be stuck: one 16-bit step, twice, for
// what a codec makes of silence.
const stuckRange = 2.0 / 32768

func (s *stuck) gap() { s.length = 0 }

func (s *stuck) process(piece []float32) {
	low, high, length := s.low, s.high, s.length
	for _, v := range piece {
		x := dsp.Sample(v)
		if length > 0 && max(high, x)-min(low, x) <= stuckRange {
			low, high = min(low, x), max(high, x)
			length++
			continue
		}
		if length > s.longest {
			s.keep(low, high, length)
		}
		low, high, length = x, x, 1
	}
	s.low, s.high, s.length = low, high, length
	if length > s.longest {
		s.keep(low, high, length)
	}
}

func (s *stuck) keep(low, high float32, length uint64) {
	s.longest = length
	s.silent = max(math.Abs(float64(low)), math.Abs(float64(high))) <= stuckRange
}

// far follows the other party, so that a microphone that never answers is noticed.
type far struct {
	highPass   *filter.HighPass
	speech     *vad.Detector
	scratch    []float32
	unanswered uint64 // near frames since the far end had spoken for farSpoken
	answered   bool   // the near end has spoken
}

// farSpoken is how much the other party must have said, in seconds, to expect an answer.
const farSpoken = 2.0

func newFar(rate, frame int) (far, error) {
	d, err := vad.New(rate)
	return far{highPass: filter.NewHighPass(rate, highPassHz), speech: d, scratch: make([]float32, frame)}, err
}

func (f *far) reset() {
	f.highPass.Reset()
	f.speech.Reset()
	f.unanswered, f.answered = 0, false
}

func (f *far) process(frame []float32) {
	for len(frame) > 0 {
		n := min(len(frame), len(f.scratch))
		f.highPass.Process(f.scratch[:n], frame[:n])
		f.speech.Process(f.scratch[:n])
		frame = frame[n:]
	}
}

// near counts one 20 ms frame of the near end.
func (f *far) near(speech bool) {
	f.answered = f.answered || speech
	if f.speech.SpeechSeconds() >= farSpoken {
		f.unanswered++
	}
}
