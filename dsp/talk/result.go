package talk

import "github.com/headroom-voice/headroom/dsp"

// Result is what was heard so far.
func (m *Meter) Result() Result {
	r := Result{
		Near: m.near.party(m.far.talk), Far: m.far.party(m.near.talk),
		Seconds:         seconds(m.now),
		OvertalkSeconds: seconds(int(m.both)),
		SilenceLongest:  seconds(max(m.longest, m.quiet)),
		SilenceBeyond:   seconds(int(m.beyond) + max(0, m.quiet-silence)),
	}
	if m.any > 0 {
		r.OvertalkShare = float64(m.both) / float64(m.any)
	}
	return r
}

func seconds(blocks int) float64 { return float64(blocks) / blocksPerSecond }

func (s *side) party(other uint64) Party {
	p := Party{
		TalkSeconds:    seconds(int(s.talk)),
		LongestSeconds: seconds(s.monologue),
		Interruptions:  s.interruptions,
		GapMedian:      s.gap(0.5),
		GapP90:         s.gap(0.9),
	}
	if s.inMonologue {
		p.LongestSeconds = max(p.LongestSeconds, seconds(s.until-s.since+1))
	}
	if s.talk+other > 0 {
		p.TalkShare = float64(s.talk) / float64(s.talk+other)
	}
	return p
}

// gap gives the response gap that a share of the answers do not exceed.
func (s *side) gap(share float64) dsp.Value {
	if s.answers == 0 {
		return dsp.None()
	}
	sum := 0.0
	for length, n := range s.gaps {
		if sum += float64(n); sum >= share*float64(s.answers) {
			return dsp.Value(seconds(length))
		}
	}
	return dsp.Value(seconds(longestGap))
}
