package clip

import (
	"fmt"
	"math"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
)

// Bins of half a decibel from -60 to +18 dBov.
const (
	peakBins   = 156
	binsPerDB  = 2
	lowestPeak = -60.0 // dBov
)

// What is compared with what, in dB under the highest peaks, and of how many blocks. The
// highest are those that a share of the blocks reach: no knock sets them. [M]
const (
	crowdOf     = 0.005 // share of the blocks that may stand above the top
	crowdDB     = 3.0
	bendOf      = 0.015
	bendTopDB   = 1.0 // peaks at the top
	bendFromDB  = 2.5 // peaks well below: from here ...
	bendToDB    = 9.0 // ... down to here
	minTopPeaks = 8
	minLowPeaks = 20
)

// hotLevel is the share of full scale from which a decoded sample inside speech is near
// full scale: a codec rounds flat tops, but does not take them down.
const hotLevel = 0.95

// Peaks looks at the highest and the lowest sample of every 20 ms of speech: how they
// crowd below a ceiling, and how sharp they are there. It finds what Meter cannot:
// saturation that leaves no sample flat, and clipping that a codec has rounded.
//
// A static curve that bends over towards a ceiling (a capsule or an amplifier at its end)
// takes the sharpness from peaks as they come near it: with y = c·tanh(x/c) the second
// difference at a peak, over its height, shrinks by 1-(y/c)². A compressor or a limiter
// turns the gain and leaves the shape, so that speech crowds but does not bend; a loud
// voice gets sharper, for its formants rise. It is not safe for concurrent use.
type Peaks struct {
	scale  float64 // of a second difference: as at 16 kHz
	peak   float64 // of the last block
	blocks uint32  // of speech
	hot    uint64  // samples near full scale in them
	tops   [peakBins]uint32
	sides  [2]peakSide
}

// peakSide is one polarity.
type peakSide struct {
	peaks [peakBins]uint32
	sharp [peakBins]float64 // sum of the logarithms of their sharpness
}

// PeaksResult says how the peaks stand.
type PeaksResult struct {
	Blocks uint32 // of speech
	Hot    uint64 // samples in them within half a decibel of full scale, or beyond
	// Crowding is the share of the blocks whose highest sample lies within 3 dB of the
	// highest of all (half a percent of the blocks left out). A voice that runs into a
	// ceiling, or is limited, piles up there; a free one spreads. None before a block.
	Crowding dsp.Value
	// Bend is the natural logarithm of how sharp the highest peaks are over how sharp
	// those 2.5 to 9 dB below are, the mean of both polarities. A free voice has -0.2 to
	// 0.6, one that is limited -0.8 to 0.2; a ceiling that bends -0.6 and less. None with
	// too few peaks to say.
	Bend dsp.Value
}

// NewPeaks makes a Peaks for a sample rate in Hz.
func NewPeaks(rate int) (*Peaks, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("clip: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	return &Peaks{scale: float64(rate) * float64(rate) / (16000 * 16000)}, nil
}

// Reset starts again as if new.
func (p *Peaks) Reset() { *p = Peaks{scale: p.scale} }

// Process takes 20 ms of samples, full scale ±1, and whether they are speech (a voice,
// not a tone). Blocks stand alone: there is no gap to tell of. Broken samples count as 0
// (dsp.Sample).
func (p *Peaks) Process(block []float32, speech bool) {
	high, low := extremes(block)
	top := max(high, -low)
	p.peak = float64(top)
	if !speech {
		return
	}
	p.blocks++
	p.tops[binOf(float64(top))]++
	p.sides[0].add(block, slices.Index(block, high), p.scale)
	p.sides[1].add(block, slices.Index(block, low), -p.scale)
	if top >= hotLevel {
		for _, s := range block {
			if x := dsp.Sample(s); x >= hotLevel || x <= -hotLevel {
				p.hot++
			}
		}
	}
}

// extremes gives the highest sample, or 0 where none is above, and the lowest. The bits of
// positive samples sort as whole numbers do, those of negative ones the other way round
// and above them all: so there is no branch to foretell.
func extremes(block []float32) (high, low float32) {
	const broken = 0x41000000 // dsp.MaxSample
	up, down := int32(0), uint32(1<<31)
	for _, s := range block {
		bits := math.Float32bits(s)
		up, down = max(up, int32(bits)), max(down, bits)
	}
	if up < broken && down < 1<<31|broken {
		return math.Float32frombits(uint32(up)), math.Float32frombits(down)
	}
	for _, s := range block {
		high, low = max(high, dsp.Sample(s)), min(low, dsp.Sample(s))
	}
	return high, low
}

// add counts a peak if its neighbours are known and it stands high enough to be seen in
// 16-bit samples. Scale carries the sign of the side.
func (s *peakSide) add(block []float32, at int, scale float64) {
	const (
		lowestHeight = 0.004
		flattest     = 1e-3 // sharpness that counts as none
	)
	if at <= 0 || at == len(block)-1 {
		return
	}
	x := math.Copysign(float64(block[at]), float64(block[at])*scale)
	if x < lowestHeight {
		return
	}
	fall := float64(dsp.Sample(block[at-1])) + float64(dsp.Sample(block[at+1]))
	sharp := (2*x - math.Copysign(1, scale)*fall) / x * math.Abs(scale)
	bin := binOf(x)
	s.peaks[bin]++
	s.sharp[bin] += math.Log(max(flattest, sharp))
}

func binOf(amplitude float64) int {
	return max(0, min(peakBins-1, int((dsp.AmplitudeDBov(amplitude)-lowestPeak)*binsPerDB)))
}

// topOf gives the bin that a share of what is counted reaches.
func topOf(counts *[peakBins]uint32, share float64) int {
	total := uint32(0)
	for _, n := range counts {
		total += n
	}
	above := uint32(0)
	for bin := peakBins - 1; bin > 0; bin-- {
		if above += counts[bin]; float64(above) > share*float64(total) {
			return bin
		}
	}
	return 0
}

// between gives how many peaks stand in the bins [low, high), and their mean sharpness.
func (s *peakSide) between(low, high int) (n uint32, sharp float64) {
	for bin := max(0, low); bin < min(peakBins, high); bin++ {
		n += s.peaks[bin]
		sharp += s.sharp[bin]
	}
	return n, sharp / float64(max(1, n))
}

func (s *peakSide) bend() dsp.Value {
	top := topOf(&s.peaks, bendOf)
	n, atTop := s.between(top-bendTopDB*binsPerDB, peakBins)
	m, below := s.between(top-bendToDB*binsPerDB, top-bendFromDB*binsPerDB)
	if n < minTopPeaks || m < minLowPeaks {
		return dsp.None()
	}
	return dsp.Value(atTop - below)
}

// Peak is the largest |sample| of the last block, speech or not.
func (p *Peaks) Peak() float64 { return p.peak }

// Hot is how many samples of speech stood within half a decibel of full scale.
func (p *Peaks) Hot() uint64 { return p.hot }

// Result is how the peaks have stood since the start.
func (p *Peaks) Result() PeaksResult {
	r := PeaksResult{Blocks: p.blocks, Hot: p.hot, Crowding: dsp.None(), Bend: dsp.None()}
	if p.blocks == 0 {
		return r
	}
	top := topOf(&p.tops, crowdOf)
	near := uint32(0)
	for bin := max(0, top-crowdDB*binsPerDB); bin < peakBins; bin++ {
		near += p.tops[bin]
	}
	r.Crowding = dsp.Value(float64(near) / float64(p.blocks))
	r.Bend = (p.sides[0].bend() + p.sides[1].bend()) / 2 // None + x is None
	return r
}
