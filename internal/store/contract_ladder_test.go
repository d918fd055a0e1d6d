package store

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

func exampleLadder(messages int) ladder.Record {
	r := ladder.Record{Missing: 3, After: messages}
	for i := range messages {
		r.Messages = append(r.Messages, ladder.Message{
			At: noon().Add(time.Duration(i) * time.Second), Out: i%2 == 1, Transport: "UDP", Peer: "198.51.100.7:5060",
			First: "INVITE sip:100@pbx.example SIP/2.0", CSeq: "1 INVITE", Headers: "From: \"Jürgen 🎧\" <sip:1@a>\nCSeq: 1 INVITE",
			Body: "v=0\ns=" + strings.Repeat("x", 8<<10), Repeated: i % 3, Cut: i%5 == 0,
		})
	}
	return r
}

func ladders(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	trunk := model.CallLadder{Call: "c1", Leg: "c1.trunk", Record: exampleLadder(200)}
	must(t, s.AddLadder(ctx, trunk))
	again := trunk
	again.Record = exampleLadder(2)
	again.Messages[0].At = again.Messages[0].At.In(time.FixedZone("far", 7*3600)).Add(700 * time.Nanosecond)
	must(t, s.AddLadder(ctx, again)) // the first stands
	again.Leg = "c1.callee"
	must(t, s.AddLadder(ctx, again), s.AddLadder(ctx, model.CallLadder{Call: "c1", Leg: "c1.silent"}))
	again.Record = exampleLadder(2)

	got, err := s.Ladders(ctx, "c1")
	must(t, err)
	byLeg := map[model.LegID]model.CallLadder{}
	for _, l := range got {
		byLeg[l.Leg] = l
	}
	want := map[model.LegID]model.CallLadder{
		"c1.trunk": trunk, "c1.callee": again, "c1.silent": {Call: "c1", Leg: "c1.silent", Record: ladder.Record{Messages: []ladder.Message{}}},
	}
	if len(got) != len(want) || !reflect.DeepEqual(byLeg, want) {
		t.Errorf("%d ladders came back, not as they were kept: %.2000s", len(got), byLeg["c1.callee"].Draw(true))
	}
	if none, err := s.Ladders(ctx, "c2"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("of an unknown call: %v, %v", none, err)
	}
	if err := s.AddLadder(ctx, model.CallLadder{Call: "c2", Leg: "c2.trunk"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("for an unknown call: %v", err)
	}
}

func upgraded(t *testing.T, b backend) {
	dsn, ctx := b.dsn(t), t.Context()
	s := openStore(t, dsn)
	call := model.Call{ID: "c1", Direction: model.Inbound, From: "+4930123", StartedAt: noon()}
	must(t, s.CallStarted(ctx, call))
	// As the program that knew no ladders, and none of what came after, left it.
	for _, statement := range []string{"DROP TABLE recordings", "DROP TABLE phone_states", "DROP TABLE phone_bindings", "DROP TABLE sip_ladders", "DROP TABLE dials", "ALTER TABLE calls DROP COLUMN direction", "DELETE FROM goose_db_version WHERE version_id >= 2"} {
		_, err := s.write.ExecContext(ctx, statement)
		must(t, err)
	}
	must(t, s.Close())
	s = openStore(t, dsn)
	story, err := s.Call(ctx, "c1")
	must(t, err)
	if !reflect.DeepEqual(story.Call, call) {
		t.Errorf("the call is now %+v", story.Call)
	}
	must(t, s.AddLadder(ctx, model.CallLadder{Call: "c1", Leg: "l", Record: exampleLadder(1)}))
}

// FuzzDecodeLadder holds for any bytes in the column: an error, or a record that is written
// and read as the same.
func FuzzDecodeLadder(f *testing.F) {
	for _, n := range []int{0, 1, 20} {
		data, err := encodeLadder(exampleLadder(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeLadder(data)
		if err != nil {
			return
		}
		again, err := encodeLadder(r)
		if err != nil { // a year that no RFC 3339 time has
			return
		}
		if back, err := decodeLadder(again); err != nil || len(back.Messages) != len(r.Messages) || back.Draw(false) == "" {
			t.Fatalf("%d messages became %d, %v", len(r.Messages), len(back.Messages), err)
		}
	})
}
