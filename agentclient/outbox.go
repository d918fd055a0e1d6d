package agentclient

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// outboxMost bounds what is kept while the service does not answer. Beyond it the
// oldest message is given up; only a client cut off for days gets there.
const outboxMost = 256

// outbox keeps the messages that need an answer, in order, until they have it.
type outbox struct {
	prefix string // of ids; random, so that no two runs of a client share one
	last   int
	kept   []kept
}

type kept struct {
	id string
	m  protocol.Message
}

func newOutbox() *outbox {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return &outbox{prefix: hex.EncodeToString(random[:])}
}

// id gives a new message id.
func (o *outbox) id() string {
	o.last++
	return o.prefix + "-" + strconv.Itoa(o.last)
}

// add keeps a message and gives its id.
func (o *outbox) add(m protocol.Message) string {
	id := o.id()
	if len(o.kept) == outboxMost {
		o.kept = slices.Delete(o.kept, 0, 1)
	}
	o.kept = append(o.kept, kept{id, m})
	return id
}

// answered removes the message that an answer belongs to, if it is kept.
func (o *outbox) answered(id string) (protocol.Message, bool) {
	i := slices.IndexFunc(o.kept, func(k kept) bool { return k.id == id })
	if i < 0 {
		return nil, false
	}
	m := o.kept[i].m
	o.kept = slices.Delete(o.kept, i, i+1)
	return m, true
}

// newSession gives up what only the old session could do. What a person's call
// measured is evidence and stays.
func (o *outbox) newSession() {
	o.kept = slices.DeleteFunc(o.kept, func(k kept) bool {
		_, report := k.m.(protocol.MicReport)
		return !report
	})
}

// holds reports whether a message of the same type waits for its answer.
func (o *outbox) holds(m protocol.Message) bool {
	return slices.ContainsFunc(o.kept, func(k kept) bool { return protocol.TypeOf(k.m) == protocol.TypeOf(m) })
}

// drop gives up messages of m's type that a newer one replaces.
func (o *outbox) drop(m protocol.Message) {
	o.kept = slices.DeleteFunc(o.kept, func(k kept) bool { return protocol.TypeOf(k.m) == protocol.TypeOf(m) })
}
