package impair_test

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/testenv/impair"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// sent is a packet every 20 ms, n of them, of 172 bytes, and when each arrives.
func through(t *testing.T, link impair.Link, seed uint64, n int) (arrivals []time.Duration, lost []bool, line *impair.Line) {
	t.Helper()
	line, err := impair.NewLine(link, seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at, copies := line.Pass(time.Duration(i)*20*ms, 172)
		lost = append(lost, copies == 0)
		for _, a := range at[:copies] {
			arrivals = append(arrivals, a-time.Duration(i)*20*ms)
		}
	}
	return arrivals, lost, line
}

func TestLossIsAsOftenAndAsLongInARowAsAsked(t *testing.T) {
	for _, c := range []impair.Link{{Loss: 0.01}, {Loss: 0.1}, {Loss: 0.05, Burst: 4}, {Loss: 0.3, Burst: 10}} {
		_, lost, line := through(t, c, 7, 200_000)
		share := float64(line.Counts().Lost) / 200_000
		runs := 0
		for i := range lost {
			if lost[i] && (i == 0 || !lost[i-1]) {
				runs++
			}
		}
		length := float64(line.Counts().Lost) / float64(runs)
		want := max(c.Burst, 1/(1-c.Loss)) // what is lost one by one falls together at times
		if math.Abs(share-c.Loss) > 0.1*c.Loss || math.Abs(length-want) > 0.1*want {
			t.Errorf("%+v: %.2f %% lost, %.2f in a row", c, 100*share, length)
		}
	}
}

func TestTheSameSeedIsTheSameNetwork(t *testing.T) {
	link := impair.Link{Loss: 0.1, Burst: 2, Jitter: 40 * ms, Reorder: 0.05, Duplicate: 0.05}
	a, _, _ := through(t, link, 3, 5000)
	b, _, _ := through(t, link, 3, 5000)
	other, _, _ := through(t, link, 4, 5000)
	same := len(a) == len(other)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("arrival %d: %v and %v", i, a[i], b[i])
		}
		same = same && a[i] == other[i]
	}
	if same {
		t.Error("another seed is the same network")
	}
}

func TestDelaysAreAsAskedAndKeepTheOrder(t *testing.T) {
	delays, _, _ := through(t, impair.Link{Delay: 50 * ms, Jitter: 30 * ms}, 1, 10_000)
	var least, most, sum time.Duration = time.Hour, 0, 0
	for i, d := range delays {
		least, most, sum = min(least, d), max(most, d), sum+d
		if i > 0 && d+20*ms < delays[i-1] {
			t.Fatalf("packet %d overtook the one before it", i)
		}
	}
	mean := sum / time.Duration(len(delays))
	if least < 50*ms || least > 51*ms || most < 79*ms || most > 80*ms || mean < 63*ms || mean > 69*ms {
		t.Errorf("delays of %v to %v, %v in the mean; asked for 50 to 80 ms", least, most, mean)
	}
}

func TestSomePacketsAreOvertakenAndSomeArriveTwice(t *testing.T) {
	delays, _, line := through(t, impair.Link{Reorder: 0.1, Duplicate: 0.2}, 1, 10_000)
	c := line.Counts()
	if c.Reordered < 900 || c.Reordered > 1100 || c.Doubled < 1850 || c.Doubled > 2150 {
		t.Errorf("%+v of 10000", c)
	}
	if len(delays) != 10_000+int(c.Doubled) {
		t.Errorf("%d arrivals", len(delays))
	}
}

func TestClocksDriftApart(t *testing.T) {
	for _, c := range []struct {
		ppm       float64
		delay, at time.Duration
	}{{200, 0, 120 * ms}, {-200, 130 * ms, 10 * ms}, {-200, 0, 0}} {
		delays, _, _ := through(t, impair.Link{DriftPPM: c.ppm, Delay: c.delay}, 1, 30_001)
		if got := delays[30_000]; got < c.at-ms || got > c.at+ms {
			t.Errorf("%v ppm and %v: after ten minutes the delay is %v, want %v", c.ppm, c.delay, got, c.at)
		}
	}
}

func TestARateIsKeptAndTheQueueIsBounded(t *testing.T) {
	// 200 bytes with headers 50 times a second are 80 kbit/s; 40 are let through.
	delays, _, line := through(t, impair.Link{Rate: 40_000, Queue: 100 * ms}, 1, 1000)
	if c := line.Counts(); c.Passed < 495 || c.Passed > 510 || c.Overflowed != 1000-c.Passed {
		t.Errorf("%+v of 1000", c)
	}
	for _, d := range delays {
		if d < 40*ms || d > 100*ms {
			t.Fatalf("a delay of %v", d)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	for _, l := range []impair.Link{
		{Loss: 1.1}, {Loss: -1}, {Loss: math.NaN()}, {Delay: -1}, {Rate: -1}, {DriftPPM: 1e6}, {Loss: 0.9, Burst: 2},
	} {
		if _, err := impair.NewLine(l, 1); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
	if _, err := impair.Open(impair.Config{}); err == nil {
		t.Error("a proxy to nowhere was opened")
	}
}

func socket(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func hear(t *testing.T, conn *net.UDPConn) (string, netip.AddrPort) {
	t.Helper()
	var buf [100]byte
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := conn.ReadFromUDPAddrPort(buf[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), from
}

func say(t *testing.T, conn *net.UDPConn, what string, to netip.AddrPort) {
	t.Helper()
	if _, err := conn.WriteToUDPAddrPort([]byte(what), to); err != nil {
		t.Fatal(err)
	}
}

func TestBothSidesAreHeardAndAnsweredThroughTheProxy(t *testing.T) {
	server, at := socket(t)
	p := impair.Start(t, impair.Config{To: at, Seed: 1})
	one, _ := socket(t)
	two, _ := socket(t)
	say(t, one, "one", p.Addr())
	_, fromOne := hear(t, server)
	say(t, two, "two", p.Addr())
	_, fromTwo := hear(t, server)
	if fromOne == fromTwo {
		t.Error("two clients look like one")
	}
	say(t, server, "to two", fromTwo)
	say(t, server, "to one", fromOne)
	if got, from := hear(t, one); got != "to one" || from != p.Addr() {
		t.Errorf("heard %q from %v", got, from)
	}
	if got, _ := hear(t, two); got != "to two" {
		t.Errorf("heard %q", got)
	}
	if up, down := p.Counts(); up.Passed != 2 || down.Passed != 2 {
		t.Errorf("%+v up, %+v down", up, down)
	}
}

func TestInTheDarkNothingPassesAndAReboundPortIsAnother(t *testing.T) {
	server, at := socket(t)
	p := impair.Start(t, impair.Config{To: at, Seed: 1})
	client, _ := socket(t)
	say(t, client, "before", p.Addr())
	_, old := hear(t, server)
	p.Dark(true)
	say(t, client, "in the dark", p.Addr())
	for up, _ := p.Counts(); up.Dark == 0; up, _ = p.Counts() {
		time.Sleep(ms)
	}
	p.Dark(false)
	if err := p.Rebind(); err != nil {
		t.Fatal(err)
	}
	say(t, client, "after", p.Addr())
	got, from := hear(t, server)
	if got != "after" || from == old {
		t.Errorf("heard %q from %v, before from %v", got, from, old)
	}
	say(t, server, "to the old port", old)
	say(t, server, "reply", from)
	if got, _ := hear(t, client); got != "reply" {
		t.Errorf("the client heard %q", got)
	}
}

func TestAStrangerCannotAnswerForTheServer(t *testing.T) {
	server, at := socket(t)
	p := impair.Start(t, impair.Config{To: at, Seed: 1})
	client, _ := socket(t)
	stranger, _ := socket(t)
	say(t, client, "hello", p.Addr())
	_, from := hear(t, server)
	say(t, stranger, "stranger", from)
	say(t, server, "server", from)
	if got, _ := hear(t, client); got != "server" {
		t.Errorf("the client heard %q", got)
	}
}

func TestADelayedPacketIsNotEarly(t *testing.T) {
	server, at := socket(t)
	p := impair.Start(t, impair.Config{To: at, Up: impair.Link{Delay: 80 * ms, Duplicate: 1}, Seed: 1})
	client, _ := socket(t)
	began := time.Now()
	say(t, client, "hello", p.Addr())
	hear(t, server)
	if took := time.Since(began); took < 80*ms {
		t.Errorf("it took %v", took)
	}
	if got, _ := hear(t, server); got != "hello" {
		t.Errorf("the second time %q", got)
	}
	if err := p.Change(impair.Link{Loss: 1}, impair.Link{}); err != nil {
		t.Fatal(err)
	}
	say(t, client, "lost", p.Addr())
	for up, _ := p.Counts(); up.Lost == 0; up, _ = p.Counts() {
		time.Sleep(ms)
	}
	_ = server.SetReadDeadline(time.Now().Add(20 * ms))
	if _, err := server.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("something was heard: %v", err)
	}
}
