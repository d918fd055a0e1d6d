package mark_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

func TestWhatIsWrittenIntoSpeechIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), mark.Size, mark.Size).Draw(t, "speech")
		want := mark.Mark{Stream: rapid.Uint16().Draw(t, "stream"), Seq: rapid.Uint32().Draw(t, "seq"), SentNS: rapid.Int64().Draw(t, "sent")}
		spoken := append([]byte(nil), payload...)
		mark.Write(payload, want)
		for i := range payload {
			if payload[i]&^1 != spoken[i]&^1 {
				t.Fatalf("byte %d: %#x was %#x: more than its least bit has changed", i, payload[i], spoken[i])
			}
		}
		broken := append([]byte(nil), payload...)
		broken[rapid.IntRange(0, mark.Size-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, ok := mark.Read(payload); !ok || got != want {
			t.Fatalf("read %+v (%v), wrote %+v", got, ok, want)
		}
		if got, ok := mark.Read(broken); ok {
			t.Fatalf("with one bit changed it was read as %+v", got)
		}
	})
}

func TestSpeechThatNobodyMarkedIsNotTakenForIt(t *testing.T) {
	packets, err := mark.Speech("caller-1", media.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		if _, ok := mark.Read(p); ok {
			t.Errorf("packet %d has a mark that nobody wrote", i)
		}
	}
	if _, ok := mark.Read(make([]byte, 80)); ok {
		t.Error("10 ms have a mark")
	}
}

// TestAChirpIsFoundWhereItIs asks both codecs, and a resampling between them: where the chirp
// is in what is heard, to a millisecond of the codec's own delay.
func TestAChirpIsFoundWhereItIs(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		delay float64 // samples at 8 kHz: Opus looks 6.5 ms ahead (RFC 6716 section 2)
	}{{media.PCMU, 0}, {media.Opus, 52}} {
		packets, err := mark.Speech("agent-1", c.codec)
		if err != nil {
			t.Fatal(err)
		}
		decoder, err := codec.NewDecoder(c.codec, mark.Rate)
		if err != nil {
			t.Fatal(err)
		}
		var pcm []float32
		var frame [mark.Rate]float32
		for _, p := range packets {
			n, err := decoder.Decode(p, frame[:])
			if err != nil {
				t.Fatal(err)
			}
			pcm = append(pcm, frame[:n]...)
		}
		finder := mark.NewFinder()
		for second := range len(packets) / mark.Period {
			from := second * mark.Rate
			at, err := finder.Find(pcm[from : from+2000])
			if off := float64(at-mark.ChirpAt) - c.delay; err != nil || math.Abs(off) > 8 {
				t.Errorf("%v, second %d: found at %d, %.0f samples off (%v)", c.codec, second, at, off, err)
			}
			if _, err := finder.Find(pcm[from+2000 : from+7900]); !errors.Is(err, mark.ErrNone) {
				t.Errorf("%v, second %d: a chirp in mere speech", c.codec, second)
			}
		}
	}
}
