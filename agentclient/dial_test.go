package agentclient

import (
	"testing"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

func TestDiallingIsToldFromTheFirstRingToTheEnd(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	waitFor[protocol.SetState](s)
	up := newDecoded(t)
	s.agentPeer().SetSink(up)
	defer play(s.agentPeer(), &tone{hz: 440, levelDBov: -15, rate: 8000})()

	d.client.Dial("+4930123", "support")
	if m, id := waitFor[protocol.Dial](s); m.To != "+4930123" || m.Queue != "support" || id == "" {
		t.Errorf("asked %+v under %q", m, id)
	}
	s.say(protocol.Progress{CallID: "d-1", To: "+4930123", State: protocol.Ringing, Text: "It rings."})
	if p := saw[Progressed](d).Progress; p.State != protocol.Ringing || p.Text != "It rings." {
		t.Errorf("%+v", p)
	}
	wantTone(t, "before the answer the agent hears the other side", d.ear.heard, 48000, tone{hz: 440, levelDBov: -15})
	if n := len(up.heard()); n != 0 {
		t.Errorf("%d samples of the agent left the desk before the answer", n)
	}
	call := protocol.Call{ID: "d-1", Direction: protocol.Outbound, To: "+4930123"}
	s.with(func() { s.call = &call })
	s.say(protocol.Connected{Call: call})
	if c := saw[CallStarted](d).Call; c != call {
		t.Errorf("%+v", c)
	}
	wantBoth(t, "after the answer", up, d.ear)
	s.with(func() { s.call = nil })
	s.say(protocol.Ended{CallID: "d-1", Cause: "callee_hung_up"})
	if e := saw[CallEnded](d); e.Cause != "callee_hung_up" || e.Report.Duration == 0 {
		t.Errorf("%+v", e)
	}

	d.client.Dial("+4930123", "")
	s.say(protocol.Progress{CallID: "d-2", State: protocol.Failed, Status: 486, Text: "The number is busy."})
	s.say(protocol.Ended{CallID: "d-2", Cause: "busy"})
	if e := saw[CallEnded](d); e.CallID != "d-2" || e.Cause != "busy" || e.Report.Duration != 0 {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsSaidOnHoldIsNotHeldAgainstTheHeadset(t *testing.T) {
	s := newService(t)
	d := start(t, quickConfig(s))
	_, hangUp := inCall(t, s, d)
	scored := func() float64 {
		saw[Measured](d) // the second that was going on
		return saw[Measured](d).Reading.Scored
	}
	if got := scored(); got != 1 {
		t.Errorf("%g of a second of the call counts", got)
	}
	d.client.Hold("c-1", true)
	if m, _ := waitFor[protocol.Hold](s); !m.On || m.CallID != "c-1" {
		t.Errorf("%+v", m)
	}
	if got := scored(); got != 0 {
		t.Errorf("%g of a second on hold counts", got)
	}
	d.client.Hold("c-1", false)
	waitFor[protocol.Hold](s)
	if got := scored(); got != 1 {
		t.Errorf("%g of a second after it counts", got)
	}
	d.client.Transfer("c-1", "billing")
	if m, _ := waitFor[protocol.Transfer](s); m.To != "billing" || m.CallID != "c-1" {
		t.Errorf("%+v", m)
	}
	s.say(protocol.Progress{CallID: "c-1", Transfer: true, To: "+49", State: protocol.Trying})
	saw[Progressed](d)
	if got := scored(); got != 0 {
		t.Errorf("%g of a second of a transfer counts", got)
	}
	d.client.CancelTransfer("c-1")
	waitFor[protocol.CancelTransfer](s)
	s.say(protocol.Progress{CallID: "c-1", Transfer: true, To: "+49", State: protocol.Failed, Text: "You took the caller back."})
	saw[Progressed](d)
	if got := scored(); got != 1 {
		t.Errorf("%g of a second after it counts", got)
	}
	hangUp()
	saw[CallEnded](d)
}
