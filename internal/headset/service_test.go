package headset_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	meter "github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that only moves when told.
func clock() time.Time { return today }

// openStore gives a store in which the first n calls of clippedCall have taken place.
func openStore(t *testing.T, n int) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "headroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		rec := clippedCall(i)
		if err := s.CallStarted(t.Context(), model.Call{ID: rec.Call, StartedAt: rec.At}); err != nil {
			t.Fatal(err)
		}
		if err := s.LegStarted(t.Context(), model.Leg{ID: rec.Leg, Call: rec.Call, Kind: model.AgentLeg, StartedAt: rec.At}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func clippedCall(n int) model.ReportRecord {
	return model.ReportRecord{
		Call: model.CallID(fmt.Sprintf("c%d", n)), Leg: model.LegID(fmt.Sprintf("l%d", n)), Headset: "Acme H1/42", Agent: "ann",
		At:     today.Add(time.Duration(n) * time.Minute),
		Report: meter.Report{Tap: meter.TapMic, Duration: 90, ActiveSpeech: 60, Findings: []meter.Finding{clips}},
	}
}

func TestTheThirdClippedCallFlagsTheHeadsetAndTellsWhoRoutes(t *testing.T) {
	st := openStore(t, 3)
	s := headset.NewService(st, model.HeadsetRules{}, clock)
	var told []string
	s.OnVerdict(func(v model.Verdict, agent model.AgentID) { told = append(told, fmt.Sprintf("%s: %s", agent, v.State)) })
	for n := range 3 {
		if _, err := s.Reported(t.Context(), clippedCall(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprint(told), "[ann: watch ann: watch ann: replace]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	again := headset.NewService(st, model.HeadsetRules{}, clock) // the service was restarted
	v, err := again.Verdict(t.Context(), "Acme H1/42")
	if err != nil || v.State != model.VerdictReplace || len(v.Findings) != 1 {
		t.Errorf("after a restart %+v, %v", v, err)
	}
}

func TestNewRulesHoldForTheNextReport(t *testing.T) {
	s := headset.NewService(openStore(t, 3), model.HeadsetRules{}, clock)
	s.SetRules(model.HeadsetRules{ReplaceAfter: 1})
	v, err := s.Reported(t.Context(), clippedCall(1))
	if err != nil || v.State != model.VerdictReplace {
		t.Errorf("%s, %v; want replace after one call", v.State, err)
	}
}

func TestAHeadsetNeverHeardIsUnknown(t *testing.T) {
	s := headset.NewService(openStore(t, 3), model.HeadsetRules{}, clock)
	for _, id := range []model.HeadsetID{"Acme H1/never", ""} {
		v, err := s.Verdict(t.Context(), id)
		if err != nil || v.State != model.VerdictUnknown || v.Headset != id || v.Findings == nil {
			t.Errorf("%q: %+v, %v", id, v, err)
		}
	}
}

func TestAReportWithoutAHeadsetIsKeptAndJudgesNobody(t *testing.T) {
	st := openStore(t, 3)
	s := headset.NewService(st, model.HeadsetRules{ReplaceAfter: 1}, clock)
	s.OnVerdict(func(v model.Verdict, _ model.AgentID) { t.Errorf("told of %+v", v) })
	rec := clippedCall(1)
	rec.Headset = ""
	if v, err := s.Reported(t.Context(), rec); err != nil || v.State != model.VerdictUnknown {
		t.Errorf("%+v, %v", v, err)
	}
	if kept, err := st.Reports(t.Context(), "", 10); err != nil || len(kept) != 1 {
		t.Errorf("kept %d reports, %v", len(kept), err)
	}
}

// brokenStore fails at one step.
type brokenStore struct {
	headset.Store
	report, history, save, verdict error
}

func (b brokenStore) AddReport(ctx context.Context, r model.ReportRecord) error {
	if b.report != nil {
		return b.report
	}
	return b.Store.AddReport(ctx, r)
}

func (b brokenStore) Reports(ctx context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error) {
	if b.history != nil {
		return nil, b.history
	}
	return b.Store.Reports(ctx, id, limit)
}

func (b brokenStore) SaveVerdict(ctx context.Context, v model.Verdict) error {
	if b.save != nil {
		return b.save
	}
	return b.Store.SaveVerdict(ctx, v)
}

func (b brokenStore) Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error) {
	if b.verdict != nil {
		return model.Verdict{}, b.verdict
	}
	return b.Store.Verdict(ctx, id)
}

func TestNobodyIsToldOfAVerdictThatIsNotStored(t *testing.T) {
	full := errors.New("disk full")
	st := openStore(t, 3)
	for name, broken := range map[string]brokenStore{
		"report": {Store: st, report: full}, "history": {Store: st, history: full}, "save": {Store: st, save: full},
	} {
		s := headset.NewService(broken, model.HeadsetRules{}, clock)
		s.OnVerdict(func(v model.Verdict, _ model.AgentID) { t.Errorf("%s: told of %+v", name, v) })
		if _, err := s.Reported(t.Context(), clippedCall(1)); !errors.Is(err, full) {
			t.Errorf("%s: %v, want %v", name, err, full)
		}
	}
	s := headset.NewService(brokenStore{Store: st, verdict: full}, model.HeadsetRules{}, clock)
	if _, err := s.Verdict(t.Context(), "x"); !errors.Is(err, full) {
		t.Errorf("verdict: %v, want %v", err, full)
	}
}

// TestReportsThatComeTogetherEndInTheVerdictOnAllOfThem would fail if a verdict that had
// seen fewer reports could be stored, or told, after one that had seen more.
func TestReportsThatComeTogetherEndInTheVerdictOnAllOfThem(t *testing.T) {
	const calls = 40
	st := openStore(t, calls)
	s := headset.NewService(st, model.HeadsetRules{Window: 100}, clock)
	seen := 0
	s.OnVerdict(func(v model.Verdict, _ model.AgentID) {
		if v.Reports < seen {
			t.Errorf("a verdict on %d calls after one on %d", v.Reports, seen)
		}
		seen = v.Reports
	})
	var wg sync.WaitGroup
	for n := range calls {
		wg.Go(func() {
			if _, err := s.Reported(t.Context(), clippedCall(n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	v, err := s.Verdict(t.Context(), "Acme H1/42")
	if err != nil || v.Reports != calls || v.State != model.VerdictReplace {
		t.Errorf("stored verdict on %d calls: %s, %v; want %d", v.Reports, v.State, err, calls)
	}
}
