package carrier_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

var account = digest.Login{Username: "4930123", Password: "open sesame"}

// registrar is a peer that registers whoever knows the password.
type registrar struct {
	*peer
	nonces *digest.Nonces
	now    time.Time

	mu       sync.Mutex
	granted  int      // seconds
	floor    int      // Min-Expires
	status   string   // said instead, if set
	here     bool     // somebody is registered
	accepted []string // the counts of the answers that were taken
	stale    bool     // no nonce is good any more
}

func newRegistrar(t *testing.T) *registrar {
	t.Helper()
	r := &registrar{nonces: digest.NewNonces(time.Hour), now: time.Now(), granted: 60}
	r.peer = newPeer(t, r.reply)
	return r
}

func (r *registrar) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *registrar) is() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.here
}

func (r *registrar) reply(req string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !strings.HasPrefix(req, "REGISTER ") || r.status != "" {
		return []string{r.status}[:min(1, len(r.status))]
	}
	cred, err := digest.ParseCredentials(header(req, "Authorization"))
	stale := err == nil && (r.stale || r.nonces.Check(r.now, loopback, cred.Nonce) != digest.Fresh)
	if err != nil || stale || !digest.NewAccount(account, "carrier").Knows(cred, "REGISTER") || !r.nonces.Use(r.now, loopback, cred) {
		r.stale = false
		c := digest.Challenge{Realm: "carrier", Nonce: r.nonces.Issue(r.now, loopback), Algorithm: digest.MD5, Auth: true, Stale: stale}
		return []string{"401 Unauthorized\nWWW-Authenticate: " + c.String()}
	}
	r.accepted = append(r.accepted, cred.NC)
	var expires int
	_, _ = fmt.Sscan(header(req, "Expires"), &expires)
	if expires > 0 && expires < r.floor {
		return []string{fmt.Sprintf("423 Interval Too Brief\nMin-Expires: %d", r.floor)}
	}
	if r.here = expires > 0; !r.here {
		return []string{"200 OK"}
	}
	contact, _, _ := strings.Cut(header(req, "Contact"), ";expires")
	return []string{fmt.Sprintf("200 OK\nContact: <sip:other@192.0.2.1>;expires=9999, %s;expires=%d\nExpires: 7777", contact, r.granted)}
}

func registered(targets ...carrier.Target) carrier.Trunk {
	return carrier.Trunk{ID: "carrier", Targets: targets, Login: account, Register: carrier.Registration{On: true, Expires: 30 * time.Second}}
}

func registration(c *carrier.Carrier) carrier.Registered { return *c.States()[0].Registration }

func TestATrunkIsRegisteredRefreshedAndTakenBack(t *testing.T) {
	t.Parallel()
	r := newRegistrar(t)
	r.set(func() { r.granted, r.floor = 1, 40 })
	var mu sync.Mutex
	var met map[string][]netip.Addr
	cr, stop := newCarrier(t, func(c *carrier.Config) {
		c.Met = func(m map[string][]netip.Addr) {
			mu.Lock()
			defer mu.Unlock()
			met = m
		}
	}, registered(r.target()))
	at := func() []netip.Addr {
		mu.Lock()
		defer mu.Unlock()
		return met["carrier"]
	}
	first := r.expect("REGISTER")
	if header(first, "Expires") != "30" || !strings.HasPrefix(header(first, "Contact"), "<sip:4930123@127.0.0.1:") ||
		!strings.HasPrefix(first, "REGISTER sip:"+r.addr()+" ") || !strings.HasPrefix(header(first, "To"), "<sip:4930123@127.0.0.1>") {
		t.Errorf("%s", first)
	}
	eventually(t, "registered", func() bool { return registration(cr).State == carrier.Here })
	if got := registration(cr); got.Status != 200 || got.Error != "" || time.Until(got.Until) > 2*time.Second || got.Server != r.addr()+"/UDP" {
		t.Errorf("%+v", got)
	}
	if a := at(); len(a) != 1 || a[0] != loopback {
		t.Errorf("met at %v", a)
	}
	// 423 raised it; then refreshes go on with the same nonce, until it is stale.
	eventually(t, "three refreshes with one nonce", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.accepted) >= 5
	})
	r.set(func() {
		if strings.Join(r.accepted[:5], " ") != "00000001 00000002 00000003 00000004 00000005" {
			t.Errorf("counts %v", r.accepted)
		}
		r.accepted, r.stale = nil, true
	})
	eventually(t, "a refresh with a new nonce", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.accepted) >= 1 && r.accepted[0] == "00000001"
	})
	var last string
	for len(r.seen) > 0 {
		last = <-r.seen
	}
	if header(last, "Call-ID") != header(first, "Call-ID") || header(last, "Expires") != "40" {
		t.Errorf("first\n%s\nlast\n%s", first, last)
	}
	stop()
	if r.is() || at() != nil {
		t.Error("still registered")
	}
	if got := registration(cr); got.State != carrier.Gone {
		t.Errorf("%+v", got)
	}
}

func TestTheNextRegistrarIsTakenWhenOneFailsAndWhenItGoesDown(t *testing.T) {
	t.Parallel()
	first, second := newRegistrar(t), newRegistrar(t)
	first.set(func() { first.status = "503 Service Unavailable" })
	hosts := twoHops{first.addr(), second.addr()}
	trunk := registered(carrier.Target{URI: "sip:carrier.example"})
	trunk.KeepAlive, trunk.FirstReply = 20*time.Millisecond, time.Second
	cr, _ := newCarrier(t, func(c *carrier.Config) { c.Locator = hosts }, trunk)
	eventually(t, "registered at the second", second.is)
	first.set(func() { first.status = "" })
	first.be(func(req string) []string {
		if strings.HasPrefix(req, "OPTIONS ") {
			return []string{"200 OK"}
		}
		return first.reply(req)
	})
	eventually(t, "the first is up", func() bool { return server(cr, first.addr()).State == carrier.Up })
	second.be(always())
	eventually(t, "registered at the first", first.is)
	if got := registration(cr); got.State != carrier.Here {
		eventually(t, "and known to be", func() bool { return registration(cr).State == carrier.Here })
	}
}

// twoHops leads every name to UDP addresses.
type twoHops []string

func (l twoHops) LocateURI(context.Context, string) ([]locate.Target, error) {
	var out []locate.Target
	for _, a := range l {
		out = append(out, locate.Target{Transport: "UDP", Addr: netip.MustParseAddrPort(a), Host: "carrier.example"})
	}
	return out, nil
}

func TestWhatIsWrongWithARegistrationIsSaidInWords(t *testing.T) {
	t.Parallel()
	wrong := account
	wrong.Password = "guess"
	for name, c := range map[string]struct {
		login  digest.Login
		status string
		words  string
		code   int
	}{
		"a wrong password": {wrong, "", `does not take the password of "4930123"`, 401},
		"no password":      {digest.Login{}, "", "the trunk has none", 401},
		"a refusal":        {account, "403 Forbidden", "the registrar says 403 Forbidden", 403},
		"a useless 423":    {account, "423 Interval Too Brief", "without a Min-Expires", 423},
		"a riddle":         {account, "401 Unauthorized\nWWW-Authenticate: Negotiate abc", "in no way that is understood", 401},
		"a broken promise": {account, "200 OK\nExpires: 0", "did not register us", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistrar(t)
			r.set(func() { r.status = c.status })
			trunk := registered(r.target())
			trunk.Login, trunk.Register.User = c.login, "4930123"
			cr, _ := newCarrier(t, nil, trunk)
			eventually(t, "a second failure", func() bool { return registration(cr).Failures >= 2 })
			if got := registration(cr); got.State != carrier.Trying || !strings.Contains(got.Error, c.words) || got.Status != c.code || got.Next.IsZero() {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestWhenOurAddressWasRewrittenTheShortestTimeCounts(t *testing.T) {
	t.Parallel()
	r := newPeer(t, always("200 OK\nContact: <sip:4930123@192.0.2.1:1>;expires=3000, <sip:4930123@192.0.2.2:2>;expires=90\nExpires: 7777"))
	cr, _ := newCarrier(t, nil, registered(r.target()))
	eventually(t, "registered", func() bool { return registration(cr).State == carrier.Here })
	if left := time.Until(registration(cr).Until); left > 90*time.Second || left < time.Minute {
		t.Errorf("for %v", left)
	}
}

func TestARegistrarThatAsksToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	r := newRegistrar(t)
	r.set(func() { r.status = "503 Service Unavailable\nRetry-After: 600" })
	cr, _ := newCarrier(t, nil, registered(r.target()))
	eventually(t, "the failure", func() bool { return registration(cr).Failures == 1 })
	if wait := time.Until(registration(cr).Next); wait < 9*time.Minute {
		t.Errorf("tries again in %v", wait)
	}
}

func TestATrunkThatIsChangedIsRegisteredAnewAndOneThatIsNotIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRegistrar(t)
	trunk := registered(r.target())
	cr, _ := newCarrier(t, nil, trunk)
	eventually(t, "registered", r.is)
	set := func(trunks ...carrier.Trunk) {
		t.Helper()
		if err := cr.SetTrunks(trunks); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "known", func() bool { return registration(cr).State == carrier.Here })
	since := registration(cr).Since
	set(trunk, carrier.Trunk{ID: "other"})
	if got := registration(cr); got.State != carrier.Here || got.Since != since {
		t.Errorf("%+v", got)
	}
	trunk.Register.Contact = "somebody"
	set(trunk)
	eventually(t, "the new contact", func() bool {
		got := registration(cr)
		return got.State == carrier.Here && strings.Contains(got.Contact, "sip:somebody@")
	})
	if !r.is() {
		t.Error("the old one's goodbye undid the new one's greeting")
	}
	set()
	eventually(t, "unregistered", func() bool { return !r.is() })
}

func TestServersAreUpWhileTheyAnswer(t *testing.T) {
	t.Parallel()
	p := newPeer(t, always("404 Not Found")) // an answer all the same
	trunk := carrier.Trunk{ID: "carrier", Targets: []carrier.Target{p.target()}, KeepAlive: 20 * time.Millisecond, FirstReply: time.Second}
	cr, _ := newCarrier(t, nil, trunk)
	is := func(state carrier.Health, status int) func() bool {
		return func() bool {
			s := server(cr, p.addr())
			return s.State == state && s.Status == status
		}
	}
	eventually(t, "up", is(carrier.Up, 404))
	if s := server(cr, p.addr()); s.RoundTrip <= 0 || s.Checked.IsZero() || s.Since.IsZero() || s.Words != "" {
		t.Errorf("%+v", s)
	}
	p.be(always())
	eventually(t, "down", is(carrier.Down, 0))
	if s := server(cr, p.addr()); !strings.Contains(s.Words, "no reply to OPTIONS within 1s") {
		t.Errorf("%+v", s)
	}
	p.be(always("200 OK"))
	eventually(t, "up again", is(carrier.Up, 200))
	p.be(always("503 Service Unavailable\nRetry-After: 600"))
	eventually(t, "down by its own word", is(carrier.Down, 503))
	p.be(always("200 OK"))
	eventually(t, "answers again", is(carrier.Down, 200)) // and is left alone for as long as it said
}
