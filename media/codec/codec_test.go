package codec_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// through encodes pcm in packets of 20 ms and decodes them at rate.
func through(t *testing.T, c media.Codec, encodeRate, rate int, pcm []float32) []float32 {
	t.Helper()
	enc, err := codec.NewEncoder(c, encodeRate)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.NewDecoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	payload, frame := make([]byte, 1500), make([]float32, codec.MaxFrame*rate/1000)
	for size := encodeRate / 50; len(pcm) >= size; pcm = pcm[size:] {
		n, err := enc.Encode(pcm[:size], payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := codec.Samples(c, payload[:n]); got != c.ClockRate()/50 {
			t.Fatalf("%v: a 20 ms packet counts %d ticks", c, got)
		}
		if n, err = dec.Decode(payload[:n], frame); err != nil {
			t.Fatal(err)
		}
		out = append(out, frame[:n]...)
	}
	return out
}

func TestToneKeepsItsLevelThroughEveryCodec(t *testing.T) {
	for _, c := range []struct {
		codec          media.Codec
		encode, decode int
	}{
		{media.PCMU, 8000, 8000}, {media.PCMA, 8000, 8000},
		{media.Opus, 16000, 8000}, {media.Opus, 16000, 16000}, {media.Opus, 48000, 48000},
	} {
		for _, level := range []float64{-10, -30} {
			for _, hz := range []float64{1000} {
				out := through(t, c.codec, c.encode, c.decode, mediatest.Tone(c.encode, hz, level, c.encode))
				got, gotLevel := mediatest.FindTone(out[c.decode/2:], c.decode)
				if math.Abs(got-hz) > 1 || math.Abs(gotLevel-level) > 0.5 {
					t.Errorf("%v %d→%d: %v Hz at %v dBov came out as %.1f Hz at %.2f dBov",
						c.codec, c.encode, c.decode, hz, level, got, gotLevel)
				}
			}
		}
	}
}

func TestWrongRatesAndCodecsAreRefused(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		rate  int
	}{{media.PCMU, 16000}, {media.Opus, 44100}, {media.NoCodec, 8000}, {media.Codec(99), 8000}} {
		if _, err := codec.NewDecoder(c.codec, c.rate); err == nil {
			t.Errorf("decoder for %v at %d Hz was made", c.codec, c.rate)
		}
		if _, err := codec.NewEncoder(c.codec, c.rate); err == nil {
			t.Errorf("encoder for %v at %d Hz was made", c.codec, c.rate)
		}
	}
}

func TestMalformedPayloadIsAnError(t *testing.T) {
	pcm := make([]float32, codec.MaxFrame*48)
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		dec, err := codec.NewDecoder(c, 8000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(nil, pcm); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("%v: empty payload gives %v", c, err)
		}
		if _, err := dec.Decode([]byte{0x78, 1, 2, 3}, pcm[:2]); !errors.Is(err, codec.ErrShortBuffer) {
			t.Errorf("%v: a buffer of two samples gives %v", c, err)
		}
	}
}

func TestPacketDurations(t *testing.T) {
	for _, c := range []struct {
		codec   media.Codec
		payload []byte
		want    int
	}{
		{media.PCMU, make([]byte, 80), 80},
		{media.Opus, []byte{0 << 3}, 480}, {media.Opus, []byte{9 << 3}, 960}, {media.Opus, []byte{11 << 3}, 2880},
		{media.Opus, []byte{13 << 3}, 960}, {media.Opus, []byte{16 << 3}, 120}, {media.Opus, []byte{31<<3 | 1, 0}, 1920},
		{media.Opus, []byte{31<<3 | 3, 6}, 5760}, {media.Opus, []byte{31<<3 | 3, 7}, 0}, {media.Opus, []byte{3}, 0},
		{media.Opus, nil, 0}, {media.NoCodec, []byte{1}, 0},
	} {
		if got := codec.Samples(c.codec, c.payload); got != c.want {
			t.Errorf("%v % x lasts %d ticks, want %d", c.codec, c.payload, got, c.want)
		}
	}
}

func TestPacketTimeIsOneTheCodecCanDo(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		codec       media.Codec
		asked, want time.Duration
	}{
		{media.PCMU, 30 * ms, 30 * ms}, {media.PCMA, 5 * ms, 10 * ms}, {media.PCMU, time.Second, 60 * ms},
		{media.Opus, 30 * ms, 20 * ms}, {media.Opus, 50 * ms, 40 * ms}, {media.Opus, 10 * ms, 10 * ms}, {media.Opus, 60 * ms, 60 * ms},
	} {
		if got := codec.PacketTime(c.codec, c.asked); got != c.want {
			t.Errorf("%v asked for %v gives %v, want %v", c.codec, c.asked, got, c.want)
		}
	}
}

func TestLostOpusFrameIsRecoveredFromThePacketAfterIt(t *testing.T) {
	enc, err := codec.NewEncoder(media.Opus, 16000)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.NewDecoder(media.Opus, 16000)
	if err != nil {
		t.Fatal(err)
	}
	// A buzz like a voice jumps from 130 to 240 Hz just where a packet is lost:
	// concealment alone cannot know that.
	voice := make([]float32, 50*320)
	for harmonic := 1; harmonic < 12; harmonic++ {
		for i, hz := range map[int]float64{0: 130, 25 * 320: 240} {
			level := -20 - 20*math.Log10(float64(harmonic))
			for k, x := range mediatest.Tone(16000, hz*float64(harmonic), level, 25*320) {
				voice[i+k] += x
			}
		}
	}
	const lost = 25
	var packets [][]byte
	for ; len(voice) >= 320; voice = voice[320:] {
		payload := make([]byte, 1500)
		n, err := enc.Encode(voice[:320], payload)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, payload[:n])
	}
	frame := make([]float32, 320)
	for _, p := range packets[:lost] {
		if _, err := dec.Decode(p, frame); err != nil {
			t.Fatal(err)
		}
	}
	if n := dec.(codec.Recoverer).Recover(packets[lost+1], frame); n != 320 {
		t.Fatalf("recovered %d samples", n)
	}
	before, after := mediatest.ToneDBov(frame, 16000, 130), mediatest.ToneDBov(frame, 16000, 240)
	if after < before+5 || after < -28 {
		t.Errorf("the lost frame came back with %.1f dBov at 130 Hz and %.1f at 240 Hz, want the latter", before, after)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		rate  int
	}{{media.PCMU, 8000}, {media.PCMA, 8000}, {media.Opus, 16000}} {
		enc, err := codec.NewEncoder(c.codec, c.rate)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := codec.NewDecoder(c.codec, c.rate)
		if err != nil {
			t.Fatal(err)
		}
		pcm := mediatest.Tone(c.rate, 500, -20, c.rate/50)
		payload := make([]byte, 1500)
		if n := testing.AllocsPerRun(50, func() {
			n, _ := enc.Encode(pcm, payload)
			_, _ = dec.Decode(payload[:n], pcm)
			dec.Conceal(pcm)
		}); n != 0 {
			t.Errorf("%v: %v allocations a packet", c.codec, n)
		}
	}
}

// FuzzDecode: whatever comes, the length is what Samples says or the error is one of
// ours, and no sample is beyond full scale.
func FuzzDecode(f *testing.F) {
	f.Add(byte(1), []byte{0xff, 0x7f})
	f.Add(byte(3), []byte{0x78, 1, 2, 3})
	f.Add(byte(3), []byte{0xff, 0x06})
	f.Add(byte(5), []byte{30, 250, 5, 250, 5, 250})
	f.Add(byte(3), []byte("\x88\xc90ZU\x1200")) // decodes to twelve times full scale
	pcm := make([]float32, codec.MaxFrame*16)
	f.Fuzz(func(t *testing.T, which byte, payload []byte) {
		c, rate := media.Codec(which)%media.Codec(media.NumCodecs), 8000
		if c == media.Opus || c == media.G722 {
			rate = 16000
		}
		dec, err := codec.NewDecoder(c, rate)
		if err != nil {
			return
		}
		n, err := dec.Decode(payload, pcm)
		if err != nil {
			if !errors.Is(err, codec.ErrMalformed) && !errors.Is(err, codec.ErrShortBuffer) {
				t.Fatalf("unknown error %v", err)
			}
			return
		}
		if want := codec.Samples(c, payload) * rate / c.ClockRate(); n != want { // of comfort noise, 20 ms
			t.Fatalf("%v: %d samples, Samples says %d", c, n, want)
		}
		n += dec.Conceal(pcm[n:])
		for i, x := range pcm[:n] {
			if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 1 {
				t.Fatalf("%v: sample %d is %v", c, i, x)
			}
		}
	})
}

func BenchmarkG711Decode(b *testing.B) {
	dec, err := codec.NewDecoder(media.PCMU, 8000)
	if err != nil {
		b.Fatal(err)
	}
	payload, pcm := make([]byte, 160), make([]float32, 160)
	for b.Loop() {
		_, _ = dec.Decode(payload, pcm)
	}
}
