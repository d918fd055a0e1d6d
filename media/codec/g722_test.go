package codec_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func g722(t testing.TB) (codec.Encoder, codec.Decoder) {
	t.Helper()
	enc, err := codec.NewEncoder(media.G722, 16000)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.NewDecoder(media.G722, 16000)
	if err != nil {
		t.Fatal(err)
	}
	return enc, dec
}

// oracle is spandsp's G.722, compiled here and now.
func oracle(t *testing.T) func(what string, in []byte) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "oracle")
	if out, err := exec.CommandContext(t.Context(), "cc", "-O1", "-o", program, "testdata/g722_oracle.c", "-lspandsp", "-lm").CombinedOutput(); err != nil {
		t.Skipf("there is no spandsp to compare with (Debian: libspandsp-dev): %v\n%s", err, out)
	}
	return func(what string, in []byte) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, what)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func samples16(pcm []float32) []byte {
	var b []byte
	for _, x := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(float64(min(max(x*32768, -32768), 32767))))))
	}
	return b
}

// wideband is what G.722 may be given: speech, tones to the top of the band, noise at every
// level, full-scale squares, silence.
func wideband(t *testing.T) []float32 {
	t.Helper()
	clip, err := wavfile.Open("../../testdata/speech/agent-1.wav")
	if err != nil {
		t.Fatal(err)
	}
	pcm := clip.Mono()
	pcm = pcm[:len(pcm)/2*2]
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 16000 {
		f := 50 + 7900*float64(i)/16000
		pcm = append(pcm, float32(0.7*math.Sin(2*math.Pi*f*float64(i)/16000)))
	}
	for i := range 32000 {
		pcm = append(pcm, float32(random.NormFloat64()*math.Pow(10, -4+4*float64(i)/32000)))
	}
	for i := range 4000 {
		pcm = append(pcm, float32(1-2*(i/20%2)))
	}
	return append(pcm, make([]float32, 4000)...)
}

func TestG722IsSpandspsToTheLastBit(t *testing.T) {
	ask := oracle(t)
	pcm := wideband(t)
	enc, dec := g722(t)
	code := make([]byte, len(pcm)/2)
	if n, err := enc.Encode(pcm, code); n != len(code) || err != nil {
		t.Fatal(n, err)
	}
	if want := ask("encode", samples16(pcm)); !bytes.Equal(code, want) {
		t.Fatalf("octet %d of %d differs", differs(code, want), len(code))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 50000 { // no encoder makes these
		code = append(code, byte(random.Uint32()))
	}
	got := make([]float32, 2*len(code))
	if n, err := dec.Decode(code, got); n != len(got) || err != nil {
		t.Fatal(n, err)
	}
	want := ask("decode", code)
	if len(want) != 4*len(code) {
		t.Fatalf("%d bytes of %d", len(want), 4*len(code))
	}
	for i, b := range samples16(got) {
		// Beyond 16 bits spandsp's output turns over; the Recommendation limits it.
		if b != want[i] && got[i/2] > -1 && got[i/2] < 32767./32768 {
			t.Fatalf("byte %d of %d differs", i, len(want))
		}
	}
}

func differs(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// The band is 50 to 7000 Hz (clause 1.2): a tone in it comes out as it went in.
func TestG722CarriesTheWholeBand(t *testing.T) {
	for _, hz := range []float64{60, 300, 1000, 3400, 3900, 4100, 5000, 6900} {
		enc, dec := g722(t)
		pcm, out, code := make([]float32, 16000), make([]float32, 16000), make([]byte, 8000)
		for i := range pcm {
			pcm[i] = float32(0.2 * math.Sin(2*math.Pi*hz*float64(i)/16000))
		}
		_, _ = enc.Encode(pcm, code)
		_, _ = dec.Decode(code, out)
		var in, back, rest float64
		const delay = 22 // of both filters (clause 5.2.3: 11 pairs)
		for i := 4000; i < 16000; i++ {
			x, y := float64(pcm[i-delay]), float64(out[i])
			in, back, rest = in+x*x, back+y*y, rest+(x-y)*(x-y)
		}
		if gain := 10 * math.Log10(back/in); math.Abs(gain) > 1 {
			t.Errorf("%.0f Hz: %.2f dB", hz, gain)
		}
		if snr := 10 * math.Log10(in/rest); snr < 15 {
			t.Errorf("%.0f Hz: the noise is only %.1f dB below", hz, snr)
		}
	}
}

func TestAVoiceInG722FindsBackAfterAGap(t *testing.T) {
	clip, err := wavfile.Open("../../testdata/speech/agent-1.wav")
	if err != nil {
		t.Fatal(err)
	}
	pcm := clip.Mono()
	pcm = pcm[:len(pcm)/320*320]
	code, clean, broken := make([]byte, len(pcm)/2), make([]float32, len(pcm)), make([]float32, len(pcm))
	enc, whole := g722(t)
	_, dec := g722(t)
	_, _ = enc.Encode(pcm, code)
	_, _ = whole.Decode(code, clean)
	var near, far float64 // energy of the voice and of the difference, 60 ms after a gap and later
	since := 1 << 20
	for i := 0; i < len(code); i += 160 {
		frame := broken[2*i : 2*i+320]
		if i/160%20 == 19 {
			dec.Conceal(frame)
			since = 0
			continue
		}
		_, _ = dec.Decode(code[i:i+160], frame)
		if since++; since > 3 && since < 20 {
			for n, y := range frame {
				x := float64(clean[2*i+n])
				near, far = near+x*x, far+(x-float64(y))*(x-float64(y))
			}
		}
	}
	if snr := 10 * math.Log10(near/far); snr < 20 {
		t.Errorf("from 60 ms after a gap the voice is %.1f dB above the difference", snr)
	}
}

func BenchmarkG722(b *testing.B) {
	enc, dec := g722(b)
	pcm, code := make([]float32, 320), make([]byte, 160)
	for i := range pcm {
		pcm[i] = float32(0.2 * math.Sin(float64(i)/5))
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = enc.Encode(pcm, code)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = dec.Decode(code, pcm)
		}
	})
}
