package phone

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhereATransferLeads(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:2000@192.0.2.1:5060;transport=tcp": "2000",
		"sip:%2B4930123@pbx.example":            "+4930123",
		"sips:sales;phone-context=x@a":          "sales",
		"tel:+49-30-123;ext=4":                  "+49-30-123",
		"sip:192.0.2.1":                         "192.0.2.1",
		"sip:%zz@a":                             "%zz",
	} {
		if got := numberOf(uri); got != want {
			t.Errorf("%s leads to %q, wanted %q", uri, got, want)
		}
	}
	for uri, want := range map[string]string{"sip:bob@192.0.2.1:5060;ob": "192.0.2.1:5060", "sips:a.example": "a.example", "sip:b@[2001:db8::1]:5061": "[2001:db8::1]:5061"} {
		if got := hostOf(uri); got != want {
			t.Errorf("the host of %s is %q", uri, got)
		}
	}
}

func TestWhatAPhoneRefusesForItsUser(t *testing.T) {
	for status, want := range map[int]bool{486: true, 603: true, 600: true, 480: true, 404: false, 488: false, 408: false, 503: false} {
		if busy(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
}

func TestATransferIsToldInOrderAndOnce(t *testing.T) {
	m := newMoving()
	for range 100 {
		m.tell(180) // a phone that does not answer holds nobody up
	}
	m.tell(200)
	last, n := 0, 0
	for status := range m.news {
		last, n = status, n+1
	}
	if last != 200 || n > 16 {
		t.Errorf("%d told, the last was %d", n, last)
	}
}

func TestBeepsHavePauses(t *testing.T) {
	b := beeps{prompt.Tone(refusedHz, toneDBov)}
	pcm := make([]float32, 8000)
	b.Render(pcm, 0, 8000)
	for i, loud := range []bool{true, false, true, false} {
		if got := mediatest.ToneDBov(pcm[i*2000:(i+1)*2000], 8000, refusedHz) > -30; got != loud {
			t.Errorf("quarter %d is loud: %v", i, got)
		}
	}
}

func TestCodecsAndKeysOfAUser(t *testing.T) {
	if got := Codecs([]string{"PCMA", "PCMU", "opus"}); len(got) != 2 || got[0] != media.PCMA {
		t.Errorf("%v", got)
	}
	if Keys("") != sip.KeysOptional || Keys("off") != sip.KeysOff || Keys("required") != sip.KeysRequired {
		t.Error("keys")
	}
}

// Whatever a caller calls itself, a phone can be told; whatever a phone asks for, there is a
// number to look up.
func FuzzCallers(f *testing.F) {
	for _, s := range []string{"", "+4930", `a" <sip:x@y>`, "a\r\nVia: me", "Jürgen 🎧", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n := speakable(s); n == "" || strings.ContainsAny(n, "<>@\" \r\n\x00;:,?") {
			t.Errorf("%q is called as %q", s, n)
		}
		if strings.ContainsFunc(printable(s), func(r rune) bool { return unicode.IsControl(r) && r < 0x80 || r == '"' || r == '\\' }) {
			t.Errorf("%q is named as %q", s, printable(s))
		}
		if n := numberOf(s); strings.Contains(s, "@") && strings.Count(s, "%") == 0 && strings.Contains(n, "@") {
			t.Errorf("%q leads to %q", s, n)
		}
		_ = hostOf(s)
	})
}

func TestAPhoneThatTalksIsAskedWhetherItIsThere(t *testing.T) {
	binding := func(contact, source string) registrar.Binding {
		return registrar.Binding{Contact: contact, Source: netip.MustParseAddrPort(source), Transport: "UDP"}
	}
	desk, home := binding("sip:a@192.0.2.1", "192.0.2.1:5060"), binding("sip:a@192.0.2.2", "192.0.2.2:5060")
	moved := binding("sip:a@192.0.2.1", "192.0.2.1:40000")
	for name, test := range map[string]struct {
		talks registrar.Binding
		asked int
		with  bool // the phone at the desk
	}{
		"one that is registered":         {desk, 2, true},
		"one with another connection":    {moved, 2, true},
		"one that is registered nowhere": {binding("sip:a@192.0.2.3", "192.0.2.3:5060"), 3, false},
	} {
		l := &line{bindings: []registrar.Binding{desk, home}, talk: &talking{at: test.talks}}
		if got := l.phones(); len(got) != test.asked || l.talk.with(desk) != test.with || l.talk.with(home) {
			t.Errorf("%s: asked %v", name, got)
		}
	}
}
