package testenv

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// PhonePassword is what the phones of WithPhones register with.
const PhonePassword = "a-phones-own-password"

// WithPhones gives every agent of a site a phone that registers by the agent's name.
func WithPhones(site *model.Site) {
	for i, u := range site.Users {
		if u.Has(model.RoleAgent) {
			site.Users[i].Phone.Password = PhonePassword
		}
	}
}

// DeskPhone is baresip as an agent's phone.
type DeskPhone struct {
	t       testing.TB
	process *Process
	keys    io.Writer
	out     *transcript
	heard   *pulsetest.Recording
}

// DeskPhoneConfig says how it is set up.
type DeskPhoneConfig struct {
	User      model.AgentID
	Password  string // default PhonePassword
	Server    netip.AddrPort
	Transport string  // "udp", "tcp" or "tls"; default "udp"
	Account   string  // more parameters of baresip's account, each with its semicolon
	Config    string  // more lines of its configuration
	Hz, DBov  float64 // the tone it says
	Ear       *pulsetest.Server
	Headset   string // of Ear, where it plays what it hears; "" plays nowhere
}

// NewDeskPhone starts a phone, which registers at once.
func NewDeskPhone(t testing.TB, cfg DeskPhoneConfig) *DeskPhone {
	t.Helper()
	path, err := exec.LookPath("baresip")
	if err != nil {
		t.Skip("baresip is not installed (Debian: apt install baresip-core)")
	}
	if cfg.Transport == "" {
		cfg.Transport = "udp"
	}
	if cfg.Password == "" {
		cfg.Password = PhonePassword
	}
	dir := t.TempDir()
	cfg.write(t, dir)
	d := &DeskPhone{t: t, out: &transcript{to: testWriter{t}}}
	var env []string
	if cfg.Ear != nil {
		env, d.heard = cfg.Ear.Env(), cfg.Ear.Hear(t, cfg.Headset)
	}
	d.process = program(t, env, path, "-4", "-n", "127.0.0.1", "-f", dir, "-t", strconv.Itoa(baresipLife))
	d.process.cmd.Stdout, d.process.cmd.Stderr = d.out, d.out
	if d.keys, err = d.process.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	d.process.start()
	return d
}

func (cfg DeskPhoneConfig) write(t testing.TB, dir string) {
	t.Helper()
	tone := filepath.Join(dir, "tone.wav")
	if err := wavfile.Write(tone, CallerRate, mediatest.Tone(CallerRate, cfg.Hz, cfg.DBov, baresipLife*CallerRate)); err != nil {
		t.Fatal(err)
	}
	config := []string{
		"module_path " + baresipModules(t),
		"module stdio.so", "module g711.so", "module aufile.so", "module srtp.so", "module dtls_srtp.so", "module_app account.so", "module_app menu.so",
		"sip_listen 127.0.0.1:0", "rtp_ports 18000-18999", "audio_source aufile," + tone, "ringback_disabled yes", "statmode_default off",
	}
	if cfg.Ear != nil {
		config = append(config, "module alsa.so", "audio_player alsa,"+cfg.Headset)
	}
	for name, text := range map[string]string{
		"config": strings.Join(config, "\n") + "\n" + cfg.Config,
		"accounts": fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_pass=%s;regint=60;audio_codecs=PCMU,PCMA%s\n",
			cfg.User, cfg.Server, cfg.Transport, cfg.Password, cfg.Account),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Press gives baresip a command, such as "/hold".
func (d *DeskPhone) Press(command string) {
	d.t.Helper()
	if _, err := io.WriteString(d.keys, command+"\n"); err != nil {
		d.t.Errorf("baresip has ended: %v", err)
	}
}

// Says waits until baresip has said something n times.
func (d *DeskPhone) Says(what string, n int) {
	d.t.Helper()
	Eventually(d.t, fmt.Sprintf("baresip says %q, %d times", what, n), func() bool { return d.out.count(what) >= n })
}

// Said is how often baresip has said something.
func (d *DeskPhone) Said(what string) int { return d.out.count(what) }

// Heard is what its earphone played, at pulsetest.Rate.
func (d *DeskPhone) Heard() *pulsetest.Recording { return d.heard }

// PullOut takes the phone's power away: nothing more comes from it.
func (d *DeskPhone) PullOut() { d.process.Kill() }

// transcript is what a program has said.
type transcript struct {
	to   io.Writer
	mu   sync.Mutex
	said bytes.Buffer
}

// Write implements io.Writer.
func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Write(b)
	return s.to.Write(b)
}

func (s *transcript) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.said.String(), what)
}
