package sip

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// methods are the ones that are counted by name (IANA's list of SIP methods).
var methods = []string{"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}

// Kind is what a SIP message is counted by. Whatever the other side sends, there are few.
type Kind struct {
	Trunk  string // "" for who is none
	Out    bool   // sent, not received
	Method string // in capitals; "other" for an unknown one
	Status string // of a response: three digits, or "4xx" where the code is not a usual one; "" of a request
}

// tally counts messages as they pass the socket, repetitions too. The zero value counts.
type tally struct {
	mu    sync.Mutex
	count map[Kind]uint64
}

func (t *tally) add(trunk string, out bool, method string, status int) {
	k := Kind{Trunk: trunk, Out: out, Method: "other", Status: statusWord(status)}
	if slices.Contains(methods, method) {
		k.Method = method
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = make(map[Kind]uint64)
	}
	t.count[k]++
}

func (t *tally) all() map[Kind]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.count)
}

// statusWord is how a status is counted; 0 is a request.
func statusWord(status int) string {
	switch {
	case status == 0:
		return ""
	case status < 100 || status > 699:
		return "other"
	case usual(status):
		return strconv.Itoa(status)
	default:
		return fmt.Sprintf("%dxx", status/100)
	}
}

// usual says whether a status stands in IANA's list.
func usual(status int) bool {
	return slices.Contains([]int{
		100, 180, 181, 182, 183, 199, 200, 202, 204, 300, 301, 302, 305, 380,
		400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429,
		430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494,
		500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608,
	}, status)
}

// tallyIn counts a message that came.
func (e *endpoint) tallyIn(msg sip.Message) {
	trunk := e.trunkOf(text(msg.CallID()), source(msg).Addr())
	switch m := msg.(type) {
	case *sip.Request:
		e.tally.add(trunk, false, string(m.Method), 0)
	case *sip.Response:
		method := ""
		if cseq := m.CSeq(); cseq != nil {
			method = string(cseq.MethodName)
		}
		e.tally.add(trunk, false, method, max(1, m.StatusCode))
	}
}

// tallyOut counts a message that went, as it stood on the wire.
func (e *endpoint) tallyOut(callID, remote string, data []byte) {
	var to netip.Addr
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		to = ap.Addr().Unmap()
	}
	method, status := whatIs(data)
	if method != "" {
		e.tally.add(e.trunkOf(callID, to), true, method, status)
	}
}

// whatIs gives method and status of a message; status is 0 for a request, method "" for
// what is no message: a keep-alive.
func whatIs(data []byte) (method string, status int) {
	line, _, _ := bytes.Cut(data, []byte("\r\n"))
	first := strings.Fields(string(line[:min(len(line), 256)]))
	if len(first) < 2 {
		return "", 0
	}
	if !strings.HasPrefix(first[0], "SIP/") {
		return first[0], 0
	}
	status, err := strconv.Atoi(first[1])
	_, method, _ = strings.Cut(headerIn(data, "CSeq", "CSeq"), " ")
	if err != nil || status <= 0 || method == "" {
		return "", 0
	}
	return strings.TrimSpace(method), status
}

// trunkOf is whose a message is: the call's with that Call-ID, else of who has the address.
func (e *endpoint) trunkOf(callID string, a netip.Addr) string {
	if trunk := e.ladders.trunk(callID); strings.HasPrefix(trunk, phonePrefix) {
		return PhonesTrunk // few, however many phones there are
	} else if trunk != "" {
		return trunk
	}
	if e.whose == nil || !a.IsValid() {
		return ""
	}
	return e.whose(a)
}
