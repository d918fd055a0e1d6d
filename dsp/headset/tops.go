package headset

import "github.com/headroom-voice/headroom/dsp"

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
