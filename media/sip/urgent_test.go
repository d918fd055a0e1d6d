package sip_test

import (
	"errors"
	"testing"

	"github.com/headroom-voice/headroom/media/sip"
)

func TestAnEmergencyGoesOutOverATrunkThatIsFull(t *testing.T) {
	t.Parallel()
	trunk := everyone[0]
	trunk.Limits = sip.Limits{Calls: 1, PerSecond: 1}
	s := start(t, make(desk, 1), withTrunks(trunk))
	far, other := newCallee(t), newCallee(t)
	out := dial(within(t), s.Client(), sip.Outgoing{Target: far.target(), Trunk: trunk.ID})
	first := far.expectRequest("INVITE")
	var full *sip.LimitError
	placed := func(*sip.Call) { t.Error("a call that met the limit was begun") }
	if _, err := s.Client().Dial(within(t), sip.Outgoing{Target: other.target(), Trunk: trunk.ID, Placed: placed}); !errors.As(err, &full) {
		t.Errorf("a call beyond the limit: %v", err)
	}
	s.Drain()
	begun := make(chan *sip.Call, 1)
	urgent := dial(within(t), s.Client(), sip.Outgoing{Target: other.target(), Trunk: trunk.ID, Urgent: true, Placed: func(c *sip.Call) { begun <- c }})
	invite := other.expectRequest("INVITE")
	if st := s.Trunks()[trunk.ID]; st.Calls != 2 || st.Out != 2 {
		t.Errorf("%+v", st)
	}
	other.reply(invite, "486 Busy Here", "a", "")
	far.reply(first, "486 Busy Here", "a", "")
	<-out
	<-urgent
	c := <-begun
	<-c.Gone()
	if messages := c.Ladder().Messages; len(messages) < 2 {
		t.Errorf("the ladder of a call that was refused has %d messages", len(messages))
	}
}
