package rtp

import (
	"time"

	"github.com/headroom-voice/headroom/media"
)

// gapMin is how many packets in a row must arrive for a burst to be over (Gmin, RFC 3611
// section 4.7.2, which recommends 16).
const gapMin = 16

// lossPattern divides a stream's packets into bursts, in which losses lie closer than gapMin
// to each other, and the gaps between them (RFC 3611 section 4.7.2). A loss that stands alone
// belongs to a gap. The zero lossPattern is ready.
type lossPattern struct {
	packets, lost   uint64 // in all
	runs            uint64 // stretches of lost packets without one between
	inBursts, burst uint64 // packets within bursts, and those of them that were lost
	bursts          uint64
	since           uint64 // packets that arrived since the last loss
	open            uint64 // packets of a burst that may not be over, from loss to loss; 0: none
	openLost        uint64
}

// packet takes the next packet of the stream, in order.
func (p *lossPattern) packet(arrived bool) {
	p.packets++
	if arrived {
		p.since++
		return
	}
	p.lost++
	if p.since > 0 || p.lost == 1 {
		p.runs++
	}
	if p.open > 0 && p.since < gapMin {
		p.open += p.since + 1
		p.openLost++
	} else {
		p.end()
		p.open, p.openLost = 1, 1
	}
	p.since = 0
}

// end closes the burst that may be open.
func (p *lossPattern) end() {
	if p.openLost > 1 {
		p.inBursts, p.burst, p.bursts = p.inBursts+p.open, p.burst+p.openLost, p.bursts+1
	}
	p.open, p.openLost = 0, 0
}

// leave takes the packets that fall out of a window of seen ones as it moves by step to
// newer ones: those numbered from base on are the stream's.
func (p *lossPattern) leave(seen, highest, base uint64, step int) {
	for i := range step {
		seq := highest - 63 + uint64(i)
		if int64(seq-base) >= 0 {
			p.packet(i < 64 && seen>>(63-i)&1 != 0)
		}
	}
}

// Quality is how a voice came over the network (RFC 3611 section 4.7). Rates and densities
// are parts of one. R is 0 to 100 and the MOS 1 to 4.5, all 0 where they are not known.
type Quality struct {
	LossRate      float64       // of the packets expected
	DiscardRate   float64       // arrived, but too early or late to be played
	BurstDensity  float64       // of packets lost or discarded within bursts
	GapDensity    float64       // the same between bursts
	BurstDuration time.Duration // mean
	GapDuration   time.Duration // mean
	RoundTrip     time.Duration
	EndDelay      time.Duration // within the reporting end, both ways
	R             float64
	MOSLQ         float64 // listening: delay does not count
	MOSCQ         float64 // conversation: it does
}

// quality sums a pattern up. packet is how long a packet plays.
func (p lossPattern) quality(c media.Codec, packet time.Duration) Quality {
	p.end()
	if p.packets == 0 {
		return Quality{}
	}
	q := Quality{LossRate: share(p.lost, p.packets), BurstDensity: share(p.burst, p.inBursts)}
	inGaps := p.packets - p.inBursts
	q.GapDensity = share(p.lost-p.burst, inGaps)
	if p.bursts > 0 {
		q.BurstDuration = packet * time.Duration(p.inBursts) / time.Duration(p.bursts)
	}
	q.GapDuration = packet * time.Duration(inGaps) / time.Duration(p.bursts+1)
	q.R = rFactor(c, q.LossRate, p.burstRatio(), 0)
	q.MOSLQ = mos(q.R)
	return q
}

// burstRatio is how much longer losses last than if they were random (BurstR, ITU-T G.107
// section 7.7); at least 1.
func (p *lossPattern) burstRatio() float64 {
	if p.runs == 0 {
		return 1
	}
	return max(float64(p.lost)/float64(p.runs)*(1-share(p.lost, p.packets)), 1)
}

func share(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Of the E-model (ITU-T G.107), with everything that a packet network does not change at its
// default.
const (
	bestR             = 93.2 // without loss and delay
	lossToleranceG711 = 25.1 // Bpl of G.711 with concealment (ITU-T G.113 table I.3)
	lossTolerance     = 20.0 // of G.722 and Opus, for which G.113 has none: assumed
)

// rFactor rates a voice that lost a share of its packets, in runs longer than random ones by
// burstRatio, and was delayed by oneWay (ITU-T G.107 section 7; the delay by the line that is
// commonly put through its curve).
func rFactor(c media.Codec, loss, burstRatio float64, oneWay time.Duration) float64 {
	tolerance := lossTolerance
	if c == media.PCMU || c == media.PCMA {
		tolerance = lossToleranceG711
	}
	percent := 100 * loss
	r := bestR
	if percent > 0 {
		r -= 95 * percent / (percent/burstRatio + tolerance)
	}
	return min(max(r-delayImpairment(oneWay), 0), 100)
}

// delayImpairment is what a delay takes off R.
func delayImpairment(oneWay time.Duration) float64 {
	ms := float64(oneWay) / float64(time.Millisecond)
	return 0.024*ms + 0.11*max(ms-177.3, 0)
}

// mos turns R into a mean opinion score (ITU-T G.107 annex B).
func mos(r float64) float64 {
	if r <= 0 {
		return 1
	}
	return min(max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1), 4.5)
}
