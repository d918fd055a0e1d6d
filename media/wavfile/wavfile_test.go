package wavfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

func TestWhatIsWrittenIsReadBackToHalfAStep(t *testing.T) {
	want := []float32{0, 0.5, -0.5, 0.999, -1, 1.0 / 32768}
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := wavfile.Write(path, 16000, want); err != nil {
		t.Fatal(err)
	}
	c, err := wavfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Rate != 16000 || c.Channels != 1 || len(c.Samples) != len(want) {
		t.Fatalf("read back as %d Hz, %d channels, %d samples", c.Rate, c.Channels, len(c.Samples))
	}
	for i := range want {
		if math.Abs(float64(c.Samples[i]-want[i])) > 0.5/32768 {
			t.Errorf("sample %d: wrote %v, read %v", i, want[i], c.Samples[i])
		}
	}
}

func TestStereoBecomesTheMeanOfBothSides(t *testing.T) {
	c := wavfile.Clip{Format: wavfile.Format{Channels: 2}, Samples: []float32{1, 0, -1, -0.5}}
	if got := c.Mono(); len(got) != 2 || got[0] != 0.5 || got[1] != -0.75 {
		t.Errorf("mono is %v", got)
	}
}

func TestAFileThatIsNoWAVSaysSo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.wav")
	if err := os.WriteFile(path, []byte("this is not sound at all, just words in a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "is not a WAV file", dir: "is a folder", filepath.Join(dir, "none.wav"): "no such file"} {
		if _, err := wavfile.Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, should contain %q", name, err, want)
		}
	}
}

// encode writes integers with go-audio's encoder, which knows nothing of this package.
func encode(t testing.TB, rate, bits, channels, encoding int, data []int) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x.wav"))
	if err != nil {
		t.Fatal(err)
	}
	e := wav.NewEncoder(f, rate, bits, channels, encoding)
	format := &audio.Format{NumChannels: channels, SampleRate: rate}
	if err := errors.Join(e.Write(&audio.IntBuffer{Format: format, SourceBitDepth: bits, Data: data}), e.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryWidthAndChannelCountIsRead(t *testing.T) {
	for _, c := range []struct {
		bits, channels, encoding int
		data                     []int
		want                     []float32
	}{
		{8, 1, 1, []int{192, 0, 255}, []float32{0.5, -1, 127.0 / 128}},
		{16, 1, 1, []int{16384, -32768, 32767}, []float32{0.5, -1, 32767.0 / 32768}},
		{16, 2, 1, []int{16384, 0, -16384, 1}, []float32{0.5, 0, -0.5, 1.0 / 32768}},
		{24, 1, 1, []int{-1 << 22, 1}, []float32{-0.5, 1.0 / (1 << 23)}},
		{32, 2, 1, []int{1 << 30, -1 << 31}, []float32{0.5, -1}},
		{32, 1, 3, []int{int(math.Float32bits(0.25)), int(math.Float32bits(-1.5)), 0x7fc00000}, []float32{0.25, -1.5, 0}},
	} {
		data := encode(t, 22050, c.bits, c.channels, c.encoding, c.data)
		got, err := wavfile.Decode(data)
		if err != nil {
			t.Errorf("%d bits, %d channels: %v", c.bits, c.channels, err)
			continue
		}
		want := wavfile.Format{Rate: 22050, Channels: c.channels, Bits: c.bits, Float: c.encoding == 3}
		if !slices.Equal(got.Samples, c.want) || got.Format != want {
			t.Errorf("%d bits, %d channels: %+v, want %v", c.bits, c.channels, got, c.want)
		}
		// The same with the encoding in an extension, as many recorders write it.
		extended := slices.Concat(data[:16], []byte{40, 0, 0, 0, 0xfe, 0xff}, data[22:36], []byte{22, 0, byte(c.bits), 0, 0, 0, 0, 0},
			[]byte{byte(c.encoding), 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}, data[36:])
		if got, err := wavfile.Decode(extended); err != nil || !slices.Equal(got.Samples, c.want) || got.Format != want {
			t.Errorf("%d bits, %d channels, extensible: %+v, want %v; %v", c.bits, c.channels, got, c.want, err)
		}
	}
}

func TestTelephoneRecordingsInG711AreRead(t *testing.T) {
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	for encoding, c := range map[byte]struct {
		law    wavfile.Law
		decode func(byte) int16
	}{6: {wavfile.ALaw, codec.ALawDecode}, 7: {wavfile.MuLaw, codec.MuLawDecode}} {
		// As sox and ffmpeg write it: a format chunk of 18 bytes, then how many samples there are.
		data := slices.Concat([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x12\x00\x00\x00"), []byte{encoding, 0, 1, 0},
			binary.LittleEndian.AppendUint32(nil, 8000), binary.LittleEndian.AppendUint32(nil, 8000), []byte{1, 0, 8, 0, 0, 0},
			[]byte("fact\x04\x00\x00\x00\x00\x01\x00\x00data\x00\x01\x00\x00"), codes)
		got, err := wavfile.Decode(data)
		if err != nil || got.Format != (wavfile.Format{Rate: 8000, Channels: 1, Bits: 8, Law: c.law}) || len(got.Samples) != 256 {
			t.Fatalf("%d: %+v; %v", encoding, got, err)
		}
		for i, v := range got.Samples {
			if want := float32(c.decode(byte(i))) / 32768; v != want {
				t.Errorf("format %d, code %d is %v, want %v", encoding, i, v, want)
			}
		}
		if _, err := wavfile.Create(filepath.Join(t.TempDir(), "x.wav"), got.Format); err == nil {
			t.Error("it is said to be written")
		}
	}
}

func TestRecordingBeyond4GiBIsReadOn(t *testing.T) {
	for _, bits := range []int{16, 24} {
		whole := encode(t, 8000, bits, 2, 1, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
		want, err := wavfile.Decode(whole)
		if err != nil || len(want.Samples) != 10 {
			t.Fatal(want, err)
		}
		long := slices.Concat([]byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00"), make([]byte, 28), whole[12:40], []byte{255, 255, 255, 255}, whole[44:])
		r, err := wavfile.NewReader(bytes.NewReader(long))
		if err != nil {
			t.Fatal(err)
		}
		r.Believe(14)
		var got []float32
		for block := make([]float32, 6); ; {
			n, err := r.Read(block)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, block[:n]...)
		}
		if !slices.Equal(got, want.Samples) {
			t.Errorf("%d bits: %v, want %v", bits, got, want.Samples)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, f := range []wavfile.Format{{Bits: 16}, {Bits: 24}, {Bits: 32, Float: true}} {
		b.Run(fmt.Sprintf("%dbit", f.Bits), func(b *testing.B) {
			f.Rate, f.Channels = 16000, 1
			path := filepath.Join(b.TempDir(), "x.wav")
			w, err := wavfile.Create(path, f)
			if err != nil {
				b.Fatal(err)
			}
			const frames = 500 // of 20 ms
			if err := errors.Join(w.Write(make([]float32, frames*320)), w.Close()); err != nil {
				b.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			block := make([]float32, 4096)
			for b.Loop() {
				r, err := wavfile.NewReader(bytes.NewReader(data))
				for err == nil {
					_, err = r.Read(block)
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/frames, "µs/frame")
		})
	}
}

func TestEveryWidthIsWrittenSoThatOthersReadIt(t *testing.T) {
	want := []float32{0, 0.5, -0.25, -1, 1, 2} // the last two are clipped, but not as floats
	for _, f := range []wavfile.Format{
		{Bits: 8}, {Bits: 16}, {Bits: 24}, {Bits: 32}, {Bits: 32, Float: true}, {Bits: 64, Float: true},
	} {
		f.Rate, f.Channels = 44100, 2
		path := filepath.Join(t.TempDir(), "x.wav")
		w, err := wavfile.Create(path, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(want[:4]), w.Write(want[4:]), w.Close()); err != nil {
			t.Fatal(err)
		}
		ours, err := wavfile.Open(path)
		if err != nil || ours.Format != f || len(ours.Samples) != len(want) {
			t.Errorf("%+v is read as %+v; %v", f, ours, err)
			continue
		}
		top := float32(2)
		if !f.Float {
			top = float32(1 - math.Exp2(float64(1-f.Bits)))
			theirs := readWithGoAudio(t, path)
			for i, v := range theirs {
				if f.Bits == 8 {
					v -= 128
				}
				if got := float32(float64(v) / math.Exp2(float64(f.Bits-1))); got != ours.Samples[i] {
					t.Errorf("%+v: sample %d is %v to us, %v to others", f, i, ours.Samples[i], got)
				}
			}
		}
		for i, v := range want {
			if v = min(v, top); ours.Samples[i] != v {
				t.Errorf("%+v: sample %d is %v, want %v", f, i, ours.Samples[i], v)
			}
		}
	}
	for _, f := range []wavfile.Format{
		{Rate: 8000, Channels: 1, Bits: 12}, {Rate: 8000, Channels: 1, Bits: 16, Float: true}, {Rate: 8000, Bits: 16}, {Channels: 1, Bits: 16},
	} {
		path := filepath.Join(t.TempDir(), "x.wav")
		if _, err := wavfile.Create(path, f); err == nil {
			t.Errorf("writes %+v", f)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%+v: leaves a file", f)
		}
	}
}

func readWithGoAudio(t *testing.T, path string) []int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := wav.NewDecoder(f).FullPCMBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Data
}

func TestFileThatIsCutShortOrLiesYieldsWhatIsThere(t *testing.T) {
	whole := encode(t, 8000, 16, 1, 1, []int{16384, -16384, 8192, 1})
	sized := func(size uint32) []byte {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[40:], size)
		return b
	}
	tiny := encode(t, 8000, 8, 1, 1, []int{1, 2, 3})
	list := slices.Concat(whole[:12], []byte("LIST\x03\x00\x00\x00abc\x00"), whole[12:], []byte("tail\x00\x00\x00\x00"))
	for name, c := range map[string]struct {
		data []byte
		n    int
	}{
		"whole": {whole, 4}, "cut in a sample": {whole[:len(whole)-3], 2}, "size of a stream": {sized(math.MaxUint32), 4},
		"size too small": {sized(5), 2}, "other chunks around": {list, 4}, "odd RIFF size": {slices.Concat(whole[:4], make([]byte, 4), whole[8:]), 4},
		"bytes of a stream": {slices.Concat(tiny[:40], []byte{255, 255, 255, 255}, tiny[44:]), 3},
	} {
		got, err := wavfile.Decode(c.data)
		if err != nil || len(got.Samples) != c.n {
			t.Errorf("%s: %v, want %d samples; %v", name, got.Samples, c.n, err)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":             {nil, "is not a WAV file"},
		"no room for a name":  {whole[:7], "is not a WAV file"},
		"format cut short":    {whole[:30], "has no samples"},
		"no samples":          {whole[:44], "has no samples"},
		"half a sample":       {whole[:45], "has no samples"},
		"size 0":              {sized(0), "has no samples"},
		"chunk of 4 GiB":      {slices.Concat(whole[:12], []byte("LIST\xff\xff\xff\xff"), whole[12:]), "has no samples"},
		"samples come first":  {slices.Concat(whole[:12], whole[36:]), "does not say how"},
		"no channels":         {slices.Concat(whole[:22], []byte{0, 0}, whole[24:]), "has 0 channels"},
		"a thousand channels": {slices.Concat(whole[:22], []byte{0xe8, 3}, whole[24:]), "has 1000 channels"},
		"12 bits":             {slices.Concat(whole[:34], []byte{12, 0}, whole[36:]), "has 12-bit samples"},
		"16-bit floats":       {slices.Concat(whole[:20], []byte{3, 0}, whole[22:]), "has 16-bit samples"},
		"ADPCM":               {slices.Concat(whole[:20], []byte{2, 0}, whole[22:]), "WAV format 2"},
		"no rate":             {slices.Concat(whole[:24], make([]byte, 4), whole[28:]), "sample rate as 0 Hz"},
	} {
		if got, err := wavfile.Decode(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, error is %v, should contain %q", name, got, err, c.want)
		}
	}
}

// A pipe gives what it has, be it half a sample.
func TestFileThatComesInDribsAndDrabsIsReadAsAWhole(t *testing.T) {
	for _, bits := range []int{8, 16, 24, 32} {
		data := encode(t, 8000, bits, 2, 1, []int{1, 2, 3, 4, 5, 6})
		want, err := wavfile.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string]io.Reader{
			"byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "the end with the last byte": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			r, err := wavfile.NewReader(src)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, 9)
			n, err := r.Read(got)
			if err != nil || !slices.Equal(got[:n], want.Samples) {
				t.Errorf("%d bits, %s: %v, want %v; %v", bits, name, got[:n], want.Samples, err)
			}
			if n, err := r.Read(got); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("%d bits, %s: %d more samples; %v", bits, name, n, err)
			}
		}
	}
}

func TestDiskThatFailsIsNotTakenForTheEnd(t *testing.T) {
	broken := errors.New("broken")
	for _, encoding := range []int{1, 3} {
		data := encode(t, 8000, 32, 1, encoding, []int{1, 2, 3, 4})
		r, err := wavfile.NewReader(io.MultiReader(bytes.NewReader(data[:52]), iotest.ErrReader(broken)))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(make([]float32, 4)); !errors.Is(err, broken) {
			t.Errorf("encoding %d: %d samples; %v", encoding, n, err)
		}
	}
}

func TestSizesInAFinishedFileAreTrue(t *testing.T) {
	for _, n := range []int{0, 1, 2, 20001} {
		path := filepath.Join(t.TempDir(), "x.wav")
		w, err := wavfile.Create(path, wavfile.Format{Rate: 8000, Channels: 1, Bits: 8})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(make([]float32, n)), w.Close()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		riff, data := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[40:])
		if want := 44 + n + n%2; len(b) != want || int(riff) != want-8 || int(data) != n {
			t.Errorf("%d samples of a byte: %d bytes, %d by the RIFF chunk, %d by the data chunk", n, len(b), riff, data)
		}
		if c, err := wavfile.Decode(b); len(c.Samples) != n || (err == nil) != (n > 0) {
			t.Errorf("%d samples are read as %d; %v", n, len(c.Samples), err)
		}
	}
}

func TestHalfAFrameIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := wavfile.Create(path, wavfile.Format{Rate: 8000, Channels: 2, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]float32, 3)); err == nil || !strings.Contains(err.Error(), "no whole frames") {
		t.Errorf("error is %v", err)
	}
	if err := errors.Join(w.Write(make([]float32, 2)), w.Close()); err != nil {
		t.Fatal(err)
	}
	if c, err := wavfile.Open(path); err != nil || len(c.Samples) != 2 {
		t.Errorf("%d samples; %v", len(c.Samples), err)
	}
}

func TestRecordingOfAKilledProgramCanBeHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := wavfile.Create(path, wavfile.Format{Rate: 16000, Channels: 1, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Write(make([]float32, 16000)); err != nil {
		t.Fatal(err)
	}
	if c, err := wavfile.Open(path); err != nil || len(c.Samples) < 14000 {
		t.Errorf("%d samples of 1 s; %v", len(c.Samples), err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if riff, data := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[40:]); riff < 1<<32-10 || data < 1<<32-100 {
		t.Errorf("sizes are %d and %d: others would hear less than there is", riff, data)
	}
}

func TestRecordingBeyondTheFormatsLimitIsLeftAsOfUnknownLength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := wavfile.Create(path, wavfile.Format{Rate: 16000, Channels: 1, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	w.Skip(math.MaxUint32)
	if err := errors.Join(w.Write([]float32{0.5}), w.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if data := binary.LittleEndian.Uint32(b[40:]); data < 1<<32-100 {
		t.Errorf("size is %d", data)
	}
}

func TestLongFileIsReadInPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	want := make([]float32, 10001)
	for i := range want {
		want[i] = float32(i-5000) / 32768
	}
	if err := wavfile.Write(path, 8000, want); err != nil {
		t.Fatal(err)
	}
	r, err := wavfile.Stream(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []float32
	piece := make([]float32, 7000)
	for {
		n, err := r.Read(piece)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, piece[:n]...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d samples read of %d, or others", len(got), len(want))
	}
	if _, err := r.Read(nil); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("no room: %v", err)
	}
	if _, err := wavfile.Stream(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
}

func TestFirstChannelIsTheLeftOne(t *testing.T) {
	if got := wavfile.AppendFirst(nil, []float32{1, 0, -1, -0.5}, 2); !slices.Equal(got, []float32{1, -1}) {
		t.Errorf("first channel is %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range testdata.Names() {
		b, err := testdata.Speech(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:2000])
	}
	f.Add(encode(f, 8000, 8, 1, 1, []int{0, 255, 7}))
	f.Add(encode(f, 44100, 24, 2, 1, []int{1 << 22, -1 << 23}))
	f.Add(encode(f, 8000, 8, 1, 7, []int{0, 255, 127}))
	f.Add(encode(f, 48000, 32, 1, 3, []int{0x7f800000, 0x7fc00000, 0x3f800000}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := wavfile.Decode(data)
		if err != nil {
			return
		}
		if c.Channels < 1 || len(c.Samples)%c.Channels != 0 || len(c.Samples) == 0 || len(c.Samples) > len(data) {
			t.Fatalf("%d bytes gave %d samples in %d channels", len(data), len(c.Samples), c.Channels)
		}
		full := float32(1)
		if c.Float {
			full = dsp.MaxSample
		}
		for _, v := range c.Samples {
			if !(v >= -full && v <= full) {
				t.Fatalf("sample %v out of range", v)
			}
		}
	})
}
