package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that should happen at once.
const patience = 10 * time.Second

// record is a working store in memory.
type record struct {
	mu       sync.Mutex
	site     model.Site
	hashes   map[model.AgentID]string
	stories  []store.CallStory // newest first
	readings map[model.CallID][]model.ReadingChunk
	ladders  map[model.CallID][]model.CallLadder
	headsets []model.Headset
	reports  []model.ReportRecord // newest first
	verdicts []model.Verdict      // the history, newest first
	renewed  *model.Verdict       // the newest of them with later numbers; nil is none
	broken   error
}

func (r *record) User(_ context.Context, id model.AgentID) (model.User, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return model.User{}, "", r.broken
	}
	for _, u := range r.site.Users {
		if u.ID == id {
			return u, r.hashes[id], nil
		}
	}
	return model.User{}, "", store.ErrNotFound
}

func (r *record) Site(context.Context) (model.Site, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.site
	s.Users = slices.Clone(s.Users)
	return s, r.broken
}

func (r *record) Calls(_ context.Context, f store.CallFilter) ([]model.Call, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []model.Call
	for _, s := range r.stories {
		c := s.Call
		older := f.Before.IsZero() || c.StartedAt.Before(f.Before) || c.StartedAt.Equal(f.Before) && c.ID < f.BeforeID
		if older && (f.Queue == "" || c.Queue == f.Queue) && (f.Agent == "" || c.Agent == f.Agent) && len(out) < f.Limit {
			out = append(out, c)
		}
	}
	return out, r.broken
}

func (r *record) Call(_ context.Context, id model.CallID) (store.CallStory, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.stories {
		if s.Call.ID == id {
			return s, nil
		}
	}
	return store.CallStory{}, cmp.Or(r.broken, store.ErrNotFound)
}

func (r *record) Readings(_ context.Context, id model.CallID) ([]model.ReadingChunk, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readings[id], r.broken
}

func (r *record) Ladders(_ context.Context, id model.CallID) ([]model.CallLadder, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ladders[id], r.broken
}

func (r *record) Headsets(context.Context) ([]model.Headset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.headsets), r.broken
}

func (r *record) Headset(_ context.Context, id model.HeadsetID) (model.Headset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.headsets {
		if h.ID == id {
			return h, nil
		}
	}
	return model.Headset{}, cmp.Or(r.broken, store.ErrNotFound)
}

func (r *record) Reports(_ context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []model.ReportRecord
	for _, rep := range r.reports {
		if rep.Headset == id && len(out) < limit {
			out = append(out, rep)
		}
	}
	return out, r.broken
}

func (r *record) Verdicts(context.Context) ([]model.Verdict, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []model.Verdict
	for _, v := range r.verdicts {
		if !slices.ContainsFunc(out, func(o model.Verdict) bool { return o.Headset == v.Headset }) {
			out = append(out, v)
		}
	}
	return out, r.broken
}

func (r *record) Verdict(_ context.Context, id model.HeadsetID) (model.Verdict, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.renewed != nil && r.renewed.Headset == id {
		return *r.renewed, r.broken
	}
	for _, v := range r.verdicts {
		if v.Headset == id {
			return v, r.broken
		}
	}
	return model.Verdict{}, cmp.Or(r.broken, store.ErrNotFound)
}

func (r *record) VerdictHistory(_ context.Context, id model.HeadsetID) ([]model.Verdict, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []model.Verdict
	for _, v := range r.verdicts {
		if v.Headset == id {
			out = append(out, v)
		}
	}
	return out, r.broken
}

// breakDown makes every question fail from now on; nil mends it.
func (r *record) breakDown(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = err
}

func (r *record) setUser(id model.AgentID, change func(*model.User)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	users := slices.Clone(r.site.Users)
	for i := range users {
		if users[i].ID == id {
			change(&users[i])
		}
	}
	r.site.Users = users
}

func (r *record) removeUser(id model.AgentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.site.Users = slices.DeleteFunc(slices.Clone(r.site.Users), func(u model.User) bool { return u.ID == id })
}

func (r *record) setHash(id model.AgentID, hash string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hashes[id] = hash
}

// shelf keeps sessions in memory (scs.Store).
type shelf struct {
	mu    sync.Mutex
	items map[string]shelved
}

type shelved struct {
	data   []byte
	expiry time.Time
}

func newShelf() *shelf { return &shelf{items: map[string]shelved{}} }

func (s *shelf) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[token]
	if !ok || !time.Now().Before(i.expiry) {
		return nil, false, nil
	}
	return i.data, true, nil
}

func (s *shelf) Commit(token string, b []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[token] = shelved{b, expiry}
	return nil
}

func (s *shelf) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, token)
	return nil
}

// plain "hashes" a password by naming it; an empty hash never matches.
type plain struct{}

func (plain) Verify(_ context.Context, password, hash string) (bool, error) {
	return hash != "" && hash == "plain:"+password, nil
}

// board is a switchboard whose floor a test sets and whose sessions it sees.
type board struct {
	mu        sync.Mutex
	snap      acd.Snapshot
	live      []call.AgentLive
	refuse    error
	sessions  chan *desk // every session begun
	greet     func(Link) // before SignIn returns
	inCall    chan *desk // not nil: everybody is in a call, and who was signed out comes here
	dial      func(agent model.AgentID, to string, queue model.QueueID) (model.CallID, error)
	supervise func(by model.AgentID, id model.CallID, mode model.SuperviseMode) error
	handle    func(ctx context.Context, d *desk, id string, m protocol.Message) (protocol.Message, error)
}

func (b *board) Snapshot() *acd.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.snap
	return &s
}

func (b *board) Live() []call.AgentLive {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.live)
}

func (b *board) Supervise(_ context.Context, by model.User, id model.CallID, mode model.SuperviseMode) error {
	return b.supervise(by.ID, id, mode)
}

func (b *board) Unsupervise(_ context.Context, by model.AgentID, id model.CallID) error {
	if b.supervise == nil {
		return nil
	}
	return b.supervise(by, id, "")
}

func (b *board) Dial(_ context.Context, agent model.AgentID, to string, queue model.QueueID) (model.CallID, error) {
	return b.dial(agent, to, queue)
}

func (b *board) SignIn(_ context.Context, user model.User, hello protocol.Hello, link Link) (AgentSession, protocol.Welcome, error) {
	if b.refuse != nil {
		return nil, protocol.Welcome{}, b.refuse
	}
	d := &desk{board: b, user: user, hello: hello, link: link, lost: make(chan Link, 4), done: make(chan struct{})}
	if b.greet != nil {
		b.greet(link)
	}
	b.sessions <- d
	return d, protocol.Welcome{
		Version: protocol.Version, Resume: "token-of-" + string(user.ID), Agent: string(user.ID), Name: user.Title,
		Resumed: hello.Resume != "", State: protocol.State{State: string(model.Break), Reason: "signed in", Since: time.Now()},
	}, nil
}

// desk is one agent's session on a board.
type desk struct {
	board *board
	user  model.User
	hello protocol.Hello
	link  Link
	lost  chan Link
	done  chan struct{}
}

func (d *desk) Handle(ctx context.Context, id string, m protocol.Message) (protocol.Message, error) {
	if d.board.handle != nil {
		return d.board.handle(ctx, d, id, m)
	}
	if _, out := m.(protocol.SignOut); out {
		close(d.done)
	}
	if id == "" {
		return nil, nil
	}
	return protocol.Ack{}, nil
}

func (d *desk) LinkLost(l Link) { d.lost <- l }

func (d *desk) SignOut() {
	if d.board.inCall != nil {
		d.board.inCall <- d
		return
	}
	close(d.done)
}

func (d *desk) Done() <-chan struct{} { return d.done }

// house is a server over fakes, with one user per role (the role's name is the user's, the
// password "pw").
type house struct {
	t      *testing.T
	record *record
	shelf  *shelf
	board  *board
	bus    *events.Bus
	reg    *prometheus.Registry
	ready  error
	log    *lockedBuffer
	server *Server
	url    string
	stop   func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// build puts a house together without opening its door.
func build(t *testing.T, change ...func(*Config, *Deps)) *house {
	t.Helper()
	h := &house{
		t: t, record: sampleRecord(), shelf: newShelf(), bus: events.NewBus(), reg: prometheus.NewRegistry(), log: &lockedBuffer{},
		board: &board{snap: sampleSnapshot(), live: sampleLive(), sessions: make(chan *desk, 16)},
	}
	cfg := Config{Listen: "127.0.0.1:0"}
	deps := Deps{
		People: h.record, Calls: h.record, Headsets: h.record, Sessions: h.shelf, Passwords: plain{},
		Switchboard: h.board, Bus: h.bus, Metrics: h.reg, Log: slog.New(slog.NewTextHandler(h.log, nil)),
		Ready: func(context.Context) error { return h.ready },
		Pages: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") }),
	}
	for _, c := range change {
		c(&cfg, &deps)
	}
	var err error
	if h.server, err = New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	h.server.now = func() time.Time { return nine(10) }
	return h
}

// open builds a house and serves it until the test ends.
func open(t *testing.T, change ...func(*Config, *Deps)) *house {
	t.Helper()
	h := build(t, change...)
	h.run()
	return h
}

func (h *house) run() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	if err := h.server.Listen(ctx); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.server.Run(ctx) }()
	h.url = "http://" + h.server.Addr().String()
	h.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	h.t.Cleanup(func() {
		if err := h.stop(); err != nil {
			h.t.Errorf("server ended: %v", err)
		}
	})
}

// visitor is a client with cookies of its own.
type visitor struct {
	h    *house
	http *http.Client
}

func (h *house) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	tr := &http.Transport{DialContext: (&net.Dialer{}).DialContext}
	h.t.Cleanup(tr.CloseIdleConnections)
	return &visitor{h: h, http: &http.Client{Jar: jar, Transport: tr, Timeout: patience}}
}

// as is a visitor signed in as a user.
func (h *house) as(user string) *visitor {
	h.t.Helper()
	v := h.visitor()
	res := v.do("POST", "/api/v1/session", `{"user":"`+user+`","password":"pw"}`)
	if res.status != http.StatusOK {
		h.t.Fatalf("sign in as %s: %d %s", user, res.status, res.body)
	}
	return v
}

type response struct {
	status int
	header http.Header
	body   string
}

func (v *visitor) do(method, path, body string, header ...string) response {
	v.h.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(v.h.t.Context(), method, v.h.url+path, in)
	if err != nil {
		v.h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := v.http.Do(req)
	if err != nil {
		v.h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response{res.StatusCode, res.Header, string(b)}
}

func (v *visitor) get(path string) response { v.h.t.Helper(); return v.do("GET", path, "") }

// read gets a path that must answer 200 and decodes it.
func read[T any](v *visitor, path string) T {
	v.h.t.Helper()
	var out T
	res := v.get(path)
	if res.status != http.StatusOK {
		v.h.t.Fatalf("GET %s: %d %s", path, res.status, res.body)
	}
	if err := json.Unmarshal([]byte(res.body), &out); err != nil {
		v.h.t.Fatalf("GET %s: %v in %s", path, err, res.body)
	}
	return out
}

// problem decodes an error answer and holds it to RFC 9457.
func problem(t *testing.T, res response) Problem {
	t.Helper()
	if ct := res.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("%d came as %q: %s", res.status, ct, res.body)
	}
	var p Problem
	if err := json.Unmarshal([]byte(res.body), &p); err != nil {
		t.Fatalf("%v in %s", err, res.body)
	}
	if p.Status != res.status || p.Title == "" || p.Type != "about:blank" || p.RequestID == "" || p.RequestID != res.header.Get("X-Request-Id") {
		t.Fatalf("%d: not a whole problem: %+v", res.status, p)
	}
	return p
}

var errSecret = errors.New("disk /var/secret on fire")

// Short names of what the interfaces speak, for fakes that break on purpose.
type (
	callFilter = store.CallFilter
	callStory  = store.CallStory
	callOut    = model.Call
	callID     = model.CallID
)
