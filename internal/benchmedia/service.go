//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/password"
	"github.com/headroom-voice/headroom/internal/store"
)

const (
	secret       = "correct horse battery staple"
	meteredQueue = "1000" // numbers
	plainQueue   = "2000"
	patience     = 30 * time.Second

	recordedQueue = "3000" // and metered
)

// service is `headroom serve`, a process of its own.
type service struct {
	cmd         *exec.Cmd
	http, debug int
	sip         int
	users       map[string][]string // by the number of their queue
}

// prepare writes the files of a service with so many agents a queue, and their passwords.
func prepare(ctx context.Context, dir string, agents int) (*service, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &service{users: make(map[string][]string)}
	var media int
	for _, port := range []*int{&s.http, &s.sip, &media, &s.debug} {
		var err error
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	process := fmt.Sprintf("http: {listen: \"127.0.0.1:%d\"}\nsip: {udp: \"127.0.0.1:%d\", tcp: \"\"}\nrtp: {address: 127.0.0.1, ports: 10000-17999}\n"+
		"webrtc: {listen: \"127.0.0.1:%d\"}\ndata: %s\nlog: {level: warn}\ndebug: {listen: \"127.0.0.1:%d\"}\n", s.http, s.sip, media, filepath.Join(dir, "data"), s.debug)
	if err := os.WriteFile(filepath.Join(dir, "headroom.yaml"), []byte(process), 0o600); err != nil {
		return nil, err
	}
	var site strings.Builder
	site.WriteString("trunks:\n  - {name: load, sources: [127.0.0.1], codecs: [PCMU]}\nqueues:\n")
	queues := []string{meteredQueue, plainQueue, recordedQueue}
	more := map[string]string{plainQueue: ", unmetered: true", recordedQueue: ", recording: {policy: always}"}
	for _, q := range queues {
		fmt.Fprintf(&site, "  - {name: q%s, numbers: [\"%s\"], wrap_up: 0s, headset_policy: ignore%s}\n", q, q, more[q])
	}
	site.WriteString("users:\n  - {name: boss, roles: [admin]}\n")
	for _, q := range queues {
		for i := range agents {
			name := fmt.Sprintf("a%s-%d", q, i+1)
			s.users[q] = append(s.users[q], name)
			fmt.Fprintf(&site, "  - {name: %s, queues: [q%s]}\n", name, q)
		}
	}
	return s, s.furnish(ctx, filepath.Join(dir, "headroom.yaml"), []byte(site.String()))
}

// furnish puts the site and the passwords into the store: every agent has the same, hashed once.
func (s *service) furnish(ctx context.Context, file string, text []byte) error {
	process, err := config.Load(file)
	if err != nil {
		return err
	}
	site, err := config.ParseSite("site.yaml", text)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(process.Data, 0o700); err != nil {
		return err
	}
	db, err := store.Open(ctx, process.DSN())
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ApplySite(ctx, site); err != nil {
		return err
	}
	hash, err := password.New(1).Hash(ctx, secret)
	if err != nil {
		return err
	}
	for _, u := range site.Users {
		if err := db.SetPasswordHash(ctx, u.ID, hash); err != nil {
			return err
		}
	}
	return nil
}

// start runs the service and waits until it takes requests.
func (s *service) start(ctx context.Context, program, dir string) error {
	log, err := os.OpenFile(filepath.Join(dir, "headroom.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(program, "serve", "--config", filepath.Join(dir, "headroom.yaml")) //nolint:noctx // ended by stop, in order
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/healthz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the service did not come up within %v; see %s", patience, log.Name()), s.stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *service) url() string { return fmt.Sprintf("http://127.0.0.1:%d", s.http) }

func (s *service) target(number string) string {
	return fmt.Sprintf("sip:%s@127.0.0.1:%d", number, s.sip)
}

// signIn gives a client that may read the figures.
func (s *service) signIn(ctx context.Context) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar, Timeout: patience}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+"/api/v1/session", strings.NewReader(`{"user":"boss","password":"`+secret+`"}`))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("sign in: %s", resp.Status)
	}
	return client, nil
}

// figures reads samples of /metrics by their names.
func (s *service) figures(ctx context.Context, client *http.Client, names ...string) ([]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("figures: %s: %w", resp.Status, err)
	}
	out := make([]float64, len(names))
next:
	for i, name := range names {
		for line := range strings.Lines(string(page)) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				if out[i], err = strconv.ParseFloat(strings.TrimSpace(rest), 64); err != nil {
					return nil, fmt.Errorf("figures: %s: %w", name, err)
				}
				continue next
			}
		}
		return nil, fmt.Errorf("figures: there is no %s", name)
	}
	return out, nil
}

// collect has the service throw its garbage away, that of the sign-ins for the most part: each
// takes 19 MiB for a password's hash, which has nothing to do with calls.
func (s *service) collect(ctx context.Context) error {
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/heap?gc=1", s.debug), nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("garbage collection: %w", err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return nil
}

// stop ends the service in order.
func (s *service) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the service's end: %w", err)
	}
	return nil
}

// freePort is one that is free for UDP and TCP alike.
func freePort() (int, error) {
	for range 100 {
		tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, err
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		_ = tcp.Close()
		if err == nil {
			_ = udp.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free for both UDP and TCP")
}
