package mark

import (
	"errors"
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/testdata"
)

// Rate is that of the speech and of what Find looks at, in Hz.
const Rate = 8000

// Period is the time from one chirp to the next in packets of 20 ms, and ChirpAt where in the
// first of them it begins, in samples at Rate.
const (
	Period  = 50
	ChirpAt = 20
)

const (
	packetTime  = 20 // ms
	chirpLen    = 400
	chirpFrom   = 400.0 // Hz
	chirpTo     = 1800.0
	chirpPeak   = 0.25 // of full scale: as loud as loud speech
	speechLevel = 0.05 // RMS of the speech under it: -26 dBov
	seconds     = 10   // of speech before it repeats itself
	surely      = 0.5  // a correlation that noise and speech do not reach
)

// chirp sweeps up through what a telephone carries, with soft ends.
func chirp(rate int) []float32 {
	n := chirpLen * rate / Rate
	out := make([]float32, n)
	for i := range out {
		t := float64(i) / float64(rate)
		whole := float64(n) / float64(rate)
		phase := 2 * math.Pi * (chirpFrom*t + (chirpTo-chirpFrom)*t*t/(2*whole))
		fade := math.Sin(math.Pi * (float64(i) + 0.5) / float64(n))
		out[i] = float32(chirpPeak * fade * math.Sin(phase))
	}
	return out
}

// Speech is one of the project's own recordings in packets of 20 ms, with a chirp in every
// Period-th, the first included: to be sent over and over. Opus is coded at 16 kHz.
func Speech(recording string, c media.Codec) ([][]byte, error) {
	pcm, hz, err := testdata.Samples(recording)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	rate := codec.EncodeRate(c)
	if pcm, err = at(pcm, hz, rate); err != nil {
		return nil, err
	}
	if len(pcm) < seconds*rate {
		return nil, fmt.Errorf("mark: %s is shorter than %d s", recording, seconds)
	}
	pcm = level(pcm[:seconds*rate], speechLevel)
	sound := chirp(rate)
	for at := ChirpAt * rate / Rate; at+len(sound) <= len(pcm); at += Period * packetTime * rate / 1000 {
		copy(pcm[at:], sound)
	}
	encoder, err := codec.NewEncoder(c, rate)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	size := rate * packetTime / 1000
	var packets [][]byte
	var buf [1500]byte
	for ; len(pcm) >= size; pcm = pcm[size:] {
		n, err := encoder.Encode(pcm[:size], buf[:])
		if err != nil {
			return nil, fmt.Errorf("mark: %w", err)
		}
		packets = append(packets, append([]byte(nil), buf[:n]...))
	}
	return packets, nil
}

func at(pcm []float32, hz, rate int) ([]float32, error) {
	if hz == rate {
		return append([]float32(nil), pcm...), nil
	}
	r, err := resample.New(hz, rate)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	return r.Process(nil, pcm), nil
}

// level brings pcm to an RMS, with no sample over half of full scale.
func level(pcm []float32, rms float64) []float32 {
	power := 0.0
	for _, v := range pcm {
		power += float64(v) * float64(v)
	}
	gain := float32(rms / math.Sqrt(power/float64(len(pcm))+1e-12))
	for i := range pcm {
		pcm[i] = max(-0.5, min(0.5, pcm[i]*gain))
	}
	return pcm
}

// Finder looks for chirps. It is not for several goroutines at once.
type Finder struct {
	want []float32
	norm float64
}

// NewFinder makes a Finder.
func NewFinder() *Finder {
	f := &Finder{want: chirp(Rate)}
	for _, v := range f.want {
		f.norm += float64(v) * float64(v)
	}
	f.norm = math.Sqrt(f.norm)
	return f
}

// ErrNone means that there is no chirp.
var ErrNone = errors.New("mark: no chirp")

// Find gives the first sample of the chirp in pcm (mono at Rate): of the one that fits best. The
// correlation is normalised, so that neither gain nor a codec's phase matter.
func (f *Finder) Find(pcm []float32) (at int, err error) {
	best, at := 0.0, -1
	energy := 0.0
	for i, v := range pcm {
		energy += float64(v) * float64(v)
		if i >= chirpLen {
			energy -= float64(pcm[i-chirpLen]) * float64(pcm[i-chirpLen])
		}
		first := i - chirpLen + 1
		if first < 0 || energy < 1e-9 {
			continue
		}
		var sum float32
		for k, w := range f.want {
			sum += w * pcm[first+k]
		}
		if fit := math.Abs(float64(sum)) / (f.norm * math.Sqrt(energy)); fit > best {
			best, at = fit, first
		}
	}
	if best < surely {
		return -1, ErrNone
	}
	return at, nil
}
