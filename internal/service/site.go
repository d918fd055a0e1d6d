package service

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/headroom-voice/headroom/internal/store"
)

// siteEvery is how often the stored site is compared with the one in force, so that
// `headroom apply` takes effect in a running service.
const siteEvery = 2 * time.Second

// watchSite puts changes of the stored site into force.
func (s *Service) watchSite(ctx context.Context) error {
	tick := time.NewTicker(siteEvery)
	defer tick.Stop()
	claimed := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.keepClaim(ctx, &claimed)
		site, err := s.store.Site(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("read the site; the one in force stays", "error", err)
			}
			continue
		}
		if reflect.DeepEqual(site, s.site) {
			continue
		}
		if err := s.takeUpTrunks(site); err != nil {
			s.log.Error("take up the trunks; the site in force stays", "error", err)
			continue
		}
		s.site = site
		s.toll.SiteChanged(site) // first: what is taken away is taken at once
		s.lobby.SiteChanged(site)
		s.board.SiteChanged(site)
		s.takeUpPhones(ctx, site)
		s.verdicts.SetRules(site.Headset)
		s.log.Info("site changed", "trunks", len(site.Trunks), "queues", len(site.Queues), "users", len(site.Users))
	}
}

// keepClaim renews the claim on the database, which a restart of PostgreSQL takes away,
// and says once when another service took it meanwhile: that one has closed our live calls
// in the record, and only an operator can say which of the two is to go.
func (s *Service) keepClaim(ctx context.Context, claimed *bool) {
	err := s.store.Claim(ctx)
	if errors.Is(err, store.ErrClaimed) && *claimed {
		s.log.Error("two services run on one database; stop one of them", "err", err)
	}
	*claimed = !errors.Is(err, store.ErrClaimed) // a database that does not answer is told elsewhere
}
