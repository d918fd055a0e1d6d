package tap_test

import (
	"math"
	"testing"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMeter(t *testing.T, rate int, onReading func(headset.Reading)) *tap.Meter {
	t.Helper()
	m, err := tap.New(headset.Config{SampleRate: rate, Tap: headset.TapWire, Limits: headset.DefaultLimits()}, onReading)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// offer gives pcm in frames of 20 ms.
func offer(ear media.Tap, pcm []float32, rate int, mark dsp.Mark, each func()) {
	for size := rate / 50; len(pcm) >= size; pcm = pcm[size:] {
		ear.Offer(pcm[:size], rate, media.Opus, mark)
		each()
	}
}

// TestAToneIsReadAtItsLevelWhateverItsRate also drains in between, as a meter that
// keeps up does.
func TestAToneIsReadAtItsLevelWhateverItsRate(t *testing.T) {
	for _, c := range []struct{ offered, rate int }{{16000, 16000}, {8000, 16000}, {48000, 16000}, {8000, 8000}} {
		var readings []headset.Reading
		m := newMeter(t, c.rate, func(r headset.Reading) { readings = append(readings, r) })
		n := 0
		offer(m.Near(), mediatest.Tone(c.offered, 1000, -20, 5*c.offered), c.offered, 0, func() {
			if n++; n%5 == 0 {
				m.Finish()
			}
		})
		report := m.Finish()
		if math.Abs(report.Duration-5) > 0.01 || len(readings) != 5 {
			t.Errorf("%d→%d Hz: 5 s were measured as %.3f s in %d readings", c.offered, c.rate, report.Duration, len(readings))
		}
		for i, r := range readings[min(1, len(readings)):] {
			if math.Abs(float64(r.Level)+20) > 0.2 || r.Scored != 1 {
				t.Errorf("%d→%d Hz: second %d reads %.2f dBov, scored %.2f", c.offered, c.rate, i+1, r.Level, r.Scored)
			}
		}
		if near, far := m.Shed(); near+far != 0 {
			t.Errorf("%d frames were shed", near+far)
		}
	}
}

// TestTheCodecIsFollowed has a leg in G.711, one in Opus, and one that changes at half time:
// only what Opus takes off is given back.
func TestTheCodecIsFollowed(t *testing.T) {
	levelOf := func(codecs ...media.Codec) (headset.Codec, float64) {
		m := newMeter(t, 16000, nil)
		for _, c := range codecs {
			for range 2 * 50 {
				m.Near().Offer(mediatest.Tone(16000, 1000, -20, 320), 16000, c, 0)
				m.Finish()
			}
		}
		r := m.Finish()
		return r.Codec, float64(r.Metrics.ActiveLevel)
	}
	name, g711 := levelOf(media.PCMA, media.PCMA)
	if name != headset.CodecG711 || math.Abs(g711+20) > 0.1 {
		t.Errorf("G.711 is called %q and reads %.2f dBov, want -20", name, g711)
	}
	name, opus := levelOf(media.Opus, media.Opus)
	if name != headset.CodecOpus || opus < g711+0.5 {
		t.Errorf("Opus is called %q and reads %.2f dBov, no more than G.711", name, opus)
	}
	if _, both := levelOf(media.Opus, media.PCMU); math.Abs(both-(opus+g711)/2) > 0.01 {
		t.Errorf("half and half reads %.2f dBov, between %.2f and %.2f", both, g711, opus)
	}
}

func TestASlowMeterShedsTheOldestAndItsTimeGoesOn(t *testing.T) {
	m := newMeter(t, 16000, nil)
	offer(m.Near(), mediatest.Tone(16000, 1000, -20, 10*16000), 16000, 0, func() {})
	if got, _ := m.Shed(); got < 445 || got > 455 {
		t.Errorf("%d of 500 frames were shed, want all but a second", got)
	}
	report := m.Finish()
	if math.Abs(report.Duration-10) > 0.001 {
		t.Errorf("10 s were measured as %.2f s", report.Duration)
	}
}

func TestWhatIsQueuedAtTheEndIsHeard(t *testing.T) {
	m := newMeter(t, 16000, nil)
	offer(m.Near(), mediatest.Tone(16000, 1000, -20, 4800), 16000, 0, func() {})
	offer(m.Near(), mediatest.Tone(16000, 1000, -20, 1600), 16000, dsp.Lost, func() {})
	if got := m.Finish().Duration; math.Abs(got-0.4) > 0.001 {
		t.Errorf("%.3f s were measured, 0.4 s were offered", got)
	}
}

func TestOfferAllocatesNothing(t *testing.T) {
	m := newMeter(t, 16000, nil)
	near, frame := m.Near(), mediatest.Tone(16000, 300, -20, 320)
	if n := testing.AllocsPerRun(300, func() { near.Offer(frame, 16000, media.Opus, 0) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestAWrongRateIsRefused(t *testing.T) {
	if _, err := tap.New(headset.Config{SampleRate: 12345}, nil); err == nil {
		t.Error("a meter at 12345 Hz was made")
	}
	m := newMeter(t, 16000, nil)
	m.Near().Offer(make([]float32, 100), 12345, media.Opus, 0)
	if got := m.Finish().Duration; got != 0 {
		t.Errorf("%v s measured of a rate nobody has", got)
	}
}

func BenchmarkOffer(b *testing.B) {
	m, err := tap.New(headset.Config{SampleRate: 16000, Tap: headset.TapWire}, nil)
	if err != nil {
		b.Fatal(err)
	}
	near, frame := m.Near(), make([]float32, 320)
	for b.Loop() {
		near.Offer(frame, 16000, media.Opus, 0)
	}
}
