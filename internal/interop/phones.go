package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// phones are softphones as people use them.
func phones() []row {
	const area = "phones"
	var all []row
	for _, transport := range []string{"udp", "tcp"} {
		all = append(all,
			row{area: area, name: "calls over " + strings.ToUpper(transport) + ", hears audio, hangs up", peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error {
				return baresip(ctx, s, dir, transport, []string{"/hangup\n"})
			}},
			row{area: area, name: "the same with a hold of 2 s", peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error {
				return baresip(ctx, s, dir, transport, []string{"x", "X", "/hangup\n"})
			}})
	}
	all = append(all, row{area: area, name: "calls in G.722, holds, takes back", peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error {
		return errors.Join(baresip(ctx, s, dir, "udp;codec=G722/16000/1", []string{"x", "X", "/hangup\n"}), s.lastCallIn(ctx, "G722"))
	}})
	for _, keys := range []string{"srtp", "srtp-mand", "dtls_srtp"} {
		all = append(all, row{area: area, name: "calls with encrypted audio (its " + keys + "), holds, takes back", peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error {
			return baresip(ctx, s, dir, "udp;mediaenc="+keys, []string{"x", "X", "/hangup\n"})
		}})
	}
	return append(all,
		row{area: area, name: "is killed in mid-call: the call ends by itself", peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error {
			return baresip(ctx, s, dir, "udp", nil)
		}})
}

// transcript is what a program writes, readable while it runs.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// phone is a softphone that takes commands.
type phone struct {
	cmd  *exec.Cmd
	keys io.WriteCloser
	said transcript
}

func startPhone(ctx context.Context, dir string, name string, args ...string) (*phone, error) {
	p := &phone{cmd: exec.CommandContext(ctx, name, args...)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.said, &p.said
	p.cmd.Env = append(os.Environ(), "HOME="+dir)
	p.cmd.WaitDelay = time.Second
	var err error
	if p.keys, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

func (p *phone) says(ctx context.Context, text string) error {
	err := eventually(ctx, fmt.Sprintf("it says %q", text), func() (bool, error) { return strings.Contains(p.said.String(), text), nil })
	if err != nil {
		return fmt.Errorf("%w; it said: %s", err, lastLines(p.said.String(), 5))
	}
	return nil
}

func (p *phone) end() {
	_ = p.keys.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// baresip calls over a transport, which more options of its account may follow, and does what it is told two seconds after the answer and between.
func baresip(ctx context.Context, s *system, dir, account string, keys []string) error {
	transport, options, _ := strings.Cut(account, ";")
	codecs, rate := "PCMA", 8000
	if codec, ok := strings.CutPrefix(options, "codec="); ok {
		codecs, rate, options = codec, 16000, ""
	}
	if options != "" {
		options = ";" + options
	}
	modules, err := filepath.Glob("/usr/lib*/baresip/modules")
	if _, look := exec.LookPath("baresip"); look != nil || err != nil || len(modules) == 0 {
		return errors.New("baresip is not installed (Debian: apt install baresip-core)")
	}
	tone := filepath.Join(dir, "tone.wav")
	if err := wavfile.Write(tone, rate, mediatest.Tone(rate, 440, -20, 60*rate)); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"config": strings.Join([]string{
			"module_path " + modules[0], "module stdio.so", "module g711.so", "module g722.so", "module aufile.so", "module aubridge.so", "module srtp.so", "module dtls_srtp.so", "module_app account.so", "module_app menu.so",
			fmt.Sprintf("sip_listen 127.0.0.1:%d", port), "rtp_ports 18000-18999",
			"audio_source aufile," + tone, "audio_player aubridge,x", "ringback_disabled yes", "statmode_default off", "",
		}, "\n"),
		"accounts": "<sip:caller@127.0.0.1;transport=" + transport + ">;regint=0;audio_codecs=" + codecs + options + "\n",
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	p, err := startPhone(ctx, dir, "baresip", "-4", "-n", "127.0.0.1", "-f", dir, "-e", fmt.Sprintf("/dial sip:%s@127.0.0.1:%d", number, s.udp))
	if err != nil {
		return err
	}
	defer p.end()
	if err := p.says(ctx, "Call established"); err != nil {
		return err
	}
	for _, key := range keys {
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		if _, err := io.WriteString(p.keys, key); err != nil {
			return err
		}
	}
	if keys == nil {
		return killed(ctx, s, p)
	}
	if err := p.says(ctx, "terminate call"); err != nil {
		return err
	}
	return p.says(ctx, "incoming rtp for 'audio' established")
}

// killed pulls the plug and waits for the service to notice that nothing comes any more.
func killed(ctx context.Context, s *system, p *phone) error {
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	p.end()
	// A minute without a packet, and 32 s in which our BYE is repeated to nobody.
	deadline := time.Now().Add(110 * time.Second)
	for time.Now().Before(deadline) {
		if s.settled(ctx) == nil {
			return nil
		}
	}
	return errors.New("110 s after the last packet the call still lives")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
