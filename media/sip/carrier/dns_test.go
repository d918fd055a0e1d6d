package carrier_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/locate"
	"github.com/headroom-voice/headroom/media/sip/siptest"
)

// One name, three servers behind it by SRV: the first is silent, the second has no room, the
// third takes the call.
func TestACallFindsTheServerThatTakesItBehindOneName(t *testing.T) {
	t.Parallel()
	silent, full, good := newPeer(t, refusal()), newPeer(t, refusal("503 Service Unavailable\nRetry-After: 5")), newExchange(t)
	port := func(addr string) uint16 { return netip.MustParseAddrPort(addr).Port() }
	udp, _ := good.Addrs()
	zone := siptest.Zone(t, `carrier.example. 60 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.`, `gw.carrier.example. 60 IN A 127.0.0.1`,
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 30 0 %d gw.carrier.example.`, udp.Port()),
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 20 0 %d gw.carrier.example.`, port(full.addr())),
		fmt.Sprintf(`_sip._udp.carrier.example. 60 IN SRV 10 0 %d gw.carrier.example.`, port(silent.addr())))
	resolver, err := locate.New(locate.Config{Servers: []netip.AddrPort{zone}, NoIPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	cr, _ := newCarrier(t, func(c *carrier.Config) { c.Locator = resolver }, impatient(everything("carrier", carrier.Target{URI: "sip:carrier.example"})))
	out := place(within(t), cr, carrier.Order{To: "+4930123456"})
	invite := silent.expect("INVITE")
	if !strings.HasPrefix(invite, "INVITE sip:+4930123456@carrier.example SIP/2.0") || !strings.Contains(header(invite, "From"), "@carrier.example>") {
		t.Errorf("%s", invite)
	}
	call := good.next(t)
	_ = call.Reject(486, 0)
	var failed *carrier.FailedError
	if p := <-out; !errors.As(p.err, &failed) || len(failed.Attempts) != 3 {
		t.Errorf("%v", p.err)
	}
	if a, b := server(cr, silent.addr()), server(cr, full.addr()); a.State != carrier.Down || b.State != carrier.Down {
		t.Errorf("%+v, %+v", a, b)
	}
}
