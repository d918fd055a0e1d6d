package tap_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/tap"
)

// running runs a pool until the test's end.
func running(t *testing.T, workers int) *tap.Pool {
	t.Helper()
	p := tap.NewPool(workers)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestManyMetersAreReadOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, 2)
		const meters, seconds = 20, 3
		var mu sync.Mutex
		readings := [meters]int{}
		all := make([]*tap.Meter, meters)
		for i := range all {
			all[i] = newMeter(t, 8000, func(headset.Reading) {
				mu.Lock()
				defer mu.Unlock()
				readings[i]++
			})
			p.Join(all[i])
		}
		tone := mediatest.Tone(8000, 1000, -20, 160)
		for n := range seconds * 50 {
			for _, m := range all {
				m.Near().Offer(tone, 8000, media.PCMU, 0)
				m.Far().Offer(tone, 8000, media.PCMU, 0)
			}
			time.Sleep(20 * time.Millisecond)
			if n%50 == 49 {
				time.Sleep(300 * time.Millisecond)
				synctest.Wait()
				mu.Lock()
				for i, got := range readings {
					if got != n/50+1 {
						t.Errorf("meter %d: %d readings after %d s", i, got, n/50+1)
					}
				}
				mu.Unlock()
			}
		}
		if s := p.Stats(); s != (tap.PoolStats{Meters: meters}) {
			t.Errorf("%+v", s)
		}
		for _, m := range all {
			p.Leave(m)
			if got := m.Finish().Duration; math.Abs(got-seconds) > 1e-9 {
				t.Errorf("%v s were measured", got)
			}
		}
		if s := p.Stats(); s != (tap.PoolStats{}) {
			t.Errorf("after all have left: %+v", s)
		}
	})
}

// TestATooSlowMachineShedsMetersAndNoAudio has every worker stuck in meters that take for ever,
// while a call goes on beside. Its audio passes; its meter sheds the far party, then the near one,
// and blames no headset: what it did not hear is time that was not scored.
func TestATooSlowMachineShedsMetersAndNoAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 2
		p := running(t, workers)
		release := make(chan struct{})
		tone := mediatest.Tone(8000, 1000, -20, 160)
		for range workers {
			slow := newMeter(t, 8000, func(headset.Reading) { <-release })
			p.Join(slow)
			for range 51 { // a second is over, and a worker is stuck
				slow.Near().Offer(tone, 8000, media.PCMU, 0)
				time.Sleep(20 * time.Millisecond)
			}
		}
		m := newMeter(t, 8000, nil)
		trunk, agent := mediatest.NewLeg(20*time.Millisecond, media.PCMU), mediatest.NewLeg(20*time.Millisecond, media.PCMU)
		b, err := bridge.Join(trunk, agent, bridge.Options{FromA: []media.Tap{m.Far()}, FromB: []media.Tap{m.Near()}})
		if err != nil {
			t.Fatal(err)
		}
		p.Join(m)
		const packets = 5 * 50
		say := sayer(t)
		for n := range packets {
			began := time.Now()
			say(trunk, n)
			say(agent, n)
			if time.Since(began) != 0 {
				t.Fatal("a packet waited")
			}
			time.Sleep(20 * time.Millisecond)
		}
		if len(trunk.Heard()) != packets || len(agent.Heard()) != packets {
			t.Errorf("%d and %d of %d packets arrived", len(trunk.Heard()), len(agent.Heard()), packets)
		}
		s := p.Stats()
		if s.ShedFar <= s.ShedNear || s.ShedNear == 0 || s.Behind == 0 || s.Age < 150*time.Millisecond {
			t.Errorf("under load: %+v", s)
		}
		close(release)
		synctest.Wait()
		time.Sleep(time.Second)
		b.Close()
		p.Leave(m)
		report := m.Finish()
		if math.Abs(report.Duration-5) > 0.1 {
			t.Errorf("5 s were measured as %.2f s", report.Duration)
		}
		if len(report.Findings) != 0 {
			t.Errorf("the headset is blamed: %v", report.Findings)
		}
		if after := p.Stats(); after.ShedNear < s.ShedNear || after.Behind != 0 || after.Age != 0 {
			t.Errorf("after the load: %+v", after)
		}
	})
}

// TestFarPartiesAreShedFirst fills a meter that nobody drains.
func TestFarPartiesAreShedFirst(t *testing.T) {
	m := newMeter(t, 16000, nil)
	near, far := mediatest.Tone(16000, 1000, -20, 320), mediatest.Tone(8000, 500, -20, 160)
	for range 27 { // 0.54 s
		m.Near().Offer(near, 16000, media.Opus, 0)
		m.Far().Offer(far, 8000, media.PCMU, 0)
	}
	if shedNear, shedFar := m.Shed(); shedNear != 0 || shedFar != 8 {
		t.Errorf("%d and %d frames were shed of 0.54 s, want none of the near party and 8 of the far", shedNear, shedFar)
	}
}

// TestAStuckMeterHoldsUpNoOther has one of two workers stuck.
func TestAStuckMeterHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, 2)
		release := make(chan struct{})
		defer close(release)
		var readings int
		stuck, sound := newMeter(t, 8000, func(headset.Reading) { <-release }), newMeter(t, 8000, func(headset.Reading) { readings++ })
		p.Join(stuck)
		p.Join(sound)
		tone := mediatest.Tone(8000, 1000, -20, 160)
		for range 5*50 + 10 {
			stuck.Near().Offer(tone, 8000, media.PCMU, 0)
			sound.Near().Offer(tone, 8000, media.PCMU, 0)
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		if shed, _ := sound.Shed(); readings != 5 || shed != 0 {
			t.Errorf("the other meter has %d readings and shed %d frames", readings, shed)
		}
	})
}

// sayer gives a function that has a leg say its n-th packet of a tone.
func sayer(t *testing.T) func(leg *mediatest.Leg, n int) {
	t.Helper()
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 160)
	if _, err := enc.Encode(mediatest.Tone(8000, 1000, -20, 160), payload); err != nil {
		t.Fatal(err)
	}
	return func(leg *mediatest.Leg, n int) {
		leg.Say(&media.Packet{Source: 3, Seq: uint64(n), Timestamp: uint64(160 * n), Codec: media.PCMU, Payload: payload})
	}
}
