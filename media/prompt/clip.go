package prompt

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// MaxClip is the longest recording that is played.
const MaxClip = 10 * time.Minute

// clipRate is at which clips are kept, Hz; at half of it they are kept, too.
const clipRate = 16000

// Clip is a recorded sound of some length. Many plays may share one.
type Clip struct{ wide, narrow []float32 }

// NewClip takes mono samples at any rate. Its ends fade over 5 ms.
func NewClip(pcm []float32, rate int) (*Clip, error) {
	switch {
	case len(pcm) == 0:
		return nil, errors.New("prompt: clip without a sound")
	case rate < 1000 || rate > 384000:
		return nil, fmt.Errorf("prompt: clip at %d Hz", rate)
	case time.Duration(len(pcm))*time.Second/time.Duration(rate) > MaxClip:
		return nil, fmt.Errorf("prompt: clip is longer than %v", MaxClip)
	}
	c := &Clip{wide: convert(pcm, rate, clipRate), narrow: convert(pcm, rate, clipRate/2)}
	for _, s := range []struct {
		pcm  []float32
		rate int
	}{{c.wide, clipRate}, {c.narrow, clipRate / 2}} {
		n := min(s.rate/200, len(s.pcm)/2)
		for i := range n {
			s.pcm[i] *= ramp(i, n)
			s.pcm[len(s.pcm)-1-i] *= ramp(i, n)
		}
	}
	return c, nil
}

// ReadClip reads a WAV file of any rate; of more channels it takes the mean.
func ReadClip(r io.Reader) (*Clip, error) {
	in, err := wavfile.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("prompt: file %w", err)
	}
	return readAll(in)
}

// LoadClip is ReadClip of a file.
func LoadClip(path string) (*Clip, error) {
	in, err := wavfile.Stream(path)
	if err != nil {
		return nil, fmt.Errorf("prompt: %w", err)
	}
	defer in.Close()
	c, err := readAll(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func readAll(in *wavfile.Reader) (*Clip, error) {
	var pcm []float32
	longest := int(MaxClip.Seconds()) * in.Rate
	block := make([]float32, 4096*in.Channels)
	for {
		n, err := in.Read(block)
		if errors.Is(err, io.EOF) {
			return NewClip(pcm, in.Rate)
		}
		if err != nil {
			return nil, fmt.Errorf("prompt: %w", err)
		}
		for i := 0; i < n; i += in.Channels {
			var sum float32
			for _, x := range block[i : i+in.Channels] {
				sum += dsp.Sample(x)
			}
			pcm = append(pcm, min(max(sum/float32(in.Channels), -1), 1))
		}
		if len(pcm) > longest {
			return nil, fmt.Errorf("prompt: file is longer than %v", MaxClip)
		}
	}
}

// Duration is how long it plays.
func (c *Clip) Duration() time.Duration {
	return time.Duration(len(c.wide)) * time.Second / clipRate
}

// samples are those at a rate.
func (c *Clip) samples(rate int) []float32 {
	if rate == clipRate {
		return c.wide
	}
	return c.narrow
}

// convert resamples what is not in a hurry: each output is the input under a windowed sinc that
// cuts at 95 % of the lower rate's half and is 60 dB down a little above it. There is one filter
// for each place that an output can have between two inputs.
func convert(pcm []float32, from, to int) []float32 {
	if from == to {
		return append([]float32(nil), pcm...)
	}
	const zeros = 32.0 // of the sinc to either side
	cut := 0.95 * math.Min(1, float64(to)/float64(from))
	reach := int(math.Ceil(zeros / cut))
	up := to / gcd(from, to)
	filters := make([][]float32, up)
	out := make([]float32, int(int64(len(pcm))*int64(to)/int64(from)))
	for i := range out {
		at, phase := int(int64(i)*int64(from)/int64(to)), i%up
		if filters[phase] == nil {
			filters[phase] = sinc(cut, reach, float64(int64(i)*int64(from)%int64(to))/float64(to))
		}
		first := at - reach + 1
		var sum float32
		for k, h := range filters[phase] {
			if n := first + k; n >= 0 && n < len(pcm) {
				sum += pcm[n] * h
			}
		}
		out[i] = sum
	}
	return out
}

// sinc is a filter for an output that is a part of an input's time later than one: reach inputs
// to either side of it.
func sinc(cut float64, reach int, part float64) []float32 {
	h := make([]float32, 2*reach)
	for k := range h {
		t := float64(k-reach+1) - part
		w := cut * (0.5 + 0.5*math.Cos(math.Pi*t/float64(reach+1)))
		if x := math.Pi * cut * t; math.Abs(x) > 1e-9 {
			w *= math.Sin(x) / x
		}
		h[k] = float32(w)
	}
	return h
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
