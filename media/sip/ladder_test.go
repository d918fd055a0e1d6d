package sip_test

import (
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// firsts lists a record's messages in short: "<" came in, ">" went out. What may or may not be
// there is left out: provisional responses, and PRACK.
func firsts(r ladder.Record) string {
	var out []string
	for _, m := range r.Messages {
		way := "<"
		if m.Out {
			way = ">"
		}
		what, rest, _ := strings.Cut(m.First, " ")
		if strings.HasPrefix(what, "SIP/") {
			what, _, _ = strings.Cut(rest, " ")
		}
		if !strings.HasPrefix(what, "1") && !strings.HasSuffix(m.CSeq, " PRACK") {
			out = append(out, way+what)
		}
	}
	return strings.Join(out, " ")
}

// whole is a call's ladder once nothing more can come.
func whole(t *testing.T, call *sip.Call) ladder.Record {
	t.Helper()
	select {
	case <-call.Gone():
	case <-time.After(patience):
		t.Fatal("the call still owes something")
	}
	return call.Ladder()
}

func TestTheLadderOfACall(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d)
		p := newPhone(t, network, s.addr(network))
		call, _, _ := answered(t, p, d, over("RTP/SAVP", p.offer("0", cryptoLine(1, "AES_CM_128_HMAC_SHA1_80", 30, ""))))
		eventually(t, "the ACK", func() bool { return strings.HasSuffix(firsts(call.Ladder()), "<ACK") })
		p.cseq++
		p.send("INFO", "Signal=4", "Content-Type: application/dtmf-relay")
		p.expect("SIP/2.0 ")
		p.cseq++
		p.send("BYE", "")
		p.expect("SIP/2.0 200")
		ended(t, call, sip.CauseRemoteBye)
		r := whole(t, call)
		if got := firsts(r); got != "<INVITE >200 <ACK <INFO >200 <BYE >200" {
			t.Errorf("the ladder is %s\n%s", got, r.Draw(true))
		}
		text := r.Draw(true)
		if strings.Contains(text, "inline:A") || strings.Contains(text, "Signal=4") || strings.Count(text, "inline:***") != 2 {
			t.Errorf("keys or digits in\n%s", text)
		}
		mustContain(t, text, "100 Trying", "180 Ringing", p.conn.LocalAddr().String()+" over "+network, "m=audio")
		if strings.Contains(r.Messages[0].Headers, "To: <sip:100@127.0.0.1>;tag") {
			t.Error("the INVITE is shown with a tag that it did not have")
		}
		eventually(t, "every message is counted as the trunk's", func() bool {
			got := s.Messages()
			for _, k := range []sip.Kind{
				{Method: "INVITE"}, {Method: "INVITE", Status: "200", Out: true}, {Method: "ACK"}, {Method: "INFO"}, {Method: "BYE"}, {Method: "BYE", Status: "200", Out: true},
			} {
				if k.Trunk = call.Trunk(); k.Trunk == "" || got[k] == 0 {
					return false
				}
			}
			return true
		})
	})
}

func TestTheLadderOfACallThatWePlace(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			d, calls := make(desk, 1), make(chan *sip.Call, 1)
			s := start(t, d)
			go func() {
				in := <-d
				calls <- in
				_ = in.Ring()
				_, _ = in.Answer(t.Context())
			}()
			out, err := newClient(t).Dial(within(t), sip.Outgoing{Target: "sip:100@" + s.addr(strings.ToUpper(transport)).String() + ";transport=" + transport})
			if err != nil {
				t.Fatal(err)
			}
			if err := out.Hangup(within(t)); err != nil {
				t.Fatal(err)
			}
			r := out.Ladder()
			if got := firsts(r); got != ">INVITE <200 >ACK >BYE <200" {
				t.Errorf("the caller's ladder is %s\n%s", got, r.Draw(false))
			}
			r = whole(t, <-calls)
			if got := firsts(r); got != "<INVITE >200 <ACK <BYE >200" {
				t.Errorf("the callee's ladder is %s\n%s", got, r.Draw(false))
			}
		})
	}
}

func TestTheLadderOfACallThatIsRefused(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if err := call.Reject(486, 0); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 486")
	p.expect("SIP/2.0 486") // repeated until the ACK
	p.send("ACK", "")
	ended(t, call, sip.CauseRejected)
	if got := firsts(call.Ladder()); !strings.HasPrefix(got, "<INVITE >486") {
		t.Errorf("the ladder is %s", got)
	}
}
