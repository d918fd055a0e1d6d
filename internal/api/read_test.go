package api

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/password"
	"github.com/headroom-voice/headroom/internal/store"
)

func TestASupervisorSeesWhoWaitsAndHowLong(t *testing.T) {
	h := open(t)
	v := h.as("supervisor")
	q := read[Queues](v, "/api/v1/queues")
	if q.Total != 1 || !q.At.Equal(nine(10)) {
		t.Fatalf("%+v", q)
	}
	got := q.Queues[0]
	if got.LongestWaitS != 60 || len(got.Waiting) != 2 || got.ServiceLevel != 0.75 || got.SignedIn != 1 {
		t.Errorf("%+v", got)
	}
	d := read[QueueDetail](v, "/api/v1/queues/sales")
	if d.OfferTimeoutS != 15 || d.WrapUpS != 30 || d.ServiceLevelS != 20 || d.Numbers[0] != "100" {
		t.Errorf("%+v", d)
	}
	if len(d.Agents) != 2 || d.Agents[0].ID != "agent" || d.Agents[1].State != model.Offline {
		t.Errorf("the queue's agents, offline last: %+v", d.Agents)
	}
}

func TestAQueueNobodyCalledHasNoServiceLevel(t *testing.T) {
	h := open(t)
	h.board.mu.Lock()
	h.board.snap.Queues[0].Answered, h.board.snap.Queues[0].Abandoned, h.board.snap.Queues[0].Waiting = 0, 0, nil
	h.board.mu.Unlock()
	res := h.as("supervisor").get("/api/v1/queues")
	if !strings.Contains(res.body, `"service_level_share":null`) || !strings.Contains(res.body, `"waiting":[]`) {
		t.Error(res.body)
	}
}

func TestAnAgentIsShownWithHeadsetVerdictAndLiveLevels(t *testing.T) {
	h := open(t)
	a := read[Agent](h.as("supervisor"), "/api/v1/agents/agent")
	if a.Title != "The agent" || a.State != model.OnCall || a.Verdict != model.VerdictReplace || !a.Connected || !a.Media || a.Call != "call-9" {
		t.Errorf("%+v", a)
	}
	if a.Headset == nil || a.Headset.ID != clippedHeadset || a.Headset.Key != KeyOf(clippedHeadset) || a.Headset.Serial != "00A1" {
		t.Errorf("headset: %+v", a.Headset)
	}
	if a.Mic == nil || a.Mic.Clipped != .02 || a.Mic.ActiveLevel.Valid() || a.Wire != nil {
		t.Errorf("mic %+v wire %+v", a.Mic, a.Wire)
	}
}

func TestCallsArePagedWithoutLossOrRepeat(t *testing.T) {
	h := open(t)
	// Two that began in the same instant, across a page's edge.
	h.record.stories[4].Call.StartedAt = h.record.stories[3].Call.StartedAt
	v := h.as("supervisor")
	var seen []model.CallID
	path := "/api/v1/calls?limit=4"
	for range 10 {
		page := read[Calls](v, path)
		if len(page.Calls) > 4 {
			t.Fatalf("%d on one page", len(page.Calls))
		}
		for _, c := range page.Calls {
			seen = append(seen, c.ID)
		}
		if page.Next == "" {
			break
		}
		path = "/api/v1/calls?limit=4&before=" + page.Next
	}
	if len(seen) != 9 || seen[0] != "call-9" || seen[8] != "call-1" {
		t.Errorf("%v", seen)
	}
	if c := read[Calls](v, "/api/v1/calls?queue=other"); len(c.Calls) != 0 || c.Calls == nil {
		t.Errorf("another queue: %+v", c)
	}
	if c := read[Calls](v, "/api/v1/calls?agent=agent&limit=9"); len(c.Calls) != 9 || c.Next != "" {
		t.Errorf("exactly a page: %d, next %q", len(c.Calls), c.Next)
	}
}

func TestACallsStoryHoldsLegsEventsAndReports(t *testing.T) {
	h := open(t)
	v := h.as("supervisor")
	s := read[CallStory](v, "/api/v1/calls/call-9")
	if len(s.Legs) != 2 || s.Legs[1].Headset != clippedHeadset || len(s.Events) != 2 || s.Events[1].Kind != "connected" {
		t.Errorf("%+v", s)
	}
	if len(s.Reports) != 1 || s.Reports[0].Metrics.ClipEvents != 812 || s.Reports[0].Findings[0].Kind != "clipping" {
		t.Errorf("%+v", s.Reports)
	}
	r := read[CallReadings](v, "/api/v1/calls/call-9/readings")
	if len(r.Runs) != 1 || r.Runs[0].Readings[0].Level != -26.5 {
		t.Errorf("%+v", r)
	}
	if r := read[CallReadings](v, "/api/v1/calls/call-8/readings"); r.Runs == nil || len(r.Runs) != 0 {
		t.Errorf("a call nobody measured: %+v", r)
	}
}

func TestHeadsetsToReplaceComeFirstAndOpenByTheirKey(t *testing.T) {
	h := open(t)
	v := h.as("it")
	l := read[Headsets](v, "/api/v1/headsets")
	if l.Total != 2 || l.Headsets[0].ID != clippedHeadset || !l.Headsets[0].InUse || l.Headsets[0].LastTitle != "The agent" || l.Headsets[1].InUse {
		t.Fatalf("%+v", l)
	}
	for _, set := range l.Headsets {
		d := read[HeadsetDetail](v, "/api/v1/headsets/"+string(set.Key))
		if d.Headset.ID != set.ID {
			t.Errorf("%q opened %q", set.Key, d.Headset.ID)
		}
		// Also as a library that escapes too much sends it.
		if d := read[HeadsetDetail](v, "/api/v1/headsets/"+strings.ReplaceAll(string(set.Key), "~", "%7E")); d.Headset.ID != set.ID {
			t.Errorf("escaped %q opened %q", set.Key, d.Headset.ID)
		}
	}
	d := read[HeadsetDetail](v, "/api/v1/headsets/"+string(KeyOf(clippedHeadset)))
	if d.Headset.Verdict.State != model.VerdictReplace || len(d.History) != 2 || d.History[1].State != model.VerdictGood || len(d.Reports) != 2 {
		t.Errorf("%+v", d)
	}
	if p := read[Headsets](v, "/api/v1/headsets?limit=1&offset=1"); p.Total != 2 || len(p.Headsets) != 1 || p.Headsets[0].ID != healthyHeadset {
		t.Errorf("second page: %+v", p)
	}
	if p := read[Headsets](v, "/api/v1/headsets?offset=5"); len(p.Headsets) != 0 {
		t.Errorf("beyond the end: %+v", p)
	}
}

// What a page fetches must be what the live stream changes.
func TestTheRecordOfARealStoreIsServed(t *testing.T) {
	ctx := t.Context()
	st, err := store.Open(ctx, filepath.Join(t.TempDir(), "headroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sample := sampleRecord()
	if _, err := st.ApplySite(ctx, sample.site); err != nil {
		t.Fatal(err)
	}
	hasher := password.New(1)
	hash, err := hasher.Hash(ctx, "pw")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.SetPasswordHash(ctx, "supervisor", hash))
	story := sample.stories[0]
	must(st.CallStarted(ctx, story.Call))
	for _, l := range story.Legs {
		must(st.LegStarted(ctx, l))
	}
	for _, e := range story.Events {
		must(st.AddEvent(ctx, e))
	}
	must(st.AddReadings(ctx, sample.readings["call-9"][0]))
	must(st.AddLadder(ctx, sample.ladders["call-9"][0]))
	must(st.SeenHeadset(ctx, sample.headsets[1]))
	must(st.AddReport(ctx, sample.reports[0]))
	must(st.SaveVerdict(ctx, sampleVerdict()))

	serve := func() *house {
		h := &house{t: t, board: &board{snap: sampleSnapshot(), live: sampleLive()}, log: &lockedBuffer{}}
		h.server, err = New(Config{Listen: "127.0.0.1:0"}, Deps{
			People: st, Calls: st, Headsets: st, Sessions: st.Sessions(), Passwords: hasher, Switchboard: h.board,
			Bus: events.NewBus(), Metrics: prometheus.NewRegistry(), Ready: st.Ping, Log: slog.New(slog.NewTextHandler(h.log, nil)),
		})
		must(err)
		h.run()
		return h
	}
	h := serve()
	v := h.as("supervisor")
	s := read[CallStory](v, "/api/v1/calls/call-9")
	if len(s.Legs) != 2 || len(s.Events) != 2 || len(s.Reports) != 1 {
		t.Errorf("%+v", s)
	}
	if c := read[Calls](v, "/api/v1/calls?limit=1"); len(c.Calls) != 1 || c.Next != "" {
		t.Errorf("%+v", c)
	}
	if c := read[CallSIP](v, "/api/v1/calls/call-9/sip"); len(c.Ladders) != 1 || len(c.Ladders[0].Messages) != 1 {
		t.Errorf("%+v", c)
	}
	if r := read[CallReadings](v, "/api/v1/calls/call-9/readings"); len(r.Runs) != 1 || len(r.Runs[0].Readings) != 1 {
		t.Errorf("%+v", r)
	}
	d := read[HeadsetDetail](v, "/api/v1/headsets/"+string(KeyOf(clippedHeadset)))
	if d.Headset.Verdict.State != model.VerdictReplace || len(d.Reports) != 1 || len(d.History) != 1 {
		t.Errorf("%+v", d)
	}
	if res := v.get("/readyz"); res.status != 200 {
		t.Errorf("readyz %d", res.status)
	}
	for _, path := range []string{"/api/v1/calls/none", "/api/v1/calls/none/readings", "/api/v1/calls/none/sip", "/api/v1/headsets/none"} {
		if res := v.get(path); res.status != 404 {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
	// The session outlives a restart, and the stream's calls outlive nothing.
	must(h.stop())
	again := serve()
	v.h = again
	for _, c := range v.http.Jar.Cookies(mustURL(t, h.url)) {
		if res := again.visitor().do("GET", "/api/v1/session", "", "Cookie", c.Name+"="+c.Value); res.status != 200 {
			t.Errorf("after a restart: %d", res.status)
		}
	}
}

func TestACallsSIPLadderIsShownAsItWasKept(t *testing.T) {
	h := open(t)
	v := h.as("it")
	s := read[CallSIP](v, "/api/v1/calls/call-9/sip")
	if s.Call != "call-9" || len(s.Ladders) != 1 {
		t.Fatalf("%+v", s)
	}
	l := s.Ladders[0]
	if l.Leg != "call-9-t" || l.Missing != 7 || l.After != 1 || !strings.Contains(l.Picture, "1 INVITE +SDP") || !strings.Contains(l.Picture, "7 messages were not kept") {
		t.Errorf("%+v", l)
	}
	if m := l.Messages[0]; m.Peer != "198.51.100.7:5060" || m.Out || !strings.HasPrefix(m.Headers, "From: ") || m.Body != "v=0" || m.Repeated != 1 || !m.Cut {
		t.Errorf("%+v", m)
	}
	// A call that goes on has none yet; one that never was is not found.
	if s := read[CallSIP](v, "/api/v1/calls/call-8/sip"); s.Ladders == nil || len(s.Ladders) != 0 {
		t.Errorf("%+v", s)
	}
	if res := v.get("/api/v1/calls/none/sip"); res.status != 404 {
		t.Errorf("%d %s", res.status, res.body)
	}
}

func FuzzHeadsetKey(f *testing.F) {
	for _, s := range []string{"Jabra Evolve2 40/00A1", "a/b", "~/~", "..", ".", "ä%/7\x00", "A-Z_09/", "~2f", "%2f", "~2F", "~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s != "" {
			key := KeyOf(model.HeadsetID(s))
			back, err := key.ID()
			if err != nil || string(back) != s {
				t.Fatalf("%q → %q → %q, %v", s, key, back, err)
			}
			if strings.Trim(string(key), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~") != "" {
				t.Fatalf("%q does not stand in an address as it is", key)
			}
		}
		// Whatever a client sends names at most one headset, in one way.
		if id, err := HeadsetKey(s).ID(); err == nil && KeyOf(id) != HeadsetKey(s) {
			t.Fatalf("%q is a second name of %q", s, id)
		}
	})
}

func FuzzCallCursor(f *testing.F) {
	f.Add("1700000000000000.call-1")
	f.Add(".")
	f.Add("-1.x")
	f.Fuzz(func(t *testing.T, s string) {
		at, id, err := readCursor(s)
		if err != nil {
			return
		}
		at2, id2, err := readCursor(cursorAfter(model.Call{ID: id, StartedAt: at}))
		if err != nil || !at2.Equal(at) || id2 != id {
			t.Fatalf("%q: %v %q, then %v %q %v", s, at, id, at2, id2, err)
		}
	})
}

func TestShapesKeepTheHousesJSONNames(t *testing.T) {
	// A page may read a value from the API or, in a test, from the model: the names agree.
	answered := nine(1)
	c := model.Call{ID: "c", StartedAt: nine(0), AnsweredAt: &answered, EndedAt: &answered, Cause: model.CauseCallerHungUp, Agent: "a", FromName: "n"}
	same(t, c, Call(c))
	e := model.CallEvent{Call: "c", At: nine(0), Kind: "k", Agent: "a", Detail: map[string]string{"x": "y"}}
	same(t, e, CallEvent(e))
	l := model.Leg{ID: "l", Call: "c", Kind: model.AgentLeg, Agent: "a", Headset: "h/1", StartedAt: nine(0), Stats: model.LegStats{Codec: "opus", Lost: 3, JitterMS: 1.5}}
	same(t, l, legOf(l))
	r := sampleReport("c", "h/1", "a")
	same(t, r.Report.Metrics, reportOf(r).Metrics)
	same(t, r.Report.Findings, reportOf(r).Findings)
	same(t, sampleVerdict().Findings, verdictOf(sampleVerdict()).Findings)
	same(t, sampleRecord().readings["call-9"][0].Readings, runOf(sampleRecord().readings["call-9"][0]).Readings)
	l9 := sampleRecord().ladders["call-9"][0]
	same(t, l9.Messages, ladderOf(l9).Messages)
	same(t, sampleSnapshot().Queues[0].Waiting, queueOf(sampleSnapshot().Queues[0], time.Now()).Waiting)
}

func same(t *testing.T, a, b any) {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil || string(x) != string(y) {
		t.Errorf("%T and %T differ:\n%s\n%s", a, b, x, y)
	}
}

func TestAHeadsetsPageShowsTheVerdictAsItStandsAndTheHistoryAsItWas(t *testing.T) {
	h := open(t)
	now := sampleVerdict()
	now.Text, now.Reports = "Replace this headset: 9 of the last 9 calls.", 9
	h.record.renewed = &now
	d := read[HeadsetDetail](h.as("it"), "/api/v1/headsets/"+string(KeyOf(clippedHeadset)))
	if d.Headset.Verdict.Reports != 9 || d.Headset.Verdict.Text != now.Text {
		t.Errorf("the verdict is %q over %d calls, wanted the newest", d.Headset.Verdict.Text, d.Headset.Verdict.Reports)
	}
	if d.History[0].Text != sampleVerdict().Text {
		t.Errorf("the history begins with %q, wanted what was said when it changed", d.History[0].Text)
	}
}
