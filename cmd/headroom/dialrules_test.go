package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARuleOfDiallingIsTriedWithoutACall(t *testing.T) {
	sample, err := filepath.Abs("../../deploy/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	try := func(args ...string) (int, string) {
		status, out, complaint := command(t, "", append([]string{"dial-rules", "test"}, args...)...)
		return status, strings.Join(strings.Fields(out+complaint), " ")
	}
	const day, night = "2026-03-04T12:00:00Z", "2026-03-04T03:00:00Z"
	for _, c := range []struct {
		user, at, number string
		status           int
		want             []string
	}{
		{"agent-101", day, "020 7946 0102", 0, []string{"number +442079460102", "class national", "agent-101 may call it", "open to agent, supervisor", "trunks carrier",
			"shown as +442079460100 Example", "longest 2h", "a user: 200 calls in 24 hours, 8h of talk in 24 hours, 3 at once", "everybody together: 2000 calls"}},
		{"agent-101", day, "07400 123456", 1, []string{"class mobile", "not open to you", "(class_closed)", "open to supervisor"}},
		{"agent-101", night, "020 7946 0102", 1, []string{"(outside_hours)", "Wed 03:00"}},
		{"agent-101", night, "999", 0, []string{"class emergency", "may call it", "everybody who is signed in"}},
		{"floor", day, "+33 1 70 18 00 00", 0, []string{"class neighbours", "longest 30m", "a user, of the class neighbours: 20 calls"}},
		{"floor", day, "+33 899 123456", 1, []string{"class international-premium", "open to nobody"}},
		{"nobody", day, "020 7946 0102", 1, []string{"(unknown_user)"}},
		{"floor", day, "+999 1", 1, []string{"class none that is known", "(unknown_class)"}},
		{"floor", day, "alice", 1, []string{"letters cannot be called"}},
		{"floor", "yesterday", "112", 1, []string{"--at", "is not a time"}},
	} {
		status, said := try("--site", sample, "--user", c.user, "--at", c.at, c.number)
		for _, want := range c.want {
			if status != c.status || !strings.Contains(said, want) {
				t.Errorf("%s calls %s: status %d, said %q, wanted %q", c.user, c.number, status, said, want)
			}
		}
	}

	// Without a file the site in force is asked; before there is one, that is said.
	if status, said := try("--user", "floor", "112"); status != 1 || !strings.Contains(said, "--config") {
		t.Errorf("status %d, said %q", status, said)
	}
	if err := os.WriteFile("site.yaml", []byte("trunks:\n  - name: t\n    outbound: {targets: [{uri: sip:t.example}], prefixes: [\"+44\"]}\nusers:\n  - name: floor\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, said := try("--site", "site.yaml", "--user", "floor", "112"); status != 0 || !strings.Contains(said, "trunks t ") {
		t.Errorf("an emergency goes by any trunk rather than by none: status %d, said %q", status, said)
	}
	if status, _, complaint := command(t, "", "apply", "site.yaml"); status != 0 {
		t.Fatal(complaint)
	}
	if status, said := try("--user", "floor", "+44 20 7946 0101"); status != 1 || !strings.Contains(said, "(class_closed)") {
		t.Errorf("the site in force: status %d, said %q", status, said)
	}
}
