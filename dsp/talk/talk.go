package talk

import "github.com/headroom-voice/headroom/dsp"

// The meter's times, in blocks of 20 ms.
const (
	blocksPerSecond = 50
	bridge          = 15  // a longer pause ends a spurt
	confirm         = 6   // blocks of speech that make a spurt one
	floor           = 50  // who has spoken this long has the floor
	cut             = 10  // who goes on this long against another is interrupted when silent
	silence         = 100 // a shared pause counts from here on, and ends a monologue
	longestGap      = 500 // of an answer; what takes longer is counted here
)

// Party is one of the two.
type Party struct {
	TalkSeconds    float64   // of speech
	TalkShare      float64   // of all speech, 0..1; 0 where nobody spoke
	LongestSeconds float64   // the longest monologue
	Interruptions  int       // of the other
	GapMedian      dsp.Value // seconds until this party answers; None without an answer
	GapP90         dsp.Value // nine answers of ten come within this, seconds
}

// Result is what was heard since the start.
type Result struct {
	Near, Far       Party
	Seconds         float64 // of conversation
	OvertalkSeconds float64 // in which both spoke
	OvertalkShare   float64 // of the time in which anyone spoke, 0..1
	SilenceLongest  float64 // seconds in which neither spoke
	SilenceBeyond   float64 // seconds of all such stretches beyond their first two
}

// Meter follows one conversation. It is not safe for concurrent use.
type Meter struct {
	now       int
	near, far side
	both, any uint64 // blocks
	quiet     int    // blocks since anyone spoke
	longest   int    // such stretch, finished
	beyond    uint64
	started   bool // someone has spoken: the silence before is no pause
}

// side is what is known of one party.
type side struct {
	talk uint64 // blocks

	talking     bool // a spurt is under way
	start, last int  // its first block, its last of speech so far
	spoken      int  // its blocks of speech

	heldFor    bool // when it began, the other had the floor
	took       bool // ... and fell silent first
	lastBefore int  // last block of the spurt before; -1 is none
	otherEnd   int  // the other's last block when it began; -1 is none

	monologue, since, until int // the longest, in blocks; the one under way
	inMonologue             bool

	interruptions int
	answers       int
	gaps          [longestGap + 1]uint32 // by length
}

// New makes a Meter.
func New() *Meter {
	m := &Meter{}
	m.Reset()
	return m
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	*m = Meter{}
	m.near.last, m.far.last = -1, -1
	m.near.lastBefore, m.far.lastBefore = -1, -1
}

// Gap says that time is missing before the next block, as while a call was on hold: what
// is under way ends, and the first to speak then answers nobody.
func (m *Meter) Gap() {
	m.endQuiet()
	m.started = false
	for _, s := range []*side{&m.near, &m.far} {
		s.endMonologue()
		s.talking, s.heldFor, s.took = false, false, false
		s.last, s.lastBefore = -1, -1
	}
}

// Process takes whether each party speaks in the next 20 ms.
func (m *Meter) Process(near, far bool) {
	m.near.step(&m.far, near, m.now)
	m.far.step(&m.near, far, m.now)
	if near && far {
		m.both++
	}
	if near || far {
		m.any++
		m.endQuiet()
		m.started = true
	} else if m.started {
		m.quiet++
	}
	m.now++
}

func (m *Meter) endQuiet() {
	m.longest = max(m.longest, m.quiet)
	m.beyond += uint64(max(0, m.quiet-silence))
	m.quiet = 0
}

// step takes one block of s, spoken or not; o is the other party.
func (s *side) step(o *side, speaks bool, now int) {
	if s.inMonologue && now-s.until > silence {
		s.endMonologue()
	}
	if !speaks {
		if s.talking && now-s.last > bridge {
			s.endSpurt(o)
		}
		return
	}
	s.talk++
	if !s.talking {
		s.talking, s.start, s.spoken, s.took = true, now, 0, false
		s.otherEnd = o.last
		s.heldFor = o.talking && now-o.last <= 1 && now-o.start >= floor
	}
	s.last = now
	s.spoken++
	if s.spoken == confirm {
		s.answer(o)
	}
	if s.spoken == floor {
		o.endMonologue()
	}
	if s.took && s.last-s.start+1 >= floor {
		s.interruptions++
		s.took = false
	}
	if !s.inMonologue {
		s.inMonologue, s.since = true, now
	}
	s.until = now
}

// answer notes how long the other party waited for the spurt that has begun.
func (s *side) answer(o *side) {
	if s.otherEnd < 0 || s.otherEnd >= s.start || o.last != s.otherEnd || s.lastBefore > s.otherEnd {
		return
	}
	s.answers++
	s.gaps[min(longestGap, s.start-s.otherEnd-1)]++
}

func (s *side) endSpurt(o *side) {
	if o.heldFor && o.talking && s.last-o.start+1 >= cut && o.last > s.last {
		o.took = true
	}
	o.heldFor = false
	s.talking, s.heldFor = false, false
	if s.spoken >= confirm {
		s.lastBefore = s.last
	}
}

func (s *side) endMonologue() {
	if s.inMonologue {
		s.monologue = max(s.monologue, s.until-s.since+1)
	}
	s.inMonologue = false
}
