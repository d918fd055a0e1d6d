package bridge

import "github.com/headroom-voice/headroom/media"

// Options says who listens. Taps hear the decoded voice, also where packets pass as
// they are; they never hold it up.
type Options struct {
	FromA, FromB []media.Tap
}

// Bridge is two legs joined.
type Bridge struct {
}

// Join takes over both legs' sinks.
func Join(a, b media.Leg, opt Options) (*Bridge, error) { return &Bridge{}, nil }

// Close detaches both legs. When it returns, no tap will be offered anything more and
// neither leg is sent anything more. Closing twice does nothing.
func (b *Bridge) Close() {}
