package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/call"
)

// TestEveryMarkReachesTheMeter has something happen in every other second of a call, of which no
// second may be held against the headset; in those between everything is scored.
func TestEveryMarkReachesTheMeter(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		id := string(w.sb.Calls()[0].ID)
		s := newSpeaker(t, kim.peer(0).Leg)
		for _, during := range []func(){
			func() { // lost on the way
				s.p.Seq += 50
				s.p.Timestamp += 50 * 160
				w.pass(time.Second)
			},
			func() { // a pause in which nothing is sent (DTX)
				s.p.Timestamp += 50 * 160
				w.pass(time.Second)
			},
			func() { // muted
				kim.say("m1", protocol.Mute{On: true})
				s.says(time.Second)
				kim.say("m2", protocol.Mute{On: false})
			},
			func() { // held
				kim.say("h1", protocol.Hold{CallID: id, On: true})
				s.says(time.Second)
				kim.say("h2", protocol.Hold{CallID: id, On: false})
			},
		} {
			s.says(time.Second)
			during()
			synctest.Wait()
		}
		s.says(1100 * time.Millisecond)
		c.leaves()
		synctest.Wait()
		var readings []headset.Reading
		for _, ch := range w.rec.chunks {
			readings = append(readings, ch.Readings...)
		}
		if len(readings) != 9 {
			t.Fatalf("%d seconds were read, want 9", len(readings))
		}
		for i, r := range readings {
			what := []string{"lost", "paused", "muted", "held"}
			switch {
			case i%2 == 0 && r.Scored < 0.9:
				t.Errorf("second %d, in which nothing was wrong: %.2f scored", i, r.Scored)
			case i%2 == 1 && r.Scored > 0.1:
				t.Errorf("second %d, which was %s: %.2f scored", i, what[i/2], r.Scored)
			}
		}
	})
}
