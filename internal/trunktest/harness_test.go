package trunktest_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/trunktest"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

var (
	loopback  = netip.MustParseAddr("127.0.0.1")
	account   = digest.Login{Username: "4930123", Password: "open sesame"}
	nextPorts atomic.Int32
)

// config tries a trunk with servers at these URIs.
func config(t *testing.T, uris ...string) trunktest.Config {
	t.Helper()
	low := 14000 + int(nextPorts.Add(16)-16)%1600
	ports, err := rtp.NewPorts(loopback, low, low+15, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := trunktest.Config{
		Trunk:  carrier.Trunk{ID: "carrier", Login: account, Prefixes: []string{""}, FirstReply: 5 * time.Second},
		SIP:    sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: ports, T1: 50 * time.Millisecond, T2: 200 * time.Millisecond},
		DNS:    locate.Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}},
		Listen: 1500 * time.Millisecond,
	}
	for _, uri := range uris {
		cfg.Trunk.Targets = append(cfg.Trunk.Targets, carrier.Target{URI: uri})
	}
	return cfg
}

// try runs the test and shows what it says.
func try(t *testing.T, cfg trunktest.Config) trunktest.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told := 0
	cfg.Told = func(trunktest.Check) { told++ }
	result, err := trunktest.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if told != len(result.Checks) {
		t.Errorf("told of %d checks of %d", told, len(result.Checks))
	}
	var out bytes.Buffer
	for _, c := range result.Checks {
		trunktest.Line(&out, c)
	}
	trunktest.Summary(&out, result)
	t.Logf("\n%s", out.String())
	return result
}

// check is the last one of a step.
func check(t *testing.T, r trunktest.Result, step trunktest.Step) (c trunktest.Check) {
	t.Helper()
	for _, one := range r.Checks {
		if one.Step == step {
			c = one
		}
	}
	if c.Step == "" {
		t.Fatalf("no check of %s in %+v", step, r.Checks)
	}
	return c
}

// says fails unless a check has come out so, in these words and with this advice.
func says(t *testing.T, c trunktest.Check, outcome trunktest.Outcome, words, advice string) {
	t.Helper()
	if c.Outcome != outcome || !strings.Contains(c.Words, words) || !strings.Contains(c.Advice, advice) {
		t.Errorf("%s: %s, %q, advice %q; wanted %s, %q, %q", c.Step, c.Outcome, c.Words, c.Advice, outcome, words, advice)
	}
}

// responder is a UDP server that answers requests by their method: a status line, and header
// lines behind it. Nothing is said for "".
func responder(t *testing.T, answer func(method, req string) string) (addr string) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			method, _, ok := strings.Cut(string(buf[:n]), " sip:")
			if !ok || method == "ACK" {
				continue
			}
			if text := respond(string(buf[:n]), answer(method, string(buf[:n]))); text != "" {
				_, _ = conn.WriteToUDPAddrPort([]byte(text), from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func respond(req, status string) string {
	if status == "" {
		return ""
	}
	first, extra, _ := strings.Cut(status, "\n")
	lines := []string{"SIP/2.0 " + first}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		v := header(req, h)
		if h == "To" && !strings.Contains(v, "tag=") {
			v += ";tag=far"
		}
		if h == "Via" && strings.Contains(extra, "X-Seen: ") {
			v += ";received=" + strings.TrimPrefix(extra, "X-Seen: ")
		}
		lines = append(lines, h+": "+v)
	}
	if extra != "" {
		lines = append(lines, strings.Split(extra, "\n")...)
	}
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}
