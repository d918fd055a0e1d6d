package carrier_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// sipp plays a server's scenario on a port of its own until it is over; ended gives what it
// said if it failed.
func sipp(t *testing.T, args ...string) (addr string, ended chan string) {
	t.Helper()
	path, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not installed")
	}
	port := func() string {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
	}
	at := port()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, path, append(args, "-i", "127.0.0.1", "-p", at, "-mi", "127.0.0.1", "-mp", port(), "-m", "1", "-nostdin", "-timeout", "15s", "-timeout_error")...)
	cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan string, 1)
	go func() {
		defer cancel()
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			ended <- err.Error() + "\n" + out.String()[max(0, out.Len()-3000):]
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	n, _ := strconv.Atoi(at)
	eventually(t, "sipp listens", func() bool {
		table, err := os.ReadFile("/proc/net/udp")
		return err != nil || bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000", n))
	})
	return "127.0.0.1:" + at, ended
}

func TestSIPpTakesTheCallThatItsNeighbourRefuses(t *testing.T) {
	t.Parallel()
	addr, ended := sipp(t, "-sn", "uas")
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
	addr, ended := sipp(t, "-sf", scenario)
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
