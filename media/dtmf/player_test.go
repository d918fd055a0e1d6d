package dtmf_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	heard "github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/dtmf"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// keypad is a leg that notes what it is sent, and when.
type keypad struct {
	*mediatest.Leg
	events bool

	mu       sync.Mutex
	sent     []media.Event
	at       []time.Time
	reserved rtp.Reservation
}

func (k *keypad) TakesEvents() bool { return k.events }

func (k *keypad) SendEvent(e media.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent, k.at = append(k.sent, e), append(k.at, time.Now())
}

func (k *keypad) Reserve(source uint32, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reserved.Set(source, until)
}

func (k *keypad) Send(p *media.Packet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.reserved.Bars(p) {
		k.Leg.Send(p)
	}
}

// playing runs a Player in synthetic time for as long as f takes.
func playing(t *testing.T, f func(*dtmf.Player)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := dtmf.NewPlayer()
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

func TestAKeyIsAnEventWithABeginningUpdatesAndThreeEnds(t *testing.T) {
	playing(t, func(p *dtmf.Player) {
		k := &keypad{Leg: mediatest.NewLeg(20*ms, media.PCMU), events: true}
		begin := time.Now()
		if err := p.Press(k, "1#", false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		k.mu.Lock()
		defer k.mu.Unlock()
		type row struct {
			at      time.Duration
			code    uint8
			begin   bool
			end     bool
			elapsed time.Duration
		}
		var want []row
		for i, code := range []uint8{1, 11} {
			from := time.Duration(i) * 200 * ms
			want = append(want, row{from, code, true, false, 20 * ms}, row{from + 50*ms, code, false, false, 50 * ms},
				row{from + 100*ms, code, false, true, 100 * ms}, row{from + 120*ms, code, false, true, 100 * ms}, row{from + 140*ms, code, false, true, 100 * ms})
		}
		if len(k.sent) != len(want) {
			t.Fatalf("%d packets, want %d: %+v", len(k.sent), len(want), k.sent)
		}
		for i, e := range k.sent {
			if got := (row{k.at[i].Sub(begin), e.Code, e.Begin, e.End, e.Elapsed}); got != want[i] {
				t.Errorf("packet %d: %+v, want %+v", i, got, want[i])
			}
		}
	})
}

func TestVoicesAreKeptOutWhileKeysAreSentAndNoLonger(t *testing.T) {
	playing(t, func(p *dtmf.Player) {
		k := &keypad{Leg: mediatest.NewLeg(20*ms, media.PCMU), events: true}
		_ = p.Press(k, "12", false)
		time.Sleep(5 * ms)
		for i := range 30 {
			k.Send(&media.Packet{Source: 7, Seq: uint64(i), Codec: media.PCMU, Payload: make([]byte, 160)})
			time.Sleep(20 * ms)
		}
		got := k.Heard()
		// The second key's last packet leaves at 340 ms; one tick later the voice is back.
		if len(got) == 0 || got[0].Seq < 17 || got[0].Seq > 19 {
			t.Fatalf("%d voice packets, the first %+v", len(got), got)
		}
	})
}

func TestKeysAreTonesWhereNoEventsWereAgreedOn(t *testing.T) {
	const keys = "1234567890*#ABCD"
	for _, c := range []struct {
		codec media.Codec
		ptime time.Duration
	}{{media.PCMU, 20 * ms}, {media.PCMA, 30 * ms}, {media.PCMU, 60 * ms}, {media.G722, 20 * ms}, {media.Opus, 20 * ms}} {
		playing(t, func(p *dtmf.Player) {
			k := &keypad{Leg: mediatest.NewLeg(c.ptime, c.codec)}
			if err := p.Press(k, keys, false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			rate := codec.EncodeRate(c.codec)
			d, err := heard.New(rate)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := codec.NewDecoder(c.codec, rate)
			if err != nil {
				t.Fatal(err)
			}
			var digits []heard.Digit
			pcm := make([]float32, codec.MaxFrame*rate/1000)
			packets := k.Heard()
			for i, packet := range packets {
				n, err := dec.Decode(packet.Payload, pcm)
				if err != nil {
					t.Fatal(err)
				}
				digits = d.Process(digits, pcm[:n])
				if packet.Seq != uint64(i) || packet.Timestamp != uint64(i)*uint64(c.ptime/ms)*uint64(c.codec.ClockRate())/1000 {
					t.Fatalf("%v: packet %d is numbered %d at %d", c.codec, i, packet.Seq, packet.Timestamp)
				}
			}
			digits = d.Flush(digits)
			var got strings.Builder
			for i, digit := range digits {
				got.WriteByte(digit.Key)
				if math.Abs(digit.Seconds-0.1) > 0.016 || i > 0 && digit.At-digits[i-1].At < 0.19 {
					t.Errorf("%v %v: key %d for %.3f s at %.3f s", c.codec, c.ptime, i, digit.Seconds, digit.At)
				}
			}
			if got.String() != keys {
				t.Errorf("%v %v: heard %s", c.codec, c.ptime, got.String())
			}
		})
	}
}

func TestTonesHaveTheLevelsOfQ23(t *testing.T) {
	pcm := make([]float32, 8000)
	heard.Tone(pcm, '5', 0, 8000, 8000)
	for _, tone := range []struct{ hz, dBm0 float64 }{{770, -8}, {1336, -6}} {
		var re, im float64
		for i, x := range pcm {
			re += float64(x) * math.Cos(2*math.Pi*tone.hz*float64(i)/8000)
			im += float64(x) * math.Sin(2*math.Pi*tone.hz*float64(i)/8000)
		}
		amplitude := 2 * math.Hypot(re, im) / 8000
		if got := 20*math.Log10(amplitude) + 3.14; math.Abs(got-tone.dBm0) > 0.1 {
			t.Errorf("%g Hz at %.2f dBm0, want %g", tone.hz, got, tone.dBm0)
		}
	}
}

func TestWhatIsNoKeyOrTooManyIsRefusedWhole(t *testing.T) {
	p := dtmf.NewPlayer()
	k := &keypad{Leg: mediatest.NewLeg(20*ms, media.PCMU), events: true}
	if err := p.Press(k, "12x", false); !errors.Is(err, dtmf.ErrNoKey) || strings.Contains(err.Error(), "x") && strings.Contains(err.Error(), "12") {
		t.Errorf("12x: %v", err)
	}
	if err := p.Press(k, strings.Repeat("1", dtmf.MaxKeys), false); err != nil {
		t.Error(err)
	}
	if err := p.Press(k, "1", false); !errors.Is(err, dtmf.ErrFull) {
		t.Errorf("one more: %v", err)
	}
	p.Forget(k)
	if err := p.Press(k, "a", false); err != nil {
		t.Error(err)
	}
}

func TestManyKeysAreSentWithoutGarbage(t *testing.T) {
	playing(t, func(p *dtmf.Player) {
		k := &keypad{Leg: mediatest.NewLeg(20*ms, media.PCMU)}
		k.Forget()
		_ = p.Press(k, strings.Repeat("5", dtmf.MaxKeys), false)
		time.Sleep(time.Second) // the encoder is made with the first key
		if n := testing.AllocsPerRun(50, func() { time.Sleep(20 * ms) }); n > 0.5 {
			t.Errorf("%.2f allocations in 20 ms", n)
		}
		time.Sleep(20 * time.Second)
	})
}
