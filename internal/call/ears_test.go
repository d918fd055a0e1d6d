package call_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// whistles has a party send a loud tone of 2 kHz in PCMU, and gives what the other one heard.
func whistles(t *testing.T, from, to *mediatest.Leg, d time.Duration) (said []byte, heard []media.Packet) {
	t.Helper()
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	before := len(to.Heard())
	tone := dsptest.Tone(8000, 8000, 2000, -9) // whole periods
	for i := range int(d / (20 * time.Millisecond)) {
		payload := make([]byte, 160)
		if _, err := enc.Encode(tone[i%50*160:][:160], payload); err != nil {
			t.Fatal(err)
		}
		said = append(said, payload...)
		from.Say(&media.Packet{Source: 7, Seq: uint64(i), Timestamp: uint64(i * 160), Codec: media.PCMU, Payload: payload})
		time.Sleep(20 * time.Millisecond)
	}
	return said, to.Heard()[before:]
}

func levelOf(heard []media.Packet) float64 {
	var pcm []float32
	for _, p := range heard {
		for _, b := range p.Payload {
			pcm = append(pcm, float32(codec.MuLawDecode(b))/32768)
		}
	}
	_, level := mediatest.FindTone(pcm, 8000)
	return level
}

// TestAnAgentsEarsAreProtected has a caller's line whistle. The agent hears it turned down, the
// caller hears the agent as it is, and the story tells.
func TestAnAgentsEarsAreProtected(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		began := time.Now()
		_, heard := whistles(t, c.leg, kim.peer(0).Leg, 2*time.Second)
		if got := levelOf(heard[50:]); got > shock.ToneDBov+1 {
			t.Errorf("the agent hears a tone at %.1f dBov", got)
		}
		said, back := whistles(t, kim.peer(0).Leg, c.leg, time.Second)
		var all []byte
		for _, p := range back {
			all = append(all, p.Payload...)
		}
		if len(all) < 160 || !bytes.Equal(all[160:], said[160:]) { // the first packet fades in
			t.Error("the caller does not hear the agent as it is")
		}
		c.leaves()
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "shock", "ended")
		for _, e := range w.rec.events {
			if e.Kind == "shock" && (e.Detail["kind"] != "tone" || e.Agent != "kim" || e.At.Sub(began) > 200*time.Millisecond) {
				t.Errorf("the story has %+v, %v after it began", e, e.At.Sub(began))
			}
		}
		if s := w.sb.Stats().Ears; s.Began[shock.Tone] != 1 || s.Repacked == 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestASiteCanLetEverythingPass(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		passes := site()
		passes.Ears = model.EarRules{Shocks: model.EarsPass, Levels: model.EarsPass}
		w.sb.SiteChanged(passes)
		synctest.Wait()
		said, heard := whistles(t, c.leg, kim.peer(0).Leg, time.Second)
		if len(heard) == 0 || !slices.EqualFunc(heard[1:], slices.Collect(slices.Chunk(said[160:], 160)), func(p media.Packet, b []byte) bool { return bytes.Equal(p.Payload, b) }) {
			t.Error("what the agent hears was changed")
		}
		c.leaves()
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "ended")
	})
}
