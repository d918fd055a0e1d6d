package testenv_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/webrtc/relay/relaytest"
)

// browserTone is what a browser's agent says: a minute, for it clicks where it begins again.
func browserTone() []float32 { return mediatest.Tone(48000, 1000, -20, 60*48000) }

// hearsTone waits for a second of a tone. A browser plays out by its own clock and gains, so
// levels are looked at less closely than with our own client.
func hearsTone(t *testing.T, who string, hz, dbov float64, rate int, last func(time.Duration) []float32) {
	t.Helper()
	var gotHz, gotDBov float64
	defer func() {
		t.Logf("%s heard %.1f Hz at %.1f dBov last; wanted %.0f Hz at %.0f ± 2", who, gotHz, gotDBov, hz, dbov)
	}()
	testenv.Eventually(t, who+" hears the tone", func() bool {
		pcm := last(time.Second)
		if len(pcm) < rate {
			return false
		}
		gotHz, gotDBov = mediatest.FindTone(pcm, rate)
		return math.Abs(gotHz-hz) < 5 && math.Abs(gotDBov-dbov) < 2
	})
}

func TestACallerAndAnAgentInChromiumHearEachOther(t *testing.T) {
	env := testenv.Start(t, testenv.Options{})
	agent := env.BrowserAgent("agent", testenv.BrowserAgentOptions{Mic: browserTone()})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	agent.Await("connected", 1)
	hearsTone(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Last)
	if path := agent.Path(); path != "host udp" {
		t.Errorf("the audio runs over %q, wanted the one UDP port", path)
	}
}

// withoutUDP is a service whose agents are told of an address at which there is the TCP port alone.
func withoutUDP(t *testing.T) *testenv.Env {
	t.Helper()
	outside := netip.MustParseAddr("127.0.0.2")
	env := testenv.Start(t, testenv.Options{Process: func(p *config.Process) {
		p.WebRTC.TCP, p.WebRTC.Advertise = "127.0.0.1:0", []netip.Addr{outside}
	}})
	tcp := env.Service.Addrs().WebRTCTCP
	testenv.NewPlugAt(t, netip.AddrPortFrom(outside, tcp.Port()).String(), tcp.String())
	return env
}

// behindALine is a service whose agents' audio comes over a line of the test's.
func behindALine(t *testing.T, opt testenv.Options) (*testenv.Env, *testenv.Line) {
	t.Helper()
	outside := netip.MustParseAddr("127.0.0.2")
	opt.Process = func(p *config.Process) { p.WebRTC.Advertise = []netip.Addr{outside} }
	env := testenv.Start(t, opt)
	udp := env.Service.Addrs().WebRTC
	return env, testenv.NewLine(t, netip.AddrPortFrom(outside, udp.Port()), udp)
}

// silence is how long somebody goes on hearing nothing of a tone, from now.
func silence(t *testing.T, who string, hz float64, rate int, last func(time.Duration) []float32) time.Duration {
	t.Helper()
	began := time.Now()
	gone := false
	testenv.Eventually(t, who+" hears the tone again", func() bool {
		gotHz, gotDBov := mediatest.FindTone(last(100*time.Millisecond), rate)
		hears := math.Abs(gotHz-hz) < 20 && gotDBov > -30
		gone = gone || !hears
		// What was under way is heard for a moment yet; who heard on for a while lost nothing.
		return hears && (gone || time.Since(began) > 2*time.Second)
	})
	if !gone {
		return 0
	}
	return time.Since(began)
}

func TestACallGoesOnWhenTheAddressOfAnAgentInChromiumChanges(t *testing.T) {
	env, line := behindALine(t, testenv.Options{})
	agent := env.BrowserAgent("agent", testenv.BrowserAgentOptions{Mic: browserTone()})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	agent.Await("connected", 1)
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Last)
	line.Rebind()
	t.Logf("silence: at the agent %v", silence(t, "the agent", 440, testenv.EarRate, agent.Last))
	hearsTone(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Last)
	if n := agent.Count("ended"); n != 0 {
		t.Error("the call ended")
	}
}

func TestACallGoesOnWhenTheAddressOfTheAgentChanges(t *testing.T) {
	env, line := behindALine(t, testenv.Options{})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
	line.Rebind()
	t.Logf("silence: at the agent %v", silence(t, "the agent", 440, testenv.EarRate, agent.Ear.Last))
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
	if ended := testenv.Events[agentclient.CallEnded](agent); len(ended) != 0 {
		t.Errorf("the call ended: %+v", ended)
	}
	if lost := testenv.Events[agentclient.MediaLost](agent); len(lost) != 0 {
		t.Errorf("the connection was lost: %+v", lost)
	}
}

func TestAnAgentInChromiumWhomNoUDPReachesTalksOverTCP(t *testing.T) {
	env := withoutUDP(t)
	agent := env.BrowserAgent("agent", testenv.BrowserAgentOptions{Mic: browserTone()})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	agent.Await("connected", 1)
	hearsTone(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Last)
	if path := agent.Path(); !strings.HasSuffix(path, " tcp") {
		t.Errorf("the audio runs over %q, wanted TCP", path)
	}
}

func TestAnAgentWhomNoUDPReachesTalksOverTCP(t *testing.T) {
	env := withoutUDP(t)
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
}

// onlyHTTPS is a service whose agents' network lets out nothing but TLS.
func onlyHTTPS(t *testing.T) (*testenv.Env, relaytest.Certificate) {
	t.Helper()
	cert := relaytest.NewCertificate(t)
	return testenv.Start(t, testenv.Options{Process: func(p *config.Process) {
		p.WebRTC.Advertise = []netip.Addr{netip.MustParseAddr("127.0.0.2")} // where there is nothing
		p.WebRTC.Relay = config.Relay{Listen: "127.0.0.1:0", Address: "localhost", Certificate: cert.Cert, Key: cert.Key}
	}}), cert
}

func TestAnAgentInChromiumWhomNothingButTLSReachesTalksOverTheRelay(t *testing.T) {
	env, cert := onlyHTTPS(t)
	agent := env.BrowserAgent("agent", testenv.BrowserAgentOptions{Mic: browserTone(), Flags: []chromedp.ExecAllocatorOption{
		chromedp.Flag("ignore-certificate-errors-spki-list", cert.SPKI),
	}})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	agent.Await("connected", 1)
	hearsTone(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Last)
	// Behind NAT the relay's address looks another from the service, so its kind may be prflx.
	if path := agent.Path(); !strings.HasSuffix(path, " tls") {
		t.Errorf("the audio runs over %q, wanted the relay", path)
	}
}

func TestAnAgentWhomNothingButTLSReachesTalksOverTheRelay(t *testing.T) {
	env, cert := onlyHTTPS(t)
	agent := env.Agent("agent", testenv.AgentOptions{
		Mic:    mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate),
		Config: func(c *agentclient.Config) { c.Media.Roots = cert.Roots },
	})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
}

func TestSpeechGetsThroughALineOf24Kilobits(t *testing.T) {
	env, line := behindALine(t, testenv.Options{})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)

	line.Narrow(24000)
	began := time.Now()
	var up, down float64
	good, next := 0, time.Now().Add(time.Second)
	testenv.Eventually(t, "less than 5 % is lost, for five seconds in a row", func() bool {
		if time.Now().Before(next) {
			return false
		}
		next = next.Add(time.Second)
		up, down, _ = line.Lost()
		if good++; up >= 0.05 || down >= 0.05 {
			good = 0
		}
		return good >= 5
	})
	t.Logf("%v after the line became narrow: %.1f %% lost up, %.1f %% down", time.Since(began).Round(time.Second), 100*up, 100*down)
	hearsTone(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	hearsTone(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
}
