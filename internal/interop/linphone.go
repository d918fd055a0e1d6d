package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// linphones are what linphonec does as a caller. It speaks to and hears from files.
func linphones() []row {
	const area, peer = "phones", "linphonec 5.1"
	var all []row
	for _, transport := range []string{"udp", "tcp"} {
		all = append(all, row{area: area, name: "calls over " + strings.ToUpper(transport) + ", is heard and hears, holds, takes back, sends a digit, hangs up", peer: peer,
			try: func(ctx context.Context, s *system, dir string) error {
				return linphone(ctx, s, dir, transport, "none")
			}})
	}
	for _, keys := range []string{"srtp", "dtls"} {
		all = append(all, row{area: area, name: "the same with encrypted audio (its " + keys + ")", peer: peer,
			try: func(ctx context.Context, s *system, dir string) error { return linphone(ctx, s, dir, "udp", keys) }})
	}
	return all
}

// linphone calls over a transport with a media encryption, and does what callers do.
func linphone(ctx context.Context, s *system, dir, transport, keys string) error {
	if _, err := exec.LookPath("linphonec"); err != nil {
		return errors.New("linphonec is not installed (Debian: apt install linphone-cli)")
	}
	const rate = 8000
	tone, heard := filepath.Join(dir, "tone.wav"), filepath.Join(dir, "heard.wav")
	if err := wavfile.Write(tone, rate, mediatest.Tone(rate, 440, -20, 60*rate)); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	rc := fmt.Sprintf("[sip]\nsip_port=%d\nsip_tcp_port=%d\nsip_tls_port=0\nmedia_encryption=%s\nverify_server_certs=0\nuse_ipv6=0\n[rtp]\naudio_rtp_port=18000-18999\n[net]\nmtu=1300\n", port, port, keys)
	// Without its folders it has no database, and without that it opens no socket.
	for _, folder := range []string{".local/share/linphone", ".config/linphone"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "linphonerc"), []byte(rc), 0o600); err != nil {
		return err
	}
	p, err := startPhone(ctx, dir, "linphonec", "-c", filepath.Join(dir, "linphonerc"))
	if err != nil {
		return err
	}
	defer p.end()
	for _, step := range []struct {
		command, says string
		wait          time.Duration
	}{
		{"", "linphonec>", time.Second},
		{"soundcard use files", "", 0},
		{"play " + tone, "", 0},
		{"record " + heard, "", 0},
		{fmt.Sprintf("call sip:%s@127.0.0.1:%d;transport=%s", number, s.udp, transport), "connected", 3 * time.Second},
		{"pause", "paused", 2 * time.Second},
		{"resume", "resum", 2 * time.Second},
		{"5", "", time.Second},
		{"terminate", "ended", 0},
		{"quit", "", 0},
	} {
		if _, err := io.WriteString(p.keys, step.command+"\n"); err != nil {
			return err
		}
		if err := errors.Join(p.says(ctx, step.says), sleep(ctx, step.wait)); err != nil {
			return fmt.Errorf("%q: %w", step.command, err)
		}
	}
	_ = p.cmd.Wait()
	return errors.Join(loud(heard), s.heardCaller(ctx), s.lastCallWas(map[string]string{"none": "", "srtp": "SDES", "dtls": "DTLS"}[keys]))
}

// callStory is what the rows want to know of a call's record.
type callStory struct {
	Legs []struct {
		Kind  string
		Stats struct {
			Codec string
			In    uint64 `json:"packets_in"`
		}
	}
	Events []struct {
		Kind   string
		Detail map[string]string
	}
}

// newest waits until the record of the newest call is as it should be.
func (s *system) newest(ctx context.Context, what string, ok func(callStory) bool) error {
	var list struct {
		Calls []struct{ ID string }
	}
	if err := s.get(ctx, "/api/v1/calls", &list); err != nil {
		return err
	}
	if len(list.Calls) == 0 {
		return errors.New("the service has no record of the call")
	}
	return eventually(ctx, "the record has "+what, func() (bool, error) {
		var story callStory
		err := s.get(ctx, "/api/v1/calls/"+list.Calls[0].ID, &story)
		return ok(story), err
	})
}

// heardCaller looks at what came of seven seconds of talk and one run of keys.
func (s *system) heardCaller(ctx context.Context) error {
	return s.newest(ctx, "over 150 packets from the caller, and the key", func(story callStory) bool {
		keys, packets := 0, uint64(0)
		for _, e := range story.Events {
			if e.Kind == "dtmf" {
				keys++
			}
		}
		for _, l := range story.Legs {
			if l.Kind == "trunk" {
				packets = l.Stats.In
			}
		}
		return keys == 1 && packets > 150
	})
}

// lastCallIn looks at which codec the caller spoke in.
func (s *system) lastCallIn(ctx context.Context, codec string) error {
	return s.newest(ctx, "packets of "+codec+" from the caller", func(story callStory) bool {
		for _, l := range story.Legs {
			if l.Kind == "trunk" {
				return l.Stats.Codec == codec && l.Stats.In > 100
			}
		}
		return false
	})
}

// lastCallWas looks into the service's log for how the audio of the call that ended last was
// encrypted.
func (s *system) lastCallWas(by string) error {
	log, err := os.ReadFile(filepath.Join(s.dir, "headroom.log"))
	if err != nil {
		return err
	}
	_, said, _ := strings.Cut(string(log[max(0, strings.LastIndex(string(log), `msg="call over" component=sip`)):]), "encryption=")
	said, _, _ = strings.Cut(said, "\n")
	if !strings.HasPrefix(strings.Trim(said, `"`), by) || by == "" && said != `""` {
		return fmt.Errorf("the audio was encrypted by %s", said)
	}
	return nil
}

// loud says if nothing can be heard in a file.
func loud(file string) error {
	clip, err := wavfile.Open(file)
	if err != nil {
		return err
	}
	samples := clip.Mono()
	var sum float64
	for _, x := range samples {
		sum += float64(x) * float64(x)
	}
	if level := 10 * math.Log10(sum/float64(max(len(samples), 1))+1e-12); level < -60 {
		return fmt.Errorf("it heard nothing: %d samples at %.0f dBov", len(samples), level)
	}
	return nil
}
