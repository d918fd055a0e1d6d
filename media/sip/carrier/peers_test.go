package carrier_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/siptest"
)

func TestSIPpTakesTheCallThatItsNeighbourRefuses(t *testing.T) {
	t.Parallel()
	addr, ended := siptest.SIPp(t, 1, "-sn", "uas")
	first := newPeer(t, refusal("503 Service Unavailable"))
	cr, _ := newCarrier(t, nil, everything("carrier", first.target(), carrier.Target{URI: "sip:" + addr, Priority: 2}))
	p := <-place(within(t), cr, carrier.Order{To: "+4930123456"})
	if p.err != nil {
		t.Fatal(p.err)
	}
	if err := p.call.Hangup(within(t)); err != nil {
		t.Error(err)
	}
	if failure := <-ended; failure != "" {
		t.Error(failure)
	}
}

func TestSIPpRegistersUsByOurPasswordAndIsTakenLeaveOf(t *testing.T) {
	t.Parallel()
	scenario, err := filepath.Abs("testdata/registrar.xml")
	if err != nil {
		t.Fatal(err)
	}
	addr, ended := siptest.SIPp(t, 1, "-sf", scenario)
	cr, stop := newCarrier(t, nil, registered(carrier.Target{URI: "sip:" + addr}))
	eventually(t, "registered", func() bool { return registration(cr).State == carrier.Here })
	if until := time.Until(registration(cr).Until); until < time.Minute || until > 2*time.Minute {
		t.Errorf("for %v", until)
	}
	stop()
	if failure := <-ended; failure != "" {
		t.Error(failure)
	}
}
