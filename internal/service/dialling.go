package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// DialRoute gives the trunks of a site that a permitted call would go out by, in order.
func DialRoute(site model.Site, p model.DialPermit) []string {
	return carrier.Route(outboundTrunks(site), carrier.Order{To: p.Number, Trunks: trunkNames(p.Trunks)})
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
