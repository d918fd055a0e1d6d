package store

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// The contract: what every database behind a Store must do.
func TestContract(t *testing.T) {
	tests := map[string]func(*testing.T, backend){
		"an empty store has an empty site with default rules":     emptyStore,
		"a site comes back as it was applied":                     siteRoundTrip,
		"applying a site twice changes nothing":                   siteIdempotent,
		"a changed site says what changed":                        siteChanges,
		"a site with a name twice changes nothing":                siteAllOrNothing,
		"a removed user cannot sign in and stays in the record":   removedUser,
		"a password survives a change of the site":                passwordSurvives,
		"a call's story comes back whole":                         callStory,
		"the first end of a call stands":                          firstEndStands,
		"a row of an unknown call is refused":                     unknownCall,
		"odd bytes from a trunk do not stop the record":           oddBytes,
		"calls are listed newest first, by page, queue and agent": callList,
		"a line sent twice is there once":                         sentTwice,
		"readings come back for each leg and tap":                 readingsRoundTrip,
		"what was said in SIP comes back, once for each party":    ladders,
		"a database from before SIP ladders is taken over":        upgraded,
		"dead calls are closed at the last thing known":           deadCalls,
		"a call out is counted for its user, class and day":       dialsCounted,
		"a call out that ended in the record is not in progress":  dialsDerived,
		"calls out within one call are told apart":                dialsOfOneCall,
		"of many who ask at once one gets the last place":         lastDial,
		"rules of dialling come back as they were applied":        diallingRules,
		"phones are registered where they were, after a restart":  phones,
		"recordings come back as they began and ended":            recordings,
		"recordings go when they expire, and held ones do not":    recordingsGo,
		"many dead calls are all closed":                          manyDeadCalls,
		"headsets remember the newest sight":                      headsets,
		"a report sent twice counts once":                         reportsOnce,
		"reports of a headset come newest first":                  reportsNewestFirst,
		"a verdict's history grows when its findings change":      verdicts,
		"sessions end when they expire":                           sessions,
		"a restart keeps everything":                              restart,
		"an agent's own legs of a call are found, newest first":   agentLegs,
		"a killed service loses nothing it acknowledged":          killed,
		"a change that fails fails alone":                         failsAlone,
		"an acknowledged write has been flushed":                  flushed,
		"a server that cut its connections is called again":       cutConnections,
		"two programs may open a new database at once":            twoPrograms,
		"a database of a newer program is refused":                newerProgram,
		"a closed store says so":                                  closedStore,
	}
	eachBackend(t, func(t *testing.T, b backend) {
		for name, test := range tests {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				t.Parallel() // most of the time is spent waiting for a disk
				test(t, b)
			})
		}
	})
}

// noon is a moment with the resolution that is kept.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC) }

func after(d time.Duration) *time.Time {
	t := noon().Add(d)
	return &t
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// equal compares what is stored with what comes back; Values that are not there are equal.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%+v", got) == fmt.Sprintf("%+v", want) || reflect.DeepEqual(got, want) {
		return
	}
	t.Errorf("%s:\n got  %+v\n want %+v", what, got, want)
}

func exampleReport(tap headset.Tap) headset.Report {
	return headset.Report{
		Tap: tap, SampleRate: 16000, Duration: 61.25, ActiveSpeech: 33.5,
		Metrics: headset.Metrics{ActiveLevel: -26.125, NoiseFloor: -61, DC: dsp.None(), ClipEvents: 3,
			ActiveLevelHP: dsp.None(), Activity: 0.5, Level: -30, SNR: 35, Peak: -3, PeakFactor: 23, ClippedShare: 0, ClipCeiling: dsp.None()},
		Findings: []headset.Finding{{Kind: headset.Clipping, Severity: headset.Bad, Value: 0.0108, Limit: 0.001, Text: "Turn it down."}},
	}
}

func callStory(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	call := model.Call{ID: "c1", Direction: model.Outbound, Trunk: "carrier", Queue: "support", From: "+4930123", FromName: "Jürgen 🎧", To: "100", StartedAt: noon()}
	must(t, s.CallStarted(ctx, call))
	trunk := model.Leg{ID: "l1", Call: "c1", Kind: model.TrunkLeg, Trunk: "carrier", StartedAt: noon()}
	agent := model.Leg{ID: "l2", Call: "c1", Kind: model.AgentLeg, Agent: "zoe", Headset: "m/1", StartedAt: noon().Add(9 * time.Second)}
	must(t, s.LegStarted(ctx, trunk), s.LegStarted(ctx, agent))
	events := []model.CallEvent{
		{Call: "c1", At: noon(), Kind: "arrived"},
		{Call: "c1", At: noon().Add(time.Second), Kind: "queued", Detail: map[string]string{"queue": "support", "odd": "\x00\""}},
		{Call: "c1", At: noon().Add(time.Second), Kind: "offered", Agent: "zoe"},
	}
	for _, e := range events {
		must(t, s.AddEvent(ctx, e))
	}
	call.Agent, call.AnsweredAt = "zoe", after(9*time.Second)
	must(t, s.CallAnswered(ctx, call))
	report := model.ReportRecord{Call: "c1", Leg: "l2", Headset: "m/1", Agent: "zoe", At: *after(70 * time.Second), Report: exampleReport(headset.TapMic)}
	must(t, s.AddReport(ctx, report))
	agent.EndedAt, agent.Cause = after(70*time.Second), model.CauseCallerHungUp
	agent.Stats = model.LegStats{Codec: "opus", PacketsIn: 1 << 40, PacketsOut: 3, Lost: -2, JitterMS: 1.25, RoundTrip: 30}
	must(t, s.LegEnded(ctx, agent), s.CallEnded(ctx, "c1", *after(71 * time.Second), model.CauseCallerHungUp))
	call.EndedAt, call.Cause = after(71*time.Second), model.CauseCallerHungUp

	got, err := s.Call(ctx, "c1")
	must(t, err)
	if !reflect.DeepEqual(got.Call, call) {
		t.Errorf("call\n got  %+v\n want %+v", got.Call, call)
	}
	if want := []model.Leg{trunk, agent}; !reflect.DeepEqual(got.Legs, want) {
		t.Errorf("legs\n got  %+v\n want %+v", got.Legs, want)
	}
	if !reflect.DeepEqual(got.Events, events) {
		t.Errorf("events\n got  %+v\n want %+v", got.Events, events)
	}
	equal(t, "reports", got.Reports, []model.ReportRecord{report})
	if _, err := s.Call(ctx, "c2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a call that never was: %v", err)
	}
}

func firstEndStands(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	call := model.Call{ID: "c1", StartedAt: noon(), AnsweredAt: after(time.Second)}
	leg := model.Leg{ID: "l1", Call: "c1", Kind: model.AgentLeg, StartedAt: noon(), EndedAt: after(2 * time.Second), Cause: model.CauseAgentLost}
	must(t, s.CallStarted(ctx, call), s.LegEnded(ctx, leg)) // an end without a start is a leg too
	must(t, s.CallEnded(ctx, "c1", *after(3 * time.Second), model.CauseAgentHungUp))
	must(t, s.CallEnded(ctx, "c1", *after(9 * time.Second), model.CauseInternalError))
	late := call
	late.AnsweredAt, late.Queue = nil, "support"
	must(t, s.CallUpdated(ctx, late), s.CallStarted(ctx, late))
	leg.EndedAt, leg.Cause = after(8*time.Second), model.CauseInternalError
	must(t, s.LegEnded(ctx, leg))
	got, err := s.Call(ctx, "c1")
	must(t, err)
	call.EndedAt, call.Cause, call.Queue = after(3*time.Second), model.CauseAgentHungUp, "support"
	if !reflect.DeepEqual(got.Call, call) {
		t.Errorf("call\n got  %+v\n want %+v", got.Call, call)
	}
	if l := got.Legs[0]; !l.EndedAt.Equal(*after(2 * time.Second)) || l.Cause != model.CauseAgentLost {
		t.Errorf("leg %+v", l)
	}
}

func unknownCall(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	one := []headset.Reading{{At: 1}}
	for what, err := range map[string]error{
		"update":   s.CallUpdated(ctx, model.Call{ID: "x"}),
		"end":      s.CallEnded(ctx, "x", noon(), model.CauseAbandoned),
		"leg":      s.LegStarted(ctx, model.Leg{ID: "l", Call: "x"}),
		"event":    s.AddEvent(ctx, model.CallEvent{Call: "x"}),
		"readings": s.AddReadings(ctx, model.ReadingChunk{Call: "x", Readings: one}),
		"report":   s.AddReport(ctx, model.ReportRecord{Call: "x"}),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func oddBytes(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", From: "+49\x0030", FromName: "bad \xff\xfe utf-8", StartedAt: noon()}))
	got, err := s.Call(ctx, "c1")
	must(t, err)
	if got.Call.From != "+49\uFFFD30" || got.Call.FromName != "bad \uFFFD utf-8" {
		t.Errorf("kept as %q, %q", got.Call.From, got.Call.FromName)
	}
	id := model.HeadsetInfo{Model: "a\x00b", Serial: "'; DROP TABLE calls; --"}.ID()
	must(t, s.SeenHeadset(ctx, model.Headset{ID: id, LastSeen: noon()}))
	if _, err := s.Headset(ctx, id); err != nil {
		t.Errorf("a headset is not found under the name it was kept with: %v", err)
	}
}

func callList(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	for i := range 10 {
		// Pairs start in the same microsecond.
		c := model.Call{ID: model.CallID(fmt.Sprintf("c%d", i)), StartedAt: noon().Add(time.Duration(i/2) * time.Second), Queue: []model.QueueID{"a", "b"}[i%2]}
		must(t, s.CallStarted(ctx, c))
	}
	must(t, s.LegStarted(ctx, model.Leg{ID: "l3", Call: "c3", Agent: "zoe", StartedAt: noon()}))
	must(t, s.CallUpdated(ctx, model.Call{ID: "c5", Queue: "b", Agent: "zoe"}), s.CallUpdated(ctx, model.Call{ID: "c3", Queue: "b", Agent: "anna"}))
	ids := func(f CallFilter) string {
		t.Helper()
		calls, err := s.Calls(ctx, f)
		must(t, err)
		var out []string
		for _, c := range calls {
			out = append(out, string(c.ID))
		}
		return strings.Join(out, " ")
	}
	equal(t, "all", ids(CallFilter{}), "c9 c8 c7 c6 c5 c4 c3 c2 c1 c0")
	equal(t, "first page", ids(CallFilter{Limit: 3}), "c9 c8 c7")
	equal(t, "next page", ids(CallFilter{Limit: 3, Before: *after(3 * time.Second), BeforeID: "c7"}), "c6 c5 c4")
	equal(t, "before", ids(CallFilter{Before: *after(3 * time.Second)}), "c5 c4 c3 c2 c1 c0")
	equal(t, "queue", ids(CallFilter{Queue: "b", Limit: 2, Before: *after(4 * time.Second)}), "c7 c5")
	equal(t, "agent", ids(CallFilter{Agent: "zoe"}), "c5 c3")
	equal(t, "nobody", ids(CallFilter{Agent: "nobody"}), "")
}

func sentTwice(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	digit := model.CallEvent{Call: "c1", At: noon(), Kind: "dtmf", Detail: map[string]string{"digit": "1", "leg": "l1"}}
	other := digit
	other.Detail = map[string]string{"digit": "2"}
	run := model.ReadingChunk{Call: "c1", Leg: "l1", Tap: headset.TapMic, Readings: []headset.Reading{{At: 1, Level: -20}}}
	for range 2 { // an acknowledgement was lost, so its sender starts again
		must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}), s.LegStarted(ctx, model.Leg{ID: "l1", Call: "c1", StartedAt: noon()}))
		must(t, s.AddEvent(ctx, digit), s.AddEvent(ctx, other), s.AddReadings(ctx, run))
	}
	story, err := s.Call(ctx, "c1")
	must(t, err)
	if len(story.Legs) != 1 {
		t.Errorf("legs: %+v", story.Legs)
	}
	equal(t, "events", story.Events, []model.CallEvent{digit, other})
	readings, err := s.Readings(ctx, "c1")
	must(t, err)
	equal(t, "readings", readings, []model.ReadingChunk{run})
}

func readingsRoundTrip(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	run := func(from, n int) []headset.Reading {
		out := make([]headset.Reading, n)
		for i := range out {
			out[i] = headset.Reading{At: float64(from + i), Level: dsp.Value(-20.25 - float64(i%3)), ActiveLevel: dsp.None(), NoiseFloor: -61.5, Peak: -3, Clipped: 0, Speech: 0.48, Scored: 1}
		}
		return out
	}
	must(t, s.AddReadings(ctx, model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapWire, Readings: run(1, 10)}))
	must(t, s.AddReadings(ctx, model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapMic, Readings: run(1, 9)}))
	must(t, s.AddReadings(ctx, model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapWire, Readings: run(11, 2*maxReadings)}))
	must(t, s.AddReadings(ctx, model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapWire}))
	got, err := s.Readings(ctx, "c1")
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("%d chunks, wanted one for each tap", len(got))
	}
	equal(t, "wire", got[0], model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapWire, Readings: append(run(1, 10), run(11, 2*maxReadings)...)})
	equal(t, "mic", got[1], model.ReadingChunk{Call: "c1", Leg: "l2", Tap: headset.TapMic, Readings: run(1, 9)})
	if none, err := s.Readings(ctx, "c2"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("of an unknown call: %v, %v", none, err)
	}
}

func deadCalls(t *testing.T, b backend) {
	clock := noon().Add(500 * time.Second)
	s, ctx := b.open(t, WithClock(func() time.Time { return clock })), t.Context()
	start := func(id model.CallID) {
		must(t, s.CallStarted(ctx, model.Call{ID: id, StartedAt: noon()}))
	}
	start("only-started")
	start("event")
	must(t, s.AddEvent(ctx, model.CallEvent{Call: "event", At: *after(7 * time.Second), Kind: "queued"}))
	must(t, s.AddEvent(ctx, model.CallEvent{Call: "event", At: *after(3 * time.Second), Kind: "arrived"}))
	start("leg")
	must(t, s.LegStarted(ctx, model.Leg{ID: "l1", Call: "leg", StartedAt: *after(2 * time.Second)}))
	must(t, s.LegEnded(ctx, model.Leg{ID: "l2", Call: "leg", StartedAt: *after(time.Second), EndedAt: after(4 * time.Second), Cause: model.CauseAgentLost}))
	start("readings")
	must(t, s.AddReadings(ctx, model.ReadingChunk{Call: "readings", Leg: "l9", Tap: headset.TapMic, Readings: []headset.Reading{{At: 1}}}))
	start("ended")
	must(t, s.LegStarted(ctx, model.Leg{ID: "l3", Call: "ended", StartedAt: *after(2 * time.Second)}))
	must(t, s.CallEnded(ctx, "ended", *after(6 * time.Second), model.CauseAgentHungUp))

	closed, err := s.CloseDeadCalls(ctx, model.CauseServiceLost)
	must(t, err)
	equal(t, "closed", closed, []model.CallID{"event", "leg", "only-started", "readings"})
	for id, want := range map[model.CallID]time.Time{
		"only-started": noon(), "event": *after(7 * time.Second), "leg": *after(4 * time.Second), "readings": clock,
	} {
		story, err := s.Call(ctx, id)
		must(t, err)
		last := story.Events[len(story.Events)-1]
		if story.Call.EndedAt == nil || !story.Call.EndedAt.Equal(want) || story.Call.Cause != model.CauseServiceLost {
			t.Errorf("%s ended at %v of %s, wanted %v", id, story.Call.EndedAt, story.Call.Cause, want)
		}
		equal(t, "event", last, model.CallEvent{Call: id, At: want, Kind: "ended", Detail: map[string]string{"cause": "service_lost"}})
		for _, l := range story.Legs {
			if l.EndedAt == nil || l.ID == "l1" && (!l.EndedAt.Equal(want) || l.Cause != model.CauseServiceLost) || l.ID == "l2" && l.Cause != model.CauseAgentLost {
				t.Errorf("%s: leg %+v", id, l)
			}
		}
	}
	story, err := s.Call(ctx, "ended")
	must(t, err)
	if l := story.Legs[0]; l.EndedAt == nil || !l.EndedAt.Equal(*after(6 * time.Second)) || story.Call.Cause != model.CauseAgentHungUp || len(story.Events) != 0 {
		t.Errorf("a call that had ended: %+v", story)
	}
	again, err := s.CloseDeadCalls(ctx, model.CauseServiceLost)
	must(t, err)
	if len(again) != 0 {
		t.Errorf("closed a second time: %v", again)
	}
}

func manyDeadCalls(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	const n = deadPage + 7
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := s.CallStarted(ctx, model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	closed, err := s.CloseDeadCalls(ctx, model.CauseServiceLost)
	must(t, err)
	if len(closed) != n {
		t.Errorf("closed %d, wanted %d", len(closed), n)
	}
}

func restart(t *testing.T, b backend) {
	dsn := b.dsn(t)
	s, err := Open(t.Context(), dsn)
	must(t, err)
	_, err = s.ApplySite(t.Context(), exampleSite())
	must(t, err, s.CallStarted(t.Context(), model.Call{ID: "c1", StartedAt: noon()}), s.Close(), s.Close())
	s = openStore(t, dsn)
	site, err := s.Site(t.Context())
	must(t, err, s.Ping(t.Context()))
	equal(t, "site", site, exampleSite())
	if _, err := s.Call(t.Context(), "c1"); err != nil {
		t.Error(err)
	}
}

func failsAlone(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	release := hold(s)
	const n = 30
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if i%3 == 0 {
				if err := s.AddEvent(ctx, model.CallEvent{Call: "nobody", At: noon()}); !errors.Is(err, ErrNotFound) {
					t.Errorf("an event of nobody: %v", err)
				}
			} else if err := s.CallStarted(ctx, model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()}); err != nil {
				t.Errorf("%d failed with the others: %v", i, err)
			}
		})
	}
	queued(t, s, n) // all go into one transaction
	release()
	group.Wait()
	calls, err := s.Calls(ctx, CallFilter{})
	must(t, err)
	if len(calls) != n*2/3 {
		t.Errorf("%d calls, wanted %d", len(calls), n*2/3)
	}
}

func flushed(t *testing.T, b backend) {
	dsn, query, want := b.dsn(t), "PRAGMA synchronous", "2"
	if strings.HasPrefix(dsn, "postgres:") {
		dsn += "&synchronous_commit=off" // as a server may be set up
		query, want = "SHOW synchronous_commit", "on"
	}
	var got string
	must(t, openStore(t, dsn).write.QueryRowContext(t.Context(), query).Scan(&got))
	if got != want {
		t.Errorf("%s is %s, wanted %s", query, got, want)
	}
}

func cutConnections(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "before", StartedAt: noon()}))
	if s.dialect == postgres {
		// The store's two pools alone: other tests have theirs.
		var pid int
		for _, pool := range []*sql.DB{s.write, s.read} {
			must(t, pool.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
			killer := openStore(t, b.dsn(t))
			_, err := killer.write.ExecContext(ctx, "SELECT pg_terminate_backend($1, 10000)", pid)
			must(t, err)
		}
	}
	must(t, s.CallStarted(ctx, model.Call{ID: "after", StartedAt: noon()}))
	calls, err := s.Calls(ctx, CallFilter{})
	must(t, err)
	if len(calls) != 2 {
		t.Errorf("%d calls, wanted both", len(calls))
	}
}

func twoPrograms(t *testing.T, b backend) {
	dsn := b.dsn(t)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			s, err := Open(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 20 {
				if err := s.CallStarted(t.Context(), model.Call{ID: model.CallID(fmt.Sprint(i, j)), StartedAt: noon()}); err != nil {
					t.Error(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	calls, err := openStore(t, dsn).Calls(t.Context(), CallFilter{})
	must(t, err)
	if len(calls) != 60 {
		t.Errorf("%d calls, wanted 60", len(calls))
	}
}

func newerProgram(t *testing.T, b backend) {
	dsn := b.dsn(t)
	s := openStore(t, dsn)
	_, err := s.write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, "+map[dialect]string{sqlite: "1", postgres: "TRUE"}[s.dialect]+")")
	must(t, err)
	if _, err := Open(t.Context(), dsn); !errors.Is(err, errNewer) {
		t.Errorf("got %v", err)
	}
}

func closedStore(t *testing.T, b backend) {
	s := b.open(t)
	must(t, s.Close())
	if err := s.CallStarted(t.Context(), model.Call{ID: "c"}); !errors.Is(err, ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if _, err := s.Calls(t.Context(), CallFilter{}); err == nil {
		t.Error("a read succeeded")
	}
}
