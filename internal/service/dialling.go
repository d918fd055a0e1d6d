package service

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// meterTimeout is how long the store has to take what a call out has lasted. Without it the
// record of the call counts.
const meterTimeout = 5 * time.Second

// dialling is who may call where.
func (s *Service) dialling() call.Dialling {
	if s.cfg.Dialling != nil {
		return s.cfg.Dialling
	}
	return s.toll
}

// metered places calls and tells internal/toll what they lasted.
type metered struct {
	call.Dialer
	s *Service
}

// Dial is part of call.Dialer.
func (m metered) Dial(ctx context.Context, o call.Outgoing) (call.Party, media.Leg, error) {
	party, leg, err := m.Dialer.Dial(ctx, o)
	switch {
	case o.Permit.Emergency: // is counted nowhere
	case err != nil:
		m.ended(o, 0) // before the next try within the call can begin
	default:
		answered := time.Now()
		m.s.metering.Go(func() {
			select {
			case <-party.Done():
			case <-m.s.over:
			}
			m.ended(o, time.Since(answered))
		})
	}
	return party, leg, err
}

func (m metered) ended(o call.Outgoing, talk time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), meterTimeout)
	defer cancel()
	if err := m.s.toll.Ended(ctx, o.Call, o.Permit.Number, talk); err != nil {
		m.s.log.Warn("what a call out lasted was not kept; its record counts", "call_id", o.Call, "error", err)
	}
}

// DialRoute gives the trunks of a site that a permitted call would go out by, in order.
func DialRoute(site model.Site, p model.DialPermit) []string {
	return carrier.Route(outboundTrunks(site), carrier.Order{To: p.Number, Trunks: trunkNames(p.Trunks), Urgent: p.Emergency})
}

// trunkNames keeps apart none that may be used and any that may.
func trunkNames(ids []model.TrunkID) []string {
	if ids == nil {
		return nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return names
}

// dialCollector reads what became of requests for calls out at each scrape.
type dialCollector struct{ toll *toll.Service }

// Describe implements prometheus.Collector as unchecked: Collect says it all.
func (c dialCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c dialCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.toll.Stats()
	permits := desc("dial_permits_total", "Calls out that were permitted, by the class of their destination.", "class")
	for class, n := range stats.Permits {
		out <- prometheus.MustNewConstMetric(permits, prometheus.CounterValue, float64(n), class)
	}
	refusals := desc("dial_refusals_total", "Calls out that were refused, by reason (docs/dialling.md).", "reason")
	for reason, n := range stats.Refusals {
		out <- prometheus.MustNewConstMetric(refusals, prometheus.CounterValue, float64(n), reason)
	}
}
