package call

import (
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// ladderWait is how long after its end a call's dialog may owe the other side something:
// an ACK that does not come and a BYE that is not answered take 64*T1 each, 32 s (RFC 3261
// sections 13.3.1.4 and 17.1.2.2). What was said until then is kept in any case.
const ladderWait = 2 * time.Minute

// keepSignalling has what was said in a party's dialog recorded once it is whole. It waits
// beside the call, and no longer than a hang-up may take when the switchboard ends.
func (c *call) keepSignalling(t tried) {
	c.sb.owners.Go(func() {
		limit, ending := time.NewTimer(ladderWait), c.sb.work.Done()
		defer limit.Stop()
		for whole := false; !whole; {
			select {
			case <-t.party.Gone():
				whole = true
			case <-limit.C:
				whole = true
			case <-ending:
				ending = nil
				limit.Reset(c.sb.cfg.HangupTimeout)
			}
		}
		if r := t.party.Ladder(); len(r.Messages) > 0 {
			c.journal.addLadder(model.CallLadder{Call: c.id, Leg: t.leg, Record: r})
		}
	})
}

// trunkLeg is the identity of the leg of the caller, or the callee, which is recorded once answered.
func (c *call) trunkLeg() model.LegID { return model.LegID(string(c.id) + ".trunk") }
