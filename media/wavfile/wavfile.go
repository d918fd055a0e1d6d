// Package wavfile reads and writes speech as WAV files: what the load generator, the
// analyzer, the agent's client and the tests share. The format itself is go-audio/wav's.
package wavfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	goaudio "github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

// MaxSize bounds a file that is read into memory, in bytes.
const MaxSize = 256 << 20

// Clip is a recording held in memory.
type Clip struct {
	Rate     int       // Hz
	Bits     int       // per sample, as stored
	Channels int       // at least one
	Samples  []float32 // interleaved, full scale is ±1
}

// Mono gives the mean of the channels, one sample a frame.
func (c Clip) Mono() []float32 {
	if c.Channels == 1 {
		return c.Samples
	}
	out := make([]float32, len(c.Samples)/c.Channels)
	for i := range out {
		var sum float32
		for _, v := range c.Samples[i*c.Channels : (i+1)*c.Channels] {
			sum += v
		}
		out[i] = sum / float32(c.Channels)
	}
	return out
}

// Open reads a file; see Decode.
func Open(path string) (Clip, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return Clip{}, err
	case st.IsDir():
		return Clip{}, fmt.Errorf("%s: is a folder, not a WAV file", path)
	case st.Size() > MaxSize:
		return Clip{}, fmt.Errorf("%s: %d MiB is more than the %d MiB that are read at once", path, st.Size()>>20, MaxSize>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Clip{}, err
	}
	c, err := Decode(data)
	if err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Decode reads integer PCM of 8, 16, 24 or 32 bits at any rate and number of channels.
func Decode(data []byte) (c Clip, err error) {
	// The decoder trusts the sizes in the file; one that lies must not end the program.
	defer func() {
		if p := recover(); p != nil {
			c, err = Clip{}, fmt.Errorf("a damaged WAV file: %v", p)
		}
	}()
	d := wav.NewDecoder(bytes.NewReader(data))
	if !d.IsValidFile() {
		return Clip{}, errors.New("not a WAV file")
	}
	const pcm, extensible = 1, 0xfffe
	if d.WavAudioFormat != pcm && d.WavAudioFormat != extensible {
		return Clip{}, fmt.Errorf("encoding %#x is not read; convert it to PCM, for instance with: sox IN.wav -b 16 OUT.wav", d.WavAudioFormat)
	}
	c = Clip{Rate: int(d.SampleRate), Bits: int(d.BitDepth), Channels: int(d.NumChans)}
	switch {
	case c.Bits != 8 && c.Bits != 16 && c.Bits != 24 && c.Bits != 32:
		return Clip{}, fmt.Errorf("%d bits a sample are not read; 8, 16, 24 and 32 are", c.Bits)
	case c.Channels < 1 || c.Channels > 64:
		return Clip{}, fmt.Errorf("%d channels are not read", c.Channels)
	case c.Rate < 1000 || c.Rate > 384000:
		return Clip{}, fmt.Errorf("a rate of %d Hz is not read", c.Rate)
	}
	buf, err := d.FullPCMBuffer()
	if err != nil {
		return Clip{}, err
	}
	n := len(buf.Data) / c.Channels * c.Channels
	if n == 0 {
		return Clip{}, errors.New("no samples in it")
	}
	c.Samples = make([]float32, n)
	scale := 1 / float64(int64(1)<<(c.Bits-1))
	for i, v := range buf.Data[:n] {
		if c.Bits == 8 {
			v -= 128 // 8-bit WAV is unsigned
		}
		c.Samples[i] = float32(float64(v) * scale)
	}
	return c, nil
}

// Write stores mono samples as 16-bit PCM; what exceeds full scale is clipped.
func Write(path string, rate int, pcm []float32) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	enc := wav.NewEncoder(f, rate, 16, 1, 1)
	data := make([]int, len(pcm))
	for i, v := range pcm {
		data[i] = int(min(max(float64(v)*32768, -32768), 32767))
	}
	if err := enc.Write(&goaudio.IntBuffer{Format: &goaudio.Format{NumChannels: 1, SampleRate: rate}, Data: data, SourceBitDepth: 16}); err != nil {
		return err
	}
	return enc.Close()
}
