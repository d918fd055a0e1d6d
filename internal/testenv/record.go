package testenv

import (
	"testing"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// OpenRecord opens the store of a service, running or not, to read what it wrote.
func OpenRecord(t testing.TB, p config.Process) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), p.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// OnlyCall gives the story of the one call there is, once it is in the record: that is
// written behind the call's back.
func OnlyCall(t testing.TB, s *store.Store) store.CallStory {
	t.Helper()
	var calls []model.Call
	Eventually(t, "a call in the record", func() bool {
		var err error
		if calls, err = s.Calls(t.Context(), store.CallFilter{}); err != nil {
			t.Fatal(err)
		}
		return len(calls) > 0
	})
	if len(calls) != 1 {
		t.Fatalf("there are %d calls in the record, wanted one: %+v", len(calls), calls)
	}
	story, err := s.Call(t.Context(), calls[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return story
}

// Kinds lists what happened in a call.
func Kinds(story store.CallStory) []string {
	out := make([]string, 0, len(story.Events))
	for _, e := range story.Events {
		out = append(out, e.Kind)
	}
	return out
}
