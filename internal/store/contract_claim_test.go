package store

import (
	"errors"
	"testing"
	"time"

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

func agentLegs(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}), s.CallStarted(ctx, model.Call{ID: "c2", StartedAt: noon()}))
	for i, l := range []model.Leg{
		{ID: "c1.trunk", Call: "c1", Kind: model.TrunkLeg},
		{ID: "c1.a1", Call: "c1", Kind: model.AgentLeg, Agent: "kim", Headset: "H1/1"},
		{ID: "c1.a2", Call: "c1", Kind: model.AgentLeg, Agent: "lee"},
		{ID: "c1.a3", Call: "c1", Kind: model.AgentLeg, Agent: "kim", Headset: "H2/2"},
		{ID: "c2.a4", Call: "c2", Kind: model.AgentLeg, Agent: "kim"},
	} {
		l.StartedAt = noon().Add(time.Duration(i) * time.Second)
		must(t, s.LegStarted(ctx, l))
	}
	legs, err := s.AgentLegs(ctx, "c1", "kim")
	must(t, err)
	if len(legs) != 2 || legs[0].ID != "c1.a3" || legs[0].Headset != "H2/2" || legs[1].ID != "c1.a1" {
		t.Errorf("kim's legs in c1: %+v", legs)
	}
	legs, err = s.AgentLegs(ctx, "c3", "kim")
	if err != nil || len(legs) != 0 {
		t.Errorf("legs of an unknown call: %+v, %v", legs, err)
	}
}
