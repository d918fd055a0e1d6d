package webrtc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/headroom-voice/headroom/media"
)

// How a connection is used that has room for little: Opus in packets of 60 ms. That is 12
// kbit/s of speech, 8 of IP, UDP, RTP and SRTP headers, and 2 for reports and checks: it fits
// into 24 kbit/s. G.711 takes 86, Opus as it is usual 46.
const (
	narrowBitRate    = 12000
	narrowPacketTime = 60 * time.Millisecond
)

// When it is: see strain.
const (
	judged     = 25                     // packets that a judgement takes
	muchLost   = 0.10                   // narrow at once
	someLost   = 0.04                   // narrow, when twice in a row
	tripGrowth = 300 * time.Millisecond // of the round trip, over the best: a queue on the way, as much as someLost
	hardlyLost = 0.02                   // fit for more, while nothing is worse
	firstWait  = 30 * time.Second       // of that, before more is tried
	longWait   = 10 * time.Minute       // at most, doubled each time that it was in vain
)

// hasty is how soon the next report follows one that told of loss (RFC 4585 section 3.5 has
// such early feedback), or the sender would learn of a narrow line after half a dozen seconds.
const hasty = time.Second

// strain decides from the far side's reports (RFC 3550 section 6.4.1) whether the network has
// room for what we send. Its rules are few:
//
//   - Much loss, or twice in a row some loss or a round trip that has grown, makes it narrow.
//   - If loss is no less for it, the network loses at random and has room: wide again.
//   - After a time without trouble, wide is tried. In vain, the time doubles.
type strain struct {
	narrow atomic.Bool
	// trips says that the round trip counts: at the client. To the service all of them grow when
	// the machine is busy, and to encode for everybody would be the end of it; where a network
	// queues what it sends, it loses packets in the end.
	trips bool

	mu        sync.Mutex
	highest   uint32 // sequence number of the last report
	begun     bool
	packets   float64 // since the last judgement, and lost of them
	lost      float64
	bad       int     // judgements in a row
	before    float64 // loss that made it narrow
	fresh     bool    // narrow, and not judged since but once: what was on its way counts for nothing
	leastTrip time.Duration
	clean     time.Time // since when there was no trouble
	changed   time.Time
	wait      time.Duration
	notBefore time.Time // narrow did not help
}

// saw takes a report about what we sent.
func (s *strain) saw(r *rtcp.ReceptionReport, trip time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	came := r.LastSequenceNumber - s.highest
	first := !s.begun
	s.highest, s.begun = r.LastSequenceNumber, true
	if first || came > 1<<31 {
		return
	}
	s.packets += float64(came)
	s.lost += float64(came) * float64(r.FractionLost) / 256
	if s.packets < judged {
		return
	}
	loss := s.lost / s.packets
	if !s.trips {
		trip = 0
	}
	s.packets, s.lost = 0, 0
	s.judge(loss, trip, now)
}

func (s *strain) judge(loss float64, trip time.Duration, now time.Time) {
	if s.wait == 0 {
		s.wait = firstWait
	}
	if trip > 0 && (s.leastTrip == 0 || trip < s.leastTrip) {
		s.leastTrip = trip
	}
	queued := trip > s.leastTrip+tripGrowth
	if loss >= someLost || queued {
		s.bad++
	} else {
		s.bad = 0
	}
	if loss >= hardlyLost || queued || s.clean.IsZero() {
		s.clean = now
	}
	switch {
	case !s.narrow.Load():
		if (loss >= muchLost || s.bad >= 2) && !now.Before(s.notBefore) {
			if !s.changed.IsZero() && now.Sub(s.changed) < s.wait {
				s.wait = min(2*s.wait, longWait) // wide was tried in vain
			}
			s.before, s.fresh = loss, true
			s.become(true, now)
		}
	case s.fresh:
		s.fresh = false
	case loss >= muchLost && loss > s.before/2:
		s.leastTrip, s.notBefore = trip, now.Add(s.wait)
		s.wait = min(2*s.wait, longWait)
		s.become(false, now)
	case now.Sub(s.clean) >= s.wait:
		s.become(false, now)
	}
}

func (s *strain) become(narrow bool, now time.Time) {
	s.bad, s.changed, s.clean = 0, now, now
	s.narrow.Store(narrow)
}

// BitRate is for encoders: media.Narrow.
func (p *Peer) BitRate() int {
	if p.strain.narrow.Load() {
		return narrowBitRate
	}
	return 0
}

var _ media.Narrow = (*Peer)(nil)

// squeezed says that nothing but Opus is to be sent.
func (p *Peer) squeezed() bool { return p.strain.narrow.Load() && p.out.accepts(media.Opus) }

// lossy says that a report of ours tells of loss that the far side should know of soon.
func lossy(packets []rtcp.Packet) bool {
	for _, p := range packets {
		var blocks []rtcp.ReceptionReport
		switch p := p.(type) {
		case *rtcp.SenderReport:
			blocks = p.Reports
		case *rtcp.ReceiverReport:
			blocks = p.Reports
		}
		for _, b := range blocks {
			if float64(b.FractionLost)/256 >= someLost {
				return true
			}
		}
	}
	return false
}
