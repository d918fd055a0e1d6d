package service

import (
	"net/netip"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/media/sip"
)

// sipBans shows the API what the SIP server does not listen to.
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
