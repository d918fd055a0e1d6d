//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
)

func TestMediaBringsTheAgentsToo(t *testing.T) {
	env := testenv.Start(t, testenv.Options{Agents: []model.AgentID{"desk-1", "desk-2"}, Site: func(s *model.Site) { s.Queues[0].WrapUp = 0 }})
	t.Setenv("HEADROOM_LOAD_PASSWORD", testenv.Password)
	args := []string{"media", "--url", env.URL(), "--target", "sip:1000@" + env.SIP().String(), "--users", "desk-{n}", "--callers", "2", "--duration", "3s"}
	var out, complaints bytes.Buffer
	if status := run(t.Context(), append(args, "--json"), &out, &complaints); status != 0 {
		t.Fatalf("status %d: %s", status, complaints.String())
	}
	var sum mediaSum
	if err := json.Unmarshal(out.Bytes(), &sum); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if sum.Calls != 2 || sum.Lost != 0 || sum.Damaged != 0 || sum.Sent < 400 || sum.DelayMax == 0 {
		t.Errorf("%+v", sum)
	}
	out.Reset()
	if status := run(t.Context(), append(args, "--say", "pcmu"), &out, &complaints); status != 0 || strings.Count(out.String(), "an agent in") != 2 {
		t.Errorf("status %d, printed %q %q", status, out.String(), complaints.String())
	}
}

func TestMediaSaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Setenv("HEADROOM_LOAD_PASSWORD", "secret")
	for _, c := range []struct{ flags, want string }{
		{"", "missing flags"},
		{"--url http://127.0.0.1:1 --target nonsense --users a", "want sip:NUMBER@HOST:PORT"},
		{"--url http://127.0.0.1:1 --target sip:1@127.0.0.1 --users a --callers 0", "1 to 5000"},
		{"--url http://127.0.0.1:1 --target sip:1@127.0.0.1 --users a --duration 5m", "1s to 75s"},
		{"--url http://127.0.0.1:1 --target sip:1@127.0.0.1 --users a --hear opus --say pcmu", "opus alone"},
	} {
		var out, complaints bytes.Buffer
		if status := run(t.Context(), append([]string{"media"}, strings.Fields(c.flags)...), &out, &complaints); status == 0 || !strings.Contains(complaints.String(), c.want) {
			t.Errorf("%s: status %d, %q", c.flags, status, complaints.String())
		}
	}
}
