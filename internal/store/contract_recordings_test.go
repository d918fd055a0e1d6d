package store

import (
	"errors"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

func exampleRecording(id model.RecordingID) model.Recording {
	return model.Recording{
		ID: id, Call: "c1", Queue: "sales", Agent: "zoe", StartedAt: noon(), Format: "wav", Rate: 16000,
		File: "2026-03-01/" + string(id) + ".hrec", Key: "0123456789abcdef", State: model.RecordingLive,
	}
}

func ended(r model.Recording, keep time.Duration) model.Recording {
	r.EndedAt, r.Length, r.Size, r.Hash, r.State = after(time.Minute), time.Minute, 12345, "beef", model.RecordingComplete
	r.Lost = 20 * time.Millisecond
	if keep > 0 {
		r.ExpiresAt = after(keep)
	}
	return r
}

func recordings(t *testing.T, b backend) {
	dsn, ctx := b.dsn(t), t.Context()
	s := openStore(t, dsn)
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	first, second, third := exampleRecording("c1.r1"), exampleRecording("c1.r2"), exampleRecording("c1.r3")
	must(t, s.RecordingStarted(ctx, first), s.RecordingStarted(ctx, second))
	open, err := s.UnfinishedRecordings(ctx)
	must(t, err)
	equal(t, "those that go on", open, []model.Recording{first, second})
	first, third = ended(first, time.Hour), ended(third, 0)
	must(t, s.RecordingEnded(ctx, first), s.RecordingStarted(ctx, first))
	again := first
	again.Hash, again.State = "other", model.RecordingFailed
	must(t, s.RecordingEnded(ctx, again), s.RecordingEnded(ctx, third)) // the first end stands; of the third nobody told the beginning
	must(t, s.Close())
	s = openStore(t, dsn)
	got, err := s.CallRecordings(ctx, "c1")
	must(t, err)
	if len(got) != 3 || got[0].EndedAt == nil || !got[0].EndedAt.Equal(*first.EndedAt) || !got[0].ExpiresAt.Equal(*first.ExpiresAt) {
		t.Fatalf("%+v", got)
	}
	got[0].EndedAt, got[0].ExpiresAt, got[2].EndedAt = first.EndedAt, first.ExpiresAt, third.EndedAt
	equal(t, "the recordings", got, []model.Recording{first, second, third})
	if one, err := s.Recording(ctx, "c1.r2"); err != nil || one.State != model.RecordingLive {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := s.Recording(ctx, "c1.r9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	if none, err := s.CallRecordings(ctx, "c2"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("of an unknown call: %v, %v", none, err)
	}
	stray := exampleRecording("c2.r1")
	stray.Call = "c2"
	if err := s.RecordingStarted(ctx, stray); !errors.Is(err, ErrNotFound) {
		t.Errorf("for an unknown call: %v", err)
	}
	page, err := s.RecordingsAfter(ctx, "c1.r1")
	must(t, err)
	if len(page) != 2 || page[0].ID != "c1.r2" {
		t.Errorf("behind the first: %+v", page)
	}
	must(t, s.RekeyedRecording(ctx, "c1.r1", "feedbeef"))
	if one, _ := s.Recording(ctx, "c1.r1"); one.Key != "feedbeef" {
		t.Errorf("sealed for %q", one.Key)
	}
}

func recordingsGo(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	must(t, s.RecordingEnded(ctx, ended(exampleRecording("short"), time.Hour)), s.RecordingEnded(ctx, ended(exampleRecording("long"), 48*time.Hour)),
		s.RecordingEnded(ctx, ended(exampleRecording("ever"), 0)), s.RecordingEnded(ctx, ended(exampleRecording("held"), time.Hour)),
		s.RecordingStarted(ctx, exampleRecording("live")))
	hold := &model.RecordingHold{By: "anna", At: noon(), Why: "a dispute, \"4711\""}
	must(t, s.HoldRecording(ctx, "held", hold))
	due, err := s.ExpiredRecordings(ctx, *after(time.Hour))
	must(t, err)
	if len(due) != 1 || due[0].ID != "short" {
		t.Fatalf("expired: %+v", due)
	}
	if err := s.DeletingRecording(ctx, "held", "retention"); !errors.Is(err, ErrHeld) {
		t.Errorf("a held one is deleted: %v", err)
	}
	if got, _ := s.Recording(ctx, "held"); got.Hold == nil || *got.Hold != *hold || got.State != model.RecordingComplete {
		t.Errorf("held: %+v", got)
	}
	if err := s.RecordingDeleted(ctx, "long", noon()); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted unannounced: %v", err)
	}
	must(t, s.DeletingRecording(ctx, "short", "retention"))
	if open, err := s.UnfinishedRecordings(ctx); err != nil || len(open) != 2 || open[1].ID != "short" || open[1].DeletedBy != "retention" {
		t.Errorf("to be finished: %+v, %v", open, err)
	}
	if err := s.HoldRecording(ctx, "short", hold); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is about to go is held: %v", err)
	}
	must(t, s.RecordingDeleted(ctx, "short", *after(time.Hour)), s.RecordingDeleted(ctx, "short", *after(2 * time.Hour)), s.DeletingRecording(ctx, "short", "zoe"))
	if got, _ := s.Recording(ctx, "short"); got.State != model.RecordingDeleted || !got.DeletedAt.Equal(*after(time.Hour)) || got.DeletedBy != "retention" {
		t.Errorf("deleted: %+v", got)
	}
	must(t, s.HoldRecording(ctx, "held", nil))
	if due, err = s.ExpiredRecordings(ctx, *after(time.Hour)); err != nil || len(due) != 1 || due[0].ID != "held" {
		t.Errorf("with the hold lifted: %+v, %v", due, err)
	}
	if err := s.DeletingRecording(ctx, "nobody's", "zoe"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
}
