package registrar

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a Store that counts what is written, and may be slow.
type counting struct {
	writes int
	slow   chan struct{} // if set, a write lasts until it is closed
}

func (c *counting) Bindings(context.Context) ([]Binding, error) { return nil, nil }

func (c *counting) SaveBindings(context.Context, string, []Binding) error {
	c.writes++
	if c.slow != nil {
		<-c.slow
	}
	return nil
}

func TestAPhoneThatRegistersAllTheTimeIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistrar(t, Config{})
		refused := 0
		for i := range 15 {
			if err := say(r, "a", uint32(i+1), "", "<sip:bob@a>"); errors.Is(err, ErrRate) {
				refused++
			}
		}
		if refused != 5 {
			t.Errorf("%d of 15 refused", refused)
		}
		if _, err := r.Register(t.Context(), Request{User: "ada", CallID: "b", CSeq: 1, Source: desk}); err != nil {
			t.Errorf("another user has to wait: %v", err)
		}
		time.Sleep(time.Second)
		if err := say(r, "a", 99, "", "<sip:bob@a>"); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}

func TestARegistrationThatIsRenewedIsSeldomWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{}
		r := newRegistrar(t, Config{Store: s})
		seq := uint32(0)
		for _, c := range []struct {
			after   time.Duration
			contact string
			writes  int
		}{
			{0, "<sip:bob@a>;expires=100", 1},
			{20 * time.Second, "<sip:bob@a>;expires=100", 1},
			{20 * time.Second, "<sip:bob@a>;expires=100", 1},
			{20 * time.Second, "<sip:bob@a>;expires=100", 2}, // a minute later than what is stored
			{0, "<sip:bob@b>;expires=100", 3},
			{0, "<sip:bob@b>;expires=100;q=0.5", 4},
			{0, "<sip:bob@b>;expires=70;q=0.5", 5}, // sooner
			{0, "<sip:bob@b>;expires=0", 6},
		} {
			time.Sleep(c.after)
			seq++
			if err := say(r, "a", seq, "", c.contact); err != nil || s.writes != c.writes {
				t.Errorf("%s after %v: %d written, want %d; %v", c.contact, c.after, s.writes, c.writes, err)
			}
		}
	})
}

func TestWhoWaitsForASlowStoreGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{slow: make(chan struct{})}
		r := newRegistrar(t, Config{Store: s})
		go func() { _ = say(r, "a", 1, "", "<sip:bob@a>") }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Register(ctx, Request{User: "bob", CallID: "b", CSeq: 1, Source: desk}); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if !r.Near(desk.Addr()) || !r.At(desk) {
			t.Error("the packet path does not see what the store has not")
		}
		close(s.slow)
		synctest.Wait()
	})
}

// However many register, whenever each expires, none is forgotten early and none is left.
func TestEachOfManyExpiresInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistrar(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		const users = 50
		begun := time.Now()
		for round := range 2 {
			for i := range users {
				seconds := 60 + (i*37+round*11)%users
				if _, err := r.Register(ctx, Request{User: fmt.Sprint(i), CallID: "a", CSeq: uint32(round + 1), Source: desk,
					Contacts: []string{"<sip:a@b>"}, Expires: fmt.Sprint(seconds)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range users {
			if n := len(r.Users()); n != users-i {
				t.Fatalf("%v: %d users", time.Since(begun), n)
			}
			time.Sleep(time.Until(begun.Add(time.Duration(60+i)*time.Second + 10*time.Millisecond)))
			synctest.Wait()
		}
		if len(r.Users()) != 0 || r.Near(desk.Addr()) {
			t.Error("left:", r.Users())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
