package agentclient

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/media/webrtc"
)

// Why Run gives up. Everything else is tried again for ever.
var (
	ErrCredentials = errors.New("user name or password is wrong")
	ErrRefused     = errors.New("the service refuses this client")
	ErrReplaced    = errors.New("the same user signed in elsewhere")
)

// Config of a Client. Server, User, Mic and Ear must be given.
type Config struct {
	Server   string // base URL of the service, http or https
	User     string
	Password string
	Program  string // name and version, for the service's log
	Headset  protocol.Headset

	Mic audio.Source
	Ear audio.Sink

	Ready      bool // ask for calls after signing in
	AutoAnswer bool // accept every call at once, and ask for calls again after one was missed

	OnEvent func(Event) // called on the client's goroutine; must not block; may be nil
	Log     *slog.Logger

	Media   webrtc.OfferConfig
	Backoff Backoff       // between attempts to reach the service
	Timeout time.Duration // for one request or answer, default 10 s
	Ping    time.Duration // between signs of life on the WebSocket, default 5 s
	SignOut time.Duration // for the goodbye, default 3 s
}

func (c Config) withDefaults() (Config, error) {
	u, err := url.Parse(c.Server)
	switch {
	case err != nil:
		return c, fmt.Errorf("server: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return c, fmt.Errorf("server %q: an address like https://headroom.example is needed", c.Server)
	case c.User == "":
		return c, errors.New("no user name")
	case c.Mic == nil || c.Ear == nil:
		return c, errors.New("no microphone or no earphone")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	c.Backoff = c.Backoff.withDefaults()
	c.Timeout = orElse(c.Timeout, 10*time.Second)
	c.Ping = orElse(c.Ping, 5*time.Second)
	c.SignOut = orElse(c.SignOut, 3*time.Second)
	return c, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
