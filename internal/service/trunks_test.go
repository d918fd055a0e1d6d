package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestWhatATrunkAsksOfUsIsAnsweredInBothDirections(t *testing.T) {
	site := model.Site{Trunks: []model.Trunk{{ID: "carrier", Outbound: model.TrunkOutbound{
		Targets: []model.TrunkTarget{{URI: "sip:192.0.2.1"}}, Username: "4930123", Password: "open sesame"}}}}
	in, out := trunks(site)[0].Login, outboundTrunks(site)[0].Login
	if in != out || in.Username != "4930123" || in.Password != "open sesame" {
		t.Errorf("in as %q, out as %q", in.Username, out.Username)
	}
}

// A trunk that asks for shorter sessions than headroom.yaml allows is told the least.
func TestTheSessionTimerOfTheFileIsInForce(t *testing.T) {
	p := config.Default()
	p.HTTP.Listen, p.WebRTC.Listen, p.SIP.UDP, p.SIP.TCP, p.Data = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "", t.TempDir()
	p.SIP.SessionTimer = config.SessionTimer{Expires: time.Hour, MinSE: 2 * time.Minute}
	site := &model.Site{Trunks: []model.Trunk{{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}, Headset: config.DefaultSite().Headset}
	s, err := New(t.Context(), Config{Process: p, Site: site, Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", s.Addrs().SIPUDP.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	local := conn.LocalAddr().String()
	if _, err := fmt.Fprintf(conn, "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:100@h>\r\n"+
		"Call-ID: one\r\nCSeq: 1 INVITE\r\nContact: <sip:a@%s>\r\nSupported: timer\r\nSession-Expires: 100\r\nContent-Length: 0\r\n\r\n", local, local); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, err := conn.Read(buf)
	if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "SIP/2.0 422 ") || !strings.Contains(got, "\r\nMin-SE: 120\r\n") {
		t.Errorf("%v\n%s", err, got)
	}
}
