package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// trunkCollector reads how the trunks are at each scrape.
type trunkCollector struct {
	sip     *sip.Server
	carrier *carrier.Carrier
}

// Describe implements prometheus.Collector as unchecked: Collect says it all.
func (c trunkCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c trunkCollector) Collect(out chan<- prometheus.Metric) {
	emit := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	live := desc("sip_trunk_calls", "Calls on a trunk, and being set up.", "trunk")
	total := desc("sip_trunk_calls_total", "Calls let through to be set up.", "trunk", "direction")
	refused := desc("sip_trunk_refused_total", "Calls refused, by the limit of the trunk that they met.", "trunk", "limit")
	for id, t := range c.sip.Trunks() {
		emit(live, prometheus.GaugeValue, float64(t.Calls), id)
		emit(total, prometheus.CounterValue, float64(t.In), id, "in")
		emit(total, prometheus.CounterValue, float64(t.Out), id, "out")
		for limit, n := range t.Refused {
			emit(refused, prometheus.CounterValue, float64(n), id, limit)
		}
	}
	messages := desc("sip_messages_total", "SIP messages, repetitions too; status is empty for a request, trunk for who is none.", "trunk", "direction", "method", "status")
	for k, n := range c.sip.Messages() {
		direction := "in"
		if k.Out {
			direction = "out"
		}
		emit(messages, prometheus.CounterValue, float64(n), k.Trunk, direction, k.Method, k.Status)
	}
	registered := desc("sip_trunk_registered", "Whether a trunk that wants it is registered.", "trunk")
	up := desc("sip_trunk_server_up", "Whether a trunk's server is up, by the last that is known of it.", "trunk", "target", "server")
	trip := desc("sip_trunk_server_round_trip_seconds", "How long the last OPTIONS took that it answered.", "trunk", "target", "server")
	for _, t := range c.carrier.States() {
		if r := t.Registration; r != nil {
			emit(registered, prometheus.GaugeValue, truth(r.State == carrier.Here), t.Trunk)
		}
		for _, s := range t.Servers {
			if s.State != carrier.Unknown {
				emit(up, prometheus.GaugeValue, truth(s.State == carrier.Up), t.Trunk, s.Target, s.Address)
			}
			if s.RoundTrip > 0 {
				emit(trip, prometheus.GaugeValue, s.RoundTrip.Seconds(), t.Trunk, s.Target, s.Address)
			}
		}
	}
	tls := c.sip.Stats().TLS
	reloads := desc("sip_tls_reloads_total", "New certificates of the SIP server, by whether they were taken up.", "result")
	emit(reloads, prometheus.CounterValue, float64(tls.Reloads), "taken")
	emit(reloads, prometheus.CounterValue, float64(tls.ReloadFailures), "refused")
	emit(desc("sip_tls_handshakes_failed_total", "TLS handshakes that failed, of those who connected."), prometheus.CounterValue, float64(tls.Handshakes))
	if !tls.NotAfter.IsZero() {
		emit(desc("sip_tls_not_after_seconds", "Until when the certificate in use is good, in seconds since 1970."), prometheus.GaugeValue, float64(tls.NotAfter.Unix()))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
