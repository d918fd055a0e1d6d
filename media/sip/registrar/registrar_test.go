package registrar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var desk = netip.MustParseAddrPort("192.0.2.7:5060")

// shelf is a Store in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]Binding
	err  error
}

func (s *shelf) Bindings(context.Context) ([]Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(slices.Collect(maps.Values(s.kept))...), s.err
}

func (s *shelf) SaveBindings(_ context.Context, user string, bindings []Binding) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.kept[user] = slices.Clone(bindings)
	}
	return s.err
}

func newRegistrar(t *testing.T, cfg Config) *Registrar {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func say(r *Registrar, callID string, seq uint32, expires string, contacts ...string) error {
	_, err := r.Register(context.Background(), Request{User: "bob", CallID: callID, CSeq: seq, Contacts: contacts, Expires: expires, Transport: "UDP", Source: desk, UserAgent: "Desk\x001"})
	return err
}

// found are the contacts of a user's bindings.
func found(r *Registrar) string {
	var out []string
	for _, b := range r.Bindings("bob") {
		out = append(out, b.Contact)
	}
	return strings.Join(out, " ")
}

func TestTheMostPreferredPhoneComesFirst(t *testing.T) {
	r := newRegistrar(t, Config{})
	if err := say(r, "a", 1, "", "<sip:bob@a>;q=0.5", "sip:bob@b;q=0.7", `"B <o>, b" <sip:bob@c:5062;transport=TCP?x=y>;q=1;expires=120`); err != nil {
		t.Fatal(err)
	}
	if got := found(r); got != "sip:bob@c:5062;transport=TCP sip:bob@b sip:bob@a" {
		t.Error(got)
	}
	if b := r.Bindings("bob")[0]; b.UserAgent != "Desk1" || b.Source != desk || !r.At(desk) || !r.Near(desk.Addr()) {
		t.Errorf("%+v", b)
	}
	// The same URI, spelt otherwise, is the same registration.
	if err := say(r, "a", 2, "", "<SIP:bob@C:5062;Transport=tcp>;expires=0"); err != nil || found(r) != "sip:bob@b sip:bob@a" {
		t.Error(err, found(r))
	}
}

func TestAPhoneThatSaysNothingMoreIsForgottenOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		changes := 0
		s := &shelf{kept: map[string][]Binding{}}
		r := newRegistrar(t, Config{Store: s, Changed: func(string) { mu.Lock(); changes++; mu.Unlock() }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		if err := say(r, "a", 1, "60", "<sip:bob@a>", "<sip:bob@b>;expires=90"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60*time.Second - time.Millisecond)
		synctest.Wait()
		if found(r) != "sip:bob@a sip:bob@b" {
			t.Error("before its time:", found(r))
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		kept, _ := s.Bindings(ctx)
		mu.Lock()
		if found(r) != "sip:bob@b" || changes != 2 || len(kept) != 1 {
			t.Error("after it:", found(r), changes, kept)
		}
		mu.Unlock()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if found(r) != "" || len(r.Users()) != 0 || r.At(desk) || r.Near(desk.Addr()) {
			t.Error("at the end:", found(r), r.Users())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsRegisteredSurvivesARestart(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := &shelf{kept: map[string][]Binding{}}
	r := newRegistrar(t, Config{Store: s, now: clock})
	if err := say(r, "a", 7, "", "<sip:bob@a>;expires=60", "<sip:bob@b>;q=0.5;expires=600"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	again := newRegistrar(t, Config{Store: s, now: clock})
	if err := again.Load(t.Context()); err != nil || found(again) != "sip:bob@b" || !again.At(desk) {
		t.Fatal(err, found(again))
	}
	if err := say(again, "a", 7, "", "<sip:bob@b>"); !errors.Is(err, ErrOrder) {
		t.Errorf("a replay after the restart: %v", err)
	}
	s.err = errors.New("disk full")
	if err := say(again, "a", 8, "", "<sip:bob@c>"); err != nil || found(again) == "sip:bob@b" {
		t.Errorf("a store that fails keeps a phone away: %v", err)
	}
	if newRegistrar(t, Config{Store: s}).Load(t.Context()) == nil {
		t.Error("nobody was told that nothing could be read")
	}
}

func TestARequestCountsAsAWholeOrNotAtAll(t *testing.T) {
	r := newRegistrar(t, Config{Contacts: 3, PerSecond: 100})
	if err := say(r, "a", 5, "", "<sip:bob@a>"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		want     error
		callID   string
		seq      uint32
		expires  string
		contacts []string
	}{
		"an old one":         {ErrOrder, "a", 5, "", []string{"<sip:bob@b>", "<sip:bob@a>"}},
		"an old star":        {ErrOrder, "a", 4, "0", []string{"*"}},
		"star and more":      {ErrStar, "b", 1, "0", []string{"*", "<sip:bob@b>"}},
		"star for a while":   {ErrStar, "b", 1, "60", []string{"*"}},
		"star without a say": {ErrStar, "b", 1, "", []string{"*"}},
		"too many":           {ErrMany, "b", 1, "", []string{"<sip:bob@b>", "<sip:bob@c>", "<sip:bob@d>", "<sip:bob@e>"}},
		"too brief":          {ErrBrief, "b", 1, "30", []string{"<sip:bob@b>"}},
		"q of more than 1":   {ErrContact, "b", 1, "", []string{"<sip:bob@b>;q=1.001"}},
		"no URI":             {ErrContact, "b", 1, "", []string{"<sip:bob@b>", "<>"}},
		"a long one":         {ErrContact, "b", 1, "", []string{"<sip:" + strings.Repeat("b", 600) + "@b>"}},
		"a line break":       {ErrContact, "b", 1, "", []string{"<sip:bob@b\r\nX: y>"}},
	} {
		if err := say(r, c.callID, c.seq, c.expires, c.contacts...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if found(r) != "sip:bob@a" {
			t.Fatalf("%s: changed something: %s", name, found(r))
		}
	}
	for name, c := range map[string]struct{ expires, contact string }{
		"a restarted phone":           {"", "<sip:bob@a>"},
		"malformed counts as an hour": {"soon", "<sip:bob@a>"},
		"twice in one request":        {"", "<sip:bob@a>;expires=70, <sip:bob@a>"},
	} {
		if err := say(r, "b"+name, 1, c.expires, strings.Split(c.contact, ", ")...); err != nil || found(r) != "sip:bob@a" {
			t.Errorf("%s: %v %s", name, err, found(r))
		}
	}
	r.Keep(t.Context(), func(string) (digest.Login, bool) { return digest.Login{}, false })
	if found(r) != "" {
		t.Error("kept", found(r))
	}
}

func TestASoftphoneThatIsStartedAnewEachTimeStaysReachable(t *testing.T) {
	r := newRegistrar(t, Config{PerSecond: 1000, Contacts: 3})
	for i := range 9 { // it has another name at another port each time
		if err := say(r, fmt.Sprint(i), 1, "", fmt.Sprintf("<sip:%d@a:%d>", i, 1000+i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(r); got != "sip:8@a:1008 sip:7@a:1007 sip:6@a:1006" {
		t.Error(got)
	}
	if err := say(r, "6", 2, "", "<sip:6@a:1006>"); err != nil { // one is renewed: it is not the oldest any more
		t.Fatal(err)
	}
	if err := say(r, "9", 1, "", "<sip:9@a>"); err != nil || found(r) != "sip:9@a sip:8@a:1008 sip:6@a:1006" {
		t.Error(err, found(r))
	}
	if _, err := r.Register(t.Context(), Request{User: "bob", CallID: "10", CSeq: 1, Contacts: []string{"<sip:10@a>"}, Source: desk,
		Dead: func(b Binding) bool { return b.Contact == "sip:9@a" }}); err != nil || found(r) != "sip:10@a sip:8@a:1008 sip:6@a:1006" {
		t.Error("the dead one is kept:", err, found(r))
	}
	if err := say(r, "11", 1, "", "<sip:a@a>", "<sip:b@a>", "<sip:c@a>", "<sip:d@a>"); !errors.Is(err, ErrMany) {
		t.Errorf("four at once where three are allowed: %v", err)
	}
}

// RFC 5626 section 6: what is one phone is one registration, whatever it calls itself.
func TestADeviceThatSaysWhichItIsIsRegisteredOnce(t *testing.T) {
	r := newRegistrar(t, Config{PerSecond: 1000})
	const one, two = `;+sip.instance="<urn:uuid:AAAA>"`, `;+sip.instance="<urn:uuid:bbbb>"`
	for i, c := range []struct{ contact, want string }{
		{"<sip:a@x>" + one, "sip:a@x"},
		{"<sip:b@x>" + strings.ToLower(one), "sip:b@x"},
		{"<sip:c@x>" + two, "sip:c@x sip:b@x"},
		{"<sip:d@x>;reg-id=1" + two, "sip:d@x sip:c@x sip:b@x"}, // another flow of the same
		{"<sip:e@x>;reg-id=2" + two, "sip:e@x sip:d@x sip:c@x sip:b@x"},
		{"<sip:f@x>" + two + ";reg-id=1", "sip:e@x sip:f@x sip:c@x sip:b@x"}, // since the first of it
		{"<sip:g@x>" + one + ";expires=0", "sip:e@x sip:f@x sip:c@x"},
		{"<sip:h@x>" + one + ", <sip:i@x>" + one, "sip:h@x sip:i@x sip:e@x sip:f@x sip:c@x"}, // two ways to it, at once
	} {
		if err := say(r, fmt.Sprint(i), 1, "", strings.Split(c.contact, ", ")...); err != nil || found(r) != c.want {
			t.Errorf("after %s: %v, %s, want %s", c.contact, err, found(r), c.want)
		}
	}
	if err := say(r, "8", 5, "", "<sip:j@x>"+one); err != nil || found(r) != "sip:j@x sip:e@x sip:f@x sip:c@x" {
		t.Error(err, found(r))
	}
	if err := say(r, "8", 4, "", "<sip:k@x>"+one); !errors.Is(err, ErrOrder) {
		t.Errorf("an older request of the device's: %v", err)
	}
}

// Whoever has a password that was changed is not called any more, nor after a restart.
func TestAPasswordThatIsChangedEndsWhatItRegistered(t *testing.T) {
	old, changed := digest.Login{Username: "bob", Password: "stolen"}, digest.Login{Username: "bob", Password: "own"}
	users := map[string]digest.Login{"bob": old, "ada": {Username: "ada", Password: "hers"}}
	now := func(user string) (digest.Login, bool) { l, there := users[user]; return l, there }
	s := &shelf{kept: map[string][]Binding{}}
	var told []string
	r := newRegistrar(t, Config{Store: s, Changed: func(user string) { told = append(told, user) }})
	r.Keep(t.Context(), now)
	by := func(r *Registrar, user string, l digest.Login, contact string) error {
		_, err := r.Register(t.Context(), Request{User: user, Login: l, CallID: contact, CSeq: 1, Contacts: []string{contact}, Transport: "UDP", Source: desk})
		return err
	}
	for _, err := range []error{by(r, "bob", old, "<sip:thief@x>"), by(r, "ada", users["ada"], "<sip:ada@x>")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range s.kept["bob"] {
		if strings.Contains(fmt.Sprintf("%+v", b), "stolen") || b.Seal == "" {
			t.Errorf("the store has %+v", b)
		}
	}
	early := newRegistrar(t, Config{Store: s})
	if err := early.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	early.Keep(t.Context(), now)
	if found(early) != "sip:thief@x" {
		t.Error("after a restart with the same password:", found(early))
	}

	users["bob"] = changed
	if err := by(r, "bob", changed, "<sip:bob@y>"); err != nil { // before the other is told
		t.Fatal(err)
	}
	late := newRegistrar(t, Config{Store: s}) // a restart in the middle of it
	if err := late.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Registrar{r, late} {
		told = nil
		r.Keep(t.Context(), now)
		if found(r) != "sip:bob@y" || len(r.Bindings("ada")) != 1 {
			t.Errorf("registered: %s; ada: %v", found(r), r.Bindings("ada"))
		}
	}
	if len(s.kept["bob"]) != 1 || s.kept["bob"][0].Contact != "sip:bob@y" {
		t.Errorf("the store has %+v", s.kept["bob"])
	}
	if err := by(r, "bob", old, "<sip:thief@z>"); !errors.Is(err, ErrLogin) { // on its way since before
		t.Errorf("the old password: %v", err)
	}
	told = nil
	delete(users, "bob")
	r.Keep(t.Context(), now)
	if found(r) != "" || !slices.Equal(told, []string{"bob"}) || len(s.kept["bob"]) != 0 {
		t.Errorf("without a phone: %s, told of %v, stored %v", found(r), told, s.kept["bob"])
	}
}

// Whatever stands in Contact and Expires: it is refused, or what is kept can be said to a
// phone, lasts as long as it may, and is one thing however often it is registered.
func FuzzRegister(f *testing.F) {
	for _, s := range []string{"<sip:bob@a>;q=0.5;expires=60", "sip:bob@b", "*", `"a\"<" <sips:b@[2001:db8::1]:5061;transport=tls;ob>;+sip.instance="<urn:uuid:1>";reg-id=1`, "<sip:%00@a>", "sip:b@c;expires=99999999999"} {
		f.Add(s, "")
		f.Add(s, "0")
		f.Add(s, "120")
	}
	f.Fuzz(func(t *testing.T, value, expires string) {
		r := newRegistrar(t, Config{})
		if say(r, "a", 1, expires, value) != nil {
			if found(r) != "" {
				t.Fatalf("refused and kept: %s", found(r))
			}
			return
		}
		now := time.Now()
		for _, b := range r.Bindings("bob") {
			if strings.ContainsAny(b.Contact, "<>\r\n\x00 \"?") || len(b.Contact) > maxContact || b.Q < 0 || b.Q > 1000 {
				t.Errorf("%q is kept as %+v", value, b)
			}
			if left := b.Expires.Sub(now); left > DefaultMaxExpires+time.Second || left < 50*time.Second {
				t.Errorf("%q %q: expires in %v", value, expires, left)
			}
			if key, ok := keyOf(b.Contact); !ok || key != b.key {
				t.Errorf("%q is another registration when it is said again: %q, %q", b.Contact, b.key, key)
			}
			again := strings.TrimPrefix(b.String(now), "Contact: ")
			if err := say(r, "b", 1, "", again); err != nil || len(r.Bindings("bob")) != 1 {
				t.Errorf("%q, said back as %q: %v, %d registrations", value, again, err, len(r.Bindings("bob")))
			}
		}
	})
}
