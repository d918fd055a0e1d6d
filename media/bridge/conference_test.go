package bridge_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// hand is a clock that a test moves.
type hand struct{ ticks map[int]func() }

func (h *hand) Every(tick func()) func() {
	if h.ticks == nil {
		h.ticks = map[int]func(){}
	}
	n := len(h.ticks)
	h.ticks[n] = tick
	return func() { delete(h.ticks, n) }
}

// person is a leg with somebody who says a sound for ever.
type person struct {
	*mediatest.Leg
	enc   codec.Encoder
	codec media.Codec
	sound func(i int, rate int) float64
	at    int
	pkt   media.Packet
	buf   [1500]byte
}

// newPerson speaks in the codec given, in packets of 20 ms; the leg takes all of codecs.
func newPerson(t testing.TB, sound func(i, rate int) float64, speaks media.Codec, codecs ...media.Codec) *person {
	t.Helper()
	enc, err := codec.NewEncoder(speaks, codec.EncodeRate(speaks))
	if err != nil {
		t.Fatal(err)
	}
	return &person{Leg: mediatest.NewLeg(20*ms, codecs...), enc: enc, codec: speaks, sound: sound, pkt: media.Packet{Source: media.NewSource(), Codec: speaks}}
}

// say sends the next 20 ms.
func (p *person) say(t testing.TB) {
	t.Helper()
	rate := p.enc.Rate()
	pcm := make([]float32, rate/50)
	for i := range pcm {
		if p.sound != nil {
			pcm[i] = float32(p.sound(p.at, rate))
		}
		p.at++
	}
	n, err := p.enc.Encode(pcm, p.buf[:])
	if err != nil {
		t.Fatal(err)
	}
	p.pkt.Payload = p.buf[:n]
	p.Say(&p.pkt)
	p.pkt.Seq++
	p.pkt.Timestamp += uint64(p.codec.ClockRate() / 50)
}

// sine is a tone of a power in dBov.
func sine(hz, dbov float64) func(i, rate int) float64 {
	a := math.Sqrt2 * math.Pow(10, dbov/20)
	return func(i, rate int) float64 { return a * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)) }
}

// talk lets everybody speak for so long, and the clock go.
func talk(t testing.TB, h *hand, d time.Duration, all ...*person) {
	t.Helper()
	for range int(d / (20 * ms)) {
		for _, p := range all {
			p.say(t)
		}
		time.Sleep(20 * ms)
		for _, tick := range h.ticks {
			tick()
		}
	}
}

// heard decodes what somebody was sent since packet from, one after another, whatever the
// codecs; at 8 kHz.
func heard(t testing.TB, p *person, from int) []float32 {
	t.Helper()
	var out []float32
	decoders := map[media.Codec]codec.Decoder{}
	down, err := resample.New(16000, 8000)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, codec.MaxFrame*48)
	for _, q := range p.Heard()[from:] {
		d := decoders[q.Codec]
		if d == nil {
			var err error
			if d, err = codec.NewDecoder(q.Codec, max(8000, codec.EncodeRate(q.Codec))); err != nil {
				t.Fatal(err)
			}
			decoders[q.Codec] = d
		}
		n, err := d.Decode(q.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		if d.Rate() == 8000 {
			out = append(out, frame[:n]...)
			continue
		}
		out = down.Process(out, frame[:n])
	}
	return out
}

// splatter is the most that is in any 32 ms of pcm, at 8 kHz, beside the tones, in dBov: a click is heard
// in all frequencies.
func splatter(pcm []float32, tones ...float64) float64 {
	const width = 256
	worst := dsp.SilenceDBov
	for at := 0; at+width <= len(pcm); at += width / 2 {
		var sum float64
		for hz := 150.0; hz < 3800; hz += 100 {
			near := false
			for _, tone := range tones {
				near = near || math.Abs(hz-tone) < 200
			}
			if !near {
				sum += math.Pow(10, mediatest.ToneDBov(pcm[at:at+width], 8000, hz)/10)
			}
		}
		worst = max(worst, dsp.PowerDBov(sum))
	}
	return worst
}

func add(t testing.TB, br *bridge.Bridge, h *hand, p *person, role bridge.Role) *bridge.Guest {
	t.Helper()
	g, err := br.Add(h, p.Leg, role)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestEachOfEightHearsTheSevenOthersAndNotItself(t *testing.T) {
	for _, speaks := range []media.Codec{media.PCMU, media.G722, media.Opus} {
		synctest.Test(t, func(t *testing.T) {
			var all []*person
			for i := range 8 {
				all = append(all, newPerson(t, sine(tone(i), -27), speaks, speaks))
			}
			var h hand
			br := join(t, all[0].Leg, all[1].Leg, bridge.Options{})
			for _, p := range all[2:] {
				add(t, br, &h, p, bridge.RoleBarge)
			}
			if _, err := br.Add(&h, mediatest.NewLeg(20*ms, media.PCMU), bridge.RoleBarge); !errors.Is(err, bridge.ErrFull) {
				t.Errorf("a ninth: %v", err)
			}
			talk(t, &h, 2*time.Second, all...)
			for i, p := range all {
				pcm := heard(t, p, len(p.Heard())-50)
				for k := range all {
					got := mediatest.ToneDBov(pcm, 8000, tone(k))
					itself := -67.0
					if speaks == media.Opus {
						itself = -57 // the codec's own noise
					}
					if k == i && got > itself {
						t.Errorf("%v: %d hears itself at %.1f dBov", speaks, i, got)
					}
					tolerance := 0.5
					if speaks == media.Opus { // twice coded, seven tones at once in a codec for speech
						tolerance = 4.5
					}
					if k != i && math.Abs(got+27) > tolerance {
						t.Errorf("%v: %d hears %d at %.2f dBov, want -27", speaks, i, k, got)
					}
				}
			}
		})
	}
}

// tone is the frequency of the i-th of eight talkers; no product of two is a third's.
func tone(i int) float64 { return []float64{310, 470, 730, 1010, 1370, 1790, 2290, 2830}[i] }

func TestEightWhoShoutAreNotClipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*person
		for i := range 8 {
			all = append(all, newPerson(t, sine(tone(i), -6), media.PCMU, media.PCMU))
		}
		var h hand
		br := join(t, all[0].Leg, all[1].Leg, bridge.Options{})
		for _, p := range all[2:] {
			add(t, br, &h, p, bridge.RoleBarge)
		}
		talk(t, &h, 3*time.Second, all...)
		pcm := heard(t, all[0], len(all[0].Heard())-100)
		peak, power, tones := 0.0, 0.0, 0.0
		for _, x := range pcm {
			peak = max(peak, math.Abs(float64(x)))
			power += float64(x) * float64(x)
		}
		power /= float64(len(pcm))
		for k := 1; k < 8; k++ {
			tones += math.Pow(10, mediatest.ToneDBov(pcm, 8000, tone(k))/10)
		}
		if rest := dsp.PowerDBov(max(power-tones, 1e-12)) - dsp.PowerDBov(tones); peak > 0.99 || rest > -20 {
			t.Errorf("peak %.3f, %.1f dB of distortion below the tones", peak, rest)
		}
	})
}

func TestWhoHearsASupervisorInWhichRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := newPerson(t, sine(400, -20), media.PCMU, media.PCMU)
		agent := newPerson(t, sine(900, -20), media.Opus, media.PCMU, media.Opus)
		boss := newPerson(t, sine(1700, -20), media.Opus, media.PCMU, media.Opus)
		var near ear
		var h hand
		br := join(t, caller.Leg, agent.Leg, bridge.Options{FromB: []media.Tap{&near}})
		talk(t, &h, time.Second, caller, agent, boss)
		g := add(t, br, &h, boss, bridge.RoleListen)
		for _, step := range []struct {
			role          bridge.Role
			caller, agent bool // hear the supervisor
		}{
			{bridge.RoleListen, false, false}, {bridge.RoleWhisper, false, true}, {bridge.RoleBarge, true, true},
			{bridge.RoleWhisper, false, true}, {bridge.RoleListen, false, false},
		} {
			g.SetRole(step.role)
			talk(t, &h, 600*ms, caller, agent, boss)
			for who, want := range map[*person]map[float64]bool{
				caller: {400: false, 900: true, 1700: step.caller},
				agent:  {400: true, 900: false, 1700: step.agent},
				boss:   {400: true, 900: true, 1700: false},
			} {
				pcm := heard(t, who, max(len(who.Heard())-20, 0))
				for hz, there := range want {
					got := mediatest.ToneDBov(pcm, 8000, hz)
					if there && math.Abs(got+20) > 1.5 || !there && got > -60 {
						t.Errorf("%v: %s: %v Hz at %.1f dBov", step.role, map[*person]string{caller: "caller", agent: "agent", boss: "supervisor"}[who], hz, got)
					}
				}
			}
		}
		for name, who := range map[string]*person{"caller": caller, "agent": agent} {
			if got := splatter(heard(t, who, 40), 400, 900, 1700); got > -45 {
				t.Errorf("the %s heard a click of %.1f dBov", name, got)
			}
		}
		if got := mediatest.ToneDBov(near.pcm[len(near.pcm)-16000:], 16000, 1700); got > -60 {
			t.Errorf("the agent's meter heard the supervisor at %.1f dBov", got)
		}
		if got, want := near.marks[0], len(near.pcm)-320; near.rate != 16000 || got < want || len(near.pcm) < 63*1000 {
			t.Errorf("the agent's meter heard %d samples at %d Hz, marked %v", len(near.pcm), near.rate, near.marks)
		}
	})
}

func TestGoingOverToTheMixAndBackNeitherClicksNorLosesASyllable(t *testing.T) {
	for _, c := range []struct {
		from  media.Codec
		takes []media.Codec
	}{
		{media.PCMU, []media.Codec{media.PCMU}},             // passed on as it is
		{media.Opus, []media.Codec{media.PCMA}},             // transcoded
		{media.G722, []media.Codec{media.PCMU, media.Opus}}, // transcoded
	} {
		t.Run(fmt.Sprint(c.from, " to ", c.takes[0]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caller, agent := newPerson(t, sine(620, -20), c.from, c.from), newPerson(t, nil, c.takes[0], c.takes...)
				boss := newPerson(t, nil, media.PCMU, media.PCMU)
				var h hand
				br := join(t, caller.Leg, agent.Leg, bridge.Options{})
				talk(t, &h, 500*ms, caller, agent)
				for range 3 {
					g := add(t, br, &h, boss, bridge.RoleListen)
					talk(t, &h, 700*ms, caller, agent, boss)
					g.Leave()
					if before := len(boss.Heard()); before == 0 {
						t.Error("the supervisor heard nothing")
					}
					sent := len(boss.Heard())
					talk(t, &h, 500*ms, caller, agent, boss)
					if len(boss.Heard()) != sent {
						t.Error("the supervisor hears the call after leaving")
					}
					if br.Mixed() || len(h.ticks) != 0 {
						t.Error("the two who are left are still mixed")
					}
				}
				pcm := heard(t, agent, 0)
				if got := splatter(pcm[800:], 620); got > -45 {
					t.Errorf("a click of %.1f dBov", got)
				}
				if missing := 500*8 + 3*1200*8 - len(pcm); missing > 400 || missing < -400 {
					t.Errorf("%d samples are missing", missing)
				}
			})
		})
	}
}

// jump is how far, in milliseconds, the time of a sweep of 500 Hz a second steps at most
// within what was heard.
func jump(t testing.TB, pcm []float32) float64 {
	t.Helper()
	worst, last := 0.0, 0.0
	const width = 512
	for at := 0; at+width <= len(pcm); at += 160 {
		hz, level := mediatest.FindTone(pcm[at:at+width], 8000)
		if level < -30 {
			continue
		}
		if last > 0 {
			worst = max(worst, math.Abs((hz-last)/500*1000-20))
		}
		last = hz
	}
	return worst
}

func TestTheTimeOfWhatIsHeardStepsByLessThanAPhoneme(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sweep := func(i, rate int) float64 {
			x := float64(i) / float64(rate)
			return 0.14 * math.Sin(2*math.Pi*(500*x+250*x*x))
		}
		caller, agent := newPerson(t, sweep, media.PCMU, media.PCMU), newPerson(t, nil, media.PCMU, media.PCMU)
		boss := newPerson(t, nil, media.PCMU, media.PCMU)
		var h hand
		br := join(t, caller.Leg, agent.Leg, bridge.Options{})
		talk(t, &h, time.Second, caller, agent)
		g := add(t, br, &h, boss, bridge.RoleBarge)
		talk(t, &h, time.Second, caller, agent, boss)
		g.Leave()
		talk(t, &h, time.Second, caller, agent, boss)
		if got := jump(t, heard(t, agent, 0)); got > 60 {
			t.Errorf("a step of %.0f ms", got)
		}
	})
}

func TestASupervisorTakesOverWithoutAGapForTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := newPerson(t, sine(400, -20), media.PCMU, media.PCMU)
		agent := newPerson(t, sine(900, -20), media.PCMU, media.PCMU)
		boss := newPerson(t, sine(1700, -20), media.Opus, media.PCMU, media.Opus)
		var h hand
		var before, after ear
		br := join(t, caller.Leg, agent.Leg, bridge.Options{FromB: []media.Tap{&before}})
		talk(t, &h, 500*ms, caller, agent)
		g := add(t, br, &h, boss, bridge.RoleWhisper)
		talk(t, &h, 500*ms, caller, agent, boss)
		next, err := g.TakeOver(bridge.Options{FromB: []media.Tap{&after}})
		if err != nil {
			t.Fatal(err)
		}
		br.Close() // as whoever owned it will
		sent, told := len(agent.Heard()), len(before.pcm)
		talk(t, &h, time.Second, caller, agent, boss)
		if len(agent.Heard()) != sent || len(before.pcm) != told {
			t.Error("the agent is still in the call")
		}
		if next.Mixed() {
			t.Error("the two are still mixed")
		}
		pcm := heard(t, caller, len(caller.Heard())-25)
		if a, b := mediatest.ToneDBov(pcm, 8000, 900), mediatest.ToneDBov(pcm, 8000, 1700); a > -60 || math.Abs(b+20) > 1 {
			t.Errorf("the caller hears the agent at %.1f and the supervisor at %.1f dBov", a, b)
		}
		if got := mediatest.ToneDBov(heard(t, boss, len(boss.Heard())-25), 8000, 400); math.Abs(got+20) > 1 {
			t.Errorf("the supervisor hears the caller at %.1f dBov", got)
		}
		if got := splatter(heard(t, caller, 5), 900, 1700); got > -45 {
			t.Errorf("the caller heard a click of %.1f dBov", got)
		}
		if len(after.pcm) < 15000 || after.marks[0] < len(after.pcm)-640 {
			t.Errorf("the supervisor's meter heard %d samples, %v", len(after.pcm), after.marks)
		}
		next.Close()
		sent = len(caller.Heard())
		talk(t, &h, 100*ms, caller, agent, boss)
		if len(caller.Heard()) != sent {
			t.Error("the caller is sent something after the end")
		}
	})
}

func TestOnHoldInAConferenceTheCallerIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := newPerson(t, sine(400, -20), media.PCMU, media.PCMU)
		agent := newPerson(t, sine(900, -20), media.PCMU, media.PCMU)
		boss := newPerson(t, sine(1700, -20), media.PCMU, media.PCMU)
		var h hand
		var near ear
		br := join(t, caller.Leg, agent.Leg, bridge.Options{FromB: []media.Tap{&near}})
		add(t, br, &h, boss, bridge.RoleBarge)
		talk(t, &h, 500*ms, caller, agent, boss)
		br.Hold(true)
		sent, tapped := len(caller.Heard()), near.marks[dsp.Held]
		talk(t, &h, 500*ms, caller, agent, boss)
		if n := len(caller.Heard()); n != sent {
			t.Errorf("a caller on hold was sent %d packets", n-sent)
		}
		if held := near.marks[dsp.Held] - tapped; held != 8000/2 {
			t.Errorf("the meter heard %d samples on hold", held)
		}
		pcm := heard(t, agent, len(agent.Heard())-15)
		if a, b := mediatest.ToneDBov(pcm, 8000, 400), mediatest.ToneDBov(pcm, 8000, 1700); a > -60 || math.Abs(b+20) > 0.5 {
			t.Errorf("the agent hears the caller at %.1f and the supervisor at %.1f dBov", a, b)
		}
		br.Hold(false)
		talk(t, &h, 500*ms, caller, agent, boss)
		pcm = heard(t, caller, 0)
		if got := splatter(pcm[800:], 900, 1700); got > -45 {
			t.Errorf("the caller heard a click of %.1f dBov", got)
		}
		if got := mediatest.ToneDBov(pcm[len(pcm)-3200:], 8000, 900); math.Abs(got+20) > 0.5 {
			t.Errorf("after it the caller hears the agent at %.1f dBov", got)
		}
	})
}

func TestHoldAndResumeDoNotClick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller, agent := newPerson(t, nil, media.PCMU, media.PCMU), newPerson(t, sine(733, -15), media.PCMU, media.PCMU)
		br := join(t, caller.Leg, agent.Leg, bridge.Options{FadeIn: true})
		var h hand
		for i := range 6 {
			talk(t, &h, 300*ms, caller, agent)
			br.Hold(i%2 == 0)
		}
		pcm := append(make([]float32, 400), heard(t, caller, 0)...)
		if got := splatter(append(pcm, make([]float32, 400)...)[:len(pcm)-400], 733); got > -40 {
			t.Errorf("a click of %.1f dBov", got)
		}
	})
}

func TestALineOnWhichNobodySpeaksIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller, agent, boss := newPerson(t, nil, media.PCMU, media.PCMU), newPerson(t, nil, media.PCMU, media.PCMU), newPerson(t, nil, media.PCMU, media.PCMU)
		var h hand
		br := join(t, caller.Leg, agent.Leg, bridge.Options{})
		add(t, br, &h, boss, bridge.RoleBarge)
		talk(t, &h, time.Second) // nobody sends anything
		pcm := heard(t, boss, len(boss.Heard())-20)
		var power float64
		for _, x := range pcm {
			power += float64(x) * float64(x)
		}
		if got := dsp.PowerDBov(power / float64(len(pcm))); got < -72 || got > -60 {
			t.Errorf("the comfort noise is at %.1f dBov", got)
		}
	})
}

func TestAWidebandGuestRaisesTheRateWithoutAClick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := newPerson(t, sine(400, -20), media.PCMU, media.PCMU)
		agent := newPerson(t, sine(5000, -20), media.Opus, media.PCMU, media.Opus)
		boss := newPerson(t, nil, media.PCMU, media.PCMU)
		second := newPerson(t, nil, media.Opus, media.PCMU, media.Opus)
		var h hand
		br := join(t, caller.Leg, agent.Leg, bridge.Options{})
		talk(t, &h, 200*ms, caller, agent)
		add(t, br, &h, boss, bridge.RoleListen)
		talk(t, &h, 500*ms, caller, agent, boss)
		add(t, br, &h, second, bridge.RoleListen)
		talk(t, &h, time.Second, caller, agent, boss, second)
		if got := splatter(heard(t, agent, 5), 400); got > -45 {
			t.Errorf("the agent heard a click of %.1f dBov", got)
		}
		var wide []float32
		dec, _ := codec.NewDecoder(media.Opus, 16000)
		frame := make([]float32, 1920)
		for _, p := range second.Heard()[20:] {
			if p.Codec != media.Opus {
				t.Fatalf("the second supervisor is sent %v", p.Codec)
			}
			n, _ := dec.Decode(p.Payload, frame)
			wide = append(wide, frame[:n]...)
		}
		if got := mediatest.ToneDBov(wide, 16000, 5000); math.Abs(got+20) > 4 { // as Opus codes a lone tone there
			t.Errorf("the second supervisor hears the agent's 5 kHz at %.1f dBov", got)
		}
	})
}
