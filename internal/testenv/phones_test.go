package testenv_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/phone"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// stateOf is what an agent is doing, and why.
func stateOf(env *testenv.Env, agent model.AgentID) (model.AgentState, string) {
	for _, a := range env.Service.Snapshot().Agents {
		if a.ID == agent {
			return a.State, a.Reason
		}
	}
	return model.Offline, ""
}

// is waits for an agent's state.
func is(t *testing.T, env *testenv.Env, agent model.AgentID, want model.AgentState) {
	t.Helper()
	testenv.Eventually(t, string(agent)+" is "+string(want), func() bool {
		got, _ := stateOf(env, agent)
		return got == want
	})
}

func TestAnAgentAtADeskPhoneTakesACall(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	ear := pulsetest.Start(t, "desk")
	phone := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.SIP(), Hz: 1000, DBov: -20, Ear: ear, Headset: "desk"})
	is(t, env, "agent", model.Break)
	phone.Press("/dial *10")
	testenv.Eventually(t, "the agent hears that it is done", func() bool {
		pcm := phone.Heard().Last(200 * time.Millisecond)
		if len(pcm) == 0 {
			return false
		}
		hz, dbov := mediatest.FindTone(pcm, pulsetest.Rate)
		return math.Abs(hz-880) < 5 && dbov > -25
	})
	is(t, env, "agent", model.Ready)
	phone.Says("session closed", 1)

	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	phone.Says("Incoming call", 1)
	is(t, env, "agent", model.Offered)
	phone.Press("/accept")
	is(t, env, "agent", model.OnCall)
	testenv.Hears(t, "the agent", 440, -18, pulsetest.Rate, phone.Heard().Last)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	phone.Press("/hangup")
	is(t, env, "agent", model.WrapUp)
	is(t, env, "agent", model.Ready)
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the record says that the agent hung up", func() bool {
		call := testenv.OnlyCall(t, record).Call
		return call.EndedAt != nil && call.Cause == model.CauseAgentHungUp && call.Agent == "agent"
	})
	testenv.Eventually(t, "what was said in SIP is kept of the caller and of the phone", func() bool {
		said, err := record.Ladders(t.Context(), testenv.OnlyCall(t, record).Call.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(said) == 2 && said[0].Leg != said[1].Leg
	})
}

// atDesk starts a phone of an agent who is ready.
func atDesk(t *testing.T, env *testenv.Env, cfg testenv.DeskPhoneConfig) *testenv.DeskPhone {
	t.Helper()
	if !cfg.Server.IsValid() {
		cfg.Server = env.SIP()
	}
	phone := testenv.NewDeskPhone(t, cfg)
	is(t, env, cfg.User, model.Break)
	phone.Press("/dial *10")
	is(t, env, cfg.User, model.Ready)
	phone.Says("session closed", 1)
	return phone
}

// hearsHold waits until a caller hears something that is not the agent's tone: music.
func hearsHold(t *testing.T, caller *load.Call, agentHz float64) {
	t.Helper()
	testenv.Eventually(t, "the caller hears music", func() bool {
		pcm := testenv.LastHeard(caller)(time.Second)
		if len(pcm) < testenv.CallerRate {
			return false
		}
		var power float64
		for _, v := range pcm {
			power += float64(v) * float64(v) / float64(len(pcm))
		}
		return dsp.PowerDBov(power) > -35 && mediatest.ToneDBov(pcm, testenv.CallerRate, agentHz) < -40
	})
}

func TestADeskPhoneOverEachTransportHoldsTakesBackAndPassesOn(t *testing.T) {
	t.Parallel()
	certificate, key := certificate(t)
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			env := testenv.Start(t, testenv.Options{
				Process: func(p *config.Process) {
					p.SIP.TLS.Listen, p.SIP.TLS.Certificate, p.SIP.TLS.Key = "127.0.0.1:0", certificate, key
				},
				Site: func(site *model.Site) {
					testenv.WithPhones(site)
					if transport == "tls" {
						site.Users[1].Phone.MediaKeys = model.MediaKeysRequired
					}
					site.Queues = append(site.Queues, model.Queue{ID: "second", Numbers: []string{"2000"}, OfferTimeout: 20 * time.Second, ServiceLevel: time.Second, HeadsetPolicy: model.PolicyIgnore})
				},
			})
			cfg := testenv.DeskPhoneConfig{User: "agent", Transport: transport, Hz: 1000, DBov: -20}
			switch a := env.Service.Addrs(); transport {
			case "udp":
				cfg.Server = a.SIPUDP
			case "tcp":
				cfg.Server = a.SIPTCP
			case "tls":
				cfg.Server, cfg.Config, cfg.Account = a.SIPTLS, "sip_cafile "+certificate, ";mediaenc=srtp-mand"
			}
			phone := atDesk(t, env, cfg)
			caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
			phone.Says("Incoming call", 1)
			phone.Press("/accept")
			testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

			phone.Press("/hold")
			hearsHold(t, caller, 1000)
			phone.Press("/resume")
			testenv.Hears(t, "the caller, taken back,", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

			phone.Press("/transfer sip:2000@" + cfg.Server.String())
			is(t, env, "agent", model.WrapUp)
			testenv.Eventually(t, "the caller waits in the second queue", func() bool {
				for _, q := range env.Service.Snapshot().Queues {
					if q.ID == "second" {
						return len(q.Waiting) == 1
					}
				}
				return false
			})
			toldOfTransfer(t, env)
		})
	}
}

// toldOfTransfer waits until the record has the phone's word that it knows its transfer done.
func toldOfTransfer(t *testing.T, env *testenv.Env) {
	t.Helper()
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the phone took the news that its transfer is done", func() bool {
		said, err := record.Ladders(t.Context(), testenv.OnlyCall(t, record).Call.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range said {
			next := 0
			for _, m := range l.Messages {
				switch {
				case next == 0 && m.Out && strings.HasPrefix(m.First, "SIP/2.0 202"),
					next == 1 && m.Out && strings.HasPrefix(m.First, "NOTIFY") && strings.HasPrefix(m.Body, "SIP/2.0 200"),
					next == 2 && !m.Out && strings.HasPrefix(m.First, "SIP/2.0 200") && strings.HasSuffix(m.CSeq, "NOTIFY"):
					next++
				}
			}
			if next == 3 {
				return true
			}
		}
		return false
	})
}

func TestADeskPhoneIsToldThatItsCallerWasPutThrough(t *testing.T) {
	t.Parallel()
	carrier := testenv.NewCarrier(t)
	env := testenv.Start(t, testenv.Options{Dialling: testenv.Anybody{}, Site: func(site *model.Site) {
		testenv.WithPhones(site)
		site.Trunks[0].Outbound = carrier.Outbound()
	}})
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	phone.Says("Incoming call", 1)
	phone.Press("/accept")
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	phone.Press("/transfer sip:030555@" + env.SIP().String())
	callee := carrier.Next()
	callee.Answers(testenv.Tone(600, -18))
	testenv.Hears(t, "the caller", 600, -18, testenv.CallerRate, testenv.LastHeard(caller))
	toldOfTransfer(t, env)
	is(t, env, "agent", model.Ready)
}

func TestANumberThatIsRefusedIsHeardToBe(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Dialling: testenv.Anybody{}, Site: testenv.WithPhones})
	ear := pulsetest.Start(t, "desk")
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20, Ear: ear, Headset: "desk"})
	phone.Press("/dial 0900")
	testenv.Eventually(t, "the agent hears low tones", func() bool {
		pcm := phone.Heard().Last(200 * time.Millisecond)
		if len(pcm) == 0 {
			return false
		}
		hz, dbov := mediatest.FindTone(pcm, pulsetest.Rate)
		return math.Abs(hz-330) < 5 && dbov > -30
	})
	phone.Says("session closed", 2)
	is(t, env, "agent", model.Ready)
}

func TestEveryPhoneOfAnAgentRingsAndTheFirstHasTheCall(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	desk := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	home := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.Service.Addrs().SIPTCP, Transport: "tcp", Hz: 1500, DBov: -20})
	home.Says("registered successfully", 1)
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	desk.Says("Incoming call", 1)
	home.Says("Incoming call", 1)
	home.Press("/accept")
	is(t, env, "agent", model.OnCall)
	testenv.Hears(t, "the caller", 1500, -20, testenv.CallerRate, testenv.LastHeard(caller))
	desk.Says("session closed", 2) // that of the code, and the call that the other took
	home.Press("/hangup")
	is(t, env, "agent", model.Ready)
}

func TestAPhoneWithAWrongPasswordIsNobody(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	phone := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.SIP(), Password: "guessed"})
	phone.Says("403 Forbidden", 1) // after five tries of its own
	if state, _ := stateOf(env, "agent"); state != model.Offline {
		t.Errorf("the agent is %s", state)
	}
}

func TestAPhoneRingsAfterARestartWithoutRegisteringAnew(t *testing.T) {
	t.Parallel()
	var addr string
	options := testenv.Options{Data: t.TempDir(), Site: testenv.WithPhones, Process: func(p *config.Process) {
		if addr != "" {
			p.SIP.UDP = addr
		}
	}}
	env := testenv.Start(t, options)
	addr = env.SIP().String()
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	env.Stop()
	env = testenv.Start(t, options)
	is(t, env, "agent", model.Ready)
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	phone.Says("Incoming call", 1)
	if n := phone.Said("[1 binding]"); n != 1 {
		t.Errorf("the phone has registered %d times", n)
	}
	phone.Press("/accept")
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
}

func TestAPhoneThatIsPulledOutGivesTheCallerBack(t *testing.T) {
	t.Parallel()
	for _, while := range []string{"ringing", "talking"} {
		t.Run("while "+while, func(t *testing.T) {
			env := testenv.Start(t, testenv.Options{
				Agents: []model.AgentID{"agent", "other"},
				Site: func(site *model.Site) {
					testenv.WithPhones(site)
					site.Queues[0].OfferTimeout = 5 * time.Second
				},
				Phones: phone.Config{Qualify: time.Second},
			})
			dying := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
			caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
			dying.Says("Incoming call", 1)
			if while == "talking" {
				dying.Press("/accept")
				testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
			}
			dying.PullOut()
			other := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "other", Server: env.SIP(), Hz: 1500, DBov: -20})
			is(t, env, "other", model.Break)
			other.Press("/dial *10")
			other.Says("Incoming call", 1)
			other.Press("/accept")
			testenv.Hears(t, "the caller", 1500, -20, testenv.CallerRate, testenv.LastHeard(caller))
			if state, reason := stateOf(env, "agent"); state != model.Break && state != model.Offline {
				t.Errorf("the agent is %s (%s)", state, reason)
			}
		})
	}
}

// A number to call for help is called from a phone whatever its user is doing, and whatever
// becomes of the service.
func TestAnEmergencyGoesOutFromADeskPhone(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*testenv.Env, *testenv.Carrier, *testenv.DeskPhone) {
		carrier := testenv.NewCarrier(t)
		env := testenv.Start(t, testenv.Options{
			Agents: []model.AgentID{"agent", "other"}, Process: func(p *config.Process) { p.Shutdown.Drain = testenv.Patience },
			Site: func(site *model.Site) {
				testenv.WithPhones(site)
				site.Trunks[0].Outbound = carrier.Outbound()
			},
		})
		return env, carrier, atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	}
	helped := func(t *testing.T, env *testenv.Env, carrier *testenv.Carrier, phone *testenv.DeskPhone) {
		t.Helper()
		phone.Press("/dial 112")
		callee := carrier.Next()
		if callee.To() != "112" {
			t.Errorf("called %s", callee.To())
		}
		is(t, env, "agent", model.OnCall)
		callee.Answers(testenv.Tone(600, -18))
		testenv.Hears(t, "the callee", 1000, -20, testenv.CallerRate, callee.Last)
		callee.HangsUp()
	}
	t.Run("signed out", func(t *testing.T) {
		env, carrier, phone := begin(t)
		phone.Press("/dial *12")
		is(t, env, "agent", model.Offline)
		helped(t, env, carrier, phone)
		is(t, env, "agent", model.Break) // who called for help is not rung at once
	})
	t.Run("while a call rings", func(t *testing.T) {
		env, carrier, phone := begin(t)
		env.Caller(load.Config{})
		phone.Says("Incoming call", 1)
		helped(t, env, carrier, phone)
	})
	t.Run("while the service stops", func(t *testing.T) {
		env, carrier, phone := begin(t)
		env.Agent("other", testenv.AgentOptions{})
		phone.Press("/dial *11")
		is(t, env, "agent", model.Break)
		env.Caller(load.Config{})
		is(t, env, "other", model.OnCall)
		env.Drain()
		testenv.Eventually(t, "the service stops", func() bool { return get(t, env.URL()+"/readyz", "") == http.StatusServiceUnavailable })
		helped(t, env, carrier, phone)
		env.Service.Hurry()
	})
}

func TestAPhoneThatIsPulledOutInACallItDialledIsMissed(t *testing.T) {
	t.Parallel()
	carrier := testenv.NewCarrier(t)
	env := testenv.Start(t, testenv.Options{Dialling: testenv.Anybody{}, Phones: phone.Config{Qualify: time.Second}, Site: func(site *model.Site) {
		testenv.WithPhones(site)
		site.Trunks[0].Outbound = carrier.Outbound()
	}})
	dying := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20})
	home := testenv.NewDeskPhone(t, testenv.DeskPhoneConfig{User: "agent", Server: env.Service.Addrs().SIPTCP, Transport: "tcp", Hz: 1500, DBov: -20})
	home.Says("registered successfully", 1)
	dying.Press("/dial " + friend)
	callee := carrier.Next()
	callee.Answers(testenv.Tone(600, -18))
	testenv.Hears(t, "the callee", 1000, -20, testenv.CallerRate, callee.Last)
	dying.PullOut()
	testenv.Eventually(t, "the agent is on a break, since the phone was lost", func() bool {
		state, reason := stateOf(env, "agent")
		return state == model.Break && reason == phone.ReasonLost
	})
	home.Press("/dial *10") // the other goes on
	is(t, env, "agent", model.Ready)
}

// certificate makes one for 127.0.0.1 that is its own authority.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: bytes}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
