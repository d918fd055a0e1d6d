package ladder

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const carrier = "198.51.100.7:5060"

var began = time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)

func sipMessage(first string, lines ...string) string {
	return first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n"
}

// secrets are those in the messages of call.
var secrets = []string{"0a4f113b", "dcd98b7102dd", "5ccc069c403e", "7ypf/xlj9XXwfDPEoM4URrv", "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
	"cGFzc3dvcmQ", "F00Bar99", "Signal=7", "hunter2", "5551234", "MIKEYmikey", "aHVudGVy"}

func call() *Ladder {
	l := new(Ladder)
	at := began
	add := func(out bool, peer string, after time.Duration, first string, lines ...string) {
		at = at.Add(after)
		l.Add(at, out, "UDP", peer, sipMessage(first, lines...))
	}
	sdp := []string{"", "v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0", "k=clear:F00Bar99", "m=audio 4000 RTP/SAVP 0",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 FEC_KEY=inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj WSH=64",
		"a=crypto:2 AES_CM_128_HMAC_SHA1_80 uri:hunter2", "a=key-mgmt:mikey MIKEYmikey", "a=ice-ufrag:u", "a=ice-pwd:F00Bar99"}
	dialog := []string{"Call-ID: 1@a", "From: <sip:+4930123:hunter2@carrier.example>;tag=a", "To: <sip:100@pbx.example;postd=5551234>"}
	add(false, carrier, 0, "INVITE sip:100:hunter2@pbx.example SIP/2.0", append(append(dialog, "CSeq: 1 INVITE", "Content-Type: application/sdp"), sdp...)...)
	add(true, carrier, 2*time.Millisecond, "SIP/2.0 407 Proxy Authentication Required", append(dialog, "CSeq: 1 INVITE",
		`Proxy-Authenticate: Digest realm="head, room", nonce="dcd98b7102dd", opaque="5ccc069c403e", qop="auth", algorithm=MD5`, "")...)
	add(false, carrier, 40*time.Millisecond, "ACK sip:100@pbx.example SIP/2.0", append(dialog, "CSeq: 1 ACK", "")...)
	add(false, carrier, 3*time.Millisecond, "INVITE sip:100@pbx.example SIP/2.0", append(append(dialog, "CSeq: 2 INVITE",
		`PROXY-authorization : Digest username="carrier", realm="head, room", nonce = "dcd98b7102dd",`, `   response="7ypf/xlj9XXwfDPEoM4URrv",cnonce="0a4f113b" , nc=00000001`,
		"Authorization: Basic cGFzc3dvcmQ=", "Content-Type: application/sdp;x=y"), sdp...)...)
	add(true, carrier, time.Millisecond, "SIP/2.0 100 Trying", append(dialog, "CSeq: 2 INVITE", "")...)
	add(true, carrier, 3*time.Second, "SIP/2.0 200 OK", append(append(dialog, "CSeq: 2 INVITE", "Authentication-Info: nextnonce=\"dcd98b7102dd\", qop=auth, rspauth=\"7ypf/xlj9XXwfDPEoM4URrv\"", "c: application/sdp"), sdp...)...)
	add(true, carrier, 500*time.Millisecond, "SIP/2.0 200 OK", append(append(dialog, "CSeq: 2 INVITE", "Authentication-Info: nextnonce=\"dcd98b7102dd\", qop=auth, rspauth=\"7ypf/xlj9XXwfDPEoM4URrv\"", "c: application/sdp"), sdp...)...)
	add(false, "198.51.100.9:5060", 20*time.Millisecond, "ACK sip:headroom@192.0.2.1 SIP/2.0", append(dialog, "CSeq: 2 ACK", "")...)
	add(false, carrier, 5*time.Second, "INFO sip:headroom@192.0.2.1 SIP/2.0", append(dialog, "CSeq: 3 INFO", "Content-Type: application/dtmf-relay", "", "Signal=7", "Duration=160")...)
	add(true, carrier, 9*time.Second, "NOTIFY sip:a@198.51.100.7 SIP/2.0", append(dialog, "CSeq: 1 NOTIFY", "Content-Type: message/sipfrag", "", "SIP/2.0 200 OK", "Authorization: Bearer aHVudGVy", "")...)
	add(true, carrier, time.Second, "BYE sip:a@198.51.100.7 SIP/2.0", append(dialog, "CSeq: 2 BYE", "")...)
	add(false, carrier, time.Millisecond, "SIP/2.0 200 OK", append(dialog, "CSeq: 2 BYE", "")...)
	return l
}

func TestTheLadderOfACall(t *testing.T) {
	got := call().Record().Draw(true)
	const golden = "testdata/call.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the ladder is\n%s\nwant\n%s", got, want)
	}
	for _, s := range secrets {
		if strings.Contains(got, s) {
			t.Errorf("%q is shown", s)
		}
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	stored, err := json.Marshal(call().Record())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(string(stored), s) {
			t.Errorf("%q is kept", s)
		}
	}
	var back Record
	if err := json.Unmarshal(stored, &back); err != nil || back.Draw(true) != call().Record().Draw(true) {
		t.Errorf("what was stored is drawn otherwise, %v", err)
	}
}

func TestALongCallKeepsItsBeginningAndItsEnd(t *testing.T) {
	for name, body := range map[string]string{"many messages": "", "much text": strings.Repeat("a=x\r\n", 600)} {
		t.Run(name, func(t *testing.T) {
			l := new(Ladder)
			for i := range 5000 {
				l.Add(began.Add(time.Duration(i)*time.Second), i%2 == 0, "TCP", carrier,
					sipMessage(fmt.Sprintf("OPTIONS sip:%d@a SIP/2.0", i), fmt.Sprintf("CSeq: %d OPTIONS", i), "Content-Type: application/sdp", "", body))
			}
			r := l.Record()
			size := 0
			for i := range r.Messages {
				size += r.Messages[i].size()
			}
			if len(r.Messages) > maxMessages || size > maxBytes || len(r.Messages)+r.Missing != 5000 {
				t.Errorf("%d messages of %d bytes, %d missing", len(r.Messages), size, r.Missing)
			}
			if r.Messages[0].CSeq != "0 OPTIONS" || r.Messages[len(r.Messages)-1].CSeq != "4999 OPTIONS" || r.Messages[r.After-1].CSeq != fmt.Sprintf("%d OPTIONS", r.After-1) {
				t.Error("beginning or end are not there")
			}
			if text := r.Draw(false); !strings.Contains(text, fmt.Sprintf("... %d messages were not kept ...", r.Missing)) {
				t.Error("the picture does not say that something is missing")
			}
		})
	}
}

func TestAnAnswerStandsBehindWhatItAnswers(t *testing.T) {
	l := new(Ladder)
	for _, m := range []struct {
		out         bool
		first, cseq string
	}{
		{true, "INVITE a SIP/2.0", "1 INVITE"}, {false, "SIP/2.0 200 OK", "1 INVITE"}, {true, "ACK a SIP/2.0", "1 ACK"},
		{false, "SIP/2.0 200 OK", "2 BYE"}, {true, "BYE a SIP/2.0", "2 BYE"}, // the answer was quicker than the socket
		{false, "INVITE b SIP/2.0", "7 INVITE"}, {true, "SIP/2.0 100 Trying", "7 INVITE"}, {false, "ACK b SIP/2.0", "7 ACK"}, {true, "SIP/2.0 486 Busy Here", "7 INVITE"},
		{false, "INFO b SIP/2.0", "8 INFO"}, {false, "BYE b SIP/2.0", "9 BYE"}, {true, "SIP/2.0 415 Unsupported Media Type", "8 INFO"}, {true, "SIP/2.0 200 OK", "9 BYE"},
	} {
		l.Add(began, m.out, "UDP", carrier, sipMessage(m.first, "CSeq: "+m.cseq, ""))
	}
	var got []string
	for _, m := range l.Record().Messages {
		got = append(got, label(&m))
	}
	if s := strings.Join(got, ", "); s != "INVITE, 200 OK (INVITE), ACK, BYE, 200 OK (BYE), INVITE, 100 Trying (INVITE), 486 Busy Here (INVITE), ACK, INFO, 415 Unsupported Media Type (INFO), BYE, 200 OK (BYE)" {
		t.Error(s)
	}
}

func TestAnEmptyLadder(t *testing.T) {
	if got := new(Ladder).Record().Draw(true); got != "no messages\n" {
		t.Errorf("%q", got)
	}
}

// FuzzAdd holds for any text: it is bounded, printable, drawn, and taking secrets out of what
// has none left changes nothing.
func FuzzAdd(f *testing.F) {
	for _, m := range call().Record().Messages {
		f.Add(m.First + "\r\n" + strings.ReplaceAll(m.Headers, "\n", "\r\n") + "\r\n\r\n" + m.Body)
	}
	f.Add("INVITE a SIP/2.0\r\nAuthorization: Digest response=\"SECRET\r\n\tSECRET\", x\r\n\r\n")
	f.Add("x\nWWW-Authenticate: Digest nonce=SECRET")
	f.Fuzz(func(t *testing.T, text string) {
		m := take(redact(text))
		if m.size() > maxMessage {
			t.Fatalf("%d bytes are kept", m.size())
		}
		for _, part := range []string{m.First, m.CSeq, m.Headers, m.Body} {
			if !utf8.ValidString(part) || strings.ContainsAny(part, "\x1b\r\x00\x7f") {
				t.Fatalf("%q is not for a terminal", part)
			}
		}
		again := redact(m.First + "\n" + m.Headers)
		if !m.Cut && (again.first != m.First || again.headers != m.Headers) {
			t.Fatalf("%q becomes %q", m.Headers, again.headers)
		}
		l := new(Ladder)
		l.Add(began, true, "UDP", carrier, text)
		l.Add(began, true, "UDP", carrier, text)
		if r := l.Record(); len(r.Messages) != 1 || r.Messages[0].Repeated != 1 || r.Draw(true) == "" {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzSecret plants a secret wherever a message may have one: it never stays.
func FuzzSecret(f *testing.F) {
	f.Add(uint8(0), "nonce", " ", "")
	f.Add(uint8(1), "cnonce", "\t", ",x=y")
	f.Add(uint8(4), "a", "", "")
	f.Fuzz(func(t *testing.T, where uint8, name, space, more string) {
		const secret = "Sesame0pen"
		if strings.ContainsAny(name+space+more, "\r\n") || strings.Contains(name+space+more, secret) || harmless[strings.ToLower(strings.TrimSpace(name))] ||
			strings.Trim(space, " \t") != "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz") != "" || name == "" {
			return
		}
		header := []string{"Authorization", "proxy-authorization", "WWW-Authenticate", "Proxy-Authenticate"}
		var text string
		switch n := int(where) % (len(header) + 2); {
		case n < len(header):
			text = "OPTIONS a SIP/2.0\r\n" + header[n] + space + ":" + space + "Digest " + name + space + "=" + space + `"` + secret + `"` + space + "," + more
		case n == len(header):
			text = "x\r\nc: application/sdp\r\n\r\na=crypto:1" + space + " AES_CM_128_HMAC_SHA1_80 " + space + "inline:" + secret + "|" + strings.TrimSpace(more)
		default:
			text = "x\r\nContent-Type: application/" + name + "\r\n\r\n" + more + secret
		}
		if m := redact(text); strings.Contains(m.first+m.headers+m.body, secret) {
			t.Fatalf("%q keeps it: %q %q", text, m.headers, m.body)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	r := call().Record()
	m := r.Messages[3]
	text := m.First + "\r\n" + strings.ReplaceAll(m.Headers, "\n", "\r\n") + "\r\n\r\n" + m.Body
	b.ReportAllocs()
	l := new(Ladder)
	for b.Loop() {
		l.Add(began, false, "UDP", carrier, text)
	}
}
