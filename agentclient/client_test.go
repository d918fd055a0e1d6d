package agentclient

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a client at work in a test.
type desk struct {
	t      testing.TB
	client *Client
	mic    mic
	ear    *ear
	events chan Event
	stop   context.CancelFunc
	ended  chan error
}

func quickConfig(s *service) Config {
	return Config{
		Server: s.http.URL, User: "ada", Password: "secret", Program: "test",
		Headset: protocol.Headset{Model: "H", Serial: "1"}, Ready: true, AutoAnswer: true,
		Backoff: Backoff{Min: 20 * time.Millisecond, Max: 100 * time.Millisecond},
		Timeout: 5 * time.Second, SignOut: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
}

func start(t testing.TB, cfg Config) *desk {
	d := &desk{
		t: t, mic: mic{tone: &tone{hz: 1000, levelDBov: -20, rate: 48000}, fail: make(chan error, 1)}, ear: &ear{rate: 48000},
		events: make(chan Event, 4096), ended: make(chan error, 1),
	}
	cfg.Mic, cfg.Ear = d.mic, d.ear
	cfg.OnEvent = func(e Event) { d.events <- e }
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.client = client
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go func() { d.ended <- client.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := d.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

// end waits for Run; a second call gives the same.
func (d *desk) end() error {
	d.t.Helper()
	select {
	case err := <-d.ended:
		d.ended <- err
		return err
	case <-time.After(15 * time.Second):
		d.t.Fatal("Run did not end")
		return nil
	}
}

// saw waits for an event of this type.
func saw[E Event](d *desk) E {
	d.t.Helper()
	late := time.After(15 * time.Second)
	for {
		select {
		case e := <-d.events:
			if e, ok := e.(E); ok {
				return e
			}
		case <-late:
			var want E
			d.t.Fatalf("no %T", want)
		}
	}
}

// inCall brings a desk into a call with a tone each way.
func inCall(t *testing.T, s *service, d *desk) (up *decoded, hangUp func()) {
	t.Helper()
	waitFor[protocol.SetState](s)
	up = newDecoded(t)
	s.agentPeer().SetSink(up)
	stop := play(s.agentPeer(), &tone{hz: 440, levelDBov: -15, rate: 8000})
	t.Cleanup(stop)
	s.say(protocol.Offer{Call: protocol.Call{ID: "c-1", Queue: "support"}, Expires: time.Now().Add(time.Minute)})
	saw[CallStarted](d)
	return up, func() {
		s.with(func() { s.call = nil })
		s.say(protocol.Ended{CallID: "c-1", Cause: "caller_hung_up"})
	}
}

func wantBoth(t *testing.T, when string, up *decoded, e *ear) {
	t.Helper()
	up.forget()
	e.forget()
	wantTone(t, when+", caller hears the agent", up.heard, 16000, tone{hz: 1000, levelDBov: -20})
	wantTone(t, when+", agent hears the caller", e.heard, 48000, tone{hz: 440, levelDBov: -15})
}

func TestAgentAndCallerHearEachOtherAndTheReportArrives(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, hangUp := inCall(t, s, d)
	wantBoth(t, "in the call", up, d.ear)

	reading, _ := waitFor[protocol.MicReading](s)
	for reading.CallID != "c-1" {
		reading, _ = waitFor[protocol.MicReading](s)
	}
	hangUp()
	report, id := waitFor[protocol.MicReport](s)
	if report.CallID != "c-1" || report.Report.SampleRate != 48000 || report.Report.Duration <= 0 || id == "" {
		t.Errorf("report %+v with id %q", report, id)
	}

	// Between calls nothing leaves the desk.
	saw[CallEnded](d)
	before := s.agentPeer().Stats().PacketsIn
	saw[Measured](d)
	if after := s.agentPeer().Stats().PacketsIn; after > before+2 {
		t.Errorf("%d packets of the microphone left after the call", after-before)
	}
}

func TestMutedMicrophoneIsSilentAtOnceAndUnmutesAgain(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, _ := inCall(t, s, d)
	wantBoth(t, "before", up, d.ear)
	d.client.Mute(true)
	if m, _ := waitFor[protocol.Mute](s); !m.On {
		t.Error("told the service of unmuting")
	}
	late := time.After(10 * time.Second)
	for {
		up.forget()
		saw[Measured](d)
		if pcm := up.heard(); len(pcm) > 4800 {
			if level, rest := mediatest.ToneAndRest(pcm[len(pcm)-4800:], 16000, 1000); level < -60 && rest < -60 {
				break
			}
		}
		select {
		case <-late:
			t.Fatal("the tone is still heard")
		default:
		}
	}
	d.client.Mute(false)
	wantBoth(t, "after", up, d.ear)
}

func TestCallOutlivesTheWebSocket(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, hangUp := inCall(t, s, d)
	wantBoth(t, "before the outage", up, d.ear)
	peer := s.agentPeer()

	s.cut(true)
	saw[LinkLost](d)
	wantBoth(t, "in the outage", up, d.ear)
	s.with(func() { s.away = false })
	if in := saw[SignedIn](d); !in.Resumed {
		t.Error("a new session was begun")
	}
	wantBoth(t, "after the outage", up, d.ear)
	if s.agentPeer() != peer {
		t.Error("the media connection was made anew")
	}
	hangUp()
	if e := saw[CallEnded](d); e.CallID != "c-1" || e.Cause != "caller_hung_up" {
		t.Errorf("%+v", e)
	}
}

func TestReportIsSentAgainUntilItIsAnswered(t *testing.T) {
	s := newService(t)
	s.with(func() {
		s.silent = func(m protocol.Message) bool { _, report := m.(protocol.MicReport); return report }
	})
	d := start(t, quickConfig(s))
	_, hangUp := inCall(t, s, d)
	saw[Measured](d)
	hangUp()
	first, id := waitFor[protocol.MicReport](s)

	s.cut(false)
	again, id2 := waitFor[protocol.MicReport](s)
	if id2 != id || again.CallID != first.CallID || again.Report.Duration != first.Report.Duration {
		t.Errorf("sent again as %q %+v, was %q %+v", id2, again, id, first)
	}

	// It outlives the session too: what a call measured is evidence.
	s.restart()
	if _, id3 := waitFor[protocol.MicReport](s); id3 != id {
		t.Errorf("to the new session as %q", id3)
	}
	s.with(func() { s.silent = nil })
	s.cut(false)
	waitFor[protocol.MicReport](s)
	saw[SignedIn](d)
	d.client.SetBreak("tea")
	for e := saw[StateChanged](d); e.State.Reason != "tea"; e = saw[StateChanged](d) {
	} // which comes behind the answer to the report
	for m, _ := waitFor[protocol.SetState](s); m.Reason != "tea"; m, _ = waitFor[protocol.SetState](s) {
	}
	s.cut(false)
	saw[SignedIn](d)
	d.client.SetBreak("lunch")
	for {
		select {
		case g := <-s.got:
			switch g.m.(type) {
			case protocol.MicReport:
				t.Fatal("sent once more although it was answered")
			case protocol.SetState:
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no break")
		}
	}
}

func TestServiceRestartBringsTheAgentBackToReady(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, _ := inCall(t, s, d)
	wantBoth(t, "before the restart", up, d.ear)

	s.restart()
	if e := saw[CallEnded](d); e.Cause != "lost" {
		t.Errorf("call ended by %q, want lost", e.Cause)
	}
	if m, _ := waitFor[protocol.SetState](s); m.State != "ready" {
		t.Errorf("asked for %q", m.State)
	}
	saw[MediaUp](d)
	if n := s.signInCount(); n != 1 {
		t.Errorf("%d sign-ins; the cookie was still good", n)
	}

	// This time the service has lost the cookies too.
	s.with(func() { s.cookie = "" })
	s.restart()
	if m, _ := waitFor[protocol.SetState](s); m.State != "ready" {
		t.Errorf("asked for %q", m.State)
	}
	if n := s.signInCount(); n != 2 {
		t.Errorf("%d sign-ins, want 2", n)
	}
}

func (s *service) signInCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signIns
}

func TestLostMediaConnectionIsMadeAnewInTheCall(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, _ := inCall(t, s, d)
	wantBoth(t, "before", up, d.ear)

	old := s.agentPeer()
	waitFor[protocol.MicReading](s) // skip to now
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	saw[MediaLost](d)
	saw[MediaUp](d)
	if s.agentPeer() == old {
		t.Fatal("no new offer")
	}
	s.agentPeer().SetSink(up)
	defer play(s.agentPeer(), &tone{hz: 440, levelDBov: -15, rate: 8000})()
	wantBoth(t, "after", up, d.ear)
}

func TestMediaLostAtTheServiceAloneIsMadeAnewAtOnce(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	up, _ := inCall(t, s, d)
	wantBoth(t, "before", up, d.ear)

	old := s.agentPeer()
	s.say(protocol.Error{Code: protocol.CodeMedia, Message: "The audio connection was lost. It is being set up again."})
	waitFor[protocol.SDPOffer](s)
	saw[MediaUp](d)
	if s.agentPeer() == old {
		t.Fatal("no new connection")
	}
	s.agentPeer().SetSink(up)
	defer play(s.agentPeer(), &tone{hz: 440, levelDBov: -15, rate: 8000})()
	wantBoth(t, "afterwards", up, d.ear)
}

func TestHeadsetTakenOffInACallIsReportedOnBeforeTheNewOneIsNamed(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	_, hangUp := inCall(t, s, d)
	saw[Measured](d)
	before := *d.client.hello.Load()
	next := protocol.Headset{Model: "H2", Serial: "9"}
	d.client.ChangeHeadset(next)
	if r, _ := waitFor[protocol.MicReport](s); r.Headset != before.Headset || r.CallID == "" {
		t.Errorf("reported on %+v in call %q, wanted %+v", r.Headset, r.CallID, before.Headset)
	}
	if m, _ := waitFor[protocol.HeadsetChanged](s); m.Headset != next {
		t.Errorf("changed to %+v", m.Headset)
	}
	saw[Measured](d)
	hangUp()
	if r, _ := waitFor[protocol.MicReport](s); r.Headset != next {
		t.Errorf("then reported on %+v, wanted %+v", r.Headset, next)
	}
}

func TestWrongPasswordEndsAtOnceAndSaysSo(t *testing.T) {
	s := newService(t)
	cfg := quickConfig(s)
	cfg.Password = "guess"
	cfg.Mic, cfg.Ear = audio.NewSilence(16000).Source(), audio.NewSilence(16000).Sink()
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = client.Run(t.Context())
	if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "ada") {
		t.Errorf("Run: %v", err)
	}
	if n := s.signInCount(); n != 1 {
		t.Errorf("%d attempts with a wrong password", n)
	}
}

func TestReplacedClientStopsInsteadOfFightingBack(t *testing.T) {
	s := newService(t)
	cfg := quickConfig(s)
	cfg.Mic, cfg.Ear = audio.NewSilence(16000).Source(), audio.NewSilence(16000).Sink()
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }()
	waitFor[protocol.SetState](s)
	s.say(protocol.Error{Code: protocol.CodeReplaced, Message: "signed in elsewhere"})
	if err := <-ended; !errors.Is(err, ErrReplaced) {
		t.Errorf("Run: %v", err)
	}
}

func TestUnpluggedMicrophoneSignsOutAndSaysWhy(t *testing.T) {
	s := newService(t)
	cfg := quickConfig(s)
	m := mic{tone: &tone{hz: 1000, levelDBov: -20, rate: 16000}, fail: make(chan error, 1)}
	cfg.Mic, cfg.Ear = m, audio.NewSilence(16000).Sink()
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }()
	waitFor[protocol.SetState](s)
	m.fail <- audio.ErrDevice
	waitFor[protocol.SignOut](s)
	if err := <-ended; !errors.Is(err, audio.ErrDevice) || !strings.Contains(err.Error(), "microphone") {
		t.Errorf("Run: %v", err)
	}
}

func TestStoppedClientSignsOutAndSendsTheReportOfTheCall(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	inCall(t, s, d)
	saw[Measured](d)
	d.stop()
	waitFor[protocol.MicReport](s)
	waitFor[protocol.SignOut](s)
	if err := d.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cookie != "" {
		t.Error("the session was left open")
	}
}

func TestMissedCallTakesAPersonOffButNotAProgram(t *testing.T) {
	for name, auto := range map[string]bool{"program": true, "person": false} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			cfg := quickConfig(s)
			cfg.AutoAnswer = auto
			d := start(t, cfg)
			waitFor[protocol.SetState](s)
			s.say(protocol.State{State: "break", Reason: "no answer"})
			if auto {
				if m, _ := waitFor[protocol.SetState](s); m.State != "ready" {
					t.Errorf("asked for %q", m.State)
				}
				return
			}
			for e := saw[StateChanged](d); e.State.Reason != "no answer"; e = saw[StateChanged](d) {
				continue
			}
			d.client.SetReady()
			waitFor[protocol.SetState](s)
		})
	}
}

func TestRefusedOfferOfMediaIsMadeAgain(t *testing.T) {
	s := newService(t)
	refused := 0
	s.with(func() {
		s.refuse = func(m protocol.Message) *refuse {
			if _, ok := m.(protocol.SDPOffer); ok && refused < 2 {
				refused++
				return &refuse{protocol.CodeMedia}
			}
			return nil
		}
	})
	d := start(t, quickConfig(s))
	saw[MediaLost](d)
	saw[MediaUp](d)
	waitFor[protocol.SetState](s)
}

func TestBackoffGrowsAndStaysWithinBounds(t *testing.T) {
	b := Backoff{}.withDefaults()
	for n, want := range []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		for range 100 {
			if d := b.delay(n); d < want/2 || d > want {
				t.Fatalf("attempt %d waits %v, want %v to %v", n, d, want/2, want)
			}
		}
	}
	for _, n := range []int{31, 32, 63, 64, 1 << 20} {
		if d := b.delay(n); d < b.Max/2 || d > b.Max {
			t.Errorf("attempt %d waits %v", n, d)
		}
	}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	silence := audio.NewSilence(16000)
	good := Config{Server: "https://headroom.example", User: "ada", Mic: silence.Source(), Ear: silence.Sink()}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no server":    func(c *Config) { c.Server = "" },
		"no scheme":    func(c *Config) { c.Server = "headroom.example" },
		"other scheme": func(c *Config) { c.Server = "ftp://headroom.example" },
		"no user":      func(c *Config) { c.User = "" },
		"no mic":       func(c *Config) { c.Mic = nil },
		"odd rate":     func(c *Config) { c.Mic = audio.NewSilence(11025).Source() },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
