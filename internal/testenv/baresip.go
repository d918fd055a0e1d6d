package testenv

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// Baresip is a caller that shares nothing with us: another SIP stack, other RTP, another
// G.711.
type Baresip struct {
	process *Process
	keys    io.Writer
	heard   *pulsetest.Recording
}

// BaresipConfig says how Baresip calls.
type BaresipConfig struct {
	Transport string // "udp" or "tcp"
	Codec     media.Codec
	Hz, DBov  float64 // the tone it says
}

// virtualHeadset is baresip's.
const virtualHeadset = "phone"

// baresipLife bounds baresip's tone, since it does not repeat a file, and its own life, should
// the test be killed. In seconds.
const baresipLife = 120

// Baresip has baresip call the service. It says a tone from a file and plays what it hears
// to a virtual headset, since Debian's has no module that would write it to a file.
func (e *Env) Baresip(cfg BaresipConfig) *Baresip {
	t := e.t
	t.Helper()
	path, err := exec.LookPath("baresip")
	if err != nil {
		t.Skip("baresip is not installed (Debian: apt install baresip-core)")
	}
	pulse := pulsetest.Start(t, virtualHeadset)
	addr := e.SIP()
	if cfg.Transport == "tcp" {
		addr = e.Service.Addrs().SIPTCP // baresip adds its account's transport to the target
	}
	dir := t.TempDir()
	writeBaresipConfig(t, dir, cfg)
	b := &Baresip{heard: pulse.Hear(t, virtualHeadset)}
	// HOME is the sound server's folder.
	life := strconv.Itoa(baresipLife)
	b.process = program(t, pulse.Env(), path, "-4", "-n", "127.0.0.1", "-f", dir, "-t", life, "-e", "/dial sip:"+Number+"@"+addr.String())
	if b.keys, err = b.process.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	b.process.start()
	return b
}

func writeBaresipConfig(t testing.TB, dir string, cfg BaresipConfig) {
	t.Helper()
	tone := filepath.Join(dir, "tone.wav")
	if err := wavfile.Write(tone, CallerRate, mediatest.Tone(CallerRate, cfg.Hz, cfg.DBov, baresipLife*CallerRate)); err != nil {
		t.Fatal(err)
	}
	config := []string{
		"module_path " + baresipModules(t),
		"module stdio.so", "module g711.so", "module aufile.so", "module alsa.so", "module_app account.so", "module_app menu.so",
		"sip_listen 127.0.0.1:0", "rtp_ports 18000-18999",
		"audio_source aufile," + tone, "audio_player alsa," + virtualHeadset, "ringback_disabled yes", "statmode_default off", "",
	}
	for name, text := range map[string]string{
		"config":   strings.Join(config, "\n"),
		"accounts": fmt.Sprintf("<sip:caller@127.0.0.1;transport=%s>;regint=0;audio_codecs=%s\n", cfg.Transport, cfg.Codec),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// baresipModules is where they were installed, which baresip does not know itself.
func baresipModules(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib*/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib*/baresip/modules"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	t.Skip("baresip's modules are not installed (Debian: apt install baresip-core)")
	return ""
}

// Heard is what baresip's headset played, at pulsetest.Rate.
func (b *Baresip) Heard() *pulsetest.Recording { return b.heard }

// Hangup has baresip end the call.
func (b *Baresip) Hangup() {
	if _, err := io.WriteString(b.keys, "/hangup\n"); err != nil {
		b.process.t.Errorf("baresip has ended: %v", err)
	}
}
