package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// pathSession is where people sign in, ask who they are, and sign out.
const pathSession = "/api/v1/session"

// Failed sign-ins that are let through: so many at once, then one per interval. Successful
// ones do not count, so that a whole shift can sign in from one address. One address alone
// uses up its own share of a name long before everybody's, so it cannot lock a person out.
const (
	pairBurst, pairEvery       = 5, 10 * time.Second // one name from one address
	userBurst, userEvery       = 20, time.Second     // one name from anywhere
	addressBurst, addressEvery = 200, time.Second    // one address, whatever the name; a whole shift may be signing in at once
	limiterKeys                = 50_000
)

// wrongCredentials is the one answer to a wrong password and to a user who does not exist.
const wrongCredentials = "user name or password is wrong"

// doorkeeper slows down whoever guesses passwords.
type doorkeeper struct {
	addresses, pairs, users *limiter
}

func newDoorkeeper() doorkeeper {
	return doorkeeper{
		addresses: newLimiter(addressBurst, addressEvery, limiterKeys),
		pairs:     newLimiter(pairBurst, pairEvery, limiterKeys),
		users:     newLimiter(userBurst, userEvery, limiterKeys),
	}
}

// admit counts an attempt, whether or not the name exists, or says how long to wait.
func (d doorkeeper) admit(user, address string) (time.Duration, bool) {
	now := time.Now()
	if wait, ok := d.addresses.take(address, now); !ok {
		return wait, false
	}
	if wait, ok := d.pairs.take(pairKey(user, address), now); !ok {
		return wait, false
	}
	return d.users.take(user, now)
}

// forgive takes back an attempt that turned out to be no guess.
func (d doorkeeper) forgive(user, address string) {
	now := time.Now()
	d.addresses.giveBack(address, now)
	d.pairs.giveBack(pairKey(user, address), now)
	d.users.giveBack(user, now)
}

func pairKey(user, address string) string { return address + " " + user }

type signInInput struct {
	client string
	Token  string      `cookie:"headroom_session" doc:"A session to be replaced"`
	Body   Credentials `contentType:"application/json"`
}

// Resolve notes where the request comes from.
func (in *signInInput) Resolve(ctx huma.Context) []error {
	in.client, _ = ctx.Context().Value(clientKey{}).(string)
	return nil
}

type sessionOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"headroom_session=…; HttpOnly; SameSite=Lax"`
	Body      Session
}

type signOutInput struct {
	Token string `cookie:"headroom_session" doc:"The session to end"`
}

type signOutOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"Makes the browser forget the session"`
}

// signIn checks a password and begins a session.
func (s *Server) signIn(ctx context.Context, in *signInInput) (*sessionOutput, error) {
	if wait, ok := s.door.admit(in.Body.User, in.client); !ok {
		s.metrics.signIns.WithLabelValues("limited").Inc()
		return nil, huma.ErrorWithHeaders(
			huma.Error429TooManyRequests("too many wrong passwords; wait a little"),
			http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}})
	}
	user, hash, err := s.deps.People.User(ctx, model.AgentID(in.Body.User))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("look up user: %w", err)
	}
	if err != nil {
		hash = "" // never matches, and takes as long as one that might
	}
	right, err := s.deps.Passwords.Verify(ctx, in.Body.Password, hash)
	if err != nil {
		return nil, fmt.Errorf("check password: %w", err)
	}
	if !right {
		s.metrics.signIns.WithLabelValues("wrong").Inc()
		s.log.Info("sign-in refused", "request_id", requestID(ctx), "client", in.client)
		return nil, huma.Error401Unauthorized(wrongCredentials)
	}
	s.door.forgive(in.Body.User, in.client)
	cookie, err := s.sessions.start(ctx, in.Token, user.ID, hash)
	if err != nil {
		return nil, err
	}
	s.metrics.signIns.WithLabelValues("ok").Inc()
	return &sessionOutput{SetCookie: cookie.String(), Body: sessionOf(user)}, nil
}

// whoAmI tells the viewer who they are.
func (s *Server) whoAmI(ctx context.Context, _ *struct{}) (*struct{ Body Session }, error) {
	v, _ := viewerOf(ctx)
	return &struct{ Body Session }{sessionOf(v.user)}, nil
}

// signOut ends the viewer's session.
func (s *Server) signOut(ctx context.Context, in *signOutInput) (*signOutOutput, error) {
	cookie, err := s.sessions.end(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	return &signOutOutput{SetCookie: cookie.String()}, nil
}

func sessionOf(u model.User) Session {
	return Session{User: u.ID, Title: u.Title, Roles: orEmpty(u.Roles), Queues: orEmpty(u.Queues)}
}

type clientKey struct{}

// noteClient puts the client's address, as a limiter key, into the request. A proxy we
// trust says whom it speaks for; anybody else speaks for themselves.
func noteClient(proxies []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key := clientAddress(r, proxies)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, key)))
		})
	}
}

func clientAddress(r *http.Request, proxies []netip.Prefix) string {
	trusted := func(a netip.Addr) bool {
		for _, p := range proxies {
			if p.Contains(a.Unmap()) {
				return true
			}
		}
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	addr := peer.Addr()
	// From the right: each trusted proxy vouches for the address it appended.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next
	}
	return addressKey(addr)
}
