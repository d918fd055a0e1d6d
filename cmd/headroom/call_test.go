package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

func TestACallIsShownWithItsSIPLadderWhileTheServiceIsDown(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := store.Open(t.Context(), filepath.Join("headroom-data", "headroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	said := ladder.Record{Messages: []ladder.Message{
		{At: began, Transport: "UDP", Peer: "198.51.100.7:5060", First: "INVITE sip:100@pbx.example SIP/2.0", CSeq: "1 INVITE", Headers: "X-Marked: yes"},
		{At: began.Add(time.Second), Out: true, Transport: "UDP", Peer: "198.51.100.7:5060", First: "SIP/2.0 404 Not Found", CSeq: "1 INVITE"},
	}}
	for _, id := range []model.CallID{"c1", "c2"} {
		if err := s.CallStarted(t.Context(), model.Call{ID: id, Trunk: "carrier", From: "+4930123", To: "100", StartedAt: began}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddLadder(t.Context(), model.CallLadder{Call: "c1", Leg: "c1.trunk", Record: said}); err != nil {
		t.Fatal(err)
	}
	s.Close()

	for _, c := range []struct {
		args     string
		status   int
		has, not []string
	}{
		{"c1", 0, []string{"Call c1", "+4930123", "over carrier"}, []string{"INVITE", "404"}},
		{"c1 --sip", 0, []string{"Call c1", "1 INVITE", "2 404 Not Found (INVITE)", "198.51.100.7:5060", "c1.trunk", "12:00:00.000 UTC"}, []string{"X-Marked"}},
		{"c1 --sip --full", 0, []string{"2 404 Not Found (INVITE)", "X-Marked: yes"}, nil},
		{"c2 --sip", 0, []string{"Call c2", "No SIP messages are kept"}, nil},
		{"c3", 1, []string{`there is no call "c3"`}, nil},
		{"c1 --full", 1, []string{"--sip"}, nil},
		{"", 2, []string{"<id>"}, nil},
	} {
		status, out, complaint := command(t, "", append([]string{"call", "show"}, strings.Fields(c.args)...)...)
		for _, want := range c.has {
			if !strings.Contains(out+complaint, want) {
				t.Errorf("%q does not say %q:\n%s%s", c.args, want, out, complaint)
			}
		}
		for _, no := range c.not {
			if strings.Contains(out, no) {
				t.Errorf("%q says %q:\n%s", c.args, no, out)
			}
		}
		if status != c.status {
			t.Errorf("%q: status %d, wanted %d", c.args, status, c.status)
		}
	}
	for args, messages := range map[string]int{"c1": 0, "c1 --sip": 2} {
		_, out, _ := command(t, "", append([]string{"call", "show", "--json"}, strings.Fields(args)...)...)
		var shown shownCall
		if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Call.ID != "c1" || messages == 0 != (len(shown.SIP) == 0) || messages > 0 && len(shown.SIP[0].Messages) != messages {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
