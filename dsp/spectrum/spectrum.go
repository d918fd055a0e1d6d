package spectrum

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

const hopsPerSecond = 50

// Frame is one short-time spectrum. It is valid until the next call of Next.
type Frame struct {
	BinHz  float64   // distance of two bins
	Re, Im []float32 // bins 0..n/2, scaled so that Re²+Im² is Power
	Power  []float32 // mean square of each bin, one-sided; all together that of the signal
}

// Analyzer makes the spectra of one signal. It is not safe for concurrent use.
type Analyzer struct {
	rate, hop int
	window    []float32
	history   []float32 // the last len(window) samples
	filled    int       // of them heard since the start or the last gap
	fft       *Real
	frame     Frame
}

// New makes an Analyzer for a sample rate in Hz: 4000 to 192000.
func New(rate int) (*Analyzer, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("spectrum: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	hop := rate / hopsPerSecond
	n := 4
	for n < hop {
		n *= 2
	}
	if n < hop*9/8 && rate < 32000 { // pure tones want some overlap
		n *= 2
	}
	f, err := NewReal(n)
	if err != nil {
		return nil, err
	}
	a := &Analyzer{rate: rate, hop: hop, fft: f, window: make([]float32, n)}
	a.room()
	sum := 0.0
	for i := range a.window {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
		sum += w * w
		a.window[i] = float32(w)
	}
	scale := float32(math.Sqrt(2 / (float64(n) * sum))) // 2: for the bins of negative frequency
	for i := range a.window {
		a.window[i] *= scale / 2 // as load wants it
	}
	return a, nil
}

// Twin makes an Analyzer for another signal of the same rate. Both share their tables and
// work space, 13 KiB at 16 kHz: neither may be used while the other is.
func (a *Analyzer) Twin() *Analyzer {
	twin := &Analyzer{rate: a.rate, hop: a.hop, fft: a.fft, window: a.window}
	twin.room()
	return twin
}

// room makes what an Analyzer has to itself.
func (a *Analyzer) room() {
	n := a.fft.n
	a.history = make([]float32, n)
	a.frame = Frame{
		BinHz: float64(a.rate) / float64(n),
		Re:    make([]float32, n/2+1), Im: make([]float32, n/2+1), Power: make([]float32, n/2+1),
	}
}

// Hop is the length of a block in samples: 20 ms.
func (a *Analyzer) Hop() int { return a.hop }

// Bins is how many bins a Frame has, and BinHz how far apart they are.
func (a *Analyzer) Bins() int { return len(a.frame.Power) }

// BinHz is the distance of two bins in Hz.
func (a *Analyzer) BinHz() float64 { return a.frame.BinHz }

// Reset starts again as if new.
func (a *Analyzer) Reset() { a.Gap() }

// Gap says that samples are missing between the last block and the next.
func (a *Analyzer) Gap() { a.filled = 0 }

// Next takes the next block, exactly Hop samples of full scale ±1, and gives the spectrum
// of the window that ends with it; nil while the window is not full. Broken samples count
// as 0 (dsp.Sample). It allocates nothing.
func (a *Analyzer) Next(block []float32) *Frame {
	h := a.history
	kept := len(h) - a.hop
	copy(h[:kept], h[a.hop:])
	dsp.Samples(h[kept:], block[:a.hop])
	a.filled = min(len(h), a.filled+a.hop)
	if a.filled < len(h) {
		return nil
	}
	a.fft.load(h, a.window)
	f := &a.frame
	a.fft.finish(f.Re, f.Im, f.Power)
	for _, k := range [2]int{0, len(f.Re) - 1} { // these two have no twin of negative frequency
		f.Re[k] *= math.Sqrt2 / 2
		f.Power[k] /= 2
	}
	return f
}

// Band gives the bins [low, high) whose middles lie from lowHz up to below highHz.
func (f *Frame) Band(lowHz, highHz float64) (low, high int) {
	at := func(hz float64) int {
		return max(0, min(len(f.Power), int(math.Ceil(hz/f.BinHz))))
	}
	return at(lowHz), at(highHz)
}

// Sum adds up the power of the bins [low, high): their part of the mean square.
func (f *Frame) Sum(low, high int) float64 {
	sum := float32(0)
	for _, p := range f.Power[low:high] {
		sum += p
	}
	return float64(sum)
}
