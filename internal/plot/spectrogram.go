package plot

import (
	"image"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

const (
	spectrumRows    = 200 // from spectrumLowest to half the sample rate, in equal steps of pitch
	spectrumColumns = 2048
	spectrumLowest  = 40.0    // Hz
	spectrumHighest = 16000.0 // Hz, of sample rates that have more
	// What is black and what is white, dBov in one bin of the spectrum (about 31 Hz): soft
	// noise of a good headset and loud vowels. [M]
	darkest, brightest = -110.0, -35.0
)

// spectrogram is the power of rows of frequency in columns of one length.
type spectrogram struct {
	analyzer *spectrum.Analyzer
	highest  float64 // Hz, of the top row
	bins     [][2]int
	block    []float32
	fill     int
	blocks   int // of a column
	columns  []power
}

// power is the mean over some blocks.
type power struct {
	rows   []float32 // sums
	blocks int       // that took time
	heard  int       // of them with a spectrum
}

// newSpectrogram takes the rates that spectrum.New takes, and no other.
func newSpectrogram(rate int) *spectrogram {
	a, err := spectrum.New(rate)
	if err != nil {
		return &spectrogram{}
	}
	s := &spectrogram{
		analyzer: a, highest: min(spectrumHighest, float64(rate)/2), block: make([]float32, a.Hop()), blocks: 1,
		bins: make([][2]int, spectrumRows), columns: make([]power, 0, spectrumColumns),
	}
	for i := range s.bins {
		low, high := s.hz(float64(i)/spectrumRows)/a.BinHz(), s.hz(float64(i+1)/spectrumRows)/a.BinHz()
		first := int(math.Round((low + high) / 2)) // the nearest, if none is inside
		if int(math.Ceil(high)) > int(math.Ceil(low)) {
			first = int(math.Ceil(low))
		}
		first = max(0, min(first, a.Bins()-1))
		s.bins[i] = [2]int{first, max(first+1, min(int(math.Ceil(high)), a.Bins()))}
	}
	return s
}

// breakHz is where equal steps of pitch stop being equal steps of frequency. The ear's is
// at 700 Hz (O'Shaughnessy's mel); a lower one gives hum and its overtones more room.
const breakHz = 250.0

func pitch(hz float64) float64 { return math.Log1p(hz / breakHz) }

// at says how high a frequency stands, 0 to 1; hz is the other way round.
func (s *spectrogram) at(hz float64) float64 {
	return (pitch(hz) - pitch(spectrumLowest)) / (pitch(s.highest) - pitch(spectrumLowest))
}

func (s *spectrogram) hz(at float64) float64 {
	return breakHz * math.Expm1(pitch(spectrumLowest)+at*(pitch(s.highest)-pitch(spectrumLowest)))
}

func (s *spectrogram) add(x []float32) {
	for len(x) > 0 && s.analyzer != nil {
		n := copy(s.block[s.fill:], x)
		s.fill += n
		x = x[n:]
		if s.fill == len(s.block) {
			s.fill = 0
			s.hear(s.analyzer.Next(s.block))
		}
	}
}

// hear takes the spectrum of a block; nil is one that is not known.
func (s *spectrogram) hear(f *spectrum.Frame) {
	last := len(s.columns) - 1
	if last < 0 || s.columns[last].blocks == s.blocks {
		if len(s.columns) == spectrumColumns {
			s.columns = halve(s.columns, func(a *power, b power) {
				for i, p := range b.rows {
					a.rows[i] += p
				}
				a.blocks += b.blocks
				a.heard += b.heard
			})
			s.blocks *= 2
		}
		s.columns = append(s.columns, power{rows: make([]float32, spectrumRows)})
		last = len(s.columns) - 1
	}
	c := &s.columns[last]
	c.blocks++
	if f == nil {
		return
	}
	c.heard++
	for i, b := range s.bins {
		c.rows[i] += float32(f.Sum(b[0], b[1])) / float32(b[1]-b[0])
	}
}

// picture is width columns of all rows, the highest frequency on top, for so many seconds.
func (s *spectrogram) picture(width int, seconds float64) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, spectrumRows))
	if len(s.columns) == 0 {
		return img
	}
	per := 50 / float64(s.blocks) * seconds / float64(width) // columns of a pixel
	rows := make([]float64, spectrumRows)
	for x := range width {
		clear(rows)
		heard := 0
		first := int(float64(x) * per)
		for i := first; i < max(first+1, int(float64(x+1)*per)) && i < len(s.columns); i++ {
			for k, p := range s.columns[i].rows {
				rows[k] += float64(p)
			}
			heard += s.columns[i].heard
		}
		for k, p := range rows {
			level := dsp.PowerDBov(p / max(1, float64(heard)))
			img.SetRGBA(x, spectrumRows-1-k, heat((level-darkest)/(brightest-darkest)))
		}
	}
	return img
}
