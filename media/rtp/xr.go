package rtp

import (
	"math"
	"time"

	"github.com/pion/rtcp"
)

// Where a value is not known (RFC 3611 section 4.7).
const unknownMetric = 127

// receiverConfig: losses are concealed as well as can be, by a jitter buffer that adapts (RFC
// 3611 section 4.7.6).
const receiverConfig = 0xf0

// Quality says how the party's voice came here, and how it says that ours came there; ok
// tells whether it did, by a report of its VoIP metrics (RFC 3611).
func (s *Session) Quality() (heard, theirs Quality, ok bool) {
	heard = s.receiver.Quality()
	heard.converse(s.sender.RoundTrip())
	if q := s.theirs.Load(); q != nil {
		return heard, *q, true
	}
	return heard, Quality{}, false
}

// converse adds what a round trip does to a conversation.
func (q *Quality) converse(roundTrip time.Duration) {
	if q.MOSLQ == 0 {
		return
	}
	q.RoundTrip = roundTrip
	oneWay := roundTrip/2 + q.EndDelay
	q.R = max(q.R-delayImpairment(oneWay), 0)
	q.MOSCQ = mos(q.R)
}

// block is the report on the party's voice (RFC 3611 section 4.7).
func (q Quality) block(ssrc uint32, jitter time.Duration) *rtcp.VoIPMetricsReportBlock {
	wait := ticks16(q.EndDelay + 2*jitter) // the least that plays nearly all of it
	return &rtcp.VoIPMetricsReportBlock{
		SSRC:     ssrc,
		LossRate: part256(q.LossRate), DiscardRate: part256(q.DiscardRate),
		BurstDensity: part256(q.BurstDensity), GapDensity: part256(q.GapDensity),
		BurstDuration: ticks16(q.BurstDuration), GapDuration: ticks16(q.GapDuration),
		RoundTripDelay: ticks16(q.RoundTrip), EndSystemDelay: ticks16(q.EndDelay),
		SignalLevel: unknownMetric, NoiseLevel: unknownMetric, RERL: unknownMetric, Gmin: gapMin,
		RFactor: uint8(math.Round(q.R)), ExtRFactor: unknownMetric,
		MOSLQ: uint8(math.Round(10 * q.MOSLQ)), MOSCQ: uint8(math.Round(10 * q.MOSCQ)),
		RXConfig: receiverConfig, JBNominal: wait, JBMaximum: wait, JBAbsMax: uint16(defaultMax / time.Millisecond),
	}
}

func part256(x float64) uint8 { return uint8(min(max(x*256, 0), 255)) }

// ticks16 is a duration in milliseconds.
func ticks16(d time.Duration) uint16 { return uint16(min(max(d/time.Millisecond, 0), math.MaxUint16)) }

// qualityOf reads a party's report. Values that it does not know, or that there are none of,
// are 0.
func qualityOf(b *rtcp.VoIPMetricsReportBlock) Quality {
	const ms = time.Millisecond
	q := Quality{
		LossRate: float64(b.LossRate) / 256, DiscardRate: float64(b.DiscardRate) / 256,
		BurstDensity: float64(b.BurstDensity) / 256, GapDensity: float64(b.GapDensity) / 256,
		BurstDuration: time.Duration(b.BurstDuration) * ms, GapDuration: time.Duration(b.GapDuration) * ms,
		RoundTrip: time.Duration(b.RoundTripDelay) * ms, EndDelay: time.Duration(b.EndSystemDelay) * ms,
	}
	if b.RFactor <= 100 {
		q.R = float64(b.RFactor)
	}
	q.MOSLQ, q.MOSCQ = score(b.MOSLQ), score(b.MOSCQ)
	return q
}

// score reads a MOS in tenths, 1.0 to 5.0.
func score(tenths uint8) float64 {
	if tenths < 10 || tenths > 50 {
		return 0
	}
	return float64(tenths) / 10
}

// sawMetrics takes what a party reports of our voice.
func (s *Session) sawMetrics(x *rtcp.ExtendedReport) {
	for _, block := range x.Reports {
		if b, ok := block.(*rtcp.VoIPMetricsReportBlock); ok && b.SSRC == s.sender.SSRC() {
			q := qualityOf(b)
			s.theirs.Store(&q)
		}
	}
}

// metrics is the report of VoIP metrics that goes with a reception report: on a trunk alone,
// and by nobody's leave (RFC 3611 section 5); who does not know it skips it.
func (s *Session) metrics() (*rtcp.ExtendedReport, bool) {
	ssrc, jitter, ok := s.receiver.heardOf()
	if !ok {
		return nil, false
	}
	heard, _, _ := s.Quality()
	return &rtcp.ExtendedReport{SenderSSRC: s.sender.SSRC(), Reports: []rtcp.ReportBlock{heard.block(ssrc, jitter)}}, true
}
