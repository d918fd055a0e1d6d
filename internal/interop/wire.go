package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// wire is a caller that sends what a row says when it says so, over UDP out of a plain socket:
// what SIPp cannot, because it answers what it has received last.
type wire struct {
	conn   net.Conn
	local  string
	id     string
	number string // whom it calls
	toTag  string
	answer string // the last 200 to an INVITE, whole
	target string // where requests within the dialog go
	cseq   int
	branch int
	seen   map[string]bool // what came already: repetitions are passed over
}

// offerG711 is what a wire can be called with.
const offerG711 = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8 0\r\n"

// offerNothing is an answer that fits no offer of ours.
const offerNothing = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n"

func newWire(ctx context.Context, s *system) (*wire, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", s.udp))
	if err != nil {
		return nil, err
	}
	local := conn.LocalAddr().String()
	return &wire{conn: conn, local: local, number: number, id: fmt.Sprintf("wire-%d", time.Now().UnixNano()),
		target: fmt.Sprintf("sip:%s@127.0.0.1:%d", number, s.udp), seen: make(map[string]bool)}, nil
}

// text writes a request. An ACK and a CANCEL are of the last request's number.
func (w *wire) text(method, body string, headers ...string) string {
	if method != "ACK" && method != "CANCEL" {
		w.cseq++
	}
	if method != "CANCEL" {
		w.branch++
	}
	to := "<sip:" + w.number + "@127.0.0.1>"
	if w.toTag != "" && method != "CANCEL" {
		to += ";tag=" + w.toTag
	}
	lines := []string{
		method + " " + w.target + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%d;rport", w.local, w.id, w.branch),
		"Max-Forwards: 70", "From: <sip:peer@127.0.0.1>;tag=peer", "To: " + to, "Call-ID: " + w.id,
		fmt.Sprintf("CSeq: %d %s", w.cseq, method), "Contact: <sip:peer@" + w.local + ">",
	}
	lines = append(lines, headers...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	return strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func (w *wire) write(text string) error {
	_, err := w.conn.Write([]byte(text))
	return err
}

// send writes a request and sends it.
func (w *wire) send(method, body string, headers ...string) error {
	return w.write(w.text(method, body, headers...))
}

// next gives the next message that is no repetition and no provisional response.
func (w *wire) next(patience time.Duration) (string, error) {
	buf := make([]byte, 65536)
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := w.conn.Read(buf)
		if err != nil {
			return "", err
		}
		m := string(buf[:n])
		if key := firstLine(m) + field(m, "CSeq") + field(m, "Via"); strings.HasPrefix(m, "SIP/2.0 1") || w.seen[key] {
			continue
		} else { //nolint:revive // key is needed in both
			w.seen[key] = true
		}
		return m, nil
	}
}

// expect waits for messages in any order: a status with its method ("200 BYE"), or a request's
// method ("BYE"). Alternatives have | between them. It gives them in the order asked for.
func (w *wire) expect(wants ...string) ([]string, error) {
	got := make([]string, len(wants))
	for range wants {
		m, err := w.next(patience)
		if err != nil {
			return got, fmt.Errorf("while waiting for %q: %w", wants, err)
		}
		if w.take(m, wants, got) {
			continue
		}
		return got, fmt.Errorf("waited for %q, there came %q (%s)", wants, strings.TrimSpace(firstLine(m)), field(m, "CSeq"))
	}
	return got, nil
}

func (w *wire) take(m string, wants, got []string) bool {
	for i, want := range wants {
		for _, w := range strings.Split(want, "|") {
			if got[i] == "" && what(m) == w {
				got[i] = m
				return true
			}
		}
	}
	return false
}

// what names a message as expect does.
func what(m string) string {
	_, method, _ := strings.Cut(field(m, "CSeq"), " ")
	if rest, ok := strings.CutPrefix(m, "SIP/2.0 "); ok {
		return rest[:3] + " " + method
	}
	return method
}

// field is a header's first value.
func field(m, name string) string {
	for line := range strings.SplitSeq(m, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// accept answers a request with 200.
func (w *wire) accept(request string) error {
	var kept []string
	for line := range strings.SplitSeq(request, "\r\n") {
		for _, name := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
			if strings.HasPrefix(line, name) {
				kept = append(kept, line)
			}
		}
	}
	return w.write("SIP/2.0 200 OK\r\n" + strings.Join(kept, "\r\n") + "\r\nContact: <sip:peer@" + w.local + ">\r\nContent-Length: 0\r\n\r\n")
}

// up opens a call and takes the 200, which is not acknowledged.
func (w *wire) up(offer string, headers ...string) error {
	if err := w.send("INVITE", offer, headers...); err != nil {
		return err
	}
	got, err := w.expect("200 INVITE")
	if err != nil {
		return err
	}
	w.answer = got[0]
	_, w.toTag, _ = strings.Cut(field(got[0], "To"), "tag=")
	w.target = strings.Trim(field(got[0], "Contact"), "<>")
	return nil
}

// quiet says that nothing else comes.
func (w *wire) quiet() error {
	m, err := w.next(silence)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return errors.Join(err, fmt.Errorf("there came %q, and nothing should", strings.TrimSpace(firstLine(m))))
}
