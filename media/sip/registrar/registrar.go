package registrar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

// Bounds and times of a Config that says nothing.
const (
	DefaultContacts   = 10
	DefaultMinExpires = time.Minute
	DefaultExpires    = time.Hour
	DefaultMaxExpires = time.Hour
	DefaultPerSecond  = 10

	saveTimeout = 2 * time.Second // a store that is slower is told of in the log; the phone is not kept waiting
	maxText     = 128             // bytes of a User-Agent that are kept
)

// Why a REGISTER is refused.
var (
	ErrContact = errors.New("a Contact that cannot be read, or is no SIP address")
	ErrStar    = errors.New(`"*" without "Expires: 0", or beside another Contact`)
	ErrOrder   = errors.New("older than what is registered: the CSeq did not go up")
	ErrMany    = errors.New("more contacts at once than one user may have")
	ErrRate    = errors.New("more REGISTER requests than one user may send")
	ErrBusy    = errors.New("an earlier REGISTER of this user is still being carried out")
	ErrLogin   = errors.New("the password that was shown is the user's no more")
	ErrBrief   = errors.New("registered for too short a time")
)

// Binding is one registration of a user's phone.
type Binding struct {
	User      string
	Contact   string // the URI that the phone gave, to be the request's target
	Q         int    // thousandths: the higher is to be preferred
	CallID    string
	CSeq      uint32
	Transport string         // "UDP", "TCP" or "TLS"
	Source    netip.AddrPort // where the REGISTER came from
	UserAgent string
	Since     time.Time // when this contact was first registered
	Expires   time.Time
	Seal      string // of the login that it was made by
	Instance  string // +sip.instance and reg-id, "" for none
	key       string
}

// Request is a REGISTER whose sender has shown the user's password.
type Request struct {
	User      string
	Login     digest.Login // that its sender has shown; not kept
	CallID    string
	CSeq      uint32
	Contacts  []string // the values of its Contact headers
	Expires   string   // the header's value; "" for none
	Transport string
	Source    netip.AddrPort
	UserAgent string
	Dead      func(Binding) bool // that nothing can be sent to it any more; nil = none is known to be
}

// Store keeps the bindings over a restart.
type Store interface {
	Bindings(ctx context.Context) ([]Binding, error)
	// SaveBindings replaces a user's.
	SaveBindings(ctx context.Context, user string, bindings []Binding) error
}

// Config says what a Registrar allows; zero values take the defaults.
type Config struct {
	Contacts                        int // for each user
	PerSecond                       int // REGISTER requests of each user
	MinExpires, Expires, MaxExpires time.Duration
	Store                           Store             // nil = forgotten at the end
	Changed                         func(user string) // told after each change; it must not block
	Log                             *slog.Logger
	now                             func() time.Time
}

// Registrar knows where phones are. Its methods may be called from any goroutine.
type Registrar struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex
	users   map[string]*user
	sources map[netip.AddrPort]int // of bindings, counted
	hosts   map[netip.Addr]int
	due     deadlines
	login   func(user string) (digest.Login, bool) // of Keep; nil = any may register
}

// New makes a registrar that knows nobody; see Load.
func New(cfg Config) (*Registrar, error) {
	cfg.Contacts = cmp.Or(cfg.Contacts, DefaultContacts)
	cfg.PerSecond = cmp.Or(cfg.PerSecond, DefaultPerSecond)
	cfg.MinExpires = cmp.Or(cfg.MinExpires, DefaultMinExpires)
	cfg.Expires = cmp.Or(cfg.Expires, DefaultExpires)
	cfg.MaxExpires = cmp.Or(cfg.MaxExpires, DefaultMaxExpires)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.Contacts < 1 || cfg.PerSecond < 1 || cfg.MinExpires < time.Second || cfg.Expires < cfg.MinExpires || cfg.MaxExpires < cfg.Expires {
		return nil, fmt.Errorf("registrar: %d contacts, %d requests a second, for %v, at the least %v and at the most %v", cfg.Contacts, cfg.PerSecond, cfg.Expires, cfg.MinExpires, cfg.MaxExpires)
	}
	return &Registrar{cfg: cfg, wake: make(chan struct{}, 1), users: make(map[string]*user), sources: make(map[netip.AddrPort]int), hosts: make(map[netip.Addr]int)}, nil
}

// Load takes up what the store has kept and has not expired meanwhile. It is called once,
// before anybody registers.
func (r *Registrar) Load(ctx context.Context) error {
	if r.cfg.Store == nil {
		return nil
	}
	kept, err := r.cfg.Store.Bindings(ctx)
	if err != nil {
		return fmt.Errorf("registrar: %w", err)
	}
	byUser := make(map[string][]Binding)
	for _, b := range kept {
		var ok bool
		if b.key, ok = keyOf(b.Contact); ok && b.Expires.After(r.cfg.now()) && len(byUser[b.User]) < r.cfg.Contacts {
			byUser[b.User] = append(byUser[b.User], b)
		}
	}
	for name, bindings := range byUser {
		r.put(r.user(name), bindings)
	}
	return nil
}

// Register carries a REGISTER out and gives the user's bindings after it (RFC 3261 section
// 10.3, steps 6 to 8). All of it counts or, with an error, nothing.
func (r *Registrar) Register(ctx context.Context, q Request) ([]Binding, error) {
	u := r.user(q.User)
	if !r.allow(u, r.cfg.now()) {
		return nil, ErrRate
	}
	if err := u.lock(ctx); err != nil {
		return nil, err
	}
	defer u.unlock()
	if !r.may(q) {
		return nil, ErrLogin
	}
	now := r.cfg.now()
	have := r.live(u, now)
	if len(q.Contacts) == 0 {
		return have, nil
	}
	next, err := r.change(have, q, now)
	if err != nil {
		return nil, err
	}
	r.put(u, next)
	r.save(ctx, u, next)
	r.cfg.Changed(q.User)
	return slices.Clone(next), nil
}

// change is what a user's bindings become.
func (r *Registrar) change(have []Binding, q Request, now time.Time) ([]Binding, error) {
	if slices.Contains(q.Contacts, "*") {
		if len(q.Contacts) > 1 || q.Expires == "" || parseExpires(q.Expires) != 0 {
			return nil, ErrStar
		}
		for _, b := range have {
			if b.CallID == q.CallID && q.CSeq <= b.CSeq {
				return nil, ErrOrder
			}
		}
		return []Binding{}, nil
	}
	next, seal := slices.Clone(have), sealAmong(have, q.Login)
	for _, value := range q.Contacts {
		c, err := parseContact(value)
		if err != nil {
			return nil, ErrContact
		}
		granted, err := r.grant(c, q.Expires)
		if err != nil {
			return nil, err
		}
		same := func(b Binding) bool {
			return b.key == c.key || c.instance != "" && b.Instance == c.instance && (b.CallID != q.CallID || b.CSeq != q.CSeq)
		}
		if slices.ContainsFunc(have, func(b Binding) bool { return same(b) && b.CallID == q.CallID && q.CSeq <= b.CSeq }) {
			return nil, ErrOrder
		}
		since := now
		if i := slices.IndexFunc(next, same); i >= 0 {
			since = next[i].Since
			next = slices.DeleteFunc(next, same)
		}
		if granted == 0 {
			continue
		}
		next = append(next, Binding{User: q.User, Contact: c.uri, Q: c.q, CallID: q.CallID, CSeq: q.CSeq, Transport: q.Transport, Source: q.Source,
			UserAgent: clip(q.UserAgent), Since: since, Expires: now.Add(granted), Seal: seal, Instance: c.instance, key: c.key})
	}
	return r.makeRoom(next, q)
}

// makeRoom takes away, of those that a request does not renew, what is too many: the dead ones
// first, then those renewed the longest ago, which stand first. A phone that gives itself
// another name at each start would else lock itself out.
func (r *Registrar) makeRoom(next []Binding, q Request) ([]Binding, error) {
	older := func(b Binding) bool { return b.CallID != q.CallID || b.CSeq != q.CSeq }
	for len(next) > r.cfg.Contacts {
		i := slices.IndexFunc(next, func(b Binding) bool { return older(b) && q.Dead != nil && q.Dead(b) })
		if i < 0 {
			i = slices.IndexFunc(next, older)
		}
		if i < 0 {
			return nil, ErrMany
		}
		next = slices.Delete(next, i, i+1)
	}
	return next, nil
}

// grant is for how long a contact is registered; zero removes it. An hour is never too brief
// (section 10.3, step 7).
func (r *Registrar) grant(c contact, header string) (time.Duration, error) {
	asked := r.cfg.Expires
	switch {
	case c.expires != nil:
		asked = *c.expires
	case header != "":
		asked = parseExpires(header)
	}
	if asked > 0 && asked < time.Hour && asked < r.cfg.MinExpires {
		return 0, ErrBrief
	}
	return min(asked, r.cfg.MaxExpires), nil
}

// MinExpires is the shortest time that a phone may register for.
func (r *Registrar) MinExpires() time.Duration { return r.cfg.MinExpires }

// Bindings are a user's that have not expired, the most preferred first and of equals the
// newest.
func (r *Registrar) Bindings(name string) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, now := r.users[name], r.cfg.now()
	if u == nil {
		return nil
	}
	out := slices.DeleteFunc(slices.Clone(u.bindings), func(b Binding) bool { return !b.Expires.After(now) })
	slices.SortStableFunc(out, func(a, b Binding) int { return cmp.Or(b.Q-a.Q, b.Since.Compare(a.Since)) })
	return out
}

// Users are those who have bindings.
func (r *Registrar) Users() []string {
	r.mu.Lock()
	out := make([]string, 0, len(r.due))
	for _, u := range r.due {
		out = append(out, u.name)
	}
	r.mu.Unlock()
	slices.Sort(out)
	return out
}

// At says that a phone registered from this address and port is known.
func (r *Registrar) At(source netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[source] > 0
}

// Near says that a phone registered from this address is known, at whatever port.
func (r *Registrar) Near(a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[a] > 0
}

// Keep forgets the bindings of users who are not to have any, and those that were made by
// another login than the user now has. From here on nobody registers otherwise.
func (r *Registrar) Keep(ctx context.Context, login func(user string) (digest.Login, bool)) {
	r.mu.Lock()
	r.login = login // before the users are listed: whoever is not yet among them asks it
	users := slices.Collect(maps.Values(r.users))
	r.mu.Unlock()
	for _, u := range users {
		if u.lock(ctx) != nil {
			return
		}
		now, there := login(u.name)
		have := r.live(u, r.cfg.now())
		kept := slices.DeleteFunc(slices.Clone(have), func(b Binding) bool { return !there || !b.sealedBy(now) })
		gone := len(kept) < len(have)
		if gone {
			r.put(u, kept)
			r.save(ctx, u, kept)
		}
		u.unlock()
		if gone {
			r.cfg.Log.Info("registrations ended: the user has another password, or no phone", "user", u.name, "registrations", len(have)-len(kept))
			r.cfg.Changed(u.name)
		}
	}
}

// may says that the user's login is still what was shown; u.busy is held.
func (r *Registrar) may(q Request) bool {
	r.mu.Lock()
	login := r.login
	r.mu.Unlock()
	if login == nil {
		return true
	}
	now, there := login(q.User)
	return there && now == q.Login
}

// Run ends what expires, until ctx ends.
func (r *Registrar) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		timer.Reset(r.expire(ctx))
	}
}

// expire takes away what is over and says when to look again. Nobody is looked at whose time
// has not come.
func (r *Registrar) expire(ctx context.Context) time.Duration {
	for {
		now := r.cfg.now()
		u, wait := r.next(now)
		if u == nil {
			return wait
		}
		if u.lock(ctx) != nil {
			return time.Hour // it is the end
		}
		r.mu.Lock()
		over := !u.due.After(now) && u.place >= 0 // it may have registered meanwhile
		r.mu.Unlock()
		if over {
			live := r.live(u, now)
			r.put(u, live)
			r.save(ctx, u, live)
		}
		u.unlock()
		if over {
			r.cfg.Changed(u.name)
		}
	}
}

// next is a user of whom something has expired, or how long there is none.
func (r *Registrar) next(now time.Time) (*user, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.due) == 0:
		return nil, time.Hour
	case !r.due[0].due.After(now):
		return r.due[0], 0
	default:
		return nil, r.due[0].due.Sub(now) + time.Millisecond // not a moment before it
	}
}

// live is a copy of what has not expired.
func (r *Registrar) live(u *user, now time.Time) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(u.bindings), func(b Binding) bool { return !b.Expires.After(now) })
}

// save keeps bindings over a restart, unless the store has about the same. That it failed is for
// the log: the phone is registered.
func (r *Registrar) save(ctx context.Context, u *user, bindings []Binding) {
	if r.cfg.Store == nil || u.saved && alike(u.stored, bindings, r.cfg.now()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := r.cfg.Store.SaveBindings(ctx, u.name, bindings)
	if err != nil {
		r.cfg.Log.Error("a phone's registration is not kept over a restart", "user", u.name, "err", err)
	}
	u.stored, u.saved = bindings, err == nil
}

// alike says that bindings were renewed at the most, and by less than half of their time: a
// restart would forget them no sooner than a phone renews them.
func alike(stored, bindings []Binding, now time.Time) bool {
	return len(stored) == len(bindings) && !slices.ContainsFunc(bindings, func(b Binding) bool {
		return !slices.ContainsFunc(stored, func(a Binding) bool {
			later := b.Expires.Sub(a.Expires)
			a.CSeq, a.Expires = b.CSeq, b.Expires
			return a == b && later >= 0 && 2*later < b.Expires.Sub(now)
		})
	})
}

// String is a binding as its Contact in the answer to a REGISTER.
func (b Binding) String(now time.Time) string {
	out := "<" + b.Contact + ">;expires=" + strconv.Itoa(max(1, int(b.Expires.Sub(now).Round(time.Second)/time.Second)))
	if b.Q < 1000 {
		out += fmt.Sprintf(";q=0.%03d", b.Q)
	}
	return out
}

// clip is a text of a phone's own as it may be shown and stored.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "")
}
