package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// The people and numbers of the site that the peers call.
const (
	number    = "1000"
	password  = "correct horse battery staple"
	trunkUser = "peer"
	agents    = 3

	trunkPassword = "a-secret-of-two-dozen-letters"
)

// patience is how long something may take that ought to happen at once.
const patience = 20 * time.Second

// system is the service and its agents, each a process of its own.
type system struct {
	dir              string
	http, udp, media int // ports; TCP has udp's
	tls              int
	callee           int // where calls out go to
	debug            int
	client           *http.Client
	processes        []*exec.Cmd
}

const processFile = `http: {listen: "127.0.0.1:{{.HTTP}}"}
sip: {udp: "127.0.0.1:{{.UDP}}", tcp: "127.0.0.1:{{.UDP}}"}
rtp: {address: 127.0.0.1, ports: 10000-17999}
webrtc: {listen: "127.0.0.1:{{.Media}}"}
data: {{.Data}}
log: {level: debug}
debug: {listen: "127.0.0.1:{{.Debug}}"}
`

const siteFile = `trunks:
  - name: loopback
    sources: [127.0.0.1/32, "::1/128"]
    codecs: [PCMA, PCMU, G722]
  - name: rfcs
    sources: [` + torturers + `]
  - name: known-by-password
    sources: [127.0.0.2/32]
    digest: {username: ` + trunkUser + `, password: "` + trunkPassword + `"}
  - name: carrier
    limits: {calls: 1}
    outbound: {targets: [{uri: "sip:127.0.0.1:{{.Callee}}"}], prefixes: [""]}
queues:
  - name: service
    numbers: ["` + number + `"]
    wrap_up: 1s
  - name: tones
    numbers: ["` + toneNumber + `"]
    wrap_up: 0s
  - name: desks
    numbers: ["` + deskNumber + `"]
    wrap_up: 0s
users:
  - {name: boss, roles: [admin]}
{{- range .Agents}}
  - {name: {{.}}, queues: [service]}
{{- end}}
  - {name: ` + toneAgent + `, queues: [tones]}
{{- range .Diallers}}
  - {name: {{.}}}
{{- end}}
  - {name: ` + deskUser + `, queues: [desks], phone: {password: "` + deskPassword + `"}}
dialling:
  numbers: {country: "44", national: "0"}
  emergency: ["999"]
  caller_id: {number: "` + shownNumber + `"}
  roles:
    - {name: agent, classes: [national]}
`

// start runs everything in a folder of its own and waits until calls can be taken.
func start(ctx context.Context, dir, headroom, agent string) (*system, error) {
	s := &system{dir: dir}
	for _, port := range []*int{&s.http, &s.udp, &s.media, &s.tls, &s.callee, &s.debug} {
		var err error
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	var names []string
	for i := range agents {
		names = append(names, fmt.Sprintf("agent-%d", i+1))
	}
	files := map[string]string{"headroom.yaml": processFile, "site.yaml": siteFile}
	for name, text := range files {
		var b bytes.Buffer
		if err := template.Must(template.New(name).Parse(text)).Execute(&b, map[string]any{
			"HTTP": s.http, "UDP": s.udp, "Media": s.media, "TLS": s.tls, "Debug": s.debug, "Data": filepath.Join(dir, "data"), "Agents": names, "Callee": s.callee, "Diallers": diallers,
		}); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "headroom.yaml")
	if err := run(ctx, headroom, "apply", "--config", config, filepath.Join(dir, "site.yaml")); err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(names, diallers, []string{"boss", toneAgent}) {
		cmd := exec.CommandContext(ctx, headroom, "user", "passwd", "--config", config, name)
		cmd.Stdin = strings.NewReader(password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("password of %s: %w: %s", name, err, out)
		}
	}
	if err := s.spawn("headroom", headroom, "serve", "--config", config); err != nil {
		return nil, err
	}
	if err := s.signIn(ctx); err != nil {
		return s, err
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return s, err
	}
	for _, name := range names {
		if err := s.spawn(name, agent, "--server", s.url(""), "--user", name, "--password-file", secret, "--headless", "--auto-answer",
			"--mic", filepath.Join("testdata", "speech", "agent-1.wav"), "--ear", "none", "--headset-model", "Interop", "--headset-serial", name); err != nil {
			return s, err
		}
	}
	return s, errors.Join(s.startTones(agent, secret), s.settled(ctx))
}

// startTones starts the agent who says a tone and writes down what it hears.
func (s *system) startTones(agent, secret string) error {
	const rate = 16000
	mic := filepath.Join(s.dir, toneAgent+"-mic.wav")
	if err := wavfile.Write(mic, rate, mediatest.Tone(rate, agentHz, toneDBov, rate)); err != nil {
		return err
	}
	return s.spawn(toneAgent, agent, "--server", s.url(""), "--user", toneAgent, "--password-file", secret, "--headless", "--auto-answer",
		"--mic", mic, "--ear", s.earFile(), "--headset-model", "Interop", "--headset-serial", toneAgent)
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

func run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

// spawn starts a program whose output goes to a file.
func (s *system) spawn(name, program string, args ...string) error {
	log, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...) //nolint:noctx // ended by stop, in order
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, cmd)
	return nil
}

// stop ends every process, the service last, and says if one did not end in order.
func (s *system) stop() error {
	var problems []error
	for i := len(s.processes) - 1; i >= 0; i-- {
		cmd := s.processes[i]
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err))
		}
		late.Stop()
	}
	return errors.Join(problems...)
}

func (s *system) url(path string) string { return "http://127.0.0.1:" + strconv.Itoa(s.http) + path }

func (s *system) signIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	s.client = &http.Client{Jar: jar, Timeout: patience}
	return eventually(ctx, "the service takes requests", func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url("/api/v1/session"),
			strings.NewReader(`{"user":"boss","password":"`+password+`"}`))
		if err != nil {
			return false, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := s.client.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // it is not up yet
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
}

// get reads one thing of the API.
func (s *system) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(path), nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	if text, ok := into.(*string); ok {
		b, err := io.ReadAll(resp.Body)
		*text = string(b)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// settled waits until no call is left and every agent can be offered one.
func (s *system) settled(ctx context.Context) error {
	var last string
	err := eventually(ctx, "no call is left and every agent is ready", func() (bool, error) {
		var metrics string
		if err := s.get(ctx, "/metrics", &metrics); err != nil {
			return false, err
		}
		dialogs, calls := value(metrics, "headroom_sip_dialogs"), value(metrics, "headroom_calls")
		ready := value(metrics, `headroom_agents{state="ready"}`)
		last = fmt.Sprintf("%s dialogs, %s calls, %s of %d agents ready", dialogs, calls, ready, agents+1)
		return dialogs == "0" && calls == "0" && ready == strconv.Itoa(agents+1), nil
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, last)
	}
	return nil
}

// value gives a sample of a page of metrics.
func value(metrics, name string) string {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "no"
}

// eventually asks again until the answer is yes.
func eventually(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		yes, err := ok()
		if yes || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s", patience, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
