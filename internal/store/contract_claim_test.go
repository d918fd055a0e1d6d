package store

import (
	"errors"
	"testing"

	"github.com/headroom-voice/headroom/internal/model"
)

func TestOnlyOneServiceServesFromADatabase(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		dsn := b.dsn(t)
		first, second := openStore(t, dsn), openStore(t, dsn)
		if err := first.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := first.Claim(t.Context()); err != nil {
			t.Errorf("claiming what one has: %v", err)
		}
		if err := second.Claim(t.Context()); !errors.Is(err, ErrClaimed) {
			t.Errorf("the second service's claim gave %v, wanted ErrClaimed", err)
		}
		// Commands need no claim.
		if _, err := second.ApplySite(t.Context(), model.Site{Queues: []model.Queue{{ID: "sales"}}}); err != nil {
			t.Errorf("a site cannot be applied beside a service: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := second.Claim(t.Context()); err != nil {
			t.Errorf("the first service has ended, and still: %v", err)
		}
	})
}
