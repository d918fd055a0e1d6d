package codec_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// The decision values and outputs of ITU-T G.711 tables 1a and 2a at the ends of the
// segments, ×16 (A-law) and ×4 (µ-law).
func TestG711AgreesWithTheStandardsTables(t *testing.T) {
	for _, c := range []struct {
		code byte
		mu   int16
	}{
		{0x80, 32124}, {0x8f, 16764}, {0x9f, 8316}, {0xaf, 4092}, {0xbf, 1980}, {0xcf, 924}, {0xdf, 396},
		{0xef, 132}, {0xfe, 8}, {0xff, 0}, {0x00, -32124}, {0x7e, -8}, {0x7f, 0},
	} {
		if got := codec.MuLawDecode(c.code); got != c.mu {
			t.Errorf("mu-law %#02x is %d, want %d", c.code, got, c.mu)
		}
	}
	for _, c := range []struct {
		code byte
		a    int16
	}{
		{0xaa, 32256}, {0xa5, 16896}, {0xb5, 8448}, {0x85, 4224}, {0x95, 2112}, {0xe5, 1056}, {0xf5, 528},
		{0xd5, 8}, {0x2a, -32256}, {0x55, -8},
	} {
		if got := codec.ALawDecode(c.code); got != c.a {
			t.Errorf("A-law %#02x is %d, want %d", c.code, got, c.a)
		}
	}
}

func TestEveryG711CodeSurvivesARoundTrip(t *testing.T) {
	for i := range 256 {
		code := byte(i)
		if got := codec.ALawEncode(codec.ALawDecode(code)); got != code {
			t.Errorf("A-law %#02x came back as %#02x", code, got)
		}
		// µ-law has two zeros; the negative one decodes to the value of the positive one.
		if got := codec.MuLawEncode(codec.MuLawDecode(code)); got != code && (code != 0x7f || got != 0xff) {
			t.Errorf("mu-law %#02x came back as %#02x", code, got)
		}
	}
}

func TestEverySampleIsEncodedAsTheNearestCode(t *testing.T) {
	laws := []struct {
		name   string
		decode func(byte) int16
		encode func(int16) byte
		step   int // smallest distance between codes
		clip   int
	}{
		{"mu-law", codec.MuLawDecode, codec.MuLawEncode, 8, 32124},
		{"A-law", codec.ALawDecode, codec.ALawEncode, 16, 32256},
	}
	for _, law := range laws {
		for s := math.MinInt16; s <= math.MaxInt16; s++ {
			got := int(law.decode(law.encode(int16(s))))
			limited := max(min(s, law.clip), -law.clip)
			// Half the step of the segment the sample lies in.
			if off, most := abs(got-limited), max((abs(limited)+132)/32, law.step/2); off > most {
				t.Fatalf("%s: %d came back as %d", law.name, s, got)
			}
		}
	}
}

func abs(x int) int { return max(x, -x) }

func TestSamplesBeyondFullScaleAreLimitedAndNaNIsSilence(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.PCMA} {
		enc, err := codec.NewEncoder(c, 8000)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := codec.NewDecoder(c, 8000)
		if err != nil {
			t.Fatal(err)
		}
		in := []float32{7, -7, float32(math.NaN()), float32(math.Inf(1))}
		out, pcm := make([]byte, len(in)), make([]float32, len(in))
		if _, err := enc.Encode(in, out); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(out, pcm); err != nil {
			t.Fatal(err)
		}
		if pcm[0] < 0.97 || pcm[1] > -0.97 || math.Abs(float64(pcm[2])) > 0.001 || pcm[3] < 0.97 {
			t.Errorf("%v: %v came out as %v", c, in, pcm)
		}
	}
}
