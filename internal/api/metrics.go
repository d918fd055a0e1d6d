package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the API's own counters.
type metrics struct {
	requests *prometheus.CounterVec   // by method, route and code
	duration *prometheus.HistogramVec // by method and route
	signIns  *prometheus.CounterVec   // by result
	streams  prometheus.Gauge         // live streams open
	lost     prometheus.Counter       // events slow readers lost
	links    prometheus.Gauge         // agents' WebSockets open
	linkEnds *prometheus.CounterVec   // by reason
}

func newMetrics(r Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headroom_http_requests_total", Help: "HTTP requests answered."}, []string{"method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "headroom_http_request_duration_seconds", Help: "How long answers took; live streams and WebSockets are not in it.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"method", "route"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headroom_sign_ins_total", Help: "Sign-ins by result: ok, wrong, limited."}, []string{"result"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "headroom_event_streams", Help: "Live event streams open."}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "headroom_event_streams_lost_total", Help: "Events that slow stream readers did not get."}),
		links: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "headroom_agent_links", Help: "Agents' WebSockets open."}),
		linkEnds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headroom_agent_links_ended_total", Help: "Agents' WebSockets that ended, by reason."}, []string{"reason"}),
	}
	own := []prometheus.Collector{m.requests, m.duration, m.signIns, m.streams, m.lost, m.links, m.linkEnds}
	for _, c := range own {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("api: register metrics: %w", err)
		}
	}
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		// Somebody else may have registered these two already.
		if err := r.Register(c); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return nil, fmt.Errorf("api: register metrics: %w", err)
		}
	}
	return m, nil
}

// measure counts every answer by its route, never by its path: a path is anybody's choice.
func (m *metrics) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			route := chi.RouteContext(r.Context()).RoutePattern()
			if route == "" {
				route = "other"
			}
			status := rec.status
			if status == 0 {
				status = http.StatusOK
			}
			m.requests.WithLabelValues(knownMethod(r.Method), route, strconv.Itoa(status)).Inc()
			if route != pathEvents && route != pathAgent {
				m.duration.WithLabelValues(knownMethod(r.Method), route).Observe(time.Since(start).Seconds())
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// serveMetrics answers a scraper that has the token, or a person with the role.
func (s *Server) serveMetrics() http.HandlerFunc {
	h := promhttp.HandlerFor(s.deps.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	return func(w http.ResponseWriter, r *http.Request) {
		if s.mayScrape(r) {
			h.ServeHTTP(w, r)
			return
		}
		v, err := s.sessions.viewer(r.Context(), tokenOf(r))
		switch {
		case err == nil && v.may(maySeeMachinery):
			h.ServeHTTP(w, r)
		case err == nil:
			writeProblem(w, r, http.StatusForbidden, forbidden)
		case errors.Is(err, errNoSession):
			writeProblem(w, r, http.StatusUnauthorized, notSignedIn)
		default:
			s.log.Error("session cannot be looked up", "request_id", requestID(r.Context()), "err", err)
			writeProblem(w, r, http.StatusServiceUnavailable, cannotLookNow)
		}
	}
}

func (s *Server) mayScrape(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || s.cfg.MetricsToken == "" {
		return false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.cfg.MetricsToken))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
