package caller

import (
	"strings"
	"testing"
)

const bye = "BYE sip:1@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\n ;tag=2\r\n" +
	"i: abc\r\nCSeq: 2  BYE\r\nm: \"x\" <sip:e@f;lr>;q=1\r\nContent-Length: 0\r\n\r\n"

func TestAMessageIsReadInItsCompactForm(t *testing.T) {
	m, ok := parse(bye)
	if !ok || m.method != "BYE" || m.header("Call-ID") != "abc" || m.cseq() != "2 BYE" || uri(m.header("Contact")) != "sip:e@f;lr" || !strings.Contains(m.header("To"), ";tag=2") {
		t.Errorf("read %+v", m)
	}
	answer, ok := parse(m.answer("200 OK", "<sip:me>", ""))
	if !ok || answer.status != 200 || answer.header("Via") == "" || answer.header("Call-ID") != "abc" || answer.header("Contact") != "<sip:me>" {
		t.Errorf("answered %+v", answer)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(bye)
	f.Add("SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n")
	f.Add("SIP/2.0 99\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := parse(text)
		if !ok {
			return
		}
		if m.status == 0 && m.method == "" && !strings.HasPrefix(text, " ") {
			t.Fatal("neither a request nor a response")
		}
		if _, again := parse(m.answer("200 OK", "", "")); !again {
			t.Fatalf("the answer cannot be read: %q", m.answer("200 OK", "", ""))
		}
		uri(m.header("Contact"))
		m.cseq()
	})
}
