package ladder

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of one call's record. Of a call with more than that its beginning and its end
// are kept, and how much is missing between them.
const (
	maxMessages = 200
	maxBytes    = 96 << 10 // of text, over all messages
	maxMessage  = 8 << 10  // of text, of one message
	maxRaw      = 64 << 10 // of one message that is looked at at all
	recent      = 8        // messages among which a repetition is looked for, or the place of another

	promptly = 20 * time.Millisecond // is any request but INVITE answered
)

// Message is one message of a call.
type Message struct {
	At        time.Time `json:"at"`
	Out       bool      `json:"out"`       // sent, not received
	Transport string    `json:"transport"` // "UDP", "TCP", "TLS"
	Peer      string    `json:"peer"`      // the other side's address and port
	First     string    `json:"first"`     // request or status line
	CSeq      string    `json:"cseq,omitempty"`
	Headers   string    `json:"headers"`            // one a line, secrets hidden
	Body      string    `json:"body,omitempty"`     // a session description or sipfrag, secrets hidden; of another what it was
	Repeated  int       `json:"repeated,omitempty"` // how often it came again
	Cut       bool      `json:"cut,omitempty"`      // it was longer
}

func (m *Message) size() int { return len(m.First) + len(m.CSeq) + len(m.Headers) + len(m.Body) }

// Record is what was kept of a call.
type Record struct {
	Messages []Message `json:"messages"`
	Missing  int       `json:"missing,omitempty"` // messages left out for want of room ...
	After    int       `json:"after,omitempty"`   // ... behind this many of Messages
}

// Ladder gathers the messages of one call. Its methods may be called from any goroutine;
// they wait for nothing but each other.
type Ladder struct {
	mu        sync.Mutex
	head      []Message // the first, up to half of the bounds
	headBytes int
	headFull  bool
	tail      []Message // the last
	tailBytes int
	missing   int
}

// Add takes a message as it stands on the wire. One that was there just before is counted as
// a repetition.
func (l *Ladder) Add(at time.Time, out bool, transport, peer, text string) {
	cut := len(text) > maxRaw
	if cut {
		text = text[:maxRaw]
	}
	m := take(redact(text))
	m.At, m.Out, m.Transport, m.Peer, m.Cut = at, out, transport, peer, m.Cut || cut
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.repeats(&m) {
		return
	}
	if !l.headFull && len(l.head) < maxMessages/2 && l.headBytes+m.size() <= maxBytes/2 {
		l.head = place(l.head, m)
		l.headBytes += m.size()
		return
	}
	l.headFull = true
	l.tail = place(l.tail, m)
	l.tailBytes += m.size()
	for len(l.tail) > maxMessages/2 || l.tailBytes > maxBytes/2 {
		l.tailBytes -= l.tail[0].size()
		l.tail = slices.Delete(l.tail, 0, 1)
		l.missing++
	}
}

// take bounds a message.
func take(m message) Message {
	room, cut := maxMessage, false
	clip := func(s string) string {
		if len(s) > room {
			s, cut = strings.ToValidUTF8(s[:room], ""), true
		}
		room -= len(s)
		return s
	}
	return Message{First: clip(m.first), CSeq: clip(m.cseq), Headers: clip(m.headers), Body: clip(m.body), Cut: cut}
}

// place puts m at the end, but before what came because of it: who sends is told so after
// the fact, when the other side may have replied already.
func place(part []Message, m Message) []Message {
	asked := false // m's request is among those looked at
	for i := max(0, len(part)-recent); m.Out && i < len(part); i++ {
		p := &part[i]
		if !p.Out && (p.answers(&m) || asked && m.At.Sub(p.At) < promptly) {
			m.At = p.At
			return slices.Insert(part, i, m)
		}
		asked = asked || m.answers(p) && !p.Out && !strings.HasSuffix(m.CSeq, " INVITE") // that may take its time
	}
	return append(part, m)
}

// answers says that m is a response to the other message, or the ACK to it.
func (m *Message) answers(other *Message) bool {
	number, method, _ := strings.Cut(other.CSeq, " ")
	if strings.HasPrefix(other.First, "SIP/") {
		return method == "INVITE" && m.CSeq == number+" ACK" && !strings.HasPrefix(other.First, "SIP/2.0 1")
	}
	return method != "ACK" && strings.HasPrefix(m.First, "SIP/") && m.CSeq == other.CSeq
}

// repeats counts m where it is among the latest messages already.
func (l *Ladder) repeats(m *Message) bool {
	for _, part := range [][]Message{l.tail, l.head} {
		for i := len(part) - 1; i >= max(0, len(part)-recent); i-- {
			if p := &part[i]; p.Out == m.Out && p.Peer == m.Peer && p.First == m.First && p.Headers == m.Headers && p.Body == m.Body {
				p.Repeated++
				return true
			}
		}
	}
	return false
}

// Record is what has been kept so far.
func (l *Ladder) Record() Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Record{Messages: slices.Concat(l.head, l.tail), Missing: l.missing}
	if l.missing > 0 {
		r.After = len(l.head)
	}
	return r
}
