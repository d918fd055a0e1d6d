package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/tap"
)

// ears shows what agents' ears were protected from (docs/ears.md).
func ears(stats guard.Stats, out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	began := desc("ears_protected_total", "Sounds on their way to an agent's ear that were limited, by kind.", "kind")
	for kind := shock.Nothing + 1; int(kind) < shock.NumKinds; kind++ {
		count(began, float64(stats.Began[kind]), kind.String())
	}
	count(desc("ears_levelled_seconds_total", "Seconds of callers too quiet or too loud that agents heard at another level."), stats.Levelled)
	count(desc("ears_packets_changed_total", "Packets to agents that were encoded again because of either."), float64(stats.Repacked))
	count(desc("ears_packets_dropped_total", "Packets to agents left out because they could not be."), float64(stats.Dropped))
}

// meters shows how those on the wire keep up.
func meters(stats tap.PoolStats, out chan<- prometheus.Metric) {
	shed := desc("meter_frames_shed_total", "Audio frames the meters on the wire were too late for, by whose: the agent's (near), which count as lost, or the other party's (far).", "party")
	out <- prometheus.MustNewConstMetric(shed, prometheus.CounterValue, float64(stats.ShedNear), "near")
	out <- prometheus.MustNewConstMetric(shed, prometheus.CounterValue, float64(stats.ShedFar), "far")
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(desc(name, help), prometheus.GaugeValue, v)
	}
	gauge("meters", "Meters on the wire that listen.", float64(stats.Meters))
	gauge("meters_behind", "Of them, those whose oldest audio has waited for more than 0.35 s.", float64(stats.Behind))
	gauge("meter_oldest_seconds", "How long the oldest audio that no meter has heard has waited.", stats.Age.Seconds())
}
