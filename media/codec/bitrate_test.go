package codec_test

import (
	"math/rand/v2"
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestAnEncoderKeepsToItsBitRateAndGoesBack(t *testing.T) {
	const rate, seconds = 16000, 10
	random := rand.New(rand.NewPCG(1, 2))
	pcm := mediatest.Tone(rate, 440, -20, seconds*rate)
	for i := range pcm { // nothing that could be foretold
		pcm[i] += float32(random.NormFloat64()) * 0.05
	}
	enc, err := codec.NewEncoder(media.Opus, rate)
	if err != nil {
		t.Fatal(err)
	}
	bitRate := func(packet int) float64 {
		var out [1500]byte
		total := 0
		for at := 0; at+packet <= len(pcm); at += packet {
			n, err := enc.Encode(pcm[at:at+packet], out[:])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
		return float64(total) * 8 / seconds
	}
	usual := bitRate(rate / 50)
	codec.SetBitRate(enc, 12000)
	if got := bitRate(rate * 60 / 1000); got > 13000 || got < 6000 {
		t.Errorf("%.0f bit/s, wanted 12000", got)
	}
	codec.SetBitRate(enc, 0)
	if got := bitRate(rate / 50); got < usual*0.95 || got > usual*1.05 {
		t.Errorf("%.0f bit/s, before %.0f", got, usual)
	}
	plain, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	codec.SetBitRate(plain, 12000) // which has no choice
}
