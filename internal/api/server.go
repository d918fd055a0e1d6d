package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"
)

// Time limits of the HTTP server. Live streams and WebSockets set their own.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 10 * time.Second
	maxHeaderBytes    = 32 << 10
)

// Server is the service's HTTP side. New makes one, Run serves until its context ends.
type Server struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	sessions *sessions
	door     doorkeeper
	metrics  *metrics
	huma     huma.API
	handler  http.Handler
	hub      *hub
	limits   linkLimits
	now      func() time.Time // for waits as screens show them
	origins  []string         // patterns for the WebSocket's origin check

	closing chan struct{}  // closed when streams and links must end
	links   sync.WaitGroup // agents' WebSockets, which http.Server.Shutdown does not wait for

	mu       sync.Mutex
	ended    bool // no link may start any more
	listener net.Listener
	wasReady bool
}

// New puts the server together. It opens nothing; see Listen and Run.
func New(cfg Config, deps Deps) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), deps.validate()); err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, deps: deps, log: deps.Log, sessions: newSessions(cfg, deps), door: newDoorkeeper(),
		metrics: m, limits: defaultLinkLimits(), origins: cfg.TrustedOrigins, now: time.Now,
		closing: make(chan struct{}), wasReady: true,
	}
	s.hub = newHub(deps, m)
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler answers every request; Run serves it. Live streams are silent until Run runs.
func (s *Server) Handler() http.Handler { return s.handler }

// Listen opens the listening socket, so that Addr is known and a taken port is noticed
// before anything else starts. Run does it when it was not done.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("api: listen: %w", err)
	}
	s.listener = l
	return nil
}

// Close gives back the socket of a server that was opened by Listen and is never run.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close() // nothing was sent on it yet
	}
}

// Addr is where the server listens; nil before Listen or Run.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run serves until ctx ends. Then it ends the live streams and the agents' links, lets
// other requests finish for ten seconds, and returns nil. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	listener := s.listener
	if s.cfg.TLS != nil {
		listener = tls.NewListener(listener, s.cfg.TLS)
	}
	// Requests outlive ctx: they get the time to finish that shutdown gives them.
	base, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // strangers' broken connections
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("api: serve: %w", err)
		}
		return nil
	})
	g.Go(func() error { return s.hub.run(gctx) })
	g.Go(func() error {
		<-gctx.Done()
		s.endStreams()
		patience, cancel := context.WithTimeout(base, shutdownTimeout)
		defer cancel()
		err := srv.Shutdown(patience)
		if err != nil {
			abandon()
			_ = srv.Close() // the reason is err
		}
		s.links.Wait() // each ends within its own deadlines once closing is closed
		if err != nil {
			return fmt.Errorf("api: requests cut off at shutdown: %w", err)
		}
		return nil
	})
	return g.Wait()
}

// endStreams tells every live stream and link to end, and refuses new ones.
func (s *Server) endStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.closing)
	}
}

// enterLink counts a link in, unless the server is closing.
func (s *Server) enterLink() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.links.Add(1)
	return true
}

// routes puts the handler together, outermost first.
func (s *Server) routes() (http.Handler, error) {
	guard := http.NewCrossOriginProtection()
	for _, o := range s.cfg.TrustedOrigins {
		if err := guard.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("api: trusted origin: %w", err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, http.StatusForbidden, "a page of another site may not do this")
	}))
	r := chi.NewRouter()
	r.Use(nameRequest, s.metrics.measure, catchPanics(s.log), s.secure, guard.Handler,
		noteClient(s.cfg.TrustedProxies), s.sessions.identify)
	r.NotFound(notFound(s.deps.Pages))
	r.MethodNotAllowed(methodNotAllowed(r))

	s.huma = s.newHuma(r)
	s.registerSession()
	s.registerFloor()
	s.registerCalls()
	s.registerDial()
	s.registerSupervise()
	s.registerRecordings()
	s.registerKeypad()
	s.registerHeadsets()
	s.registerTrunks()
	s.registerBans()
	s.registerRefused()
	s.registerDesks()
	s.registerEvents()
	s.registerAgentLink()
	s.registerMachine(r)
	doc, err := s.document()
	if err != nil {
		return nil, err
	}
	r.Get(pathOpenAPI, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(doc) // the client may have gone
	})
	return r, nil
}

// secure sets the headers that keep a browser from doing more with an answer than meant.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if ours(r.URL.Path) {
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			h.Set("Cache-Control", "no-store") // names and numbers of people
		} else {
			h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; "+
				"base-uri 'none'; form-action 'self'; frame-ancestors 'none'") // the pages say more precisely
		}
		if s.cfg.TLS != nil || s.cfg.SecureCookie {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// registerSession adds sign-in and sign-out.
func (s *Server) registerSession() {
	in := op(http.MethodPost, pathSession, "sign-in", "Session", "Sign in")
	in.Description = "Gives the session cookie. The answer to a wrong password and to an unknown user is the same; " +
		"after several wrong ones it is 429 with Retry-After."
	in.Errors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}
	in.MaxBodyBytes = 4 << 10
	registerOpen(s, in, s.signIn)
	register(s, op(http.MethodGet, pathSession, "who-am-i", "Session", "Who is signed in"), mayKnowSelf, s.whoAmI)
	register(s, op(http.MethodDelete, pathSession, "sign-out", "Session", "Sign out"), mayKnowSelf, s.signOut)
}

// Health is the body of GET /healthz and GET /readyz.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"ok"`
}

// registerMachine adds what machines ask.
func (s *Server) registerMachine(r chi.Router) {
	type healthOutput struct{ Body Health }
	registerOpen(s, op(http.MethodGet, "/healthz", "health", "Machine", "Whether the process answers"),
		func(context.Context, *struct{}) (*healthOutput, error) { return &healthOutput{Health{"ok"}}, nil })
	ready := op(http.MethodGet, "/readyz", "ready", "Machine", "Whether the service takes calls")
	ready.Errors = []int{http.StatusServiceUnavailable}
	registerOpen(s, ready, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := s.deps.Ready(ctx)
		s.noteReady(err)
		if err != nil {
			return nil, huma.Error503ServiceUnavailable("not ready")
		}
		return &healthOutput{Health{"ok"}}, nil
	})
	r.Get("/metrics", s.serveMetrics())
	s.huma.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/metrics", OperationID: "metrics", Tags: []string{"Machine"},
		Summary:     "Counters in the Prometheus text format",
		Description: "Roles: " + maySeeMachinery.roleNames() + "; or Authorization: Bearer with the configured token.",
		Security:    []map[string][]string{{"session": {}}},
		Responses:   map[string]*huma.Response{"200": {Description: "The counters", Content: map[string]*huma.MediaType{"text/plain": {}}}},
	})
	s.huma.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: pathOpenAPI, OperationID: "openapi", Tags: []string{"Machine"},
		Summary: "This document", Description: "Roles: " + mayKnowSelf.roleNames() + ".",
		Security:  []map[string][]string{{"session": {}}},
		Responses: map[string]*huma.Response{"200": {Description: "OpenAPI 3.1", Content: map[string]*huma.MediaType{"application/openapi+json": {}}}},
	})
}

// noteReady logs why the service is not ready, once per change and not per probe.
func (s *Server) noteReady(err error) {
	s.mu.Lock()
	changed := s.wasReady != (err == nil)
	s.wasReady = err == nil
	s.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		s.log.Warn("not ready", "err", err)
	default:
		s.log.Info("ready again")
	}
}
