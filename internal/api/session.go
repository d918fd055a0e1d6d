package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// cookieName is the session cookie's name.
const cookieName = "headroom_session"

// What a session holds.
const (
	keyUser = "user" // who signed in
	keyHash = "hash" // of the password hash at that time; another one ends the session
	keySeen = "seen" // unix seconds of the last renewal
)

// renewEvery is how often a session in use is written back, so that a page that asks every
// second does not write every second.
const renewEvery = time.Minute

var errNoSession = errors.New("no session")

// sessions tells who is asking. The cookie holds a random token, the store the
// user's name; roles are read anew each time, so that taking one away takes effect.
type sessions struct {
	sm     *scs.SessionManager
	people People
	log    *slog.Logger

	// mu keeps a renewal from writing back a session that is being signed out.
	mu sync.Mutex
}

func newSessions(cfg Config, deps Deps) *sessions {
	return &sessions{
		// Not scs.New: it starts a goroutine for a memory store that we would throw away.
		sm: &scs.SessionManager{
			IdleTimeout: cfg.SessionIdle,
			Lifetime:    cfg.SessionLifetime,
			Store:       deps.Sessions,
			Codec:       scs.GobCodec{},
			Cookie: scs.SessionCookie{
				Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
				Secure: cfg.SecureCookie || cfg.TLS != nil, Persist: true,
			},
		},
		people: deps.People,
		log:    deps.Log,
	}
}

// start begins a session for the user under a fresh token and gives the cookie. A session
// that came with the request is ended: nobody can have planted it.
func (s *sessions) start(ctx context.Context, oldToken string, user model.AgentID, hash string) (*http.Cookie, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, err := s.sm.Load(ctx, oldToken)
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	if err := s.sm.RenewToken(ctx); err != nil {
		return nil, fmt.Errorf("renew session token: %w", err)
	}
	now := time.Now()
	s.sm.Put(ctx, keyUser, string(user))
	s.sm.Put(ctx, keyHash, fingerprint(hash))
	s.sm.Put(ctx, keySeen, now.Unix())
	token, _, err := s.sm.Commit(ctx)
	if err != nil {
		return nil, fmt.Errorf("store session: %w", err)
	}
	// The cookie lives as long as a session can; how long one may idle is the store's to know.
	c := s.cookie(token)
	c.Expires = s.sm.Deadline(ctx)
	c.MaxAge = int(s.sm.Lifetime / time.Second)
	return c, nil
}

// end signs a session out and gives the cookie that makes a browser forget it.
func (s *sessions) end(ctx context.Context, token string) (*http.Cookie, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, err := s.sm.Load(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	if err := s.sm.Destroy(ctx); err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	c := s.cookie("")
	c.Expires, c.MaxAge = time.Unix(1, 0), -1
	return c, nil
}

func (s *sessions) cookie(token string) *http.Cookie {
	c := s.sm.Cookie
	return &http.Cookie{Name: c.Name, Value: token, Path: c.Path, HttpOnly: c.HttpOnly, SameSite: c.SameSite, Secure: c.Secure}
}

// viewer gives whoever holds the token, or errNoSession. It renews the session's idle time.
func (s *sessions) viewer(ctx context.Context, token string) (viewer, error) {
	if token == "" {
		return viewer{}, errNoSession
	}
	sctx, err := s.sm.Load(ctx, token)
	if err != nil {
		return viewer{}, fmt.Errorf("load session: %w", err)
	}
	id := model.AgentID(s.sm.GetString(sctx, keyUser))
	if id == "" {
		return viewer{}, errNoSession
	}
	user, hash, err := s.people.User(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return viewer{}, errNoSession
	}
	if err != nil {
		return viewer{}, fmt.Errorf("look up user: %w", err)
	}
	if s.sm.GetString(sctx, keyHash) != fingerprint(hash) {
		return viewer{}, errNoSession // the password was changed since
	}
	if time.Since(time.Unix(s.sm.GetInt64(sctx, keySeen), 0)) >= s.renewEvery() {
		if err := s.renew(ctx, token); err != nil {
			return viewer{}, err
		}
	}
	return viewer{user: user, token: token}, nil
}

// renewEvery is renewEvery, or less where sessions idle out sooner than that allows.
func (s *sessions) renewEvery() time.Duration { return min(renewEvery, s.sm.IdleTimeout/4) }

// renew puts off the end of an idle session. It looks again under the lock, because the
// session may have been signed out since the caller looked.
func (s *sessions) renew(ctx context.Context, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sctx, err := s.sm.Load(ctx, token)
	if err != nil {
		return fmt.Errorf("load session: %w", err)
	}
	if s.sm.GetString(sctx, keyUser) == "" {
		return errNoSession
	}
	s.sm.Put(sctx, keySeen, time.Now().Unix())
	if _, _, err := s.sm.Commit(sctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	return nil
}

// fingerprint stands for a password hash in a session without being it.
func fingerprint(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

func tokenOf(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

const (
	notSignedIn   = "sign in first"
	cannotLookNow = "who you are cannot be looked up at the moment"
)

// identify puts whoever asks into the request, and lets nobody else past into the API but
// to sign in. An unknown address is refused the same way, so that a stranger learns nothing.
func (s *sessions) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !needsViewer(r) {
			next.ServeHTTP(w, r)
			return
		}
		v, err := s.viewer(r.Context(), tokenOf(r))
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), viewerKey{}, v)))
		case errors.Is(err, errNoSession):
			writeProblem(w, r, http.StatusUnauthorized, notSignedIn)
		default:
			if r.Context().Err() == nil {
				s.log.Error("session cannot be looked up", "request_id", requestID(r.Context()), "err", err)
			}
			writeProblem(w, r, http.StatusServiceUnavailable, cannotLookNow)
		}
	})
}

// needsViewer reports whether an address is for people who are signed in: all of /api but
// the sign-in itself.
func needsViewer(r *http.Request) bool {
	signingIn := r.URL.Path == pathSession && r.Method == http.MethodPost
	return ours(r.URL.Path) && !signingIn
}
