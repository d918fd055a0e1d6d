package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/headroom-voice/headroom/internal/password"
)

func TestTheRightPasswordIsAcceptedAndNoOther(t *testing.T) {
	h := password.New(2)
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is not argon2id with the OWASP costs", hash)
	}
	for try, want := range map[string]bool{"correct horse": true, "correct horse ": false, "Correct horse": false, "": false} {
		if got, err := h.Verify(t.Context(), try, hash); err != nil || got != want {
			t.Errorf("Verify(%q) = %v, %v; wanted %v", try, got, err, want)
		}
	}
	again, err := h.Hash(t.Context(), "correct horse")
	if err != nil || again == hash {
		t.Errorf("the same password twice gives the same hash (%v)", err)
	}
}

// The vector is from the reference implementation's own tests (P-H-C/phc-winner-argon2, test.c):
// echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32
func TestHashesOfOtherProgramsAreRead(t *testing.T) {
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, err := password.New(1).Verify(t.Context(), "password", hash)
	if err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestNobodySignsInWithoutAHash(t *testing.T) {
	h := password.New(1)
	for _, try := range []string{"", "x", strings.Repeat("x", password.MaxLength+1)} {
		if ok, err := h.Verify(t.Context(), try, ""); ok || err != nil {
			t.Errorf("Verify(%.10q, none) = %v, %v", try, ok, err)
		}
	}
}

func TestBadPasswordsAreNotHashed(t *testing.T) {
	h := password.New(1)
	if _, err := h.Hash(t.Context(), ""); !errors.Is(err, password.ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	if _, err := h.Hash(t.Context(), strings.Repeat("x", password.MaxLength+1)); !errors.Is(err, password.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

func TestHashesThatWouldEatTheMachineAreRefused(t *testing.T) {
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, hash := range []string{
		"x", "$", "$$$$$", "$argon2i$v=19$m=65536,t=2,p=1" + tail, "$argon2id$v=16$m=65536,t=2,p=1" + tail,
		"$argon2id$v=19$m=4294967295,t=2,p=1" + tail, "$argon2id$v=19$m=65536,t=4000,p=1" + tail,
		"$argon2id$v=19$m=65536,t=2,p=200" + tail, "$argon2id$v=19$m=65536,t=0,p=1" + tail,
		"$argon2id$v=19$m=65536,t=2,p=0" + tail, "$argon2id$v=19$m=65536,t=2,p=1,x=1" + tail,
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=65536,t=2,p=1$!$AAAA", "$argon2id$v=19$m=4,t=2,p=1" + tail,
	} {
		if ok, err := password.New(1).Verify(t.Context(), "password", hash); ok || !errors.Is(err, password.ErrMalformed) {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
}

func TestAFloodOfSignInsWaitsInLineAndLeavesWhenTold(t *testing.T) {
	h := password.New(1)
	hash, err := h.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	var through, left atomic.Int64
	for range 64 {
		group.Go(func() {
			switch ok, err := h.Verify(ctx, "secret", hash); {
			case ok:
				through.Add(1)
				cancel() // the first one in; the rest are still in line
			case errors.Is(err, context.Canceled):
				left.Add(1)
			default:
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
	group.Wait()
	if through.Load() < 1 || left.Load() < 1 || through.Load()+left.Load() != 64 {
		t.Errorf("%d got through, %d left the line", through.Load(), left.Load())
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=262144,t=16,p=8$$")
	f.Fuzz(func(t *testing.T, hash string) {
		// Costs within the limits are accepted, so keep this fast: only what parses cheaply.
		if strings.Contains(hash, "m=") && !strings.Contains(hash, "m=8,t=1,p=1$") {
			return
		}
		ok, err := password.New(1).Verify(t.Context(), "an unlikely password", hash)
		if ok || err != nil && !errors.Is(err, password.ErrMalformed) {
			t.Errorf("%q: %v, %v", hash, ok, err)
		}
	})
}
