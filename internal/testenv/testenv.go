package testenv

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/password"
	"github.com/headroom-voice/headroom/internal/phone"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/internal/store"
)

// What every test site has.
const (
	Number     = "1000" // leads to Queue
	Queue      = model.QueueID("service")
	Supervisor = model.AgentID("boss") // holds every role
	Password   = "correct horse battery staple"
)

// Patience is how long a test waits for something that ought to happen at once. It is
// long because the machine may be slow, not because anything may be.
const Patience = 30 * time.Second

// Options change what Start does.
type Options struct {
	Data    string                // data folder; "" makes one that goes with the test
	Agents  []model.AgentID       // people who may answer; default one, "agent"
	Site    func(*model.Site)     // last word on the site
	Process func(*config.Process) // last word on the process
	Call    call.Config           // deadlines
	Phones  phone.Config          // and those of SIP phones

	Dialling call.Dialling // who may call where; nil: the rules of the site
}

// Env is a running service.
type Env struct {
	t       testing.TB
	Service *service.Service
	Process config.Process

	stop context.CancelFunc
	done chan struct{}
	once sync.Once
}

// Start runs a service on free ports of loopback until the test ends.
func Start(t testing.TB, opt Options) *Env {
	t.Helper()
	process, site := Prepare(t, opt)
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := service.New(t.Context(), service.Config{Process: process, Site: &site, Call: opt.Call, Dialling: opt.Dialling, Phones: opt.Phones, Version: "test"}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Env{t: t, Service: s, Process: process, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("service: %v", err)
		}
	}()
	t.Cleanup(e.Stop)
	return e
}

// Stop ends the service in order and waits for it. It may be called more than once.
func (e *Env) Stop() {
	e.once.Do(e.stop)
	select {
	case <-e.done:
	case <-time.After(Patience):
		e.t.Errorf("the service did not stop within %s", Patience)
	}
}

// Drain tells the service to end, as a first signal would, and does not wait.
func (e *Env) Drain() { e.once.Do(e.stop) }

// URL is the address of API and pages.
func (e *Env) URL() string { return "http://" + e.Service.Addrs().HTTP }

// SIP is where trunks call, host:port.
func (e *Env) SIP() netip.AddrPort { return e.Service.Addrs().SIPUDP }

// Prepare makes the configuration and a store with everybody's password in it.
func Prepare(t testing.TB, opt Options) (config.Process, model.Site) {
	t.Helper()
	p := config.Default()
	p.HTTP.Listen, p.SIP.UDP, p.SIP.TCP, p.WebRTC.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	p.Shutdown.Drain = 0
	if p.Data = opt.Data; p.Data == "" {
		p.Data = t.TempDir()
	}
	if opt.Process != nil {
		opt.Process(&p)
	}
	site := testSite(opt)
	s, err := store.Open(t.Context(), p.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.ApplySite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	hash, err := password.New(1).Hash(t.Context(), Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range site.Users {
		if err := s.SetPasswordHash(t.Context(), u.ID, hash); err != nil {
			t.Fatal(err)
		}
	}
	return p, site
}

func testSite(opt Options) model.Site {
	if len(opt.Agents) == 0 {
		opt.Agents = []model.AgentID{"agent"}
	}
	site := model.Site{
		Trunks: []model.Trunk{{ID: "loopback", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Codecs: []string{"PCMU", "PCMA"}}},
		Queues: []model.Queue{{
			ID: Queue, Title: "Customer service", Numbers: []string{Number}, OfferTimeout: 20 * time.Second,
			WrapUp: time.Second, ServiceLevel: 20 * time.Second, HeadsetPolicy: model.PolicyLastResort,
		}},
		Users:   []model.User{{ID: Supervisor, Title: "Supervisor", Roles: []model.Role{model.RoleAdmin}}},
		Headset: model.HeadsetRules{MinActiveSpeech: 5 * time.Second, Window: 10, ReplaceAfter: 2},
	}
	for _, a := range opt.Agents {
		site.Users = append(site.Users, model.User{ID: a, Title: string(a), Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{Queue}})
	}
	if opt.Site != nil {
		opt.Site(&site)
	}
	return site
}

// Eventually waits until ok says yes; what names it in the failure.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}

// testWriter sends a log to the test's own output.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(b))
	return len(b), nil
}
