package call_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// speaker says a tone on a leg, packet by packet, in (fake) real time.
type speaker struct {
	t   *testing.T
	leg *mediatest.Leg
	enc codec.Encoder
	p   media.Packet
	pcm []float32
	at  int
}

func newSpeaker(t *testing.T, leg *mediatest.Leg) *speaker {
	t.Helper()
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	return &speaker{t: t, leg: leg, enc: enc, p: media.Packet{Source: 9, Codec: media.PCMU}, pcm: mediatest.Tone(8000, 440, -20, 8000)}
}

func (s *speaker) says(d time.Duration) {
	s.t.Helper()
	for range int(d / (20 * time.Millisecond)) {
		buf := make([]byte, 320)
		n, err := s.enc.Encode(s.pcm[s.at:s.at+160], buf)
		if err != nil {
			s.t.Fatal(err)
		}
		s.at = (s.at + 160) % 8000
		s.p.Payload = buf[:n]
		s.leg.Say(&s.p)
		s.p.Seq++
		s.p.Timestamp += 160
		time.Sleep(20 * time.Millisecond)
	}
	synctest.Wait()
}

func (r *record) readings(tap headset.Tap) (n int, chunks []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.chunks {
		if c.Tap == tap {
			n += len(c.Readings)
			chunks = append(chunks, len(c.Readings))
		}
	}
	return n, chunks
}

func TestAnUnmeteredQueuesCallsAreNotMeasured(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		unmetered := site(kim.user)
		unmetered.Queues[0].Unmetered = true
		w.sb.SiteChanged(unmetered)
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		newSpeaker(t, kim.peer(0).Leg).says(2 * time.Second)
		c.leaves()
		synctest.Wait()
		if n, _ := w.rec.readings(headset.TapWire); n != 0 || len(w.rec.reports) != 0 {
			t.Errorf("%d readings and %d reports of a queue that has no meter", n, len(w.rec.reports))
		}
	})
}

func TestAgentsVoiceIsMeasuredLiveAndStored(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		sub := w.bus.Subscribe(1000)
		defer sub.Close()
		c := w.rings(newCaller(number))
		kim.accepts()
		newSpeaker(t, kim.peer(0).Leg).says(12500 * time.Millisecond)
		live := w.sb.Live()[0]
		if live.Wire == nil || live.Wire.Level < -21 || live.Wire.Level > -19 {
			t.Errorf("live reading on the wire: %+v", live.Wire)
		}
		if n, chunks := w.rec.readings(headset.TapWire); n != 10 {
			t.Errorf("after 12 s %v readings are stored, wanted ten", chunks)
		}
		c.leaves()
		synctest.Wait()
		if n, chunks := w.rec.readings(headset.TapWire); n != 12 {
			t.Errorf("at the end %v readings are stored, wanted twelve", chunks)
		}
		if len(w.rec.reports) != 1 {
			t.Fatalf("%d reports, wanted one", len(w.rec.reports))
		}
		r := w.rec.reports[0]
		if r.Agent != "kim" || r.Headset != "H1/kim" || r.Report.Tap != headset.TapWire || r.Report.Duration < 12 || r.Call == "" {
			t.Errorf("report %+v", r)
		}
		if l := w.rec.legs[r.Leg]; l.Agent != "kim" || l.Headset != "H1/kim" || l.Stats.PacketsIn != 625 {
			t.Errorf("the report's leg is %+v", l)
		}
		if live := w.sb.Live()[0]; live.Wire != nil || live.Call != "" {
			t.Errorf("after the call: %+v", live)
		}
		wire := 0
		for len(sub.C) > 0 {
			if r, ok := (<-sub.C).Data.(call.ReadingTaken); ok && r.Tap == headset.TapWire && r.Agent == "kim" {
				wire++
			}
		}
		if wire != 12 {
			t.Errorf("%d readings on the bus, wanted twelve", wire)
		}
	})
}

func TestMutedSilenceIsNotHeldAgainstTheHeadset(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		s := newSpeaker(t, kim.peer(0).Leg)
		s.says(3 * time.Second)
		kim.say("m", protocol.Mute{On: true})
		s.says(3 * time.Second)
		kim.say("n", protocol.Mute{On: false})
		s.says(2 * time.Second)
		c.leaves()
		synctest.Wait()
		var scored []float64
		for _, ch := range w.rec.chunks {
			for _, r := range ch.Readings {
				scored = append(scored, r.Scored)
			}
		}
		if len(scored) != 8 || scored[1] < 0.9 || scored[4] > 0.1 || scored[7] < 0.9 {
			t.Errorf("scored shares %v: wanted about 1 1 1 0 0 0 1 1", scored)
		}
	})
}

func TestMicrophonesReadingsAreShownAndStored(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		reading := func(call string, at float64) {
			kim.say("", protocol.MicReading{CallID: call, Reading: headset.Reading{At: at, Level: -30}})
			w.pass(time.Second)
		}
		reading("", 1)
		if live := w.sb.Live()[0]; live.Mic == nil || live.Mic.Level != -30 {
			t.Errorf("live between calls: %+v", live.Mic)
		}
		c := w.rings(newCaller(number))
		id := kim.ringing()
		kim.accepts()
		for i := range 13 {
			reading(id, float64(i+2))
		}
		c.leaves()
		synctest.Wait()
		reading(id, 15)                  // was on its way
		reading("somebody-elses-id", 16) // shown, not stored
		if n, chunks := w.rec.readings(headset.TapMic); n != 14 || !slices.Equal(chunks, []int{10, 3, 1}) {
			t.Errorf("stored %v, wanted 10 3 1", chunks)
		}
		if n := w.sb.Stats().ReadingsMic; n != 16 {
			t.Errorf("%d readings counted", n)
		}
	})
}

func TestFloodOfReadingsIsShed(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		for i := range 200 {
			_, _ = kim.agent.Handle(w.ctx, "", protocol.MicReading{Reading: headset.Reading{At: float64(i)}})
		}
		if s := w.sb.Stats(); s.ReadingsMic != 60 || s.ReadingsShed != 140 {
			t.Errorf("taken %d, shed %d", s.ReadingsMic, s.ReadingsShed)
		}
	})
}

// afterCall is kim after one call, with its identity.
func afterCall(w *world) (*desk, string) {
	w.t.Helper()
	kim := w.desk("kim")
	kim.starts()
	c := w.rings(newCaller(number))
	id := kim.ringing()
	kim.accepts()
	c.leaves()
	synctest.Wait()
	return kim, id
}

func micReport(id string) protocol.MicReport {
	return protocol.MicReport{CallID: id, Report: headset.Report{Tap: headset.TapMic, SampleRate: 48000, Duration: 60}}
}

func TestMicrophonesReportIsAcknowledgedOnceStored(t *testing.T) {
	inWorld(t, call.Config{ReportTimeout: 30 * time.Second}, func(w *world) {
		kim, id := afterCall(w)
		w.rec.setDown(errors.New("disk full"))
		if r := kim.say("rep", micReport(id)); r != nil {
			t.Fatalf("answered %+v at once", r)
		}
		w.pass(5 * time.Second)
		if got := kim.answersTo("rep"); len(got) != 0 {
			t.Fatalf("acknowledged while the store is down: %+v", got)
		}
		// The agent can go on with the day meanwhile.
		if _, ok := kim.say("w", protocol.EndWrapUp{}).(protocol.Ack); !ok {
			t.Error("a slow store holds up the agent")
		}
		w.rec.setDown(nil)
		w.pass(10 * time.Second)
		if got := kim.answersTo("rep"); len(got) != 1 || got[0] != (protocol.Ack{}) {
			t.Fatalf("answers %+v", got)
		}
		kim.say("rep", micReport(id))   // repeated after a reconnect
		kim.say("again", micReport(id)) // or under another id
		mic := 0
		for _, r := range w.rec.reports {
			if r.Report.Tap == headset.TapMic {
				mic++
				if string(r.Call) != id || r.Headset != "H1/kim" || r.Report.Findings == nil {
					t.Errorf("stored %+v", r)
				}
			}
		}
		if mic != 1 {
			t.Errorf("stored %d times", mic)
		}
	})
}

func TestReportThatCannotBeStoredIsRefusedAndMayBeSentAgain(t *testing.T) {
	inWorld(t, call.Config{ReportTimeout: 10 * time.Second}, func(w *world) {
		kim, id := afterCall(w)
		w.rec.setDown(errors.New("disk full"))
		kim.say("rep", micReport(id))
		w.pass(11 * time.Second)
		got := kim.answersTo("rep")
		if e, ok := got[0].(protocol.Error); len(got) != 1 || !ok || e.Code != protocol.CodeInternal {
			t.Fatalf("answers %+v", got)
		}
		w.rec.setDown(nil)
		kim.say("rep", micReport(id))
		if got := kim.answersTo("rep"); len(got) != 2 || got[1] != (protocol.Ack{}) {
			t.Errorf("answers %+v", got)
		}
	})
}

func TestNobodyReportsOnACallThatWasNotTheirs(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		_, id := afterCall(w)
		lee := w.desk("lee")
		lee.starts()
		lee.say("rep", micReport(id))
		lee.wantRefused("rep", protocol.CodeStale)
		lee.say("rep2", micReport("never heard of"))
		lee.wantRefused("rep2", protocol.CodeStale)
		for _, r := range w.rec.reports {
			if r.Agent == "lee" {
				t.Errorf("stored %+v", r)
			}
		}
	})
}

// wantRefused wants one answer to a message, an error with this code.
func (d *desk) wantRefused(id, code string) {
	d.t.Helper()
	got := d.answersTo(id)
	if len(got) != 1 {
		d.t.Fatalf("%d answers to %s: %+v", len(got), id, got)
	}
	if e, _ := got[0].(protocol.Error); e.Code != code {
		d.t.Errorf("answer to %s: %+v, wanted code %s", id, got[0], code)
	}
}

func TestReportOfACallThatDiedWithTheServiceIsKept(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		// The record of an earlier run: kim changed the headset in mid-call.
		start, end := time.Now().Add(-time.Minute), time.Now()
		earlier := model.Call{ID: "c-1", Trunk: "carrier", Queue: "sales", StartedAt: start}
		legs := []model.Leg{
			{ID: "c-1.a1", Call: "c-1", Kind: model.AgentLeg, Agent: "kim", Headset: "H1/old", StartedAt: start, EndedAt: &end, Cause: model.CauseNewHeadset},
			{ID: "c-1.a1.1", Call: "c-1", Kind: model.AgentLeg, Agent: "kim", Headset: "H1/kim", StartedAt: end, EndedAt: &end, Cause: model.CauseServiceLost},
		}
		if err := errors.Join(w.rec.CallStarted(w.ctx, earlier), w.rec.LegEnded(w.ctx, legs[0]), w.rec.LegEnded(w.ctx, legs[1]),
			w.rec.CallEnded(w.ctx, "c-1", end, model.CauseServiceLost)); err != nil {
			t.Fatal(err)
		}
		kim := w.desk("kim")
		kim.starts()
		old := micReport("c-1")
		old.Headset = protocol.Headset{Model: "H1", Serial: "old"}
		kim.say("old", old)
		kim.say("new", micReport("c-1")) // says nothing of the headset: the newest leg's
		for _, id := range []string{"old", "new"} {
			if got := kim.answersTo(id); len(got) != 1 || got[0] != (protocol.Ack{}) {
				t.Errorf("answers to %s: %+v", id, got)
			}
		}
		stored := map[model.LegID]model.HeadsetID{}
		for _, r := range w.rec.reports {
			stored[r.Leg] = r.Headset
		}
		if len(w.rec.reports) != 2 || stored["c-1.a1"] != "H1/old" || stored["c-1.a1.1"] != "H1/kim" {
			t.Errorf("stored %v", stored)
		}
		lee := w.desk("lee")
		lee.starts()
		lee.say("rep", micReport("c-1"))
		lee.wantRefused("rep", protocol.CodeStale)
	})
}

func TestReportOfTheHeadsetTakenOffInACallIsNotHeldAgainstTheNewOne(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		id := kim.ringing()
		kim.accepts()
		kim.say("h", protocol.HeadsetChanged{Headset: protocol.Headset{Model: "H2", Serial: "9"}})
		late := micReport(id) // overtaken by the change, as after a reconnect
		late.Headset = protocol.Headset{Model: "H1", Serial: "kim"}
		kim.say("old", late)
		c.leaves()
		synctest.Wait()
		now := micReport(id)
		now.Headset = protocol.Headset{Model: "H2", Serial: "9"}
		kim.say("new", now)
		headsets := map[model.HeadsetID]model.LegID{}
		for _, r := range w.rec.reports {
			if r.Report.Tap == headset.TapMic {
				headsets[r.Headset] = r.Leg
			}
		}
		if len(headsets) != 2 || headsets["H1/kim"] == "" || headsets["H2/9"] == "" || headsets["H1/kim"] == headsets["H2/9"] {
			t.Errorf("reports by headset and leg: %v", headsets)
		}
	})
}

func TestReportFindsItsLegAfterANewSignIn(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, id := afterCall(w)
		if err := kim.signIn(""); err != nil {
			t.Fatal(err)
		}
		kim.say("rep", micReport(id))
		if got := kim.answersTo("rep"); len(got) != 1 || got[0] != (protocol.Ack{}) {
			t.Errorf("answers %+v", got)
		}
	})
}

func TestNewHeadsetInACallIsMeasuredOnItsOwn(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		w.rec.verdict["H2/9"] = model.VerdictGood
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		s := newSpeaker(t, kim.peer(0).Leg)
		s.says(3 * time.Second)
		kim.say("h", protocol.HeadsetChanged{Headset: protocol.Headset{Model: "H2", Serial: "9"}})
		w.wantTalking(c, kim)
		s.says(3 * time.Second)
		if live := w.sb.Live()[0]; live.Headset != "H2/9" || live.Verdict != model.VerdictGood {
			t.Errorf("live %+v", live)
		}
		c.leaves()
		w.wantLegCauses(model.CauseNewHeadset, model.CauseCallerHungUp, model.CauseCallerHungUp)
		by := map[model.HeadsetID]float64{}
		for _, r := range w.rec.reports {
			by[r.Headset] += r.Report.Duration
		}
		if len(by) != 2 || by["H1/kim"] < 2.5 || by["H2/9"] < 2.5 {
			t.Errorf("seconds measured by headset: %v", by)
		}
	})
}

func TestVerdictOfAReportSteersTheNextOffer(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		w.rec.verdict["H1/kim"] = model.VerdictReplace
		c.leaves()
		synctest.Wait()
		if v, _ := last[protocol.Verdict](kim); v.State != "replace" {
			t.Errorf("the agent is told %+v", v)
		}
		kim.say("w", protocol.EndWrapUp{})
		w.pass(time.Second)
		lee.starts()
		next := w.rings(newCaller(number))
		if kim.ringing() != "" || lee.ringing() == "" {
			t.Error("the flagged headset is offered the next call")
		}
		next.leaves()
	})
}

func TestNoLineOfTheStoryIsLostWhileTheStoreFails(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		w.rec.setDown(errors.New("disk full"))
		c := w.rings(newCaller(number))
		kim.accepts()
		w.wantTalking(c, kim) // nobody waits for the store
		s := newSpeaker(t, kim.peer(0).Leg)
		s.says(21 * time.Second)
		c.leaves()
		w.pass(10 * time.Minute)
		w.wantState("kim", model.Ready, "")
		if n := len(w.rec.order); n != 2 { // headset and verdict at the sign-in
			t.Fatalf("%d writes got through: %v", n, w.rec.order)
		}
		if w.sb.Stats().Backlog == 0 {
			t.Error("no backlog is shown")
		}
		w.rec.setDown(nil)
		w.pass(10 * time.Second)
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "ended")
		if n, _ := w.rec.readings(headset.TapWire); n != 21 {
			t.Errorf("%d readings stored", n)
		}
		if len(w.rec.reports) != 1 {
			t.Errorf("%d reports stored", len(w.rec.reports))
		}
		w.wantLegCauses(model.CauseCallerHungUp, model.CauseCallerHungUp)
		if s := w.sb.Stats(); s.Backlog != 0 || s.JournalLost != 0 || s.JournalTries == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestOneBadLineDoesNotHoldUpTheStory(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.rec.refuse = func(what string) error {
			if what == "queued" {
				return errors.New("constraint failed")
			}
			return nil
		}
		c := w.rings(newCaller(number))
		for range 15 { // others are written meanwhile
			w.rings(newCaller("999"))
			w.pass(10 * time.Second)
		}
		c.leaves()
		synctest.Wait()
		if s := w.sb.Stats(); s.JournalLost != 1 || s.Backlog != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestCallersAreTurnedAwayWhenTheRecordIsTooFarBehind(t *testing.T) {
	inWorld(t, call.Config{MaxBacklog: 20}, func(w *world) {
		w.rec.setDown(errors.New("disk full"))
		var callers []*caller
		turned := 0
		for range 20 {
			c := w.rings(newCaller(number))
			if c.status == 503 {
				turned++
			} else {
				callers = append(callers, c)
			}
		}
		if turned == 0 || len(callers) == 0 {
			t.Errorf("%d turned away, %d taken", turned, len(callers))
		}
		w.rec.setDown(nil)
		w.pass(time.Minute)
		if c := w.rings(newCaller(number)); c.status != 0 {
			t.Errorf("after the store recovered a caller gets %d", c.status)
		}
	})
}

func TestReadingsAreShedBeforeMemoryIs(t *testing.T) {
	inWorld(t, call.Config{MaxChunks: 3}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		id := kim.ringing()
		kim.accepts()
		w.rec.setDown(errors.New("disk full"))
		for i := range 100 {
			kim.say("", protocol.MicReading{CallID: id, Reading: headset.Reading{At: float64(i)}})
			w.pass(time.Second)
		}
		w.rec.setDown(nil)
		w.pass(10 * time.Second)
		if n, chunks := w.rec.readings(headset.TapMic); n != 30 && n != 40 {
			t.Errorf("stored %v", chunks)
		}
		if w.sb.Stats().ReadingsShed == 0 {
			t.Error("what was shed is not counted")
		}
		c.leaves()
	})
}

func TestWhatCouldNotBeWrittenIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, call.Config{FlushTimeout: 5 * time.Second})
		w.rec.setDown(errors.New("disk full"))
		w.rings(newCaller(number))
		began := time.Now()
		if err := w.stop(); err == nil {
			t.Error("the loss is not told")
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
}
