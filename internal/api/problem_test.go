package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEveryMistakeIsAnsweredWithAProblem(t *testing.T) {
	h := open(t)
	v := h.as("admin")
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"GET", "/api/v1/nothing", "", 404, "no such address"},
		{"GET", "/api/v1/calls/none", "", 404, "no such call"},
		{"GET", "/api/v1/calls/none/readings", "", 404, "no such call"},
		{"GET", "/api/v1/queues/none", "", 404, "no such queue"},
		{"GET", "/api/v1/agents/none", "", 404, "no such agent"},
		{"GET", "/api/v1/headsets/none", "", 404, "no such headset"},
		{"GET", "/api/v1/headsets/~zz", "", 404, "no such headset"},
		{"DELETE", "/api/v1/calls", "", 405, "does not take DELETE"},
		{"PURGE", "/api/v1/calls", "", 405, "does not take other"},
		{"POST", "/", "{}", 405, "only be read"},
		{"GET", "/api/v1/calls?limit=0", "", 422, ""},
		{"GET", "/api/v1/calls?limit=x", "", 422, ""},
		{"GET", "/api/v1/calls?before=x", "", 422, ""},
		{"GET", "/api/v1/calls?colour=red", "", 422, ""},
		{"GET", "/api/v1/headsets?offset=-1", "", 422, ""},
		{"POST", "/api/v1/session", "{", 400, ""},
		{"POST", "/api/v1/session", `{"user":"x"}`, 422, ""},
		{"POST", "/api/v1/session", `{"user":"x","password":"` + strings.Repeat("p", 5000) + `"}`, 413, ""},
		{"GET", "/api/v1/agent", "", 426, "WebSocket"},
	} {
		res := v.do(c.method, c.path, c.body)
		if res.status != c.want {
			t.Errorf("%s %s: %d, wanted %d: %s", c.method, c.path, res.status, c.want, res.body)
			continue
		}
		if p := problem(t, res); !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s %s says %q", c.method, c.path, p.Detail)
		}
	}
	if res := v.do("DELETE", "/api/v1/session/", ""); res.status != 404 {
		t.Errorf("%d", res.status)
	}
	if allow := v.do("PUT", "/api/v1/session", "{}").header.Get("Allow"); allow != "DELETE, GET, POST" {
		t.Errorf("Allow: %q", allow)
	}
}

func TestAPasswordIsNeverEchoed(t *testing.T) {
	h := open(t)
	secret := strings.Repeat("hunter2", 200)
	res := h.visitor().do("POST", "/api/v1/session", `{"user":"it","password":"`+secret+`","extra":"`+secret[:20]+`"}`)
	if res.status != http.StatusUnprocessableEntity || strings.Contains(res.body, "hunter2") {
		t.Errorf("%d %s", res.status, res.body)
	}
	if p := problem(t, res); len(p.Errors) == 0 || p.Errors[0].Location == "" {
		t.Errorf("what was wrong? %+v", p)
	}
	h.as("it")
	if strings.Contains(h.log.String(), "hunter2") || strings.Contains(h.log.String(), "pw\"") {
		t.Error("the log holds a password")
	}
}

func TestWhatWentWrongInsideStaysInside(t *testing.T) {
	h := build(t)
	c := signedIn4Test(t, h)
	broken := brokenCalls{h.record}
	h.server.deps.Calls = broken
	w := ask(h, "GET", "/api/v1/calls", "", "Cookie", c)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	id := w.Header().Get("X-Request-Id")
	if log := h.log.String(); !strings.Contains(log, "/var/secret") || !strings.Contains(log, id) {
		t.Errorf("the log must say why, under the request's name: %s", log)
	}
	w = ask(h, "GET", "/api/v1/calls/boom", "", "Cookie", c)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Content-Type") != problemType {
		t.Errorf("panic: %d %s", w.Code, w.Body)
	}
	if !strings.Contains(h.log.String(), "request panicked") {
		t.Error("the log must tell of the panic")
	}
}

type brokenCalls struct{ CallRecord }

func (b brokenCalls) Calls(context.Context, callFilter) ([]callOut, error) { return nil, errSecret }
func (b brokenCalls) Call(context.Context, callID) (callStory, error)      { panic(errSecret) }

func TestAPanicInMidAnswerBreaksTheConnectionOff(t *testing.T) {
	h := build(t, func(_ *Config, d *Deps) {
		d.Pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half a"))
			panic("oops")
		})
	})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("%v", err)
		}
	}()
	ask(h, "GET", "/", "")
}

func TestAnswersCarryTheHeadersThatKeepABrowserSafe(t *testing.T) {
	h := build(t)
	c := signedIn4Test(t, h)
	for _, path := range []string{"/", "/api/v1/calls", "/api/v1/none", "/healthz"} {
		w := ask(h, "GET", path, "", "Cookie", c)
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Referrer-Policy", "X-Request-Id"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s lacks %s", path, name)
			}
		}
		if strings.HasPrefix(path, "/api/") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", path)
		}
	}
}

func TestReadinessSaysYesOrNoAndLogsWhyOnce(t *testing.T) {
	h := build(t)
	if w := ask(h, "GET", "/readyz", ""); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
	h.ready = fmt.Errorf("draining: %w", errSecret)
	for range 3 {
		if w := ask(h, "GET", "/readyz", ""); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	h.ready = nil
	ask(h, "GET", "/readyz", "")
	if log := h.log.String(); strings.Count(log, "not ready") != 1 || strings.Count(log, "ready again") != 1 || !strings.Contains(log, "draining") {
		t.Errorf("%s", log)
	}
}

func TestAScraperWithTheTokenReadsEverybodysCounters(t *testing.T) {
	h := build(t, func(c *Config, d *Deps) {
		c.MetricsToken = "s3cret"
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "headroom_test_gauge"})
		d.Metrics.MustRegister(g)
	})
	ask(h, "POST", pathSession, wrong)
	ask(h, "GET", "/api/v1/calls/../../x"+strings.Repeat("y", 100), "")
	for header, want := range map[string]int{"Bearer s3cret": 200, "Bearer s3cre": 401, "s3cret": 401, "": 401} {
		w := ask(h, "GET", "/metrics", "", "Authorization", header)
		if w.Code != want {
			t.Errorf("%q: %d", header, w.Code)
		}
		if want != http.StatusOK {
			continue
		}
		for _, line := range []string{
			`headroom_http_requests_total{code="401",method="POST",route="/api/v1/session"} 1`,
			`headroom_sign_ins_total{result="wrong"} 1`, "headroom_test_gauge 0", "go_goroutines ",
		} {
			if !strings.Contains(w.Body.String(), line) {
				t.Errorf("lacks %s", line)
			}
		}
		if strings.Contains(w.Body.String(), "yyy") {
			t.Error("a stranger's path became a label")
		}
	}
	without := build(t)
	if w := ask(without, "GET", "/metrics", "", "Authorization", "Bearer "); w.Code != http.StatusUnauthorized {
		t.Errorf("no token is configured, so none is right: %d", w.Code)
	}
}

func TestTheDoorIsNotBuiltWithoutItsParts(t *testing.T) {
	good := build(t)
	for name, change := range map[string]func(*Config, *Deps){
		"address":  func(c *Config, _ *Deps) { c.Listen = "nowhere" },
		"origin":   func(c *Config, _ *Deps) { c.TrustedOrigins = []string{"https://x.example/path"} },
		"negative": func(c *Config, _ *Deps) { c.SessionIdle = -1 },
		"missing":  func(_ *Config, d *Deps) { d.Calls = nil },
	} {
		cfg, deps := Config{}, good.server.deps
		deps.Metrics = prometheus.NewRegistry()
		change(&cfg, &deps)
		if _, err := New(cfg, deps); err == nil {
			t.Errorf("%s: built all the same", name)
		}
	}
	deps := good.server.deps
	if _, err := New(Config{}, deps); err == nil {
		t.Error("two servers share one set of counters")
	}
}

func TestATakenPortIsNoticedBeforeAnythingStarts(t *testing.T) {
	first := open(t)
	second := build(t, func(c *Config, _ *Deps) { c.Listen = first.server.Addr().String() })
	if err := second.server.Listen(t.Context()); err == nil {
		t.Error("no error")
	}
	if second.server.Addr() != nil {
		t.Error("an address without a socket")
	}
}

func TestAGoneClientIsNotAnError(t *testing.T) {
	h := build(t)
	c := signedIn4Test(t, h)
	ctx, cancel := context.WithCancelCause(t.Context())
	h.server.deps.Calls = goneCalls{h.record, func() { cancel(errors.New("client gone")) }}
	r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/calls", nil)
	r.Header.Set("Cookie", c)
	h.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if strings.Contains(h.log.String(), "request failed") {
		t.Error(h.log.String())
	}
}

type goneCalls struct {
	CallRecord
	leave func()
}

func (g goneCalls) Calls(ctx context.Context, _ callFilter) ([]callOut, error) {
	g.leave()
	return nil, ctx.Err()
}
