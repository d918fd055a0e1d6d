package sip

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Who keeps on where nobody knows them is banned: what comes from there is dropped unread. A
// ban costs nobody who is known, whoever forges an address:
//
//   - It is looked up for strangers only. A trunk's source, where a trunk was found to be, a
//     live call's other side, where a phone registered from and who answered a challenge
//     rightly of late are never banned, and a ban on them has no force.
//   - What a datagram says proves nothing of who sent it. It counts only as long as no trunk
//     may call from anywhere: strangers' datagrams are refused then whatever is in them, and
//     nothing is lost by not answering. Where trunks may, only what proves that the source
//     hears us counts: a connection, or the answer to a challenge that was sent there.
const (
	banAt        = 100             // points at which a source is banned
	pointsPerSec = 100.0 / 3600    // forgotten
	firstBan     = 5 * time.Minute // each further ban is ...
	banGrowth    = 4               // ... so many times as long, up to ...
	longestBan   = 24 * time.Hour  // ... this; and as long after a ban has ended ...
	banMemory    = 24 * time.Hour  // ... the next one is the first again
	maxOffenders = 4096            // sources that are remembered
	banLines     = 10              // in the log, per second
	evictAmong   = 8               // sources that are looked at for one to forget
)

// offence is what a stranger does that it is banned for if it goes on.
type offence int

const (
	offenceUnknown offence = iota
	offenceGarbage
	offencePassword
	offenceFlood
	offencesKnown
)

// offenceTable says of each how it is counted and put, and how many points it brings.
var offenceTable = [offencesKnown]struct {
	name   string
	points float64
	words  string
}{
	offenceUnknown:  {"unknown", 2, "asks again and again from an address that no trunk has"},
	offenceGarbage:  {"garbage", 5, "sends what cannot be read"},
	offencePassword: {"password", 10, "answers with wrong passwords"},
	offenceFlood:    {"flood", 1, "sends more than is answered"},
}

// Ban is a source whose messages and connections are dropped unread.
type Ban struct {
	Source  netip.Prefix // an IPv4 address, or an IPv6 network of 64 bits
	Cause   string       // "unknown", "garbage", "password" or "flood"
	Words   string       // the same for people
	Since   time.Time
	Until   time.Time
	Times   int    // bans of late, this one too
	Dropped uint64 // messages and connections since
}

// offender is what is remembered of a stranger.
type offender struct {
	points  float64 // as of at
	at      time.Time
	proven  bool // all of its points are its own: nobody can have forged them
	cause   offence
	since   time.Time
	until   time.Time // of the last ban
	times   int
	dropped uint64
}

// left are the points that are not forgotten.
func (o *offender) left(now time.Time) float64 {
	return max(0, o.points-now.Sub(o.at).Seconds()*pointsPerSec)
}

// bans are the sources that misbehave, by what counts as one (visitorOf).
type bans struct {
	log   *slog.Logger
	lines limiter
	total [offencesKnown]atomic.Uint64

	mu        sync.Mutex
	offenders map[netip.Addr]*offender
}

func newBans(log *slog.Logger) *bans {
	return &bans{log: log, lines: limiter{rate: banLines}, offenders: make(map[netip.Addr]*offender)}
}

// note counts an offence. proven says that its source hears us; open, that trunks may call
// from anywhere, so that what is not proven does not count.
func (b *bans) note(from netip.Addr, what offence, proven, open bool, now time.Time) {
	if open && !proven || !from.IsValid() {
		return
	}
	key := visitorOf(from)
	b.mu.Lock()
	o := b.offenders[key]
	if o == nil {
		if len(b.offenders) >= maxOffenders && !b.makeRoom(proven, now) {
			b.mu.Unlock()
			return
		}
		o = &offender{proven: proven}
		b.offenders[key] = o
	}
	if open && !o.proven { // what may be forged counted until now, and no longer does
		*o = offender{proven: true}
	}
	if now.Before(o.until) { // it is banned already
		b.mu.Unlock()
		return
	}
	left := o.left(now)
	o.proven = proven && (o.proven || left == 0)
	o.points, o.at = left+offenceTable[what].points, now
	if o.points < banAt {
		b.mu.Unlock()
		return
	}
	if o.times > 0 && now.Sub(o.until) >= banMemory {
		o.times = 0
	}
	length := firstBan
	for range o.times {
		length = min(longestBan, length*banGrowth)
	}
	o.points, o.cause, o.since, o.until, o.dropped = 0, what, now, now.Add(length), 0
	o.times++
	times := o.times
	b.mu.Unlock()
	b.total[what].Add(1)
	if b.lines.allow(now) {
		b.log.Warn("source banned: it "+offenceTable[what].words, "source", prefixOf(key).String(), "cause", offenceTable[what].name, "for", length, "times", times)
	}
}

// holds says that a source is banned, and counts what is dropped for it.
func (b *bans) holds(from netip.Addr, open bool, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offenders[visitorOf(from)]
	if o == nil || !now.Before(o.until) || open && !o.proven {
		return false
	}
	o.dropped++
	return true
}

// forgive forgets a source and says whether it was banned.
func (b *bans) forgive(from netip.Addr, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := visitorOf(from)
	o := b.offenders[key]
	delete(b.offenders, key)
	return o != nil && now.Before(o.until)
}

// makeRoom forgets one source for another: of some that come to hand one whose points are
// gone, or the least of those that are not banned; and what may be forged before what is not.
// It is false if there is none such; b.mu is held.
func (b *bans) makeRoom(proven bool, now time.Time) bool {
	var least netip.Addr
	least8, seen := 0.0, 0
	for key, o := range b.offenders {
		if seen++; seen > evictAmong && least.IsValid() || seen > maxOffenders/evictAmong {
			break
		}
		if now.Before(o.until) || o.proven && !proven {
			continue
		}
		weight := o.left(now)
		if o.times > 0 && now.Sub(o.until) < banMemory {
			weight += banAt
		}
		if !least.IsValid() || weight < least8 {
			least, least8 = key, weight
		}
	}
	delete(b.offenders, least)
	return least.IsValid()
}

// inForce are the bans, the newest first, without those of whom keep says that they are known.
func (b *bans) inForce(open bool, known func(netip.Addr) bool, now time.Time) []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Ban
	for key, o := range b.offenders {
		if now.Before(o.until) && (o.proven || !open) && !known(key) {
			row := offenceTable[o.cause]
			out = append(out, Ban{Source: prefixOf(key), Cause: row.name, Words: row.words, Since: o.since, Until: o.until, Times: o.times, Dropped: o.dropped})
		}
	}
	slices.SortFunc(out, func(a, b Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Source.Addr().Compare(b.Source.Addr()))
	})
	return out
}

// byCause are the bans that there were since New.
func (b *bans) byCause() map[string]uint64 {
	out := make(map[string]uint64, offencesKnown)
	for what := range offencesKnown {
		out[offenceTable[what].name] = b.total[what].Load()
	}
	return out
}

// prefixOf is what a key of visitorOf stands for.
func prefixOf(key netip.Addr) netip.Prefix {
	if key.Is6() {
		return netip.PrefixFrom(key, 64)
	}
	return netip.PrefixFrom(key, key.BitLen())
}

// Bans are those in force, the newest first. They end with the process.
func (s *Server) Bans() []Ban {
	return s.fw.bans.inForce(s.gate.open(), s.fw.spares, time.Now())
}

// Lift ends the ban of an address, or of its IPv6 network, and forgets what led to it. False if
// there was none.
func (s *Server) Lift(source netip.Addr) bool { return s.fw.bans.forgive(source, time.Now()) }

// LiftAll ends every ban and says how many there were.
func (s *Server) LiftAll() int {
	n := 0
	for _, b := range s.Bans() {
		if s.Lift(b.Source.Addr()) {
			n++
		}
	}
	return n
}
