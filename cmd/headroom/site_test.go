package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command carries one command line out in the current folder.
func command(t *testing.T, in string, args ...string) (status int, out, complaint string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), args, streams{strings.NewReader(in), &stdout, &stderr})
	return status, stdout.String(), stderr.String()
}

func TestCommandsInTheWrongFolderSaySoAndLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, args := range [][]string{{"export"}, {"user", "passwd", "floor"}, {"call", "show", "c1"}} {
		status, _, complaint := command(t, "a long password\n", args...)
		if status != 1 || !strings.Contains(complaint, filepath.Join(dir, "headroom-data")) || !strings.Contains(complaint, "--config") {
			t.Errorf("%v: status %d, said %q", args, status, complaint)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestASiteIsAppliedBeforeTheFirstStartAndAnEmptyFileDoesNotUndoIt(t *testing.T) {
	t.Chdir(t.TempDir())
	site := "trunks: []\nqueues: []\nusers:\n  - name: floor\n"
	if err := os.WriteFile("site.yaml", []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("empty.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, complaint := command(t, "", "apply", "site.yaml"); status != 0 || out != "added: user floor\n" {
		t.Fatalf("status %d, said %q %q", status, out, complaint)
	}
	if status, _, complaint := command(t, "", "apply", "empty.yaml"); status != 1 || !strings.Contains(complaint, "says nothing") {
		t.Errorf("an empty file: status %d, said %q", status, complaint)
	}
	for secret, want := range map[string]string{"short\n": "too short", "\n": "no password on standard input"} {
		if status, _, complaint := command(t, secret, "user", "passwd", "floor"); status != 1 || !strings.Contains(complaint, want) {
			t.Errorf("the password %q gave status %d and %q, wanted %q", secret, status, complaint, want)
		}
	}
	if status, out, complaint := command(t, "a long password\n", "user", "passwd", "floor"); status != 0 || out != "password of floor set\n" {
		t.Errorf("status %d, said %q %q", status, out, complaint)
	}
	_, exported, _ := command(t, "", "export")
	if err := os.WriteFile("exported.yaml", []byte(exported), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, complaint := command(t, "", "apply", "exported.yaml"); status != 0 || out != "nothing to change\n" {
		t.Errorf("what was exported: status %d, said %q %q", status, out, complaint)
	}
}

func TestATrunksPasswordIsShownToNobodyWhoDoesNotAskForIt(t *testing.T) {
	t.Chdir(t.TempDir())
	apply := func(password string) (int, string) {
		site := "trunks:\n  - name: branch\n    digest: {username: branch, password: " + password + "}\n"
		if err := os.WriteFile("site.yaml", []byte(site), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, complaint := command(t, "", "apply", "site.yaml")
		return status, out + complaint
	}
	for _, c := range []struct {
		password, said string
		status         int
	}{{"open-sesame", "added: trunk branch\n", 0}, {"open-barley", "changed: trunk branch\n", 0}, {"[barley]", "", 1}, {`"bar\tley"`, "", 1}} {
		if status, said := apply(c.password); status != c.status || c.said != "" && said != c.said || strings.Contains(said, "sesame") || strings.Contains(said, "bar") {
			t.Errorf("%s: status %d, said %q", c.password, status, said)
		}
	}
	_, open, _ := command(t, "", "export")
	_, secret, _ := command(t, "", "export", "--secrets")
	if strings.Contains(open, "barley") || !strings.Contains(secret, `password: "open-barley"`) {
		t.Errorf("exported:\n%s\nand with secrets:\n%s", open, secret)
	}
	for text, want := range map[string]string{open: "a password is needed", secret: "nothing to change"} {
		if err := os.WriteFile("exported.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, out, complaint := command(t, "", "apply", "exported.yaml"); !strings.Contains(out+complaint, want) {
			t.Errorf("applied again: %q %q, wanted %q", out, complaint, want)
		}
	}
}

func TestTheDemoRefusesAnAddressThatIsNone(t *testing.T) {
	if status, _, complaint := command(t, "", "demo", "--web", "8080"); status != 1 || !strings.Contains(complaint, "127.0.0.1:8080") {
		t.Errorf("status %d, said %q", status, complaint)
	}
}
