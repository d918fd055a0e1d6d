package carrier

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Presence is how it is with a registration.
type Presence string

// The states.
const (
	Trying Presence = "trying"     // not registered, and at it or waiting to be
	Here   Presence = "registered" // until Registered.Until
	Gone   Presence = "ended"      // unregistered at the end
)

// Registered is the state of one trunk's registration.
type Registered struct {
	State    Presence
	Since    time.Time
	Until    time.Time // when the registrar forgets it; zero unless registered
	Server   string    // where it was last tried
	Contact  string    // the address registered
	Status   int       // of the last reply; 0 = there was none
	Error    string    // why the last attempt failed, in words; "" if it did not
	Failures int       // attempts in a row
	Next     time.Time // when it is renewed or tried again

	via locate.Target
}

// Bounds on what a registrar can make us do.
const (
	maxTries    = 4              // requests to one server in a row: challenge, stale, 423
	minGranted  = time.Second    // a registration shorter than this is taken as so long
	maxGranted  = 24 * time.Hour //
	goodbyeTime = 2 * time.Second
	replyTime   = 4 * time.Second // RFC 3261 would wait 32 s; another server may answer meanwhile
)

// registrar keeps one trunk registered. It belongs to one goroutine.
type registrar struct {
	c       *Carrier
	l       *loop
	t       *Trunk
	callID  string // the same for all requests (RFC 3261 section 10.2)
	seq     uint32
	expires time.Duration // asked for; a registrar can raise it (423)
	login   login
	via     locate.Target    // of the registration that stands; not valid if none does
	asked   locate.Target    // where one was asked for that may stand: the answer did not come
	heard   func(*sip.Reply) // told of each request's outcome, nil without one; may be nil itself
}

func newRegistrar(c *Carrier, l *loop) *registrar {
	return &registrar{c: c, l: l, t: &l.trunk, callID: randomHex(12), expires: l.trunk.Register.Expires, login: login{who: l.trunk.Login}}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// run registers until ctx ends, then takes the registration back.
func (r *registrar) run(ctx context.Context) {
	failures := 0
	r.note(func(s *Registered) { *s = Registered{State: Trying, Since: time.Now()} })
	for {
		granted, err := r.register(ctx)
		if ctx.Err() != nil {
			break
		}
		wait := refreshIn(granted)
		if err != nil {
			failures++
			wait = r.backoff(failures, err)
			r.failed(err, failures, wait)
		} else {
			failures = 0
			r.stands(granted, wait)
		}
		if !r.sleep(ctx, wait) {
			break
		}
	}
	r.leave()
}

// refreshIn is when to renew a registration: before four fifths of it are over, and never at
// the same time as everybody else.
func refreshIn(granted time.Duration) time.Duration {
	return granted/2 + mathrand.N(granted*3/10+1)
}

// backoff is the wait after failures in a row: twice as long each time, to a limit, half of it
// by lot (RFC 5626 section 4.5), and no shorter than the registrar asks for.
func (r *registrar) backoff(failures int, err error) time.Duration {
	wait := r.c.cfg.BackoffMax
	if shift := failures - 1; shift < 20 {
		wait = min(wait, r.c.cfg.BackoffBase<<shift)
	}
	wait = wait/2 + mathrand.N(wait/2+1)
	var asked *refusedError
	if errors.As(err, &asked) {
		wait = max(wait, min(asked.after, maxGranted))
	}
	return wait
}

// sleep waits for the next attempt, which comes at once when the connection that the
// registration came by is gone, or its server is down; false if ctx ends first.
func (r *registrar) sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	watch := time.NewTicker(r.c.cfg.WatchEvery)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-r.l.kick:
			return true
		case <-watch.C:
			if r.via.Addr.IsValid() && !r.c.cfg.Phone.Connected(r.via) {
				return true
			}
		}
	}
}

// register tries the registrar's servers in turn, that of the standing registration first
// unless it is down, and gives for how long it holds.
func (r *registrar) register(ctx context.Context) (time.Duration, error) {
	hops, err := r.c.cfg.Locator.LocateURI(ctx, r.t.Register.Registrar)
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(hops, func(a, b locate.Target) int { return r.rank(a) - r.rank(b) })
	for _, to := range hops {
		var granted time.Duration
		if granted, err = r.registerAt(ctx, to, r.expires); err == nil {
			r.via = to
			addrs := make([]netip.Addr, 0, len(hops))
			for _, h := range hops {
				addrs = append(addrs, h.Addr.Addr().Unmap())
			}
			r.c.meet(r.t.ID, addrs)
			return granted, nil
		}
		var refused *refusedError
		if ctx.Err() != nil || errors.As(err, &refused) && !refused.elsewhere() {
			break
		}
		r.c.log.Info("registrar's server did not register us", "trunk", r.t.ID, "server", to.String(), "why", err)
	}
	return 0, err
}

// rank says how early a server is to be tried.
func (r *registrar) rank(to locate.Target) int {
	switch {
	case !r.c.usable(r.t, to):
		return 2
	case to == r.via:
		return 0
	}
	return 1
}

// refusedError is a registrar's refusal.
type refusedError struct {
	status int
	words  string
	after  time.Duration
}

func (e *refusedError) Error() string { return e.words }

// elsewhere says that another server may do better: this one has not judged the request.
func (e *refusedError) elsewhere() bool { return e.status >= 500 && e.status <= 599 || e.status == 408 }

// registerAt sends REGISTER to one server, again for a challenge or a longer time if asked to.
func (r *registrar) registerAt(ctx context.Context, to locate.Target, expires time.Duration) (time.Duration, error) {
	r.login.fresh()
	for range maxTries {
		reply, err := r.send(ctx, to, expires)
		if err != nil {
			return 0, err
		}
		switch {
		case reply.Status >= 200 && reply.Status <= 299:
			if expires == 0 {
				return 0, nil
			}
			granted := grantedBy(reply, expires)
			if granted <= 0 {
				return 0, &refusedError{reply.Status, "the registrar agreed and did not register us", 0}
			}
			return min(max(granted, minGranted), maxGranted), nil
		case reply.Status == 401 || reply.Status == 407:
			if err := r.login.challenged(reply); err != nil {
				return 0, err
			}
		case reply.Status == 423:
			wanted, ok := seconds(reply.Values("Min-Expires"))
			if !ok || wanted <= expires || wanted > maxGranted || expires == 0 {
				return 0, &refusedError{423, "the registrar says 423 without a Min-Expires that helps", 0}
			}
			expires, r.expires = wanted, wanted
		default:
			return 0, &refusedError{reply.Status, fmt.Sprintf("the registrar says %d %s", reply.Status, reply.Reason), reply.RetryAfter()}
		}
	}
	return 0, &refusedError{401, "the registrar asked for a password over and over", 0}
}

// send makes and sends one REGISTER.
func (r *registrar) send(ctx context.Context, to locate.Target, expires time.Duration) (*sip.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTime)
	defer cancel()
	uri := "sip:" + hostOf(r.t.Register.Registrar)
	aor := "sip:" + userPart(r.t.Register.User) + "@" + r.t.domain(r.t.Register.Registrar)
	r.seq++
	req := sip.Request{Method: "REGISTER", URI: uri, Via: to, From: aor, To: aor, CallID: r.callID, Seq: r.seq, Contact: userPart(r.t.Register.Contact),
		Headers: []sip.Header{{Name: "Expires", Value: strconv.Itoa(int(expires / time.Second))}}}
	if proof, ok := r.login.proof("REGISTER", uri); ok {
		req.Headers = append(req.Headers, proof)
	}
	if expires > 0 {
		r.asked = to
	}
	reply, err := r.c.cfg.Phone.Ask(ctx, req)
	if err == nil && reply.Status >= 300 {
		r.asked = locate.Target{}
	}
	r.tried(to, reply)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w from %s within %v", sip.ErrNoReply, to, replyTime)
	}
	return reply, err
}

// leave takes the registration back, once and without insisting.
func (r *registrar) leave() {
	r.c.meet(r.t.ID, nil)
	to := r.asked
	if !to.Addr.IsValid() {
		to = r.via
	}
	if to.Addr.IsValid() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
		defer cancel()
		if _, err := r.registerAt(ctx, to, 0); err != nil {
			level := slog.LevelWarn
			if !r.via.Addr.IsValid() { // it had never said that we are
				level = slog.LevelInfo
			}
			r.c.log.Log(ctx, level, "trunk not unregistered", "trunk", r.t.ID, "error", err)
		} else {
			r.c.log.Info("trunk unregistered", "trunk", r.t.ID)
		}
	}
	r.note(func(s *Registered) {
		s.State, s.Since, s.Until, s.Next = Gone, time.Now(), time.Time{}, time.Time{}
	})
}

// note changes the published state, unless another registrar has taken its place.
func (r *registrar) note(change func(*Registered)) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.loops[r.t.ID] != r.l {
		return
	}
	s := r.c.states[r.t.ID]
	if s == nil {
		s = &Registered{State: Trying, Since: time.Now()}
		r.c.states[r.t.ID] = s
	}
	change(s)
}

func (r *registrar) tried(to locate.Target, reply *sip.Reply) {
	if r.heard != nil {
		r.heard(reply)
	}
	r.note(func(s *Registered) {
		s.Server, s.Status = to.String(), 0
		if reply != nil {
			s.Status, s.Contact = reply.Status, reply.Contact
		}
	})
}

func (r *registrar) stands(granted, wait time.Duration) {
	now, renewed := time.Now(), false
	r.note(func(s *Registered) {
		if renewed = s.State == Here; !renewed {
			s.State, s.Since = Here, now
		}
		s.Until, s.Next, s.Error, s.Failures, s.via = now.Add(granted), now.Add(wait), "", 0, r.via
	})
	if !renewed {
		r.c.log.Info("trunk registered", "trunk", r.t.ID, "server", r.via.String(), "for", granted)
	}
}

func (r *registrar) failed(err error, failures int, wait time.Duration) {
	now, over := time.Now(), false
	r.note(func(s *Registered) {
		s.Error, s.Failures, s.Next = strings.TrimPrefix(err.Error(), "sip: "), failures, now.Add(wait)
		if over = s.State != Here || now.Add(wait).After(s.Until); over && s.State == Here {
			s.State, s.Since, s.Until = Trying, now, time.Time{}
		}
	})
	if over {
		r.via = locate.Target{}
		r.c.meet(r.t.ID, nil)
	}
	r.c.log.Warn("trunk not registered", "trunk", r.t.ID, "why", err, "failures", failures, "next_in", wait)
}

// grantedBy is how long a registrar gave: to our address, or else to all (RFC 3261 section
// 10.2.4). Where none of several is ours, because somebody rewrote it on the way, the shortest
// counts.
func grantedBy(reply *sip.Reply, asked time.Duration) time.Duration {
	ours := parseURI(reply.Contact)
	contacts, shortest := reply.Values("Contact"), time.Duration(0)
	for _, v := range contacts {
		var uri sipgo.Uri
		params := sipgo.NewParams()
		if _, err := sipgo.ParseAddressValue(v, &uri, &params); err != nil {
			continue
		}
		d, ok := seconds([]string{params.GetOr("expires", "")})
		if ok && (len(contacts) == 1 || uri.User == ours.User && uri.Host == ours.Host && uri.Port == ours.Port) {
			return d
		}
		if ok && d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if shortest > 0 {
		return shortest
	}
	if d, ok := seconds(reply.Values("Expires")); ok {
		return d
	}
	return asked
}

// seconds reads delta-seconds.
func seconds(values []string) (time.Duration, bool) {
	if len(values) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(values[0]), 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// login answers challenges, and goes on answering the last one while its nonce is good.
type login struct {
	who       digest.Login
	challenge digest.Challenge
	header    string // that the answer goes into; "" = nobody has asked
	count     uint32
	proven    bool // the request before carried an answer to a challenge of this exchange
}

// fresh begins an exchange: one challenge is to be expected, for a nonce can be too old.
func (l *login) fresh() { l.proven = false }

// proof is the header with which a request answers the last challenge.
func (l *login) proof(method, uri string) (sip.Header, bool) {
	if l.header == "" {
		return sip.Header{}, false
	}
	l.count++
	return sip.Header{Name: l.header, Value: digest.Answer(l.challenge, l.who, method, uri, randomHex(8), l.count).String()}, true
}

// challenged takes up a challenge, or says why that is of no use.
func (l *login) challenged(reply *sip.Reply) error {
	asked, answer := "WWW-Authenticate", "Authorization"
	if reply.Status == 407 {
		asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	if l.who.Username == "" {
		return &refusedError{reply.Status, fmt.Sprintf("the other side asks for a password (%d) and the trunk has none", reply.Status), 0}
	}
	for _, field := range reply.Fields(asked) {
		challenge, err := digest.ParseChallenge(field)
		if err != nil {
			continue
		}
		if l.proven && !challenge.Stale {
			return &refusedError{reply.Status, fmt.Sprintf("the other side does not take the password of %q (%d)", l.who.Username, reply.Status), 0}
		}
		l.challenge, l.header, l.count, l.proven = challenge, answer, 0, true
		return nil
	}
	return &refusedError{reply.Status, "the other side asks for a password in no way that is understood", 0}
}
