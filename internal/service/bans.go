package service

import (
	"net/netip"
	"slices"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip"
)

// sipBans shows the API what the SIP server does not listen to, and what it has refused.
type sipBans struct{ sip *sip.Server }

// Bans implements api.Bans.
func (b sipBans) Bans() []api.Ban {
	var out []api.Ban
	for _, ban := range b.sip.Bans() {
		out = append(out, api.Ban{Source: ban.Source.String(), Cause: ban.Cause, Words: ban.Words, Since: ban.Since, Until: ban.Until, Times: ban.Times, Dropped: ban.Dropped})
	}
	return out
}

// Lift implements api.Bans.
func (b sipBans) Lift(source netip.Addr) bool { return b.sip.Lift(source) }

// LiftAll implements api.Bans.
func (b sipBans) LiftAll() int { return b.sip.LiftAll() }

// Refused implements api.Refusals.
func (b sipBans) Refused(trunk model.TrunkID) ([]api.RefusedCall, bool) {
	if !slices.Contains(b.sip.TrunkIDs(), string(trunk)) {
		return nil, false
	}
	var out []api.RefusedCall
	for _, r := range b.sip.Refusals(string(trunk)) {
		out = append(out, api.NewRefusedCall(r.At, r.Status, r.Reason, r.Words, r.Ladder))
	}
	return out, true
}
