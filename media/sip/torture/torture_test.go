package torture

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryMessageIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Messages() {
		b := m.Bytes()
		if seen[m.Name] || m.Section == "" || m.What == "" || len(m.Wanted()) == 0 {
			t.Errorf("%+v", m)
		}
		seen[m.Name] = true
		if !bytes.Contains(b, []byte("\r\n\r\n")) || bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\n")) && m.Name != "mpart01" {
			t.Errorf("%s: its line ends were changed on the way", m.Name)
		}
		if m.IsRequest() == strings.HasPrefix(string(b), "SIP/2.0 ") {
			t.Errorf("%s is taken for the other thing", m.Name)
		}
	}
	for rfc, want := range map[string]int{"rfc4475": 49, "rfc5118": 12} {
		if entries, err := files.ReadDir(rfc); err != nil || len(entries) != want {
			t.Errorf("%s: %d files, %v", rfc, len(entries), err)
		}
	}
}
