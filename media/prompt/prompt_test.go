package prompt_test

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// timed is a leg that also notes when each packet was sent.
type timed struct {
	*mediatest.Leg
	at []time.Time
}

func (l *timed) Send(p *media.Packet) {
	l.at = append(l.at, time.Now())
	l.Leg.Send(p)
}

// pace runs a Pacer in synthetic time for as long as f takes.
func pace(t *testing.T, f func(*prompt.Pacer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := prompt.NewPacer()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		f(p)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func pcmOf(t *testing.T, packets []media.Packet, rate int) []float32 {
	t.Helper()
	dec, err := codec.NewDecoder(packets[0].Codec, rate)
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	frame := make([]float32, codec.MaxFrame*rate/1000)
	for _, p := range packets {
		n, err := dec.Decode(p.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame[:n]...)
	}
	return out
}

func TestATonePlaysInRealTimeAtItsLevel(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		ptime time.Duration
	}{{media.PCMU, 20 * ms}, {media.PCMA, 30 * ms}, {media.PCMU, 10 * ms}, {media.PCMA, 60 * ms}, {media.Opus, 20 * ms}} {
		pace(t, func(p *prompt.Pacer) {
			leg := &timed{Leg: mediatest.NewLeg(c.ptime, c.codec)}
			begin := time.Now()
			stop := p.Play(leg, prompt.Tone(1000, -20))
			time.Sleep(2 * time.Second)
			stop()
			stop()
			heard := leg.Heard()
			time.Sleep(time.Second)
			if got := len(leg.Heard()); got != len(heard) {
				t.Errorf("%v: %d packets after stop", c.codec, got-len(heard))
			}
			if played := time.Duration(len(heard)) * c.ptime; played < 1940*ms || played > 2040*ms {
				t.Errorf("%v %v: %v played in 2 s", c.codec, c.ptime, played)
			}
			for i, at := range leg.at {
				if due := begin.Add(time.Duration(i) * c.ptime); at.Before(due.Add(-20*ms)) || at.After(due.Add(60*ms)) {
					t.Fatalf("%v %v: packet %d was sent %v from its time", c.codec, c.ptime, i, at.Sub(due))
				}
			}
			for i := range heard {
				if heard[i].Seq != heard[0].Seq+uint64(i) || heard[i].Marker != (i == 0) ||
					heard[i].Timestamp != heard[0].Timestamp+uint64(i*int(c.ptime/ms)*c.codec.ClockRate()/1000) {
					t.Fatalf("%v: packet %d is numbered %d at %d", c.codec, i, heard[i].Seq, heard[i].Timestamp)
				}
			}
			rate := codec.EncodeRate(c.codec)
			hz, level := mediatest.FindTone(pcmOf(t, heard, rate)[rate/4:], rate)
			if math.Abs(hz-1000) > 0.5 || math.Abs(level+20) > 0.5 {
				t.Errorf("%v: heard %.2f Hz at %.2f dBov", c.codec, hz, level)
			}
		})
	}
}

func TestThePacerDoesNotDriftNorBurstAfterAStall(t *testing.T) {
	pace(t, func(p *prompt.Pacer) {
		leg := &timed{Leg: mediatest.NewLeg(20*ms, media.PCMU)}
		stall := &stalling{Source: prompt.Tone(500, -30)}
		defer p.Play(leg, stall)()
		time.Sleep(time.Second)
		before := len(leg.Heard())
		stall.next.Store(int64(5 * time.Second))
		time.Sleep(10 * time.Second)
		if got := len(leg.Heard()) - before; got < 250 || got > 260 {
			t.Errorf("%d packets in 10 s with a stall of 5 s, want about 250 and no burst", got)
		}
	})
}

// stalling is a source that once takes long.
type stalling struct {
	prompt.Source
	next atomic.Int64 // nanoseconds
}

func (s *stalling) Render(pcm []float32, at int64, rate int) {
	time.Sleep(time.Duration(s.next.Swap(0)))
	s.Source.Render(pcm, at, rate)
}

func TestALegThatIsNotSetUpYetHearsTheSourceLater(t *testing.T) {
	pace(t, func(p *prompt.Pacer) {
		leg := mediatest.NewLeg(20 * ms)
		stop := p.Play(leg, prompt.Tone(500, -30))
		time.Sleep(time.Second)
		stop()
		if got := leg.Stats(); got.PacketsOut+got.Refused != 0 {
			t.Errorf("a leg without a codec was sent %+v", got)
		}
	})
}

func TestHoldMusicIsQuietPleasantAndWithoutASeam(t *testing.T) {
	music := prompt.HoldMusic()
	for _, rate := range []int{8000, 16000} {
		pcm := make([]float32, 30*rate) // more than twice around
		music.Render(pcm, 0, rate)
		var power, peak, step float64
		for i, x := range pcm {
			power += float64(x) * float64(x)
			peak = max(peak, math.Abs(float64(x)))
			if i > 0 {
				step = max(step, math.Abs(float64(x-pcm[i-1])))
			}
		}
		if got := dsp.PowerDBov(power / float64(len(pcm))); math.Abs(got+26) > 0.5 {
			t.Errorf("at %d Hz the level is %.2f dBov, want -26", rate, got)
		}
		if peak > 0.5 || step > 0.2 {
			t.Errorf("at %d Hz: peak %.2f, steepest step %.2f", rate, peak, step)
		}
		// In pieces, from anywhere, it is the same.
		piece := make([]float32, 777)
		for at := 0; at+len(piece) < len(pcm); at += 40_001 {
			music.Render(piece, int64(at), rate)
			for i, x := range piece {
				if x != pcm[at+i] {
					t.Fatalf("at %d Hz, sample %d from position %d differs", rate, i, at)
				}
			}
		}
	}
}

func BenchmarkThousandCallersOnHold(b *testing.B) {
	music := prompt.HoldMusic()
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		b.Fatal(err)
	}
	pcm, payload := make([]float32, 160), make([]byte, 160)
	for b.Loop() {
		for i := range int64(1000) {
			music.Render(pcm, i*777, 8000)
			_, _ = enc.Encode(pcm, payload)
		}
	}
}
