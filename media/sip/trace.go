package sip

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// Ladder is what was said in the call so far; after its end, all of it.
func (c *Call) Ladder() ladder.Record { return c.ladder.Record() }

// ladders are the records of an endpoint's live calls by Call-ID.
type ladders struct {
	mu     sync.Mutex
	byCall map[string]*sharedLadder
}

// sharedLadder is the record of the calls with one Call-ID, of which there is hardly ever
// more than one.
type sharedLadder struct {
	ladder.Ladder
	calls int
	whose string // the trunk of the first of them
}

func (l *ladders) open(callID, trunk string) *ladder.Ladder {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byCall == nil {
		l.byCall = make(map[string]*sharedLadder)
	}
	s := l.byCall[callID]
	if s == nil {
		s = &sharedLadder{whose: trunk}
		l.byCall[callID] = s
	}
	s.calls++
	return &s.Ladder
}

func (l *ladders) close(callID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byCall[callID]; s != nil {
		if s.calls--; s.calls == 0 {
			delete(l.byCall, callID)
		}
	}
}

func (l *ladders) find(callID string) *ladder.Ladder {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byCall[callID]; s != nil {
		return &s.Ladder
	}
	return nil
}

// trunk is that of the live call with a Call-ID; "" if there is none.
func (l *ladders) trunk(callID string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byCall[callID]; s != nil {
		return s.whose
	}
	return ""
}

// record begins the ladder of a call, with the INVITE that came, if one did. The To tag in
// that is ours, put there by prepare.
func (e *endpoint) record(c *Call, invite *sip.Request) {
	c.ladder = e.ladders.open(c.dlg.callID, c.trunk)
	if invite != nil {
		text := strings.Replace(invite.String(), ";tag="+tagOf(&c.dlg.from), "", 1)
		c.ladder.Add(time.Now(), false, invite.Transport(), invite.Source(), text)
	}
}

// received counts a message, and records one of a live call, on the transport's reader.
func (e *endpoint) received(msg sip.Message) {
	e.tallyIn(msg)
	if l := e.ladders.find(text(msg.CallID())); l != nil {
		l.Add(time.Now(), false, msg.Transport(), msg.Source(), msg.String())
	}
}

// sent counts a message that went out, and records one of a live call.
func (e *endpoint) sent(callID, transport, local, remote string, data []byte) {
	if !tap.speaks(e, local, remote) {
		return
	}
	e.tallyOut(callID, remote, data)
	l := e.ladders.find(callID)
	if l == nil {
		return
	}
	if transport == "TCP" && overTLS(data) { // to sipgo one is the other
		transport = "TLS"
	}
	l.Add(time.Now(), true, transport, remote, string(data))
}

// overTLS reads the transport in a message's first Via: ours, or that of who asked.
func overTLS(data []byte) bool {
	for line := range bytes.Lines(data) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimSpace(name); bytes.EqualFold(name, []byte("Via")) || bytes.EqualFold(name, []byte("v")) {
			return bytes.HasPrefix(bytes.ToUpper(bytes.TrimSpace(value)), []byte("SIP/2.0/TLS"))
		}
	}
	return false
}

// speaks tells an endpoint's messages from those of another in the same process: by the port
// they leave from, or, over a connection that sipgo opened, by not being sent to us.
func (w *wiretap) speaks(e *endpoint, local, remote string) bool {
	from, to := portOf(local), portOf(remote)
	ours, another := false, false
	w.endpoints.Range(func(other, ports any) bool {
		listens := func(port uint16) bool { return slices.Contains(ports.([]uint16), port) }
		if other == e {
			ours, another = listens(from), another || listens(to)
		} else {
			another = another || listens(from)
		}
		return !ours
	})
	return ours || !another
}

func portOf(addr string) uint16 {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0
	}
	return ap.Port()
}

// callIDOf finds the Call-ID of a message that sipgo wrote.
func callIDOf(data []byte) string { return headerIn(data, "Call-ID", "i") }

// headerIn finds the first value of a header, by either of its names, in a message that
// sipgo wrote.
func headerIn(data []byte, long, short string) string {
	for line := range bytes.Lines(data) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		if name = bytes.TrimSpace(name); ok && (bytes.EqualFold(name, []byte(long)) || bytes.EqualFold(name, []byte(short))) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// wiretap is sipgo's tracer, of which a process has one: it alone sees what sipgo sends by
// itself, ACKs and repetitions. What comes in is seen by prepare, message by message.
type wiretap struct {
	endpoints sync.Map // *endpoint to the ports it listens on, []uint16, while it does
}

var tap wiretap

// listen has the tap heed an endpoint whose sockets are open.
func (w *wiretap) listen(e *endpoint) {
	var ports []uint16
	for _, transport := range []string{"UDP", "TCP", "TLS"} {
		if port := e.listening(transport).Port(); port != 0 {
			ports = append(ports, port)
		}
	}
	w.endpoints.Store(e, ports)
}

// SIPTraceRead does nothing: over TCP it would be pieces of messages.
func (*wiretap) SIPTraceRead(string, string, string, []byte) {}

// SIPTraceWrite takes a message just sent.
func (w *wiretap) SIPTraceWrite(transport, local, remote string, data []byte) {
	callID := callIDOf(data)
	w.endpoints.Range(func(e, _ any) bool {
		e.(*endpoint).sent(callID, transport, local, remote, data)
		return true
	})
}
