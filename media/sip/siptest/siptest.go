// Package siptest is what tests of several packages call: SIPp as a server, and a DNS server
// that says what it is told to.
package siptest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a program of a test may take to begin to listen.
const patience = 20 * time.Second

// SIPp plays a server's scenario on a UDP port of 127.0.0.1 for so many calls. ended gives
// what it said if it failed, and is closed. Without sipp on this machine the test is skipped.
func SIPp(t testing.TB, calls int, args ...string) (addr string, ended <-chan string) {
	t.Helper()
	path, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed")
	}
	at, media := freePort(t), freePort(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, path, append(args, "-i", "127.0.0.1", "-p", strconv.Itoa(at), "-mi", "127.0.0.1", "-mp", strconv.Itoa(media),
		"-m", strconv.Itoa(calls), "-nostdin", "-timeout", "20s", "-timeout_error")...)
	cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan string, 1)
	go func() {
		defer cancel()
		defer close(over)
		if err := cmd.Wait(); err != nil {
			over <- err.Error() + "\n" + out.String()[max(0, out.Len()-3000):]
		}
	}()
	t.Cleanup(func() { cancel(); <-over })
	listens(t, at)
	return "127.0.0.1:" + strconv.Itoa(at), over
}

// listens waits until somebody has a UDP port.
func listens(t testing.TB, port int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		table, err := os.ReadFile("/proc/net/udp")
		if err != nil || bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000", port)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("sipp does not listen")
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// Zone is a DNS server on a UDP socket with records in the text of zone files.
func Zone(t testing.TB, records ...string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) {
		res := new(dns.Msg)
		res.SetReply(req)
		for _, r := range records {
			if rr, err := dns.NewRR(r); err == nil && rr.Header().Name == req.Question[0].Name && rr.Header().Rrtype == req.Question[0].Qtype {
				res.Answer = append(res.Answer, rr)
			}
		}
		_ = w.WriteMsg(res)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown() })
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}
