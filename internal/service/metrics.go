package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip"
)

// collectors are what /metrics shows besides HTTP and the Go runtime.
func (s *Service) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		boardCollector{s.board}, sipCollector{s.sip}, trunkCollector{s.sip, s.carrier}, dialCollector{s.toll}, recordingCollector{s.recordings},
	}
}

// sipCollector reads what the trunks' door has turned away at each scrape.
type sipCollector struct{ sip *sip.Server }

// Describe implements prometheus.Collector as unchecked: Collect says it all.
func (c sipCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c sipCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.sip.Stats()
	for _, k := range []struct {
		name, help string
		value      uint64
	}{
		{"sip_strangers_refused_total", "SIP requests from addresses that no trunk has, answered with 403.", stats.StrangersRefused},
		{"sip_strangers_dropped_total", "SIP messages from such addresses that were not answered.", stats.StrangersDropped},
		{"sip_unreadable_total", "Datagrams from trunks that could not be read.", stats.Unreadable},
	} {
		out <- prometheus.MustNewConstMetric(desc(k.name, k.help), prometheus.CounterValue, float64(k.value))
	}
	out <- prometheus.MustNewConstMetric(desc("sip_dialogs", "SIP dialogs that live, those of callers who wait too."), prometheus.GaugeValue, float64(stats.Dialogs))
	refused := desc("sip_refused_total", "SIP requests that were refused, by reason; what a call refuses for the state that it is in is not among them.", "reason")
	for why, n := range stats.Refused {
		out <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(n), why)
	}
	out <- prometheus.MustNewConstMetric(desc("sip_bans", "Sources that are banned now."), prometheus.GaugeValue, float64(stats.Banned))
	bans := desc("sip_bans_total", "Bans of sources that no trunk has, by what for.", "cause")
	for cause, n := range stats.Bans {
		out <- prometheus.MustNewConstMetric(bans, prometheus.CounterValue, float64(n), cause)
	}
	digest := desc("sip_digest_total", "SIP requests that needed a trunk's password, by what came of it.", "outcome")
	for outcome, n := range stats.Digest {
		out <- prometheus.MustNewConstMetric(digest, prometheus.CounterValue, float64(n), outcome)
	}
}

// boardCollector reads the switchboard's counters and snapshot at each scrape.
type boardCollector struct{ board *call.Switchboard }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("headroom_"+name, help, labels, nil)
}

// counter is one line of call.Stats with its name and meaning.
type counter struct {
	name, help string
	value      func(call.Stats) uint64
}

func counters() []counter {
	return []counter{
		{"calls_offered_total", "Callers that arrived on a trunk.", func(s call.Stats) uint64 { return s.CallsOffered }},
		{"calls_answered_total", "Callers that spoke with an agent.", func(s call.Stats) uint64 { return s.CallsAnswered }},
		{"calls_abandoned_total", "Callers that left while waiting.", func(s call.Stats) uint64 { return s.Abandoned }},
		{"calls_rejected_total", "Callers that were refused: unknown number, draining.", func(s call.Stats) uint64 { return s.Rejected }},
		{"calls_turned_away_total", "Callers refused unrecorded, because the store is behind.", func(s call.Stats) uint64 { return s.TurnedAway }},
		{"calls_requeued_total", "Callers put back at the head of their queue.", func(s call.Stats) uint64 { return s.Requeued }},
		{"calls_dialled_total", "Calls that agents placed.", func(s call.Stats) uint64 { return s.Dialled }},
		{"offers_total", "Offers to agents.", func(s call.Stats) uint64 { return s.Offers }},
		{"offers_unanswered_total", "Offers that ran out (RONA).", func(s call.Stats) uint64 { return s.RONA }},
		{"offers_flagged_total", "Offers to agents whose headset is to be replaced.", func(s call.Stats) uint64 { return s.OffersFlagged }},
		{"readings_mic_total", "Seconds measured at microphones.", func(s call.Stats) uint64 { return s.ReadingsMic }},
		{"readings_wire_total", "Seconds measured on the wire.", func(s call.Stats) uint64 { return s.ReadingsWire }},
		{"readings_shed_total", "Seconds refused or never stored.", func(s call.Stats) uint64 { return s.ReadingsShed }},
		{"sip_ladders_shed_total", "Calls whose SIP messages were never stored, because the store was behind.", func(s call.Stats) uint64 { return s.LaddersShed }},
		{"reports_total", "Reports stored and judged.", func(s call.Stats) uint64 { return s.Reports }},
		{"journal_retries_total", "Writes that the store refused and that were tried again.", func(s call.Stats) uint64 { return s.JournalTries }},
		{"journal_lost_total", "Lines of the record that were given up.", func(s call.Stats) uint64 { return s.JournalLost }},
	}
}

// Describe implements prometheus.Collector as unchecked: Collect says it all.
func (c boardCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c boardCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.board.Stats()
	for _, k := range counters() {
		out <- prometheus.MustNewConstMetric(desc(k.name, k.help), prometheus.CounterValue, float64(k.value(stats)))
	}
	outbound := desc("calls_outbound_total", "Calls to numbers, transfers too, by the last trunk that was tried (empty for none) and by what came of them.", "trunk", "result")
	for k, n := range stats.Outbound {
		out <- prometheus.MustNewConstMetric(outbound, prometheus.CounterValue, float64(n), string(k.Trunk), k.Result)
	}
	ears(stats.Ears, out)
	meters(stats.Meters, out)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(desc("journal_backlog", "Lines of the record that wait for the store."), float64(stats.Backlog))
	gauge(desc("calls", "Calls in progress."), float64(len(c.board.Calls())))

	snapshot := c.board.Snapshot()
	waiting := desc("queue_waiting", "Callers who wait.", "queue")
	longest := desc("queue_longest_wait_seconds", "How long the first of them has waited.", "queue")
	for _, q := range snapshot.Queues {
		gauge(waiting, float64(len(q.Waiting)), string(q.ID))
		wait := 0.0
		for _, w := range q.Waiting {
			wait = max(wait, snapshot.At.Sub(w.Since).Seconds())
		}
		gauge(longest, wait, string(q.ID))
	}
	states := map[model.AgentState]int{model.Ready: 0, model.Offered: 0, model.OnCall: 0, model.WrapUp: 0, model.Break: 0}
	flagged := 0
	for _, a := range snapshot.Agents {
		states[a.State]++
		if a.Verdict.Flagged() {
			flagged++
		}
	}
	agents := desc("agents", "Agents who are signed in.", "state")
	for state, n := range states {
		gauge(agents, float64(n), string(state))
	}
	gauge(desc("agents_with_flagged_headset", "Agents signed in with a headset that is to be replaced."), float64(flagged))
}
