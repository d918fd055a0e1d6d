package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// listenDebug opens the socket of Process.Debug.Listen, if there is one.
func (s *Service) listenDebug(ctx context.Context) error {
	if s.cfg.Process.Debug.Listen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Process.Debug.Listen)
	if err != nil {
		return fmt.Errorf("debug: %w", err)
	}
	s.debug = l
	s.log.Warn("profiles can be read by everybody on this machine", "address", l.Addr().String())
	return nil
}

// runDebug serves profiles until ctx ends. A profile that is being taken is given up then.
func (s *Service) runDebug(ctx context.Context) error {
	if s.debug == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(s.debug); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("debug: %w", err)
	}
	return nil
}
