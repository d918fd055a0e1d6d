package prompt_test

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// render is seconds of a source in pieces of 20 ms.
func render(src prompt.Source, rate int, seconds float64) []float32 {
	pcm := make([]float32, int(seconds*float64(rate)))
	for at := 0; at+rate/50 <= len(pcm); at += rate / 50 {
		src.Render(pcm[at:at+rate/50], int64(at), rate)
	}
	return pcm
}

// splatter is the most that is in any 32 ms beside the tones, in dBov: a click is in all frequencies.
func splatter(pcm []float32, rate int, tones ...float64) float64 {
	width, worst := rate*32/1000, dsp.SilenceDBov
	for at := 0; at+width <= len(pcm); at += width / 2 {
		var sum float64
		for hz := 150.0; hz < 3800; hz += 100 {
			near := false
			for _, tone := range tones {
				near = near || math.Abs(hz-tone) < 200
			}
			if !near {
				sum += math.Pow(10, mediatest.ToneDBov(pcm[at:at+width], rate, hz)/10)
			}
		}
		worst = max(worst, dsp.PowerDBov(sum))
	}
	return worst
}

func clip(t *testing.T, hz, dbov float64, rate int, seconds float64) *prompt.Clip {
	t.Helper()
	c, err := prompt.NewClip(mediatest.Tone(rate, hz, dbov, int(seconds*float64(rate))), rate)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnAnnouncementIsHeardOverTheMusicOrInsteadOfIt(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for manner, under := range map[prompt.Manner]float64{prompt.Duck: -40, prompt.Pause: -90} {
			p := prompt.NewProgram(prompt.Tone(500, -20))
			before := render(p, rate, 1)
			told := 0
			if !p.Announce(manner, func() { told++ }, clip(t, 1300, -18, 44100, 0.5), clip(t, 1900, -18, 8000, 0.5)) {
				t.Fatal("not taken")
			}
			during := render(p, rate, 1.5)
			if told != 1 {
				t.Errorf("told %d times that it is over", told)
			}
			after := render(p, rate, 1)
			at := func(pcm []float32, from, to float64) []float32 {
				return pcm[int(from*float64(rate)):int(to*float64(rate))]
			}
			for _, c := range []struct {
				what     string
				pcm      []float32
				hz, want float64
			}{
				{"music before", before, 500, -20},
				{"first clip", at(during, 0.25, 0.55), 1300, -18},
				{"second clip", at(during, 0.75, 1.05), 1900, -18},
				{"music after", after, 500, -20},
			} {
				if got := mediatest.ToneDBov(c.pcm, rate, c.hz); math.Abs(got-c.want) > 0.5 {
					t.Errorf("%d Hz, manner %d: %s at %.1f dBov, want %.1f", rate, manner, c.what, got, c.want)
				}
			}
			if got := mediatest.ToneDBov(at(during, 0.25, 0.55), rate, 500); math.Abs(got-under) > 1 && got > under {
				t.Errorf("%d Hz, manner %d: the music is at %.1f dBov under the words, want %.0f", rate, manner, got, under)
			}
			all := append(append(before, during...), after...)
			if got := splatter(all, rate, 500, 1300, 1900); got > -45 {
				t.Errorf("%d Hz, manner %d: a click of %.1f dBov", rate, manner, got)
			}
		}
	}
}

// ramping is a source that tells where it was asked for.
type ramping struct{ asked []int64 }

func (r *ramping) Render(pcm []float32, at int64, _ int) {
	r.asked = append(r.asked, at, at+int64(len(pcm)))
	clear(pcm)
}

func TestPausedMusicGoesOnWhereItWas(t *testing.T) {
	var music ramping
	p := prompt.NewProgram(&music)
	render(p, 8000, 1)
	p.Announce(prompt.Pause, nil, clip(t, 1000, -20, 8000, 2))
	render(p, 8000, 4)
	last := music.asked[len(music.asked)-1]
	if want := int64((1 + 4 - 2) * 8000); last < want-16 || last > want+16 {
		t.Errorf("after 5 s of which 2 were spoken the music is at %d, want %d", last, want)
	}
}

func TestAnnouncementsComeInOrderAndAreBounded(t *testing.T) {
	p := prompt.NewProgram(nil)
	if p.Announce(prompt.Duck, nil) {
		t.Error("an announcement of nothing was taken")
	}
	var order []int
	taken := 0
	for i := range 40 {
		if p.Announce(prompt.Duck, func() { order = append(order, i) }, clip(t, 1000, -20, 8000, 0.1)) {
			taken++
		}
	}
	render(p, 16000, 3)
	if taken != 16 || len(order) != 16 || order[0] != 0 || order[15] != 15 {
		t.Errorf("%d taken, heard in the order %v", taken, order)
	}
}

func TestAProgramAllocatesNothingWhileItPlays(t *testing.T) {
	p := prompt.NewProgram(prompt.HoldMusic())
	p.Announce(prompt.Duck, nil, clip(t, 1000, -20, 8000, 60))
	pcm := make([]float32, 160)
	if got := testing.AllocsPerRun(500, func() { p.Render(pcm, 0, 8000) }); got > 0 {
		t.Errorf("%.2f allocations", got)
	}
}

func TestAFileOfAnyRateIsPlayedAtItsPitchAndLevel(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000} {
		c := clip(t, 1000, -20, rate, 1)
		if d := c.Duration(); d < 999*ms || d > 1001*ms {
			t.Errorf("%d Hz: %v long", rate, d)
		}
		for _, out := range []int{8000, 16000} {
			p := prompt.NewProgram(nil)
			p.Announce(prompt.Pause, nil, c)
			pcm := render(p, out, 1.1)
			hz, level := mediatest.FindTone(pcm[out*3/10:out], out)
			if math.Abs(hz-1000) > 0.5 || math.Abs(level+20) > 0.2 {
				t.Errorf("%d Hz at %d: %.2f Hz at %.2f dBov", rate, out, hz, level)
			}
		}
	}
	// What would be an alias is not heard.
	p := prompt.NewProgram(nil)
	p.Announce(prompt.Pause, nil, clip(t, 5000, -20, 16000, 1))
	pcm := render(p, 8000, 1.1)
	if _, level := mediatest.FindTone(pcm[2400:8000], 8000); level > -75 {
		t.Errorf("5 kHz is heard at %.1f dBov over 8 kHz", level)
	}
}

func TestAFileThatCannotBePlayedIsRefusedInWords(t *testing.T) {
	for name, data := range map[string][]byte{"empty": {}, "text": []byte("hello, this is no sound at all")} {
		if _, err := prompt.ReadClip(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "WAV") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := prompt.NewClip(make([]float32, 8000*601), 8000); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("too long: %v", err)
	}
	if _, err := prompt.LoadClip(filepath.Join(t.TempDir(), "none.wav")); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func TestAPlaceInTheQueueIsSpoken(t *testing.T) {
	v, err := prompt.English()
	if err != nil {
		t.Fatal(err)
	}
	length := func(n int) (d time.Duration) {
		for _, c := range v.Position(n) {
			d += c.Duration()
		}
		return d
	}
	for n := 1; n <= 120; n++ {
		want := 3
		switch {
		case n == 1 || n > 99:
			want = 1
		case n > 20 && n%10 != 0:
			want = 4
		}
		if got := v.Position(n); len(got) != want {
			t.Errorf("%d is %d clips, want %d", n, len(got), want)
		}
		if d := length(n); d < 500*ms || d > 5*time.Second {
			t.Errorf("%d takes %v to say", n, d)
		}
	}
	p := prompt.NewProgram(nil)
	p.Announce(prompt.Duck, nil, v.Position(42)...)
	pcm := render(p, 8000, 4)
	var power, peak float64
	for _, x := range pcm {
		power += float64(x) * float64(x)
		peak = max(peak, math.Abs(float64(x)))
	}
	if level := dsp.PowerDBov(power / float64(length(42).Seconds()*8000)); level < -30 || level > -16 || peak > 0.9 {
		t.Errorf("spoken at %.1f dBov, peak %.2f", level, peak)
	}
}

func TestASiteBringsItsOwnVoice(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		if err := wavfile.Write(filepath.Join(dir, name+".wav"), 8000, mediatest.Tone(8000, 500, -20, 800)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := prompt.LoadVoice(dir); err == nil || !strings.Contains(err.Error(), "position.wav") || !strings.Contains(err.Error(), "19.wav") {
		t.Errorf("an empty folder: %v", err)
	}
	for _, name := range strings.Fields("position queue next many 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 30 40 50 60 70 80 90 42") {
		write(name)
	}
	v, err := prompt.LoadVoice(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(v.Position(42)), len(v.Position(43)); a != 3 || b != 4 {
		t.Errorf("42, which is there as a whole, is %d clips, 43 is %d", a, b)
	}
}

func TestMusicComesAndGoesWithoutAClick(t *testing.T) {
	pace(t, func(p *prompt.Pacer) {
		leg := &timed{Leg: mediatest.NewLeg(20*ms, media.PCMU)}
		for range 5 {
			stop := p.Play(leg, prompt.Tone(733, -15))
			time.Sleep(313 * ms)
			stop()
		}
		pcm := pcmOf(t, leg.Heard(), 8000)
		pcm = append(append(make([]float32, 400), pcm...), make([]float32, 400)...)
		if got := splatter(pcm, 8000, 733); got > -40 {
			t.Errorf("a click of %.1f dBov", got)
		}
	})
}
