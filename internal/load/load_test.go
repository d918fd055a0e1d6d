package load_test

import (
	"context"
	"math"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// exchange answers every call, sends back each packet it hears or, for number 440, plays a tone.
type exchange struct {
	t     *testing.T
	pacer *prompt.Pacer
	calls chan *sip.Call
}

type echo struct{ leg media.Leg }

func (e echo) Packet(p *media.Packet) { e.leg.Send(p) }

func (x *exchange) Incoming(c *sip.Call) {
	switch c.To() {
	case "404":
		_ = c.Reject(404, 0)
		return
	case "503":
		_ = c.Reject(503, time.Second)
		return
	}
	leg, err := c.Answer(context.Background())
	if err != nil {
		return
	}
	if c.To() == "440" {
		stop := x.pacer.Play(leg, prompt.Tone(440, -20))
		defer stop()
	} else {
		leg.SetSink(echo{leg})
	}
	select {
	case x.calls <- c:
	default:
	}
	<-c.Done()
}

// start runs an exchange and gives its UDP and TCP addresses.
func start(t *testing.T) (x *exchange, udp, tcp netip.AddrPort) {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	ports, err := rtp.NewPorts(loopback, 10000, 10399, 0)
	if err != nil {
		t.Fatal(err)
	}
	x = &exchange{t: t, pacer: prompt.NewPacer(), calls: make(chan *sip.Call, 100)}
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: ports,
		Trunks: []sip.Trunk{{ID: "load", Sources: []netip.Prefix{netip.PrefixFrom(loopback, 8)}}}}, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	wg.Go(func() { _ = x.pacer.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	udp, tcp = s.Addrs()
	return x, udp, tcp
}

// hears waits until a second of audio was heard since Forget and gives it.
func hears(t *testing.T, c *load.Call) []float32 {
	t.Helper()
	c.Forget()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if pcm := c.Heard(); len(pcm) >= 8000 {
			return pcm[:8000]
		}
	}
	t.Fatal("nothing heard")
	return nil
}

func TestToneIsHeardAtItsLevelBothWays(t *testing.T) {
	_, udp, tcp := start(t)
	for _, c := range []struct {
		name string
		cfg  load.Config
		hz   float64
	}{
		{"exchange plays, UDP, µ-law", load.Config{Target: "sip:440@" + udp.String(), Codec: media.PCMU}, 440},
		{"we play and are echoed, UDP, A-law, 30 ms", load.Config{Target: "sip:1@" + udp.String(), Codec: media.PCMA, PTime: 30 * time.Millisecond, Source: prompt.Tone(1000, -20)}, 1000},
		{"we play and are echoed, TCP", load.Config{Target: "sip:1@" + tcp.String(), Transport: "tcp", Source: prompt.Tone(700, -20)}, 700},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			call, err := load.Dial(ctx, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got := mediatest.ToneDBov(hears(t, call), 8000, c.hz); math.Abs(got+20) > 0.5 {
				t.Errorf("%.0f Hz at %.2f dBov, want -20", c.hz, got)
			}
			if err := call.Hangup(ctx); err != nil {
				t.Error(err)
			}
			if call.Ended() != sip.CauseLocal {
				t.Errorf("ended by %q", call.Ended())
			}
			if s := call.Stats(); s.Lost != 0 || s.PacketsIn < 25 {
				t.Errorf("%+v", s)
			}
			if c.cfg.Source == nil && math.Abs(call.HeardDBov()+20) > 0.5 {
				t.Errorf("mean level %.1f", call.HeardDBov())
			}
		})
	}
}

func TestFarEndHangsUp(t *testing.T) {
	x, udp, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	call, err := load.Dial(ctx, load.Config{Target: "sip:1@" + udp.String(), Source: prompt.Tone(1000, -20)})
	if err != nil {
		t.Fatal(err)
	}
	if err := (<-x.calls).Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-call.Done():
	case <-ctx.Done():
		t.Fatal("the call goes on")
	}
	if call.Ended() != sip.CauseRemoteBye {
		t.Errorf("ended by %q", call.Ended())
	}
	if err := call.Hangup(ctx); err != nil {
		t.Errorf("hanging up what is over: %v", err)
	}
}

func TestManyLinesAtOnce(t *testing.T) {
	_, udp, _ := start(t)
	speech, err := load.Speech("")
	if err != nil {
		t.Fatal(err)
	}
	var sum load.Summary
	err = load.Run(t.Context(), load.Plan{Target: "sip:1@" + udp.String(), Lines: 20, Rate: 200, Duration: 600 * time.Millisecond, Source: speech},
		func(r load.Result) {
			sum.Count(r)
			if r.Cause != sip.CauseLocal || r.Lost > 2 || r.Received == 0 || r.HeardDBov < -100 { // how many come in 0.6 s is the machine's affair
				t.Errorf("%v", r)
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Answered != 20 || sum.Placed != 20 {
		t.Errorf("%+v", sum)
	}
}

func TestLineCallsAgainUntilToldToStop(t *testing.T) {
	x, _, tcp := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		defer cancel()
		for range 3 { // the far end hangs up each time; the fourth call is live when all stops
			_ = (<-x.calls).Hangup(t.Context())
		}
		last := (<-x.calls).Leg()
		for last.Stats().PacketsIn == 0 && ctx.Err() == nil { // until its caller has seen the answer, too
			time.Sleep(time.Millisecond)
		}
	}()
	var causes []string
	err := load.Run(ctx, load.Plan{Target: "sip:1@" + tcp.String(), Transport: "tcp", Lines: 1, Rate: 1, Duration: time.Minute, Loop: true, Pause: 5 * time.Millisecond, Source: prompt.Tone(440, -20)},
		func(r load.Result) { causes = append(causes, r.Cause) })
	if err != nil {
		t.Fatal(err)
	}
	if len(causes) != 4 || causes[0] != sip.CauseRemoteBye || causes[3] != sip.CauseLocal {
		t.Errorf("causes %v", causes)
	}
}

func TestRefusalIsReported(t *testing.T) {
	_, udp, _ := start(t)
	var got []load.Result
	report := func(r load.Result) { got = append(got, r) }
	for _, number := range []string{"404", "503"} {
		if err := load.Run(t.Context(), load.Plan{Target: "sip:" + number + "@" + udp.String(), Lines: 1, Rate: 1, Duration: time.Second}, report); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[0].Answered || got[0].Status != 404 || got[1].Status != 503 || got[1].Cause != sip.CauseRejected {
		t.Errorf("%+v", got)
	}
}

func TestPlansThatMakeNoSense(t *testing.T) {
	good := load.Plan{Target: "sip:1@127.0.0.1", Lines: 1, Rate: 1, Duration: time.Second}
	for name, change := range map[string]func(*load.Plan){
		"no target": func(p *load.Plan) { p.Target = "" }, "no lines": func(p *load.Plan) { p.Lines = 0 },
		"rate": func(p *load.Plan) { p.Rate = math.NaN() }, "duration": func(p *load.Plan) { p.Duration = 0 },
		"transport": func(p *load.Plan) { p.Transport = "smoke" },
	} {
		p := good
		change(&p)
		if err := load.Run(t.Context(), p, func(load.Result) {}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSpeechKeepsItsLevelAcrossRates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tone.wav")
	pcm := make([]float32, 48000)
	prompt.Tone(1000, -20).Render(pcm[:16000], 0, 16000)
	prompt.Tone(1000, -20).Render(pcm[16000:32000], 16000, 16000)
	prompt.Tone(1000, -20).Render(pcm[32000:], 32000, 16000)
	if err := wavfile.Write(path, 16000, pcm); err != nil {
		t.Fatal(err)
	}
	src, err := load.Speech(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 8000)
	src.Render(out, 4000, 8000)
	if got := mediatest.ToneDBov(out, 8000, 1000); math.Abs(got+20) > 0.2 {
		t.Errorf("%.2f dBov, want -20", got)
	}
	if _, err := load.Speech(filepath.Join(t.TempDir(), "none.wav")); err == nil {
		t.Error("a missing file was read")
	}
}
