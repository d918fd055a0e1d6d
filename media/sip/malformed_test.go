package sip

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

const readable = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx;rport\r\nVia: SIP/2.0/UDP 192.0.2.8\r\n" +
	"f: <sip:a@b>;tag=1\r\nTo:\r\n <sip:a@b>\r\ni: one@two\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

func TestUnreadableRequestIsAnsweredByWhatCanBeRead(t *testing.T) {
	// From RFC 4475 section 3.1.2.
	for name, change := range map[string][2]string{
		"content length beyond the datagram": {"Content-Length: 0", "Content-Length: 9999"},
		"negative content length":            {"Content-Length: 0", "Content-Length: -999"},
		"sequence number beyond 32 bits":     {"CSeq: 1 ", "CSeq: 36893488147419103232 "},
		"angle brackets around the target":   {"sip:a@b SIP", "<sip:a@b> SIP"},
		"two spaces in the first line":       {"OPTIONS sip", "OPTIONS  sip"},
		"a line that is no header":           {"i: one", "nonsense\r\ni: one"},
	} {
		text := strings.Replace(readable, change[0], change[1], 1)
		if !unreadable([]byte(text)) {
			t.Errorf("%s: taken", name)
			continue
		}
		answer := badRequest([]byte(text), "headroom")
		if !strings.HasPrefix(answer, "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx;rport\r\nVia: ") {
			t.Errorf("%s: answered with %q", name, answer)
		}
		for _, line := range []string{"From: <sip:a@b>;tag=1\r\n", "To: <sip:a@b>;tag=", "Call-ID: one@two\r\n", "CSeq: "} {
			if !strings.Contains(answer, line) {
				t.Errorf("%s: no %q in %q", name, line, answer)
			}
		}
	}
	answer := badRequest([]byte(strings.Replace(readable, "sip:a@b SIP", "soap.beep://a:1 SIP", 1)), "headroom")
	if !strings.HasPrefix(answer, "SIP/2.0 416 Unsupported URI Scheme\r\n") {
		t.Errorf("a scheme that is not SIP's: answered with %q", answer)
	}
	for name, text := range map[string]string{
		"an ACK":        strings.ReplaceAll(readable, "OPTIONS", "ACK"),
		"a response":    "SIP/2.0 4294967301 no\r\n" + readable,
		"no sender":     strings.Replace(readable, "Via", "Wia", 2),
		"nothing SIP":   "hello world\r\n\r\n",
		"a huge header": strings.Replace(readable, "one@two", strings.Repeat("x", maxEcho), 1),
	} {
		if answer := badRequest([]byte(text), "headroom"); answer != "" {
			t.Errorf("%s: answered with %q", name, answer)
		}
	}
	for _, text := range []string{readable, "", "\x00\x00\x00\x00"} {
		if unreadable([]byte(text)) {
			t.Errorf("%q: not taken", text)
		}
	}
}

// FuzzBadRequest holds that whatever cannot be read is answered by nothing, or by one message
// that is a 400 or 416, is bounded, and carries no line of the sender's making but the five echoed.
func FuzzBadRequest(f *testing.F) {
	f.Add(readable)
	f.Add("INVITE sip:x SIP/2.0\nVia: a\n b\nv: c\rd\nf: x\nt: y\ni: z\ncseq: q\n")
	f.Fuzz(func(t *testing.T, text string) {
		answer := badRequest([]byte(text), "headroom")
		if answer == "" {
			return
		}
		if len(answer) > maxEcho+100 || !strings.HasSuffix(answer, "\r\n\r\n") {
			t.Fatalf("%d bytes: %q", len(answer), answer)
		}
		lines := strings.Split(strings.TrimSuffix(answer, "\r\n\r\n"), "\r\n")
		if lines[0] != "SIP/2.0 400 Bad Request" && lines[0] != "SIP/2.0 416 Unsupported URI Scheme" {
			t.Fatalf("%q", lines[0])
		}
		for _, line := range lines[1:] {
			name, _, _ := strings.Cut(line, ":")
			if echoed(name) == "" && name != "Server" && name != "Content-Length" || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("line %q in %q", line, answer)
			}
		}
		if msg, err := sip.ParseMessage([]byte(answer)); err == nil {
			if res, ok := msg.(*sip.Response); !ok || res.StatusCode != sip.StatusBadRequest && res.StatusCode != statusOf(errURIScheme) {
				t.Fatalf("read back as %v", msg)
			}
		}
	})
}
