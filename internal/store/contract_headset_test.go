package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// The contract on headsets, what is thought of them, and sessions.

func headsets(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	first := model.Headset{ID: "m/1", Model: "m", Serial: "1", LastSeen: noon(), LastAgent: "anna"}
	second := first
	second.LastSeen, second.LastAgent = *after(time.Hour), "zoe"
	must(t, s.SeenHeadset(ctx, first), s.SeenHeadset(ctx, second), s.SeenHeadset(ctx, first))
	must(t, s.SeenHeadset(ctx, model.Headset{ID: "m/2", Model: "m", Serial: "2", FirstSeen: noon(), LastSeen: *after(2 * time.Hour)}))
	want := model.Headset{ID: "m/1", Model: "m", Serial: "1", FirstSeen: noon(), LastSeen: *after(time.Hour), LastAgent: "zoe"}
	got, err := s.Headset(ctx, "m/1")
	must(t, err)
	equal(t, "headset", got, want)
	all, err := s.Headsets(ctx)
	must(t, err)
	if len(all) != 2 || all[0].ID != "m/2" || all[1] != want {
		t.Errorf("all: %+v", all)
	}
	if _, err := s.Headset(ctx, "m/3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if err := s.SeenHeadset(ctx, model.Headset{}); err == nil {
		t.Error("a headset without identity was kept")
	}
}

func reportsOnce(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	r := model.ReportRecord{Call: "c1", Leg: "l1", Headset: "m/1", Agent: "anna", At: noon(), Report: exampleReport(headset.TapMic)}
	must(t, s.AddReport(ctx, r))
	r.At = *after(time.Second)
	must(t, s.AddReport(ctx, r))
	wire := r
	wire.Report = exampleReport(headset.TapWire)
	other := r
	other.Headset = "m/2" // changed in mid-call
	must(t, s.AddReport(ctx, wire), s.AddReport(ctx, other))
	got, err := s.Reports(ctx, "m/1", 10)
	must(t, err)
	equal(t, "reports", got, []model.ReportRecord{wire, r})
}

func reportsNewestFirst(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	for i := range 5 {
		id := model.CallID(fmt.Sprint(i))
		must(t, s.CallStarted(ctx, model.Call{ID: id, StartedAt: noon()}))
		at := *after(time.Duration(i*3%5) * time.Second) // 0 3 1 4 2
		must(t, s.AddReport(ctx, model.ReportRecord{Call: id, Headset: "m/1", At: at, Report: exampleReport(headset.TapMic)}))
	}
	got, err := s.Reports(ctx, "m/1", 3)
	must(t, err)
	var order []string
	for _, r := range got {
		order = append(order, string(r.Call))
	}
	equal(t, "order", order, []string{"3", "1", "4"})
}

func verdicts(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	if _, err := s.Verdict(ctx, "m/1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("never judged: %v", err)
	}
	good := model.Verdict{Headset: "m/1", State: model.VerdictGood, Findings: []model.VerdictFinding{}, Text: "Good.", Reports: 3, At: noon()}
	stillGood := good
	stillGood.Reports, stillGood.At = 4, *after(time.Minute)
	bad := model.Verdict{Headset: "m/1", State: model.VerdictReplace, Text: "Replace it.", Reports: 5, At: *after(time.Hour), Findings: []model.VerdictFinding{
		{Kind: headset.Clipping, Severity: headset.Bad, Blame: model.BlameHeadset, Value: 0.01, Limit: dsp.None(), Calls: []model.CallID{"c2", "c1"}, Text: "x"},
	}}
	must(t, s.SaveVerdict(ctx, good), s.SaveVerdict(ctx, stillGood), s.SaveVerdict(ctx, bad))
	must(t, s.SaveVerdict(ctx, stillGood)) // came late: changes nothing
	must(t, s.SaveVerdict(ctx, model.Verdict{Headset: "m/2", State: model.VerdictUnknown, At: noon()}))
	got, err := s.Verdict(ctx, "m/1")
	must(t, err)
	equal(t, "verdict", got, bad)
	history, err := s.VerdictHistory(ctx, "m/1")
	must(t, err)
	equal(t, "history", history, []model.Verdict{bad, good})
	all, err := s.Verdicts(ctx)
	must(t, err)
	if len(all) != 2 || all[0].Headset != "m/1" || all[1].Headset != "m/2" || all[1].Findings == nil {
		t.Errorf("all: %+v", all)
	}
}

func sessions(t *testing.T, b backend) {
	now := noon()
	var mu sync.Mutex
	store := b.open(t, WithClock(func() time.Time { mu.Lock(); defer mu.Unlock(); return now }))
	s := store.Sessions()
	must(t, s.Commit("token", []byte("old"), noon().Add(time.Minute)), s.Commit("token", []byte{0, 1, 2}, noon().Add(time.Hour)))
	must(t, s.Commit("other", nil, noon().Add(time.Hour)))
	data, found, err := s.Find("token")
	if err != nil || !found || string(data) != "\x00\x01\x02" {
		t.Errorf("found %v, %v, %v", data, found, err)
	}
	for _, token := range []string{"", "Token", "nope\x00\xff"} {
		if _, found, err := s.Find(token); found || err != nil {
			t.Errorf("%q: %v, %v", token, found, err)
		}
	}
	must(t, s.Delete("other"), s.Delete("other"))
	if _, found, _ := s.Find("other"); found {
		t.Error("a deleted session is still there")
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	if _, found, err := s.Find("token"); found || err != nil {
		t.Errorf("an expired session: %v, %v", found, err)
	}
	must(t, s.Commit("new", []byte("x"), now.Add(time.Hour)))
	var rows int
	must(t, store.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&rows))
	if rows != 1 {
		t.Errorf("%d rows, wanted the expired one cleared away", rows)
	}
	var token int
	must(t, store.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions WHERE token_hash = $1", []byte("new")).Scan(&token))
	if token != 0 {
		t.Error("the token itself is stored")
	}
}
