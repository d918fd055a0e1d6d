package sip_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
)

// baresipModule is the folder of baresip's modules; without the module the test is skipped.
func baresipModule(t *testing.T, name string) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib*/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib*/baresip/modules"} {
		found, err := filepath.Glob(filepath.Join(pattern, name))
		if err == nil && len(found) > 0 {
			return filepath.Dir(found[0])
		}
	}
	t.Skipf("baresip's module %s is not installed (Debian: apt install baresip-core)", name)
	return ""
}

// TestBaresipsKeys has baresip, whose SRTP and DTLS are neither ours nor Pion's, call with
// every kind of media encryption it knows, and say back what it hears.
func TestBaresipsKeys(t *testing.T) {
	t.Parallel()
	baresip := program(t, "baresip")
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	for _, c := range []struct {
		name, mediaenc, module string
		policy                 sip.MediaKeys
		by                     string // a call that is not answered: what baresip is told
	}{
		{"best effort", "srtp", "srtp.so", sip.KeysOptional, "SDES AES_CM_128_HMAC_SHA1_80"},
		{"RTP/SAVP", "srtp-mand", "srtp.so", sip.KeysRequired, "SDES AES_CM_128_HMAC_SHA1_80"},
		{"RTP/SAVPF", "srtp-mandf", "srtp.so", sip.KeysRequired, "SDES AES_CM_128_HMAC_SHA1_80"},
		{"DTLS", "dtls_srtp", "dtls_srtp.so", sip.KeysRequired, "DTLS AEAD_AES_128_GCM"},
		{"best effort, off here", "srtp", "srtp.so", sip.KeysOff, ""},
		{"RTP/SAVP, off here", "srtp-mand", "srtp.so", sip.KeysOff, "488"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			modules := baresipModule(t, c.module)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{
				"config": "module_path " + modules + "\nsip_listen 127.0.0.1:0\naudio_source aubridge,loop\naudio_player aubridge,loop\nrtp_ports 16000-17999\n" +
					"module g711.so\nmodule aubridge.so\nmodule " + c.module + "\nmodule_app account.so\nmodule_app menu.so\n",
				"accounts": "<sip:ada@127.0.0.1>;regint=0;audio_codecs=PCMU,PCMA;mediaenc=" + c.mediaenc + "\n",
				"contacts": "",
			})
			d := make(desk, 1)
			s := start(t, d, withKeys(c.policy))
			said, life := make(chan string, 1), "15"
			if c.by == "488" {
				life = "2" // it stays that long, whatever comes of its call
			}
			ctx, done := context.WithCancel(t.Context())
			defer done()
			go func() {
				out, _ := command(ctx, t, dir, baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-t", life, "-e", "/dial sip:100@"+s.udp.String())
				said <- out
			}()
			if c.by == "488" {
				if out := <-said; !strings.Contains(out, "488") {
					t.Errorf("baresip was not refused:\n%s", out)
				}
				return
			}
			var call *sip.Call
			select {
			case call = <-d:
			case out := <-said:
				t.Fatalf("baresip did not call:\n%s", out)
			}
			leg, err := call.Answer(within(t))
			if err != nil {
				t.Fatal(err)
			}
			var ear listener
			leg.SetSink(&ear)
			defer pacer.Play(leg, prompt.Tone(1000, -20))()
			eventually(t, "what baresip heard, back", func() bool { return share(ear.latest(2400), 1000) > 0.95 })
			if call.Encryption() != c.by {
				t.Errorf("encrypted by %q, want %q", call.Encryption(), c.by)
			}
			if st := leg.Stats(); st.Forged > 4 { // it pokes a hole for RTP through its NAT before it has keys
				t.Errorf("%d packets were not authentic", st.Forged)
			}
			if err := call.Hangup(within(t)); err != nil {
				t.Error(err)
			}
			done()
			<-said
		})
	}
}

// TestBaresipAnswersOurKeys calls baresip, which must take the keys that we offer.
func TestBaresipAnswersOurKeys(t *testing.T) {
	t.Parallel()
	baresip := program(t, "baresip")
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	for _, c := range []struct {
		name, mediaenc string
		policy         sip.MediaKeys
		by             string
	}{
		{"required", ";mediaenc=srtp-mand", sip.KeysRequired, "SDES AES_CM_128_HMAC_SHA1_80"},
		{"required, and it would not have insisted", ";mediaenc=srtp", sip.KeysRequired, "SDES AES_CM_128_HMAC_SHA1_80"},
		{"optional, and it has none", "", sip.KeysOptional, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			modules := baresipModule(t, "srtp.so")
			dir, port := t.TempDir(), freePort(t)
			writeFiles(t, dir, map[string]string{
				"config": "module_path " + modules + "\nsip_listen 127.0.0.1:" + port + "\naudio_source aubridge,loop\naudio_player aubridge,loop\nrtp_ports 14000-15999\n" +
					"module g711.so\nmodule aubridge.so\nmodule srtp.so\nmodule_app account.so\nmodule_app menu.so\n",
				"accounts": "<sip:ada@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMU,PCMA" + c.mediaenc + "\n",
				"contacts": "",
			})
			said := make(chan string, 1)
			ctx, done := context.WithCancel(t.Context())
			defer done()
			go func() {
				out, _ := command(ctx, t, dir, baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-t", "15")
				said <- out
			}()
			client := newClient(t)
			var call *sip.Call
			eventually(t, "baresip's answer", func() bool { // it takes a while to listen
				var err error
				call, err = client.Dial(within(t), sip.Outgoing{Target: "sip:ada@127.0.0.1:" + port, Keys: c.policy})
				return err == nil
			})
			var ear listener
			call.Leg().SetSink(&ear)
			defer pacer.Play(call.Leg(), prompt.Tone(1000, -20))()
			eventually(t, "what baresip heard, back", func() bool { return share(ear.latest(2400), 1000) > 0.95 })
			if call.Encryption() != c.by {
				t.Errorf("encrypted by %q, want %q", call.Encryption(), c.by)
			}
			if err := call.Hangup(within(t)); err != nil {
				t.Error(err)
			}
			done()
			<-said
		})
	}
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
