package sip

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

// What a source that answers wrongly may do, and how much is remembered of sources.
const (
	maxFailures   = 5                // wrong answers, then 403 to further ones for ...
	penalty       = time.Minute      // ... this long after the last
	lookEvery     = time.Second      // until then an answer for an account that was guessed at is looked at so often
	failureMemory = 10 * time.Minute // wrong answers are forgotten, and so is a right one
	maxVisitors   = 4096
	maxAnswers    = 8  // Authorization headers looked at in one request
	gateLines     = 10 // in the log, per second
)

// outcome is what came of asking for a password.
type outcome int

const (
	accepted outcome = iota
	challenged
	staleNonce
	unknownNonce
	replayed
	wrongPassword
	unknownUser
	wrongPlace
	wrongTarget
	malformedAnswer
	lockedOut
	outcomes
)

// outcomeRow is a line of outcomeTable.
type outcomeRow struct {
	name   string
	why    error
	stale  bool // the client may try again without asking anybody
	failed bool // counts towards being locked out
	words  string
}

// asks says that the answer is a challenge.
func (r outcomeRow) asks() bool { return errors.Is(r.why, errPasswordWanted) }

// outcomeTable says of each outcome how it is counted, why the request is refused (refusal.go)
// and what stands in the log. Whether a name exists, or its password was right in the wrong
// place, is for the log alone.
var outcomeTable = [outcomes]outcomeRow{
	accepted:        {name: "accepted"},
	challenged:      {name: "challenged", why: errPasswordWanted},
	staleNonce:      {name: "stale", why: errPasswordWanted, stale: true},
	unknownNonce:    {name: "unknown_nonce", why: errPasswordWanted, stale: true},
	replayed:        {name: "replayed", why: errPasswordWanted, stale: true, words: "the answer was used before"},
	wrongPassword:   {name: "wrong_password", why: errPasswordWanted, failed: true, words: "the password is wrong"},
	unknownUser:     {name: "unknown_user", why: errPasswordWanted, failed: true, words: "no trunk has this username and realm"},
	wrongPlace:      {name: "wrong_source", why: errPasswordWanted, failed: true, words: "the password is right, but not its trunk for this address or dialog"},
	wrongTarget:     {name: "wrong_target", why: errAnswerTarget, words: "the answer is for another target"},
	malformedAnswer: {name: "malformed", why: errAnswerUnread, words: "the Authorization header cannot be read, or has no qop"},
	lockedOut:       {name: "locked_out", why: errLockedOut, failed: true, words: "too many wrong answers from this address"},
}

// gate asks for the passwords of trunks that have one.
type gate struct {
	trunks func() *trunkTable
	nonces *digest.Nonces
	log    *slog.Logger
	lines  limiter
	bans   *bans
	plain  func(*sip.Request) bool // to be asked for MD5 alone
	near   func(netip.Addr) bool   // that a phone has registered from there
	count  [outcomes]atomic.Uint64

	// asking bounds the challenges that strangers get without a transaction, so that one
	// who floods costs only those who share a bucket with it.
	seed   maphash.Seed
	asking [256]limiter

	mu       sync.Mutex
	visitors map[visit]visitor
}

// visit is what answers are counted by: the source for all of them together, and each account
// there. Many phones stand behind one address, or a phone beside a trunk; the wrong answers of
// one are not the others'. Together they count for what a wrong answer is told, which shall
// not say whether there is an account.
type visit struct {
	source  netip.Addr // visitorOf
	account string     // the trunk's ID; "" for all
	here    bool       // shown as the trunk that has the address
}

// visitor is what is remembered of who answered a challenge of its own: none can be made to
// appear by who cannot receive at that address.
type visitor struct {
	failures int
	failed   time.Time
	right    time.Time
	from     netip.AddrPort // where the last right answer came from
	looked   time.Time      // at an answer while locked
}

func (v visitor) locked(now time.Time) bool {
	return v.failures >= maxFailures && now.Sub(v.failed) < penalty
}

// believes says that an answer is looked at: with too many wrong ones before it, now and then,
// and always where the last right one came from. So guessing is slow, and does not keep out who
// knows the password.
func (v visitor) believes(from netip.AddrPort, now time.Time) bool {
	return !v.locked(now) || from == v.from || now.Sub(v.looked) >= lookEvery
}

func newGate(cfg Config, log *slog.Logger) *gate {
	g := &gate{plain: func(*sip.Request) bool { return false }, near: func(netip.Addr) bool { return false },
		nonces: digest.NewNonces(cfg.NonceLife), log: log, lines: limiter{rate: gateLines}, bans: newBans(log),
		seed: maphash.MakeSeed(), visitors: make(map[visit]visitor)}
	for i := range g.asking {
		g.asking[i].rate = float64(cfg.Refusals)
	}
	return g
}

func (g *gate) counts() map[string]uint64 {
	out := make(map[string]uint64, outcomes)
	for o := range outcomes {
		out[outcomeTable[o].name] = g.count[o].Load()
	}
	return out
}

// open says that there are trunks that may call from anywhere.
func (g *gate) open() bool { return len(g.trunks().realms) > 0 }

// asks says that a request of this method needs a password at all. ACK and CANCEL cannot be
// sent again with one (RFC 3261 section 22.1); others are refused anyway.
func (g *gate) asks(method sip.RequestMethod) bool {
	switch method {
	case sip.REGISTER:
		return g.trunks().phones
	case sip.INVITE, sip.OPTIONS, sip.BYE, sip.UPDATE, sip.INFO, sip.PRACK, sip.REFER, sip.NOTIFY:
		return true
	}
	return false
}

// asksOf says that a request of a stranger is worth a challenge: where trunks may call from
// anywhere each is; a phone registers from anywhere, and calls from where it has.
func (g *gate) asksOf(req *sip.Request) bool {
	return g.asks(req.Method) && (req.Method == sip.REGISTER || g.trunks().anywhere || g.near(source(req).Addr()))
}

// judge finds the trunk whose password a request shows. The trunk that has the address, if
// any, is the only one that may be shown there. Without anything to count or log.
func (g *gate) judge(req *sip.Request, here *knownTrunk, now time.Time) (*knownTrunk, outcome) {
	from := source(req).Addr()
	cred, o := g.answerIn(req, here)
	if o != accepted {
		return nil, o
	}
	age := g.nonces.Check(now, from, cred.Nonce)
	if age == digest.Foreign { // not looked at: the answer could be to anybody's question
		return nil, unknownNonce
	}
	trunk, account := g.accountOf(cred)
	right := account.Knows(cred, string(req.Method))
	switch {
	case trunk != nil && !g.look(source(req), here, trunk, now):
		return trunk, lockedOut
	case account.Username == "":
		return nil, g.wrong(unknownUser, from, here, now)
	case !right:
		return trunk, g.wrong(wrongPassword, from, here, now)
	case trunk != here && (here != nil || trunk.bound):
		return trunk, g.wrong(wrongPlace, from, here, now)
	case !sameTarget(cred.URI, &req.Recipient):
		return trunk, wrongTarget
	case age == digest.Expired:
		return trunk, staleNonce
	case !g.nonces.Use(now, from, cred):
		return trunk, replayed
	}
	return trunk, accepted
}

// accountOf is whom credentials name: nil and the zero Account if nobody has that name.
func (g *gate) accountOf(cred digest.Credentials) (*knownTrunk, digest.Account) {
	trunk := g.trunks().named[cred.Username]
	if trunk == nil {
		return nil, digest.Account{}
	}
	return trunk, trunk.accountFor(cred.Realm)
}

// wrong is what comes of a wrong answer: beyond so many all are told the same.
func (g *gate) wrong(o outcome, from netip.Addr, here *knownTrunk, now time.Time) outcome {
	if g.locked(from, here, now) {
		return lockedOut
	}
	return o
}

// answerIn finds the credentials that are meant for us: those of a realm of ours, should a
// request carry others for servers behind.
func (g *gate) answerIn(req *sip.Request, here *knownTrunk) (digest.Credentials, outcome) {
	o := challenged
	for i, h := range req.GetHeaders("Authorization") {
		if i == maxAnswers {
			break
		}
		cred, err := digest.ParseCredentials(h.Value())
		switch {
		case err == nil && g.ours(cred.Realm, here):
			return cred, accepted
		case err == nil, errors.Is(err, digest.ErrNotDigest), errors.Is(err, digest.ErrAlgorithm): // as if nothing were there
		default:
			o = malformedAnswer
		}
	}
	return digest.Credentials{}, o
}

func (g *gate) ours(realm string, here *knownTrunk) bool {
	for _, r := range g.realms(here) {
		if r == realm {
			return true
		}
	}
	return false
}

// realms are those to answer for at the address of a trunk, or of none.
func (g *gate) realms(here *knownTrunk) []string {
	if here != nil {
		return []string{here.account.Realm}
	}
	return g.trunks().realms
}

// spares says that a source is never banned: a trunk has its address, or a phone registered
// from there.
func (g *gate) spares(from netip.Addr) bool { return g.trunks().find(from) != nil || g.near(from) }

// record counts an outcome and remembers it.
func (g *gate) record(from netip.AddrPort, here, trunk *knownTrunk, o outcome, now time.Time) {
	g.count[o].Add(1)
	failed := outcomeTable[o].failed
	if o == accepted || failed { // both are answers to a nonce that this address was given
		g.note(from, here, trunk, o == accepted, now)
	}
	switch {
	case o == accepted:
		g.bans.forgive(from.Addr(), now)
	case failed && !g.spares(from.Addr()):
		g.bans.note(from.Addr(), offencePassword, true, g.open(), now)
	}
}

// answer records an outcome, logs it, and makes the refusal; nil for accepted.
func (g *gate) answer(req *sip.Request, here, trunk *knownTrunk, o outcome, now time.Time, refusal func(error, ...sip.Header) *sip.Response) *sip.Response {
	from, row := source(req), outcomeTable[o]
	g.record(from, here, trunk, o, now)
	if row.words != "" && g.lines.allow(now) {
		id := "" // a name that no trunk has is not told: it may be a password in the wrong box
		if trunk != nil {
			id = trunk.id
		}
		g.log.Warn("request refused by its digest", "why", row.words, "source", from.String(), "trunk", id, "method", string(req.Method))
	}
	switch {
	case o == accepted:
		return nil
	case row.asks():
		algorithms := []digest.Algorithm{digest.SHA256, digest.MD5}
		if g.plain(req) {
			algorithms = algorithms[1:]
		}
		return refusal(row.why, g.challenges(from.Addr(), here, row.stale, algorithms, now)...)
	}
	return refusal(row.why)
}

// challenges are the questions to one source, for each realm the better algorithm first
// (RFC 8760 section 2.3).
func (g *gate) challenges(from netip.Addr, here *knownTrunk, stale bool, algorithms []digest.Algorithm, now time.Time) []sip.Header {
	var out []sip.Header
	nonce := g.nonces.Issue(now, from)
	for _, realm := range g.realms(here) {
		for _, a := range algorithms {
			c := digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: a, Auth: true, Stale: stale}
			out = append(out, sip.NewHeader("WWW-Authenticate", c.String()))
		}
	}
	return out
}

// mayAsk says whether a stranger gets a challenge, which costs no memory. One that has
// answered rightly of late, or that a phone registered from, always does.
func (g *gate) mayAsk(from netip.Addr, now time.Time) bool {
	if g.welcome(from, now) || g.near(from) {
		return true
	}
	key := visitorOf(from)
	return g.asking[maphash.Comparable(g.seed, key)%uint64(len(g.asking))].allow(now)
}

// answersUs says that a request from a stranger carries an answer to a challenge that we
// gave to its address, which is what lets it through to a transaction; after too many wrong
// ones only a right one is.
func (g *gate) answersUs(req *sip.Request, now time.Time) bool {
	from := source(req)
	cred, o := g.answerIn(req, nil)
	if o != accepted || g.nonces.Check(now, from.Addr(), cred.Nonce) == digest.Foreign {
		return false
	}
	if !g.locked(from.Addr(), nil, now) {
		return true
	}
	trunk, account := g.accountOf(cred)
	return account.Knows(cred, string(req.Method)) && g.visitor(visitOf(from.Addr(), nil, trunk)).believes(from, now)
}

// visitorOf is what counts as one source: an IPv4 address, or an IPv6 network.
func visitorOf(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// visitOf is what an answer is counted by; without a trunk, what all of its source's are.
func visitOf(from netip.Addr, here, trunk *knownTrunk) visit {
	v := visit{source: visitorOf(from), here: here != nil}
	if trunk != nil {
		v.account = trunk.id
	}
	return v
}

func (g *gate) visitor(of visit) visitor {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.visitors[of]
}

// locked says that a source has answered wrongly too often.
func (g *gate) locked(from netip.Addr, here *knownTrunk, now time.Time) bool {
	return g.visitor(visitOf(from, here, nil)).locked(now)
}

// look says that an answer may be looked at (visitor.believes), and that it is.
func (g *gate) look(from netip.AddrPort, here, trunk *knownTrunk, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := visitOf(from.Addr(), here, trunk)
	v, there := g.visitors[key]
	if !v.believes(from, now) {
		return false
	}
	if there && v.locked(now) {
		v.looked = now
		g.visitors[key] = v
	}
	return true
}

// welcome says that a source has answered rightly of late.
func (g *gate) welcome(from netip.Addr, now time.Time) bool {
	v := g.visitor(visitOf(from, nil, nil))
	return !v.right.IsZero() && now.Sub(v.right) < failureMemory
}

// note remembers an answer, for its source and for the account that it was for.
func (g *gate) note(from netip.AddrPort, here, trunk *knownTrunk, right bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.noteOf(visitOf(from.Addr(), here, nil), from, right, now)
	if trunk != nil {
		g.noteOf(visitOf(from.Addr(), here, trunk), from, right, now)
	}
}

// noteOf remembers one visit; g.mu is held. A right answer settles what was wrong for its
// account alone.
func (g *gate) noteOf(key visit, from netip.AddrPort, right bool, now time.Time) {
	v, there := g.visitors[key]
	if !there && len(g.visitors) >= maxVisitors {
		g.makeRoom(now)
	}
	switch {
	case right:
		v.right, v.from = now, from
		if key.account != "" {
			v.failures = 0
		}
	case now.Sub(v.failed) > failureMemory:
		v.failures, v.failed = 1, now
	default:
		v.failures, v.failed = v.failures+1, now
	}
	g.visitors[key] = v
}

// makeRoom forgets the visitors of long ago, or whichever comes if there are none.
func (g *gate) makeRoom(now time.Time) {
	var some visit
	for key, v := range g.visitors {
		if now.Sub(v.failed) > failureMemory && now.Sub(v.right) > failureMemory {
			delete(g.visitors, key)
		}
		if v.right.IsZero() {
			some = key
		}
	}
	if len(g.visitors) >= maxVisitors {
		delete(g.visitors, some)
	}
	for key := range g.visitors {
		if len(g.visitors) < maxVisitors {
			return
		}
		delete(g.visitors, key)
	}
}

// sameTarget says that an answer's uri is the request's (RFC 7616 section 3.4.6): the same
// number at the same host. Ports and parameters are rewritten on the way by honest proxies.
func sameTarget(text string, target *sip.Uri) bool {
	var uri sip.Uri
	if err := sip.ParseUri(text, &uri); err != nil {
		return false
	}
	return userOf(&uri) == userOf(target) && strings.EqualFold(uri.Host, target.Host)
}

// admit says whose a request is and whether it may be looked at (see endpoint.admit). Within
// a dialog, whoever writes from where it was made needs no password.
func (s *Server) admit(req *sip.Request, c *Call) (*knownTrunk, *sip.Response) {
	from := source(req).Addr()
	here := s.fw.trunks.Load().find(from)
	if here != nil && s.fromPhone(req) {
		here = nil
	}
	within := c != nil && (from == c.dlg.peer.Addr() || here != nil && here.account.Username == "")
	nowhere := c == nil && tagOf(req.To()) != "" && tagOf(req.To()) != s.ep.tagFor(req) // 481 comes of it
	switch {
	case within:
		s.fw.settle(source(req))
		return here, nil
	case req.Method == sip.CANCEL:
		return here, nil
	case here != nil && (here.account.Username == "" || nowhere || !s.gate.asks(req.Method)):
		return here, nil
	case here == nil && !s.gate.open():
		return nil, nil // a call with this address outlives its trunk; a new one is refused
	case here == nil && !s.gate.asksOf(req): // over TCP, where a stranger's bytes come this far
		s.fw.refused.Add(1)
		return nil, s.ep.refusal(req, errUnknownTrunk)
	}
	now := time.Now()
	trunk, o := s.gate.judge(req, here, now)
	if o == accepted && c != nil && c.trunk != trunk.id {
		o = wrongPlace
	}
	refusal := s.gate.answer(req, here, trunk, o, now, func(why error, headers ...sip.Header) *sip.Response {
		id := ""
		if row := outcomeTable[o]; here != nil && (row.failed || !row.asks()) { // what comes from elsewhere may be anybody's
			id = here.id // and each call of a trunk with a password is asked for it first
		}
		return s.ep.refusalKept(req, id, why, headers...)
	})
	if refusal == nil && here == nil {
		s.fw.settle(source(req))
	}
	return trunk, refusal
}
