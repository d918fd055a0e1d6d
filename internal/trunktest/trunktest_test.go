package trunktest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/trunktest"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/siptest"
)

const challenge = "401 Unauthorized\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\""

func TestSIPpAsACarrierThatDoesEverythingRight(t *testing.T) {
	t.Parallel()
	scenario, err := filepath.Abs("testdata/carrier.xml")
	if err != nil {
		t.Fatal(err)
	}
	addr, ended := siptest.SIPp(t, 3, "-sf", scenario, "-rtp_echo")
	cfg := config(t, "sip:"+addr)
	cfg.Trunk.Register.On, cfg.Number = true, "+4930555"
	r := try(t, cfg)
	if !r.OK {
		t.Error("not all is well")
	}
	var steps []string
	for _, c := range r.Checks {
		steps = append(steps, string(c.Step))
	}
	if got := strings.Join(steps, " "); got != "dns options register call unregister" {
		t.Errorf("steps %s", got)
	}
	if c := check(t, r, trunktest.StepOptions); c.Status != 200 || c.RoundTripMS <= 0 || c.Server != addr+"/UDP" {
		t.Errorf("%+v", c)
	}
	if c := check(t, r, trunktest.StepRegister); c.GrantedS != 120 || c.Status != 200 {
		t.Errorf("%+v", c)
	}
	c := check(t, r, trunktest.StepCall)
	says(t, c, trunktest.OK, "our tone came back", "")
	if !strings.Contains(c.Words, "rang after") || c.Call.HeardDBov == nil || *c.Call.HeardDBov < -21 || *c.Call.HeardDBov > -19 ||
		!c.Call.ToneReturns || c.Call.PacketsIn == 0 || c.Call.Codec != "PCMU" || len(c.Call.Progress) != 1 || c.Call.Progress[0] != 180 {
		t.Errorf("%+v", c.Call)
	}
	if failure := <-ended; failure != "" {
		t.Error(failure)
	}
}

func TestACallWithoutAudioIsNotWell(t *testing.T) {
	t.Parallel()
	addr, _ := siptest.SIPp(t, 2, "-sn", "uas")
	cfg := config(t, "sip:"+addr)
	cfg.Number, cfg.Trunk.FirstReply = "+4930555", 2*time.Second // it answers no OPTIONS
	says(t, check(t, try(t, cfg), trunktest.StepCall), trunktest.Failed, "and no audio came", "rtp.ports")
}

func TestWhatIsWrongIsSaidInWords(t *testing.T) {
	t.Parallel()
	always := func(status string) func(string, string) string { return func(string, string) string { return status } }
	only := func(method, status string) func(string, string) string {
		return func(m, _ string) string {
			if m == method {
				return status
			}
			return "200 OK"
		}
	}
	for name, c := range map[string]struct {
		answer        func(method, req string) string
		change        func(*trunktest.Config)
		step          trunktest.Step
		outcome       trunktest.Outcome
		words, advice string
		status        int
	}{
		"nobody answers":             {always(""), impatient, trunktest.StepOptions, trunktest.Failed, "over UDP within 500ms", "a firewall, a wrong port, or the carrier does not know this address", 0},
		"it takes no calls":          {always("503 Service Unavailable"), nil, trunktest.StepOptions, trunktest.Failed, "answered 503", "ask the carrier", 503},
		"it knows no OPTIONS":        {always("405 Method Not Allowed"), nil, trunktest.StepOptions, trunktest.OK, "so it is there", "", 405},
		"it refuses OPTIONS":         {always("403 Forbidden"), nil, trunktest.StepOptions, trunktest.OK, "answered 403", "may not know this address", 403},
		"it sees another address":    {always("200 OK\nX-Seen: 192.0.2.7"), nil, trunktest.StepOptions, trunktest.OK, "sees this machine as 192.0.2.7", "sip.advertise", 200},
		"the password is wrong":      {only("REGISTER", challenge), register, trunktest.StepRegister, trunktest.Failed, "answered 401 and again 401: the password or username is wrong", "outbound.password", 401},
		"there is no password":       {only("REGISTER", challenge), nobody, trunktest.StepRegister, trunktest.Failed, "the trunk has none", "outbound.username", 401},
		"no digest":                  {only("REGISTER", "401 Unauthorized\nWWW-Authenticate: Negotiate abc"), register, trunktest.StepRegister, trunktest.Failed, "in no way that is understood", "MD5 or SHA-256", 401},
		"registering is forbidden":   {only("REGISTER", "403 Forbidden"), register, trunktest.StepRegister, trunktest.Failed, "403 Forbidden", "outbound.register.user", 403},
		"the registrar is broken":    {only("REGISTER", "500 Oh"), register, trunktest.StepRegister, trunktest.Failed, "500 Oh", "the carrier's own", 500},
		"the registration stays":     {staying, register, trunktest.StepUnregister, trunktest.Failed, "not unregistered", "until it runs out", 500},
		"the call's password":        {only("INVITE", challenge), call, trunktest.StepCall, trunktest.Failed, "answered 401 and again 401", "outbound.password", 401},
		"the caller may not":         {only("INVITE", "403 Forbidden"), call, trunktest.StepCall, trunktest.Failed, "refused with 403 Forbidden", "--from", 403},
		"the number is unknown":      {only("INVITE", "404 Not Found"), call, trunktest.StepCall, trunktest.Failed, "refused with 404 Not Found", "number_format", 404},
		"the number is busy":         {only("INVITE", "486 Busy Here"), call, trunktest.StepCall, trunktest.Failed, "refused with 486 Busy Here", "try another one", 486},
		"no common codec":            {only("INVITE", "488 Not Acceptable Here"), call, trunktest.StepCall, trunktest.Failed, "refused with 488", "codecs", 488},
		"INVITEs fall into a hole":   {only("INVITE", ""), hasty, trunktest.StepCall, trunktest.Failed, "no answer from", "a firewall", 0},
		"the number is another's":    {always("200 OK"), elsewhere, trunktest.StepCall, trunktest.Failed, "takes no calls to this number", "outbound.prefixes", 0},
		"it rings and nobody is in":  {ringing, ringingShortly, trunktest.StepCall, trunktest.Failed, "nobody answered within 3s", "a number that answers", 0},
		"REGISTERs fall into a hole": {only("REGISTER", ""), register, trunktest.StepRegister, trunktest.Failed, "over UDP within 4s", "a firewall", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, "sip:"+responder(t, c.answer))
			if c.change != nil {
				c.change(&cfg)
			}
			r := try(t, cfg)
			got := check(t, r, c.step)
			says(t, got, c.outcome, c.words, c.advice)
			if got.Status != c.status || r.OK != (c.outcome == trunktest.OK) {
				t.Errorf("status %d, all well %v", got.Status, r.OK)
			}
		})
	}
}

func register(c *trunktest.Config) { c.Trunk.Register.On = true }
func call(c *trunktest.Config)     { c.Number = "+4930555" }

func impatient(c *trunktest.Config) { c.Trunk.FirstReply = 500 * time.Millisecond }
func hasty(c *trunktest.Config)     { call(c); impatient(c) }

func nobody(c *trunktest.Config) {
	c.Trunk.Register.On, c.Trunk.Register.User, c.Trunk.Login.Username = true, "4930123", ""
}

func elsewhere(c *trunktest.Config) { c.Number, c.Trunk.Prefixes = "+4930555", []string{"+44"} }

func ringingShortly(c *trunktest.Config) { c.Number, c.Answer = "+4930555", 3*time.Second }

func ringing(method, _ string) string {
	if method == "INVITE" {
		return "180 Ringing"
	}
	return "200 OK"
}

// staying registers and does not let go.
func staying(method, req string) string {
	if method == "REGISTER" && header(req, "Expires") == "0" {
		return "500 No"
	}
	return "200 OK"
}

func TestNobodyAtThePortAndAnAddressThatIsNotOnThisMachinesLoopback(t *testing.T) {
	t.Parallel()
	closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	addr := closed.LocalAddr().String()
	_ = closed.Close()
	r := try(t, config(t, "sip:"+addr, "sip:"+addr+";transport=tcp", "sip:192.0.2.1"))
	if len(r.Checks) != 6 || r.OK {
		t.Fatalf("%+v", r.Checks)
	}
	says(t, r.Checks[3], trunktest.Failed, "nobody listens at "+addr+" over UDP", "a wrong port")
	says(t, r.Checks[4], trunktest.Failed, "nobody listens at "+addr+" over TCP", "a wrong port")
	says(t, r.Checks[5], trunktest.Failed, "own 127.0.0.1", "sip.udp")
}

func TestTheDNSIsShownAndItsMistakesAreNamed(t *testing.T) {
	t.Parallel()
	there := netip.MustParseAddrPort(responder(t, func(string, string) string { return "200 OK" }))
	cfg := config(t, "sip:carrier.example;transport=udp", "sip:nowhere.example", "sip:closed.example;transport=udp")
	cfg.DNS.Servers = []netip.AddrPort{siptest.Zone(t, `gw.carrier.example. 60 IN A 127.0.0.1`,
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 10 0 %d gw.carrier.example.`, there.Port()),
		`_sip._udp.closed.example. 60 IN SRV 0 0 0 .`)}
	r := try(t, cfg)
	if len(r.Checks) != 4 {
		t.Fatalf("%+v", r.Checks)
	}
	says(t, r.Checks[0], trunktest.OK, "leads to "+there.String()+"/UDP", "")
	if l := r.Checks[0].Lookups; len(l) != 3 || l[0].Type != "SRV" || l[0].Records[0] != fmt.Sprintf("10 0 %d gw.carrier.example.", there.Port()) ||
		l[1].Type != "A" || l[1].Records[0] != "127.0.0.1" || l[2].Type != "AAAA" || len(l[2].Records) != 0 {
		t.Errorf("%+v", l)
	}
	says(t, r.Checks[1], trunktest.Failed, "the DNS knows no such server (asked for NAPTR of nowhere.example", "spelling")
	says(t, r.Checks[2], trunktest.Failed, "offers no SIP", "ask the carrier")
	says(t, r.Checks[3], trunktest.OK, "answered 200 OK", "")

	cfg = config(t, "sip:carrier.example")
	cfg.DNS.Timeout, cfg.DNS.Attempts = 100*time.Millisecond, 1
	says(t, check(t, try(t, cfg), trunktest.StepDNS), trunktest.Failed, "no DNS server has answered", "sip.dns")
}

func TestOneWrongPasswordIsNotTriedAtEveryAddress(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 64)
	answer := func(method, _ string) string {
		if method != "REGISTER" {
			return "200 OK"
		}
		asked <- method
		return challenge
	}
	a, b := netip.MustParseAddrPort(responder(t, answer)), netip.MustParseAddrPort(responder(t, answer))
	cfg := config(t, "sip:carrier.example;transport=udp")
	cfg.Trunk.Register.On = true
	cfg.DNS.Servers = []netip.AddrPort{siptest.Zone(t, `gw.carrier.example. 60 IN A 127.0.0.1`,
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 10 0 %d gw.carrier.example.`, a.Port()),
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 20 0 %d gw.carrier.example.`, b.Port()))}
	says(t, check(t, try(t, cfg), trunktest.StepRegister), trunktest.Failed, "again 401", "")
	if n := len(asked); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestATestThatIsBrokenOffLeavesNoRegistrationBehind(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	left := make(chan struct{}, 8)
	addr := responder(t, func(method, req string) string {
		switch {
		case method == "REGISTER" && header(req, "Expires") == "0":
			left <- struct{}{}
		case method == "INVITE":
			stop()
			return "180 Ringing"
		}
		return "200 OK"
	})
	cfg := config(t, "sip:"+addr)
	cfg.Trunk.Register.On, cfg.Number = true, "+4930555"
	if _, err := trunktest.Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-left:
	default:
		t.Error("still registered")
	}
}

func TestARegistrationWhoseAnswerIsLostIsTakenBack(t *testing.T) {
	t.Parallel()
	left := make(chan struct{}, 8)
	addr := responder(t, func(method, req string) string {
		switch {
		case method != "REGISTER":
		case header(req, "Expires") == "0":
			left <- struct{}{}
		default:
			return ""
		}
		return "200 OK"
	})
	cfg := config(t, "sip:"+addr)
	cfg.Trunk.Register.On = true
	says(t, check(t, try(t, cfg), trunktest.StepRegister), trunktest.Failed, "no answer from "+addr+" over UDP within 4s", "")
	select {
	case <-left:
	default:
		t.Error("it may be registered still")
	}
}

func TestATrunkThatCannotBeIsAnError(t *testing.T) {
	t.Parallel()
	cfg := config(t, "tel:123")
	if _, err := trunktest.Run(t.Context(), cfg); !errors.Is(err, carrier.ErrTrunk) {
		t.Errorf("%v", err)
	}
}
