package bridge

import (
	"errors"
	"sync"

	"github.com/headroom-voice/headroom/media"
)

// Listening is one leg that hears another and is not heard by it: early media.
type Listening struct {
	from  media.Leg
	flow  *flow
	began func()
	once  sync.Once
}

// Listen takes over from's sink: what it says is passed to the other leg. The first packet is
// told by began, if that is not nil, on from's reader goroutine: it must not block. The error
// is for a leg that is missing or listens to itself.
func Listen(from, to media.Leg, began func()) (*Listening, error) {
	if from == nil || to == nil || from == to {
		return nil, errors.New("bridge: listen: two different legs are needed")
	}
	l := &Listening{from: from, flow: newFlow(to, nil), began: began}
	from.SetSink(l)
	return l, nil
}

// Packet is part of media.Sink.
func (l *Listening) Packet(p *media.Packet) {
	l.flow.Packet(p)
	l.once.Do(func() {
		if l.began != nil {
			l.began()
		}
	})
}

// Close detaches the leg. When it returns nothing more is passed on. Closing again does
// nothing, but for a sink that was set since.
func (l *Listening) Close() {
	l.from.SetSink(nil)
	l.flow.close()
}
