package trunktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Config is what to try. Zero durations take the defaults named.
type Config struct {
	Trunk carrier.Trunk
	SIP   sip.Config    // sockets to open, the certificate, the ports for audio
	DNS   locate.Config // who is asked where the trunk is
	// NoRegister leaves the registration alone, such as where the registrar keeps only one and
	// the running service has it.
	NoRegister bool

	Number string        // to call; "" = no call is placed
	From   string        // who calls; "" = the trunk's account
	Answer time.Duration // for the callee to answer; 45 s
	Listen time.Duration // to the callee, while the tone plays; 5 s

	Told func(Check) // if set, hears of each check when it is done
}

// Step is what a check looked at.
type Step string

// The steps, in their order.
const (
	StepDNS        Step = "dns"
	StepTLS        Step = "tls"
	StepOptions    Step = "options"
	StepRegister   Step = "register"
	StepCall       Step = "call"
	StepUnregister Step = "unregister"
)

// Outcome is what came of a check.
type Outcome string

// The outcomes. A warning works now and is about to fail, or works in part.
const (
	OK      Outcome = "ok"
	Warning Outcome = "warning"
	Failed  Outcome = "failed"
)

// Check is one thing that was tried.
type Check struct {
	Step        Step    `json:"step"`
	Target      string  `json:"target,omitempty"` // URI of the site file
	Server      string  `json:"server,omitempty"` // address and transport
	Outcome     Outcome `json:"outcome"`
	Words       string  `json:"words"`            // what was found
	Advice      string  `json:"advice,omitempty"` // what to do about it
	Status      int     `json:"status,omitempty"` // of the last SIP response
	Reason      string  `json:"reason,omitempty"`
	RoundTripMS float64 `json:"round_trip_ms,omitempty"`
	GrantedS    float64 `json:"granted_s,omitempty"` // how long the registration holds

	Lookups     []Lookup     `json:"lookups,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Call        *Call        `json:"call,omitempty"`
}

// Lookup is one question to the DNS.
type Lookup struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Records []string `json:"records"`
	Error   string   `json:"error,omitempty"`
}

// Result is all that was tried.
type Result struct {
	Trunk  string  `json:"trunk"`
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// run is one run of all checks.
type run struct {
	cfg    Config
	client *sip.Client
	probe  *carrier.Probe
	dns    *locate.Resolver
	result Result

	mu      sync.Mutex
	lookups []Lookup
}

// Run tries the trunk. An error means that nothing could be tried; what is wrong with the
// trunk stands in the Result. If ctx ends, it ends what it has begun and returns.
func Run(ctx context.Context, cfg Config) (Result, error) {
	r := &run{cfg: cfg, result: Result{Trunk: cfg.Trunk.ID, OK: true, Checks: []Check{}}}
	r.cfg.Answer, r.cfg.Listen = cmp.Or(cfg.Answer, 45*time.Second), cmp.Or(cfg.Listen, 5*time.Second)
	if err := r.open(ctx); err != nil {
		return r.result, err
	}
	served, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- r.client.Run(served) }()
	r.all(ctx)
	stop()
	return r.result, errors.Join(context.Cause(ctx), <-ended)
}

// open makes the parts and opens the sockets.
func (r *run) open(ctx context.Context) (err error) {
	r.cfg.DNS.Told = r.lookedUp
	if r.dns, err = locate.New(r.cfg.DNS); err != nil {
		return err
	}
	if r.client, err = sip.NewClient(r.cfg.SIP, nil); err != nil {
		return err
	}
	if r.probe, err = carrier.NewProbe(carrier.Config{Phone: r.client, Locator: r.dns}, r.cfg.Trunk); err != nil {
		return err
	}
	return r.client.Listen(ctx)
}

// all goes through the steps. A call is placed while we are registered, as the service does.
func (r *run) all(ctx context.Context) {
	trunk := r.probe.Trunk()
	found := make(map[string][]locate.Target)
	var servers []server
	for _, t := range trunk.Targets {
		if _, asked := found[t.URI]; asked || ctx.Err() != nil {
			continue
		}
		found[t.URI] = r.locate(ctx, t.URI)
		for _, via := range found[t.URI] {
			if !slices.ContainsFunc(servers, func(s server) bool { return s.via == via }) {
				servers = append(servers, server{t.URI, via, true})
			}
		}
	}
	registrar, register := trunk.Register.Registrar, trunk.Register.On && !r.cfg.NoRegister
	if _, asked := found[registrar]; register && !asked && ctx.Err() == nil {
		found[registrar] = r.locate(ctx, registrar)
		for _, via := range found[registrar] {
			if !slices.ContainsFunc(servers, func(s server) bool { return s.via == via }) {
				servers = append(servers, server{registrar, via, false})
			}
		}
	}
	r.knock(ctx, servers)
	var at locate.Target
	if register && ctx.Err() == nil {
		at = r.register(ctx, registrar, found[registrar])
	}
	if r.cfg.Number != "" && ctx.Err() == nil {
		r.call(ctx)
	}
	if at.Addr.IsValid() {
		r.unregister(ctx, registrar, at)
	}
}

// server is one address of a target.
type server struct {
	uri  string
	via  locate.Target
	asks bool // it is a target's, and so asked by OPTIONS
}

// maxServers bounds the addresses that are asked.
const maxServers = 32

// knock looks at all servers at once and tells of them in their order.
func (r *run) knock(ctx context.Context, servers []server) {
	servers = servers[:min(len(servers), maxServers)]
	checks := make([][]Check, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if s.via.Transport == "TLS" {
				checks[i] = append(checks[i], r.handshake(ctx, s))
			}
			// Without TLS nothing can be asked, and why is said already.
			if s.asks && (len(checks[i]) == 0 || checks[i][0].Outcome != Failed) {
				checks[i] = append(checks[i], r.options(ctx, s))
			}
		})
	}
	wg.Wait()
	for _, c := range slices.Concat(checks...) {
		if ctx.Err() == nil {
			r.note(c)
		}
	}
}

// note adds a check to the result.
func (r *run) note(c Check) {
	r.result.OK = r.result.OK && c.Outcome == OK
	r.result.Checks = append(r.result.Checks, c)
	if r.cfg.Told != nil {
		r.cfg.Told(c)
	}
}

// options asks a server whether it is there.
func (r *run) options(ctx context.Context, s server) Check {
	c := Check{Step: StepOptions, Target: s.uri, Server: s.via.String(), Outcome: OK}
	reply, err := r.probe.Options(ctx, s.uri, s.via)
	if err != nil {
		c.Outcome = Failed
		c.Words, c.Advice = r.silent(s.via, err, r.probe.Trunk().FirstReply)
		return c
	}
	c.Status, c.Reason, c.RoundTripMS = reply.Status, reply.Reason, milliseconds(reply.Took)
	c.Words = fmt.Sprintf("answered %d %s after %v", reply.Status, reply.Reason, rounded(reply.Took))
	switch {
	case reply.Status == 503 || reply.Status == 408:
		c.Outcome, c.Advice = Failed, "the server is there and takes no calls now: ask the carrier; other servers of the trunk are used meanwhile"
	case reply.Status == 403:
		c.Advice = "it may not know this address or account; a call shows whether that matters"
	case reply.Status >= 300:
		c.Words += ", so it is there"
	}
	if seen := seenFrom(reply); seen != "" && c.Advice == "" {
		c.Words += ", and sees this machine as " + seen
		c.Advice = "that is not the address it is told: if audio is missing, write it into sip.advertise of headroom.yaml"
	}
	return c
}

// register tries the registrar's addresses in turn, as the service does, and gives that at
// which we are now registered.
func (r *run) register(ctx context.Context, uri string, hops []locate.Target) locate.Target {
	login := r.probe.Trunk().Login.Username
	for _, via := range hops {
		c := Check{Step: StepRegister, Target: uri, Server: via.String(), Outcome: OK}
		got, err := r.probe.Register(ctx, via)
		c.Status, c.RoundTripMS = got.Status, milliseconds(got.Took)
		if err == nil {
			c.GrantedS = got.Granted.Seconds()
			c.Words = fmt.Sprintf("registered as %s for %v", got.Contact, got.Granted)
			r.note(c)
			return via
		}
		c.Outcome = Failed
		if got.Status == 0 {
			c.Words, c.Advice = r.silent(via, err, 0)
			r.retract(ctx, via)
		} else {
			c.Words, c.Advice = notRegistered(got, err, login)
		}
		if ctx.Err() != nil {
			return locate.Target{}
		}
		r.note(c)
		if errors.Is(err, carrier.ErrRegistrar) {
			break
		}
	}
	return locate.Target{}
}

// retract takes back a registration whose answer did not come: it may stand all the same.
func (r *run) retract(ctx context.Context, via locate.Target) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = r.probe.Unregister(ctx, via) // there is nobody to tell
}

// unregister takes the registration back, even when ctx has ended.
func (r *run) unregister(ctx context.Context, uri string, via locate.Target) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c := Check{Step: StepUnregister, Target: uri, Server: via.String(), Outcome: OK, Words: "unregistered"}
	got, err := r.probe.Unregister(ctx, via)
	c.Status, c.RoundTripMS = got.Status, milliseconds(got.Took)
	if err != nil {
		c.Outcome, c.Words = Failed, "not unregistered: "+inShort(err)
		c.Advice = "the registration of this test stays until it runs out"
	}
	r.note(c)
}
