package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// Config says where the door is and how it is locked. A zero field means its default.
type Config struct {
	Listen          string         // host:port; default 127.0.0.1:8080
	TLS             *tls.Config    // nil serves plain HTTP, for loopback or behind a proxy that ends TLS
	SecureCookie    bool           // the cookie travels over HTTPS only; set it behind such a proxy, TLS implies it
	SessionLifetime time.Duration  // a session ends after this whatever happens; default 24 h
	SessionIdle     time.Duration  // and after this long without use; default 2 h
	TrustedOrigins  []string       // scheme://host[:port] of pages elsewhere that may use the API
	TrustedProxies  []netip.Prefix // whose X-Forwarded-For is believed when sign-ins are counted
	MetricsToken    string         // lets a scraper read /metrics with Authorization: Bearer; "" leaves it to people
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.SessionLifetime == 0 {
		c.SessionLifetime = 24 * time.Hour
	}
	if c.SessionIdle == 0 {
		c.SessionIdle = 2 * time.Hour
	}
	return c
}

func (c Config) validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("api: listen address %q: %w", c.Listen, err)
	}
	if c.SessionLifetime < 0 || c.SessionIdle < 0 {
		return errors.New("api: a session time is negative")
	}
	for _, o := range c.TrustedOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host {
			return fmt.Errorf("api: trusted origin %q is not scheme://host[:port]", o)
		}
	}
	return nil
}

// People tells who may sign in and how the site is set up (internal/store).
type People interface {
	// User gives a user and the password hash, "" when none is set; store.ErrNotFound.
	User(ctx context.Context, id model.AgentID) (model.User, string, error)
	Site(ctx context.Context) (model.Site, error)
}

// CallRecord is what is written of calls (internal/store).
type CallRecord interface {
	Calls(ctx context.Context, f store.CallFilter) ([]model.Call, error) // newest first
	Call(ctx context.Context, id model.CallID) (store.CallStory, error)  // store.ErrNotFound
	Readings(ctx context.Context, id model.CallID) ([]model.ReadingChunk, error)
	Ladders(ctx context.Context, id model.CallID) ([]model.CallLadder, error)
}

// HeadsetRecord is what is written of headsets (internal/store).
type HeadsetRecord interface {
	Headsets(ctx context.Context) ([]model.Headset, error)
	Headset(ctx context.Context, id model.HeadsetID) (model.Headset, error) // store.ErrNotFound
	Reports(ctx context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error)
	VerdictRecord
}

// VerdictRecord is what is thought of them, and was.
type VerdictRecord interface {
	Verdicts(ctx context.Context) ([]model.Verdict, error)
	Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error) // store.ErrNotFound when never judged
	// VerdictHistory has a line for each time the state or the faults changed, newest first.
	VerdictHistory(ctx context.Context, id model.HeadsetID) ([]model.Verdict, error)
}

// Passwords checks a password; an empty hash never matches and takes as long as one that
// might (internal/password.Hasher).
type Passwords interface {
	Verify(ctx context.Context, password, hash string) (bool, error)
}

// Bus is where the service says what happened (internal/events.Bus).
type Bus interface {
	Subscribe(buffer int) *events.Subscription
}

// LiveFloor is what goes on at this moment; both answers are published snapshots, so asking
// costs nobody anything.
type LiveFloor interface {
	Snapshot() *acd.Snapshot
	Live() []call.AgentLive
}

// Switchboard is where agents' clients are connected to; FromSwitchboard makes one of
// internal/call's.
type Switchboard interface {
	LiveFloor
	// SignIn begins or resumes an agent's session. What the switchboard has to say goes to
	// the link, and may do so before SignIn returns; the Welcome is written first all the
	// same. The words of a *ClientError are told to the client.
	SignIn(ctx context.Context, user model.User, hello protocol.Hello, link Link) (AgentSession, protocol.Welcome, error)
	// Dial has an agent who is signed in call a number and gives the call that has begun. The
	// error is one of internal/call's.
	Dial(ctx context.Context, agent model.AgentID, to string, queue model.QueueID) (model.CallID, error)
	// Supervise and Unsupervise have a supervisor who is signed in join a call, in a mode, and
	// leave it. The error is one of internal/call's.
	Supervise(ctx context.Context, supervisor model.User, id model.CallID, mode model.SuperviseMode) error
	Unsupervise(ctx context.Context, supervisor model.AgentID, id model.CallID) error
}

// AgentSession takes what an agent's client says. Calls come from one goroutine, in order.
type AgentSession interface {
	// Handle carries out one message and gives the answer to its id. A nil answer means
	// that none is due now: it comes over the link, or none was asked for. After an error
	// the session takes no more from this link.
	Handle(ctx context.Context, id string, m protocol.Message) (protocol.Message, error)
	// LinkLost says that the link is gone; the client may come back and resume.
	LinkLost(link Link)
	// SignOut ends the session of somebody who may not take calls any more: at once, or when
	// the call in progress ends.
	SignOut()
	// Done is closed when the session is over.
	Done() <-chan struct{}
}

// Link is the way back to the client. Send never blocks: a client too slow to read is cut
// off. Links are compared by identity.
type Link = call.Link

// Registry takes collectors and gives their numbers (prometheus.Registry).
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Deps are what the API works with; all are needed but Trunks, Bans, Refusals, Desks,
// Keypad, Recordings and Pages.
type Deps struct {
	People      People
	Calls       CallRecord
	Headsets    HeadsetRecord
	Sessions    scs.Store // the store's session table, which keeps only a hash of each token
	Passwords   Passwords
	Switchboard Switchboard
	Bus         Bus
	Metrics     Registry
	// Ready says whether the service takes calls: store reachable, SIP listening, not
	// draining. Its words go to the log, not to whoever asks.
	Ready    func(ctx context.Context) error
	Trunks   Trunks   // nil for none
	Bans     Bans     // nil for none
	Refusals Refusals // nil for none
	Desks    Desks    // nil: nobody can be given a state
	Keypad   Keypad   // nil: nobody can press keys

	Recordings Recordings // nil: nothing is recorded

	Pages http.Handler // answers every address that is not the API's; nil for none
	Log   *slog.Logger
}

func (d Deps) validate() error {
	if d.People == nil || d.Calls == nil || d.Headsets == nil || d.Sessions == nil || d.Passwords == nil ||
		d.Switchboard == nil || d.Bus == nil || d.Metrics == nil || d.Ready == nil || d.Log == nil {
		return errors.New("api: a dependency is missing")
	}
	return nil
}
