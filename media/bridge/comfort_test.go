package bridge_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// paused is talk of 200 ms, comfort noise at -45 dBov, a pause of a second, and talk again.
func paused(t *testing.T, c media.Codec) []media.Packet {
	t.Helper()
	said := voice(t, c, 20*ms, 1000, -20, 21)
	said[10].Codec, said[10].Payload = media.CN, []byte{45}
	for i := 11; i < len(said); i++ {
		said[i].Timestamp += 8000
	}
	return said
}

func dbov(pcm []float32) float64 {
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return dsp.PowerDBov(sum / float64(len(pcm)))
}

func TestComfortNoisePassesToWhoAgreedOnIt(t *testing.T) {
	a, b := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU, media.CN)
	var tap ear
	join(t, a, b, bridge.Options{FromA: []media.Tap{&tap}})
	said := paused(t, media.PCMU)
	for i := range said {
		a.Say(&said[i])
	}
	heard := b.Heard()
	if len(heard) != len(said) || heard[10].Codec != media.CN || heard[10].Payload[0] != 45 || heard[10].Seq != said[10].Seq {
		t.Fatalf("%d packets; the eleventh is %+v", len(heard), heard[10])
	}
	if got := tap.marks[dsp.ComfortNoise]; got < 8000 || got > 8400 {
		t.Errorf("the tap was told of %d samples of comfort noise", got)
	}
	if tap.marks[dsp.Lost] != 0 || tap.marks[dsp.Lost|dsp.Concealed] != 0 {
		t.Errorf("the tap was told of loss: %v", tap.marks)
	}
}

func TestComfortNoiseIsAVoicePacketForWhoDidNotAgreeOnIt(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722} {
		a, b := mediatest.NewLeg(20*ms, c), mediatest.NewLeg(20*ms, c)
		join(t, a, b, bridge.Options{})
		said := paused(t, c)
		for i := range said {
			a.Say(&said[i])
		}
		heard := b.Heard()
		if len(heard) != len(said) {
			t.Fatalf("%v: %d of %d packets", c, len(heard), len(said))
		}
		noise := heard[10]
		if noise.Codec != c || noise.Seq != said[10].Seq || noise.Timestamp != said[10].Timestamp || noise.Source != said[10].Source {
			t.Fatalf("%v: the noise is %+v", c, noise)
		}
		if got := dbov(decode(t, heard[10:11], map[bool]int{false: 8000, true: 16000}[c == media.G722])); math.Abs(got+45) > 4 {
			t.Errorf("%v: the noise is at %.1f dBov, want -45", c, got)
		}
	}
}

func TestComfortNoiseIsDecodedWhereTheVoiceIs(t *testing.T) {
	for _, to := range [][]media.Codec{{media.Opus}, {media.PCMA}, {media.PCMA, media.CN}} {
		a, b := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, to...)
		join(t, a, b, bridge.Options{})
		said := paused(t, media.PCMU)
		for i := range said {
			a.Say(&said[i])
		}
		heard := b.Heard()
		if len(heard) < 20 {
			t.Fatalf("%v: %d packets", to, len(heard))
		}
		for i, p := range heard {
			if p.Codec != to[0] {
				t.Fatalf("%v: packet %d is %v", to, i, p.Codec)
			}
			if i > 0 && p.Seq != heard[i-1].Seq+1 {
				t.Fatalf("%v: packet %d does not follow", to, i)
			}
		}
		length := float64(heard[len(heard)-1].Timestamp-heard[0].Timestamp) / float64(to[0].ClockRate())
		if math.Abs(length-1.4) > 0.03 {
			t.Errorf("%v: the stream is %.2f s long, want 1.4", to, length)
		}
	}
}

func TestComfortNoiseAllocatesNothing(t *testing.T) {
	a, b := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
	b.Forget()
	join(t, a, b, bridge.Options{})
	voice, noise := voice(t, media.PCMU, 20*ms, 1000, -20, 1)[0], media.Packet{Source: 77, Codec: media.CN, Payload: []byte{45}}
	var n uint64
	step := func() {
		voice.Seq, voice.Timestamp = n, 160*n
		noise.Seq, noise.Timestamp = n+1, 160*n+160
		n += 2
		a.Say(&voice)
		a.Say(&noise)
	}
	step()
	if allocs := testing.AllocsPerRun(100, step); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
