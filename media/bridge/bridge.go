package bridge

import (
	"errors"
	"sync"

	"github.com/headroom-voice/headroom/media"
)

// Options says who listens. Taps hear the decoded voice, also where packets pass as
// they are; they never hold it up.
type Options struct {
	FromA, FromB []media.Tap
	// FadeIn has the first packet each way come in over 10 ms: somebody may be in mid-word.
	FadeIn bool
}

// Bridge is two legs joined.
type Bridge struct {
	a, b     media.Leg
	fromA    *flow
	fromB    *flow
	closeOne sync.Once

	mu   sync.Mutex
	conf *conference // nil while the two have never had a guest
	held bool
	done chan struct{} // closed with the bridge
}

// Join takes over both legs' sinks. The error is for a leg that is missing or joined to
// itself.
func Join(a, b media.Leg, opt Options) (*Bridge, error) {
	if a == nil || b == nil || a == b {
		return nil, errors.New("bridge: join: two different legs are needed")
	}
	br := newBridge(a, b, opt)
	if opt.FadeIn {
		br.fadeIn()
	}
	a.SetSink(br.fromA)
	b.SetSink(br.fromB)
	return br, nil
}

func newBridge(a, b media.Leg, opt Options) *Bridge {
	return &Bridge{a: a, b: b, fromA: newFlow(b, opt.FromA), fromB: newFlow(a, opt.FromB), done: make(chan struct{})}
}

// Close detaches both legs. When it returns, no tap will be offered anything more and
// neither leg is sent anything more by this bridge. Closing again does nothing. Whoever
// joins a leg elsewhere closes its old bridge first.
func (b *Bridge) Close() {
	b.closeOne.Do(func() {
		b.leaveConference()
		b.a.SetSink(nil)
		b.b.SetSink(nil)
		b.fromA.close()
		b.fromB.close()
	})
}
