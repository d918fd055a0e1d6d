package sip_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// program skips the test on a machine that does not have it.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// command runs a peer to its end.
func command(ctx context.Context, t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// freePort is a port that nobody had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return fmt.Sprint(conn.LocalAddr().(*net.UDPAddr).Port)
}

// sipp plays a scenario against the server, calls times.
func sipp(t *testing.T, s *site, network, scenario string, calls int) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", scenario))
	if err != nil {
		t.Fatal(err)
	}
	mode := map[string]string{"UDP": "u1", "TCP": "t1"}[network]
	var out string
	for range 3 {
		out, err = command(t.Context(), t, t.TempDir(), program(t, "sipp"), s.addr(network).String(), "-sf", file, "-t", mode,
			"-i", "127.0.0.1", "-p", freePort(t), "-mi", "127.0.0.1", "-mp", freePort(t), "-rtp_echo", "-s", "100",
			"-m", fmt.Sprint(calls), "-l", fmt.Sprint(calls), "-r", "50", "-nostdin", "-timeout", "15s", "-timeout_error")
		if err == nil || !strings.Contains(strings.ToLower(out), "bind") { // somebody else took the port meanwhile
			break
		}
	}
	if err != nil {
		t.Fatalf("sipp: %v\n%s", err, out[max(0, len(out)-3000):])
	}
}

func TestSIPpCallsHoldsAndHangsUp(t *testing.T) {
	t.Parallel()
	program(t, "sipp")
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	overBoth(t, func(t *testing.T, network string) {
		var mu sync.Mutex
		causes, echoed := map[string]int{}, uint64(0)
		s := start(t, handlerFunc(func(c *sip.Call) {
			_ = c.Ring()
			leg, err := c.Answer(context.Background())
			if err != nil {
				t.Errorf("answer: %v", err)
				return
			}
			defer pacer.Play(leg, prompt.Tone(440, -20))()
			<-c.Done()
			mu.Lock()
			defer mu.Unlock()
			causes[c.Ended()]++
			echoed += leg.Stats().PacketsIn
		}))
		sipp(t, s, network, "uac_hold.xml", 10)
		eventually(t, "all calls over", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return causes[sip.CauseRemoteBye] == 10 && len(causes) == 1
		})
		mu.Lock()
		defer mu.Unlock()
		if echoed == 0 {
			t.Error("nothing of what was played came back")
		}
	})
}

func TestSIPpGivesUp(t *testing.T) {
	t.Parallel()
	program(t, "sipp")
	overBoth(t, func(t *testing.T, network string) {
		var mu sync.Mutex
		causes := map[string]int{}
		s := start(t, handlerFunc(func(c *sip.Call) {
			_ = c.Ring()
			<-c.Done()
			mu.Lock()
			defer mu.Unlock()
			causes[c.Ended()]++
		}))
		sipp(t, s, network, "uac_cancel.xml", 10)
		eventually(t, "all calls over", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return causes[sip.CauseCancelled] == 10
		})
	})
}

func TestSIPpRingsReliablyAndRefreshesItsSession(t *testing.T) {
	t.Parallel()
	program(t, "sipp")
	overBoth(t, func(t *testing.T, network string) {
		var mu sync.Mutex
		causes := map[string]int{}
		s := start(t, handlerFunc(func(c *sip.Call) {
			_ = c.Ring()
			<-time.After(200 * time.Millisecond) // a phone rings for a while, and its PRACK comes meanwhile
			if _, err := c.Answer(context.Background()); err != nil {
				t.Errorf("answer: %v", err)
			}
			<-c.Done()
			mu.Lock()
			defer mu.Unlock()
			causes[c.Ended()]++
		}), func(c *sip.Config) { c.T1, c.T2 = 500*time.Millisecond, 4*time.Second }) // SIPp counts what is repeated as a failure
		sipp(t, s, network, "uac_timer.xml", 10)
		eventually(t, "all calls over", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return causes[sip.CauseRemoteBye] == 10
		})
	})
}

// listener gathers what a G.711 leg says.
type listener struct {
	mu  sync.Mutex
	pcm []float32
}

func (l *listener) Packet(p *media.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range p.Payload {
		v := codec.MuLawDecode(b)
		if p.Codec == media.PCMA {
			v = codec.ALawDecode(b)
		}
		l.pcm = append(l.pcm, float32(v)/32768)
	}
}

func (l *listener) latest(n int) []float32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pcm) < n {
		return nil
	}
	return append([]float32(nil), l.pcm[len(l.pcm)-n:]...)
}

// share is how much of the power of pcm is at hz.
func share(pcm []float32, hz float64) float64 {
	var re, im, power float64
	for i, v := range pcm {
		a := 2 * math.Pi * hz * float64(i) / 8000
		re += float64(v) * math.Cos(a)
		im += float64(v) * math.Sin(a)
		power += float64(v) * float64(v)
	}
	if power == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / float64(len(pcm)) / power
}

// dialWithBaresip has a baresip that plays 1000 Hz call the server; params are of its account, config is for its own.
func dialWithBaresip(t *testing.T, s *site, d desk, network, params, config string) *sip.Call {
	t.Helper()
	baresip := program(t, "baresip")
	modules, err := filepath.Glob("/usr/lib*/baresip/modules")
	if more, _ := filepath.Glob("/usr/lib/*/baresip/modules"); err == nil {
		modules = append(modules, more...)
	}
	if len(modules) == 0 {
		t.Skip("baresip's modules are not installed")
	}
	dir := t.TempDir()
	speech := filepath.Join(dir, "tone.wav")
	pcm := make([]float32, 10*8000)
	prompt.Tone(1000, -20).Render(pcm, 0, 8000)
	if err := wavfile.Write(speech, 8000, pcm); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config": "module_path " + modules[0] + "\nsip_listen 127.0.0.1:0\naudio_source aufile," + speech + "\nrtp_ports 18000-18999\n" +
			"module g711.so\nmodule aufile.so\nmodule_app account.so\nmodule_app menu.so\n" + config,
		"accounts": "<sip:ada@127.0.0.1;transport=" + strings.ToLower(network) + ">;regint=0;audio_codecs=PCMU,PCMA" + params + "\n",
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ended, over := make(chan struct{}), make(chan string, 1)
	ctx, done := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		out, _ := command(ctx, t, dir, baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-t", "15",
			"-e", "/dial sip:100@"+s.addr(network).String()+";transport="+strings.ToLower(network))
		over <- out
	}()
	t.Cleanup(func() { done(); <-ended })
	select {
	case call := <-d:
		return call
	case out := <-over:
		t.Fatalf("baresip did not call:\n%s", out)
		return nil
	}
}

func TestBaresipCallsAndIsHeard(t *testing.T) {
	t.Parallel()
	program(t, "baresip")
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d)
		call := dialWithBaresip(t, s, d, network, "", "")
		leg, err := call.Answer(within(t))
		if err != nil {
			t.Fatal(err)
		}
		var ear listener
		leg.SetSink(&ear)
		eventually(t, "baresip's 1000 Hz", func() bool { return share(ear.latest(1600), 1000) > 0.95 })
		if err := call.Hangup(within(t)); err != nil {
			t.Errorf("hanging up on baresip: %v", err)
		}
		ended(t, call, sip.CauseLocal)
	})
}

// TestBaresipIsHeldResumedAndSentElsewhere does to a real peer what this side can do.
func TestBaresipIsHeldResumedAndSentElsewhere(t *testing.T) {
	t.Parallel()
	program(t, "baresip")
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 2)
		s := start(t, d)
		call := dialWithBaresip(t, s, d, network, ";100rel=yes", "")
		if err := call.Ring(); err != nil {
			t.Fatal(err)
		}
		leg, err := call.Answer(within(t))
		if err != nil {
			t.Fatal(err)
		}
		var ear listener
		leg.SetSink(&ear)
		eventually(t, "baresip's 1000 Hz", func() bool { return share(ear.latest(1600), 1000) > 0.95 })
		must(t, call.Hold(within(t)))
		eventually(t, "silence", func() bool { return time.Since(leg.Stats().LastIn) > 100*time.Millisecond })
		must(t, call.Resume(within(t)))
		heard := leg.Stats().PacketsIn
		eventually(t, "baresip again", func() bool { return leg.Stats().PacketsIn > heard+10 })
		must(t, call.Recode(within(t), media.PCMA))
		eventually(t, "A-law", func() bool { return leg.Stats().Codec == media.PCMA })
		alive(t, call)

		gone := referring(t, call, sip.Referral{Target: "sip:200@" + s.addr(network).String() + ";transport=" + strings.ToLower(network)})
		second := d.next(t)
		if _, err := second.Answer(within(t)); err != nil {
			t.Fatal(err)
		}
		must(t, <-gone)
		if second.To() != "200" {
			t.Errorf("it called %q", second.To())
		}
		_ = call.Hangup(within(t)) // it may have hung up already
		wait(t, "the first call's end", call.Done())
		must(t, second.Hangup(within(t)))
	})
}

// TestBaresipHoldsAndTransfersUs has a real peer do to us what this side can do to it.
func TestBaresipHoldsAndTransfersUs(t *testing.T) {
	t.Parallel()
	program(t, "baresip")
	overBoth(t, func(t *testing.T, network string) {
		d := newSwitchboard()
		s := start(t, d)
		control := freePort(t)
		call := dialWithBaresip(t, s, d.desk, network, "", "module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:"+control+"\n")
		leg, err := call.Answer(within(t))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", "127.0.0.1:"+control)
		if err != nil {
			t.Skipf("baresip has no remote control: %v", err)
		}
		defer func() { _ = conn.Close() }()
		tell := func(command, params string) { // a netstring of JSON
			text := fmt.Sprintf(`{"command":%q,"params":%q}`, command, params)
			_, _ = fmt.Fprintf(conn, "%d:%s,", len(text), text)
		}
		eventually(t, "baresip's voice", func() bool { return leg.Stats().PacketsIn > 10 })
		tell("hold", "")
		eventually(t, "silence", func() bool { return time.Since(leg.Stats().LastIn) > 100*time.Millisecond })
		tell("resume", "")
		heard := leg.Stats().PacketsIn
		eventually(t, "baresip again", func() bool { return leg.Stats().PacketsIn > heard+10 })
		tell("transfer", "sip:200@example.com")
		w := d.wish(t)
		if w.Target() != "sip:200@example.com" {
			t.Errorf("to %q", w.Target())
		}
		must(t, w.Accept())
		must(t, w.Progress(180))
		must(t, w.Progress(200)) // it hangs up now
		ended(t, call, sip.CauseTransferred)
	})
}
