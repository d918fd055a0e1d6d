package call_test

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// since is what a leg was sent after its first n packets.
func since(t *testing.T, l *mediatest.Leg, n int) []float32 {
	t.Helper()
	dec, err := codec.NewDecoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	frame := make([]float32, 960)
	for _, p := range l.Heard()[n:] {
		k, err := dec.Decode(p.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame[:k]...)
	}
	return out
}

func level(pcm []float32) float64 {
	var power float64
	for _, x := range pcm {
		power += float64(x) * float64(x)
	}
	return dsp.PowerDBov(power / float64(max(len(pcm), 1)))
}

// hiss is the most there is over 3.2 kHz in any 32 ms: words have it, the music has not.
func hiss(pcm []float32) float64 {
	worst := dsp.SilenceDBov
	for at := 0; at+256 <= len(pcm); at += 128 {
		var sum float64
		for hz := 3250.0; hz < 3800; hz += 60 {
			sum += math.Pow(10, mediatest.ToneDBov(pcm[at:at+256], 8000, hz)/10)
		}
		worst = max(worst, dsp.PowerDBov(sum))
	}
	return worst
}

func TestCallersAreWelcomedAndToldTheirPlace(t *testing.T) {
	welcome := filepath.Join(t.TempDir(), "welcome.wav")
	if err := wavfile.Write(welcome, 22050, mediatest.Tone(22050, 1850, -15, 22050)); err != nil {
		t.Fatal(err)
	}
	s := site()
	s.Queues[0].Announcements = model.QueueAnnouncements{Welcome: welcome, PositionEvery: 30 * time.Second}
	s.Queues[1].Announcements = model.QueueAnnouncements{Welcome: "/no/such.wav", PositionEvery: 30 * time.Second, Voice: "/no/such"}
	inWorld(t, call.Config{}, func(w *world) {
		w.sb.SiteChanged(s)
		c := w.rings(newCaller(number))
		w.pass(900 * time.Millisecond)
		if hz, dbov := mediatest.FindTone(since(t, c.leg, 15), 8000); math.Abs(hz-1850) > 5 || math.Abs(dbov+15) > 1 {
			t.Errorf("the caller is welcomed with %.0f Hz at %.1f dBov", hz, dbov)
		}
		w.pass(28 * time.Second)
		n := len(c.leg.Heard())
		if got := level(since(t, c.leg, n-250)); math.Abs(got+26) > 3 {
			t.Errorf("the music is at %.1f dBov", got)
		}
		w.pass(3 * time.Second)
		if music, words := hiss(since(t, c.leg, n-250)[:250*160]), hiss(since(t, c.leg, n)); music > -60 || words < -50 {
			t.Errorf("over 3.2 kHz there are %.1f dBov of music and %.1f of words", music, words)
		}
		// Somebody with files that are not there still hears music.
		other := w.rings(newCaller("2000"))
		w.pass(35 * time.Second)
		if got := level(since(t, other.leg, len(other.leg.Heard())-250)); math.Abs(got+26) > 3 {
			t.Errorf("the music of a queue without its files is at %.1f dBov", got)
		}
		// Who is put through hears nothing more of it.
		kim := w.desk("kim")
		kim.starts()
		kim.accepts()
		n = len(c.leg.Heard())
		w.pass(time.Minute)
		if len(c.leg.Heard()) != n {
			t.Error("the caller hears announcements while speaking with the agent")
		}
		c.leaves()
		other.leaves()
	}, func(w *world, d *call.Deps) {
		hall := call.NewHall(w.clock, d.Log)
		hall.SiteChanged(s)
		d.Lobby = hall
	})
}
