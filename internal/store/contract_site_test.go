package store

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// The contract on the site and its users.

func exampleSite() model.Site {
	return model.Site{
		Trunks: []model.Trunk{
			{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Codecs: []string{"PCMA"}},
			{ID: "a-pbx", Sources: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/128")}, Codecs: []string{},
				Digest:  model.TrunkDigest{Username: "pbx", Password: `p"1`, Realm: "pbx.example"},
				Numbers: model.TrunkNumbers{Country: "49", National: "0"}, Limits: model.TrunkLimits{Calls: 30},
				Outbound: model.TrunkOutbound{Targets: []model.TrunkTarget{{URI: "sip:pbx.example", Priority: 1}}, Username: "us", Password: `p"2`,
					Prefixes: []string{""}, KeepAlive: 30 * time.Second, Register: model.TrunkRegister{Enabled: true}}},
		},
		Queues: []model.Queue{
			{ID: "support", Title: "Käuferhilfe", Numbers: []string{"100"}, OfferTimeout: 20 * time.Second, WrapUp: 1500 * time.Millisecond, HeadsetPolicy: model.PolicyExclude, ServiceLevel: time.Minute},
			{ID: "sales", Title: "Sales", Numbers: []string{}, OfferTimeout: time.Second, HeadsetPolicy: model.PolicyLastResort, ServiceLevel: time.Second},
		},
		Users: []model.User{
			{ID: "zoe", Title: "Zoë", Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"support", "sales"},
				Phone: model.UserPhone{Username: "z", Password: `p"3`, Codecs: []string{"PCMA"}, MediaKeys: model.MediaKeysRequired, Headset: model.PhoneHeadset{Model: "m", Serial: "s"}}},
			{ID: "anna", Title: "Anna", Roles: []model.Role{model.RoleIT, model.RoleAgent}, Queues: []model.QueueID{}},
		},
		Headset: model.HeadsetRules{MinActiveSpeech: 12 * time.Second, Window: 7, ReplaceAfter: 2},
		Phones:  model.PhoneRules{Digest: model.PhoneSHA256, FeatureCodes: model.FeatureCodes{Ready: "1", Break: "2", SignOut: "3", WrapUp: "4"}},
	}
}

func emptyStore(t *testing.T, b backend) {
	site, err := b.open(t).Site(t.Context())
	must(t, err)
	equal(t, "site", site, model.Site{
		Trunks: []model.Trunk{}, Queues: []model.Queue{}, Users: []model.User{},
		Headset: model.HeadsetRules{MinActiveSpeech: 30 * time.Second, Window: 10, ReplaceAfter: 3},
	})
}

func siteRoundTrip(t *testing.T, b backend) {
	s := b.open(t)
	_, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	got, err := s.Site(t.Context())
	must(t, err)
	if want := exampleSite(); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got  %+v\n want %+v", got, want)
	}
	u, hash, err := s.User(t.Context(), "zoe")
	must(t, err)
	equal(t, "user", u, exampleSite().Users[0])
	if hash != "" {
		t.Errorf("a new user has the hash %q", hash)
	}
}

func siteIdempotent(t *testing.T, b backend) {
	s := b.open(t)
	first, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	equal(t, "first", first, Changes{
		Added:   []string{"trunk carrier", "trunk a-pbx", "queue support", "queue sales", "user zoe", "user anna"},
		Changed: []string{"headset rules"}, Removed: []string{},
	})
	again, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	if !again.Empty() {
		t.Errorf("the second time: %+v", again)
	}
}

func siteChanges(t *testing.T, b backend) {
	s := b.open(t)
	_, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	site := exampleSite()
	site.Trunks = site.Trunks[1:]
	site.Queues[0].WrapUp = 0
	slices.Reverse(site.Queues) // the order is kept, but is no change to tell of
	site.Users[1].Title = "Anna O."
	site.Users = append(site.Users, model.User{ID: "ben", Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"sales"}})
	got, err := s.ApplySite(t.Context(), site)
	must(t, err)
	equal(t, "changes", got, Changes{
		Added: []string{"user ben"}, Changed: []string{"queue support", "user anna"}, Removed: []string{"trunk carrier"},
	})
	back, err := s.Site(t.Context())
	must(t, err)
	equal(t, "site", back, site)
}

func siteAllOrNothing(t *testing.T, b backend) {
	s := b.open(t)
	_, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	site := exampleSite()
	site.Trunks = nil
	site.Users = append(site.Users, site.Users[0])
	if _, err := s.ApplySite(t.Context(), site); err == nil || !strings.Contains(err.Error(), "user zoe is there twice") {
		t.Errorf("got %v", err)
	}
	back, err := s.Site(t.Context())
	must(t, err)
	equal(t, "site", back, exampleSite())
}

func removedUser(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	_, err := s.ApplySite(ctx, exampleSite())
	must(t, err, s.SetPasswordHash(ctx, "zoe", "$hash"))
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon(), Agent: "zoe"}))
	site := exampleSite()
	site.Users = site.Users[1:]
	changes, err := s.ApplySite(ctx, site)
	must(t, err)
	equal(t, "removed", changes.Removed, []string{"user zoe"})
	if _, _, err := s.User(ctx, "zoe"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the user is still there: %v", err)
	}
	if err := s.SetPasswordHash(ctx, "zoe", "$new"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the user can be given a password: %v", err)
	}
	calls, err := s.Calls(ctx, CallFilter{Agent: "zoe"})
	must(t, err)
	if len(calls) != 1 {
		t.Errorf("the record lost the call: %v", calls)
	}
	again, err := s.ApplySite(ctx, site)
	must(t, err)
	if !again.Empty() {
		t.Errorf("removed a second time: %+v", again)
	}
	back, err := s.ApplySite(ctx, exampleSite())
	must(t, err)
	equal(t, "added", back.Added, []string{"user zoe"})
	if _, hash, err := s.User(ctx, "zoe"); err != nil || hash != "" {
		t.Errorf("who comes back has the old password %q, %v", hash, err)
	}
}

func passwordSurvives(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	_, err := s.ApplySite(ctx, exampleSite())
	must(t, err, s.SetPasswordHash(ctx, "anna", "$argon2id$1"), s.SetPasswordHash(ctx, "anna", "$argon2id$2"))
	site := exampleSite()
	site.Users[1].Title, site.Users[1].Roles = "A.", []model.Role{model.RoleAdmin}
	slices.Reverse(site.Users)
	_, err = s.ApplySite(ctx, site)
	must(t, err)
	u, hash, err := s.User(ctx, "anna")
	if err != nil || hash != "$argon2id$2" || u.Title != "A." {
		t.Errorf("%+v, %q, %v", u, hash, err)
	}
	if err := s.SetPasswordHash(ctx, "nobody", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a password for nobody: %v", err)
	}
}
