package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/mask"
)

// pages is a log that can be read while it is written.
type pages struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *pages) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// hostileHouse is a service with one trunk on loopback and one queue.
func hostileHouse(t *testing.T, log *slog.Logger, change func(*config.Process)) *Service {
	t.Helper()
	p := config.Default()
	p.HTTP.Listen, p.WebRTC.Listen, p.SIP.UDP, p.SIP.TCP, p.Data = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "", t.TempDir()
	p.Shutdown.Drain = 0
	if change != nil {
		change(&p)
	}
	site := &model.Site{Trunks: []model.Trunk{{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}},
		Queues: []model.Queue{{ID: "sales", Numbers: []string{"+442079460101"}}}, Headset: config.DefaultSite().Headset}
	s, err := New(t.Context(), Config{Process: p, Site: site, Version: "test"}, log)
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
	return s
}

// Calls that come in, are refused, are garbled and go astray leave no number, name or user of
// an address in the log.
func TestTheLogShowsNoIdentityThatItMayNot(t *testing.T) {
	const caller, called, nobody, name = "442079460958", "442079460101", "442079460999", "Alice Smith"
	var out pages
	log := slog.New(mask.NewHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), mask.Masked))
	s := hostileHouse(t, log, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", s.Addrs().SIPUDP.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	local := conn.LocalAddr().String()
	said := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
	ask := func(id, method, to, body string) string {
		t.Helper()
		kind := ""
		if body != "" {
			kind = "Content-Type: application/sdp\r\n"
		}
		if _, err := fmt.Fprintf(conn, "%s sip:+%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\nFrom: \"%s\" <sip:+%s@h>;tag=1\r\nTo: <sip:+%s@h>\r\n"+
			"P-Asserted-Identity: \"%s\" <tel:+%s>\r\nDiversion: <sip:+%s@h>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:+%s@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
			method, to, local, id, name, caller, to, name, caller, nobody, id, method, caller, local, kind, len(body), body); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 65536)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(buf[:n]); strings.Contains(got, "Call-ID: "+id+"\r\n") && (!strings.HasPrefix(got, "SIP/2.0 1") || strings.HasPrefix(got, "SIP/2.0 180")) {
				return got
			}
		}
	}
	if got := ask("in", "INVITE", called, said); !strings.HasPrefix(got, "SIP/2.0 2") && !strings.HasPrefix(got, "SIP/2.0 180") {
		t.Errorf("the call that comes in gets\n%s", got)
	}
	if got := ask("astray", "INVITE", nobody, said); !strings.HasPrefix(got, "SIP/2.0 404") {
		t.Errorf("the call to nobody gets\n%s", got)
	}
	ask("nocodec", "INVITE", called, strings.Replace(said, "AVP 0", "AVP 96", 1))
	ask("badsdp", "INVITE", called, "v="+caller+"\r\n")
	ask("odd", "FOO", called, "")
	fmt.Fprintf(conn, "INVITE \"%s\" <sip:+%s@h> what\r\n\r\n", name, caller)
	ask("after", "OPTIONS", called, "")
	stranger, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3)}}).DialContext(t.Context(), "udp", s.Addrs().SIPUDP.String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for range 120 {
		fmt.Fprintf(stranger, "REGISTER sip:+%s@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.3:9;branch=z9hG4bKr\r\nFrom: <sip:+%s@h>;tag=1\r\nTo: <sip:+%s@h>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\r\n", caller, caller, caller)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), "source banned"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody was banned")
		}
	}
	text := out.String()
	for _, line := range []string{"call in", "caller arrived", "call refused: no common audio", "message from a trunk cannot be read", "source banned"} {
		if !strings.Contains(text, line) {
			t.Errorf("the log lacks %q:\n%s", line, text)
		}
	}
	if found := regexp.MustCompile(`(44)?2079460\d+|Alice|Smith`).FindAllString(text, -1); found != nil {
		t.Errorf("the log shows %q:\n%s", found, text)
	}
	if !strings.Contains(text, "to=***01") {
		t.Errorf("nothing is left of the number called:\n%s", text)
	}
}

func TestProfilesAreServedWhereTheyAreAskedFor(t *testing.T) {
	s := hostileHouse(t, slog.New(slog.DiscardHandler), func(p *config.Process) { p.Debug.Listen = "127.0.0.1:0" })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.debug.Addr().String()+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), "goroutine profile") {
		t.Errorf("%v %.200s", err, b)
	}
}
