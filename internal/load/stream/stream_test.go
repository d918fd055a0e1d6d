//go:build linux

package stream_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

var loopback = netip.MustParseAddr("127.0.0.1")

// loop runs one until the test ends.
func loop(t *testing.T) *stream.Loop {
	t.Helper()
	l, err := stream.New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func open(t *testing.T, l *stream.Loop, other func([]byte)) *stream.End {
	t.Helper()
	e, err := l.Open(loopback, other)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// join connects two ends.
func join(t *testing.T, a, b *stream.End) {
	t.Helper()
	for _, pair := range [][2]*stream.End{{a, b}, {b, a}} {
		if err := pair[0].Connect(pair[1].Local()); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func script(t *testing.T, c media.Codec, pt uint8) *stream.Script {
	t.Helper()
	packets, err := mark.Speech("caller-1", c)
	if err != nil {
		t.Fatal(err)
	}
	return &stream.Script{Codec: c, PayloadType: pt, Packets: packets}
}

func TestWhatIsSaidArrivesInOrderOnceAndEncrypted(t *testing.T) {
	l := loop(t)
	for name, profile := range map[string]srtp.ProtectionProfile{
		"plain": 0, "GCM": srtp.ProtectionProfileAeadAes128Gcm, "counter mode": srtp.ProtectionProfileAes128CmHmacSha1_80,
	} {
		a, b := open(t, l, nil), open(t, l, nil)
		join(t, a, b)
		if profile != 0 {
			salt := 14
			if profile == srtp.ProtectionProfileAeadAes128Gcm {
				salt = 12
			}
			x := stream.Keys{Key: []byte("0123456789abcdef"), Salt: make([]byte, salt), Profile: profile}
			y := stream.Keys{Key: []byte("fedcba9876543210"), Salt: make([]byte, salt), Profile: profile}
			if err := a.Secure(x, y); err != nil {
				t.Fatal(err)
			}
			if err := b.Secure(y, x); err != nil {
				t.Fatal(err)
			}
		}
		delays := &stream.Delays{}
		b.Expect(7)
		b.Measure(delays)
		a.Talk(script(t, media.PCMU, 0), 7)
		eventually(t, name+": 50 packets", func() bool { return b.Count().Marked >= 50 })
		a.Hush()
		c := b.Count()
		if c.Missing+c.Disorder+c.Again+c.Strange+c.Broken != 0 || c.Marked != c.Heard {
			t.Errorf("%s: %+v", name, c)
		}
		if p50 := delays.Quantile(0.5); p50 <= 0 || p50 > time.Second {
			t.Errorf("%s: a delay of %v over loopback", name, p50)
		}
	}
}

func TestAnotherCallsSpeechAndKeysAreNoticed(t *testing.T) {
	l := loop(t)
	a, b := open(t, l, nil), open(t, l, nil)
	join(t, a, b)
	b.Expect(8)
	a.Talk(script(t, media.PCMU, 0), 7)
	eventually(t, "strange packets", func() bool { return b.Count().Strange >= 5 })
	if c := b.Count(); c.Marked != 0 {
		t.Errorf("stream 7 was taken for 8: %+v", c)
	}
	keys := stream.Keys{Key: make([]byte, 16), Salt: make([]byte, 12), Profile: srtp.ProtectionProfileAeadAes128Gcm}
	if err := b.Secure(keys, keys); err != nil {
		t.Fatal(err)
	}
	was := b.Count().Heard
	eventually(t, "packets that no key fits", func() bool { return b.Count().Broken >= 5 })
	if now := b.Count().Heard; now > was+1 {
		t.Errorf("%d packets in plain were heard behind keys", now-was)
	}
}

func TestOpusIsCapturedAsItWasSaid(t *testing.T) {
	l := loop(t)
	got := make(chan byte, 10)
	a, b := open(t, l, nil), open(t, l, func(data []byte) { got <- data[0] })
	join(t, a, b)
	say := script(t, media.Opus, 111)
	b.Listen(30)
	a.Talk(say, 1)
	eventually(t, "30 packets", func() bool { return b.Count().Heard >= 30 })
	a.Hush()
	said, heard := a.Said(), b.Captured()
	if len(said) < 30 || len(heard.Packets) != 30 {
		t.Fatalf("%d were said, %d captured", len(said), len(heard.Packets))
	}
	for i, p := range heard.Packets {
		if string(p.Payload) != string(say.Packets[said[i].Index]) || p.AtNS < said[i].AtNS || p.PayloadType != 111 {
			t.Errorf("packet %d is not what was said", i)
		}
	}
	a.Write([]byte{1, 2, 3})
	if first := <-got; first != 1 {
		t.Errorf("what is no RTP begins with %d", first)
	}
}

func TestDelaysAreCountedToTenMicroseconds(t *testing.T) {
	var d stream.Delays
	for i := range 1000 {
		d.Add(int64(i) * int64(10*time.Microsecond))
	}
	d.Add(int64(time.Hour))
	d.Add(-5)
	for q, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9910 * time.Microsecond, 1: time.Hour} {
		if got := d.Quantile(q); got < want-20*time.Microsecond || got > want+20*time.Microsecond {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}
