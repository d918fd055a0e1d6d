package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

type answering struct{}

func (answering) Incoming(c *sip.Call) { _, _ = c.Answer(context.Background()) }

// serve answers the calls of one trunk and gives the address to call.
func serve(t *testing.T, trunk sip.Trunk) netip.AddrPort {
	t.Helper()
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 11000, 11099, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: ports, Trunks: []sip.Trunk{trunk}}, answering{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
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
	udp, _ := s.Addrs()
	return udp
}

func TestCommandPlacesCallsAndPrintsThem(t *testing.T) {
	udp := serve(t, sip.Trunk{ID: "load", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	var out, complaints bytes.Buffer
	args := []string{"--target", "sip:100@" + udp.String(), "--calls", "2", "--rate", "50", "--duration", "200ms", "--codec", "PCMA", "--ptime", "10"}
	if status := run(t.Context(), append(args, "--json"), &out, &complaints); status != 0 {
		t.Fatalf("status %d: %s", status, complaints.String())
	}
	var sum load.Summary
	if err := json.Unmarshal(out.Bytes(), &sum); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if sum.Answered != 2 || len(sum.Calls) != 2 || sum.Calls[0].Sent < 10 || sum.Calls[0].Cause != sip.CauseLocal {
		t.Errorf("%+v", sum)
	}

	out.Reset()
	if status := run(t.Context(), args, &out, &complaints); status != 0 || strings.Count(out.String(), "answered in") != 2 {
		t.Errorf("status %d, printed %q", status, out.String())
	}
	if status := run(t.Context(), []string{"--codec", "G729", "--target", "x"}, &out, &complaints); status != 2 {
		t.Errorf("an unknown codec: status %d", status)
	}
	if status := run(t.Context(), []string{"--target", "nonsense"}, &out, &complaints); status != 1 {
		t.Errorf("a target that is none: status %d", status)
	}
}

func TestCommandCallsWithAPassword(t *testing.T) {
	branch := sip.Trunk{ID: "branch", Digest: sip.Digest{Login: digest.Login{Username: "branch", Password: "open sesame"}}}
	args := []string{"--target", "sip:100@" + serve(t, branch).String(), "--duration", "100ms", "--user", "branch"}
	for _, c := range []struct {
		password, want string
		status         int
	}{{"open sesame", "answered in", 0}, {"open barley", "401 Unauthorized", 1}} {
		for _, way := range []string{"flag", "environment"} {
			var out, complaints bytes.Buffer
			line := args
			if way == "flag" {
				line = append(args[:len(args):len(args)], "--password", c.password)
			} else {
				t.Setenv("HEADROOM_LOAD_PASSWORD", c.password)
			}
			if status := run(t.Context(), line, &out, &complaints); status != c.status || !strings.Contains(out.String(), c.want) {
				t.Errorf("%s: status %d, printed %q %q", way, status, out.String(), complaints.String())
			}
		}
	}
}

func TestCommandSaysSoonAndPlainlyThatNobodyListens(t *testing.T) {
	closed, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // opened to know a port that is closed a line later
	if err != nil {
		t.Fatal(err)
	}
	addr := closed.LocalAddr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ target, want string }{
		{"sip:100@" + addr, "nobody listens"},
		{"sip:100@" + addr + ";transport=tcp", "connection refused"},
	} {
		var out, complaints bytes.Buffer
		began := time.Now()
		if status := run(t.Context(), []string{"--target", c.target}, &out, &complaints); status != 1 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: status %d, printed %q %q", c.target, status, out.String(), complaints.String())
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: took %v", c.target, took)
		}
	}
}

func TestCallsLeaveFromTheAddressThatReachesTheTarget(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	for target, want := range map[string]netip.Addr{
		"sip:100@127.0.0.1:5060":             loopback,
		"sip:100@127.0.0.1":                  loopback,
		"sip:100@127.0.0.1:5;transport=tcp":  loopback,
		"sip:100@[::ffff:127.0.0.1]:5060":    loopback,
		"nonsense":                           {},
		"sip:100@127.0.0.1:not-a-port":       {},
		"sip:100@there.is.no.such.host.test": {},
	} {
		if got := towards(t.Context(), target); got != want {
			t.Errorf("%s: from %v, wanted %v", target, got, want)
		}
	}
	for _, own := range ownAddresses(t) {
		if got := towards(t.Context(), "sip:100@"+netip.AddrPortFrom(own, 5060).String()); got != own {
			t.Errorf("to this machine's own %v: from %v", own, got)
		}
	}
}

// ownAddresses are this machine's IPv4 addresses but loopback; a machine may have none.
func ownAddresses(t *testing.T) (own []netip.Addr) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			own = append(own, p.Addr())
		}
	}
	return own
}
