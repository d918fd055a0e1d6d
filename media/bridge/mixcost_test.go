package bridge

import (
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// still is a clock that only its test moves.
type still struct{ tick func() }

func (s *still) Every(tick func()) func() {
	s.tick = tick
	return func() {}
}

// crowd is a conference of n, of which all but the first two are guests in a role, and one
// step of it: everybody speaks for 20 ms and hears the others.
func crowd(t testing.TB, n int, role Role, c media.Codec) (conf *conference, step func()) {
	t.Helper()
	legs := make([]*mediatest.Leg, n)
	packets := make([]media.Packet, n)
	rate := codec.EncodeRate(c)
	for i := range legs {
		legs[i] = mediatest.NewLeg(20*time.Millisecond, c)
		legs[i].Forget()
		enc, err := codec.NewEncoder(c, rate)
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, 1500)
		size, err := enc.Encode(mediatest.Tone(rate, 200*float64(i+1), -27, rate/50), payload)
		if err != nil {
			t.Fatal(err)
		}
		packets[i] = media.Packet{Source: uint32(i + 1), Codec: c, Payload: payload[:size]}
	}
	br, err := Join(legs[0], legs[1], Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Close)
	var clock still
	for _, leg := range legs[2:] {
		if _, err := br.Add(&clock, leg, role); err != nil {
			t.Fatal(err)
		}
	}
	step = func() {
		for i, leg := range legs {
			leg.Say(&packets[i])
			packets[i].Seq++
			packets[i].Timestamp += uint64(c.ClockRate() / 50)
		}
		clock.tick()
	}
	for range 50 {
		step()
	}
	return br.conf, step
}

func TestWhoHearsTheSameIsEncodedForOnce(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		conf, step := crowd(t, 5, RoleListen, c) // three hear the same
		step()
		lent := 0
		for _, s := range conf.seats {
			if s != nil && s.ear.lent {
				lent++
			}
		}
		if lent != 2 {
			t.Errorf("%v: %d of three supervisors are sent what another one is", c, lent)
		}
		conf.seats[3].role = RoleWhisper // now the fifth hears the fourth no more than before, but so does the agent
		step()
		if conf.seats[1].ear.lent {
			t.Error("the agent is sent what a supervisor hears")
		}
	}
}

func TestATickOfEightAllocatesNothing(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		_, step := crowd(t, MaxParties, RoleBarge, c)
		if got := testing.AllocsPerRun(200, step); got > 0 {
			t.Errorf("%v: %.2f allocations a tick", c, got)
		}
	}
}

func TestTheLimiterLetsQuietSoundsPassAndNothingThroughTheCeiling(t *testing.T) {
	l := newLimiter(narrowband)
	lag := l.ahead - 1
	in := mediatest.Tone(narrowband, 440, -10, 20000)
	for i := 6000; i < 9000; i++ {
		in[i] *= 20 // seven times full scale, at once
	}
	out := make([]float32, len(in))
	copy(out, in)
	for at := 0; at < len(out); at += 160 {
		l.process(out[at : at+160])
	}
	for i, x := range out {
		if math.Abs(float64(x)) > ceiling+1e-4 {
			t.Fatalf("sample %d is %.4f", i, x)
		}
		if (i > lag && i < 5900 || i > 16500) && x != in[i-lag] {
			t.Fatalf("sample %d was changed from %.5f to %.5f", i, in[i-lag], x)
		}
	}
}

func BenchmarkATickOfEight(b *testing.B) {
	for _, c := range []media.Codec{media.PCMU, media.G722, media.Opus} {
		b.Run(c.String(), func(b *testing.B) {
			_, step := crowd(b, MaxParties, RoleBarge, c)
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}

func BenchmarkATickOfACallThatIsListenedTo(b *testing.B) {
	_, step := crowd(b, 3, RoleListen, media.PCMU)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}
