package sip_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/wavfile"
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

// TestALongHoldOnSRTP has baresip hold an encrypted call for as long as HEADROOM_LONG_HOLD
// says, like "15m", in real time, and be heard after it.
func TestALongHoldOnSRTP(t *testing.T) {
	hold, err := time.ParseDuration(os.Getenv("HEADROOM_LONG_HOLD"))
	if err != nil {
		t.Skip("takes as long as HEADROOM_LONG_HOLD says, which says nothing")
	}
	baresip := program(t, "baresip")
	modules := baresipModule(t, "srtp.so")
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	dir := t.TempDir()
	speech := filepath.Join(dir, "tone.wav") // aubridge would not go on after a hold
	pcm := make([]float32, int((hold+time.Minute)/time.Second)*8000)
	prompt.Tone(1000, -20).Render(pcm, 0, 8000)
	if err := wavfile.Write(speech, 8000, pcm); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{
		"config": "module_path " + modules + "\nsip_listen 127.0.0.1:0\naudio_source aufile," + speech + "\naudio_player aubridge,nowhere\nrtp_ports 13000-13999\n" +
			"module stdio.so\nmodule g711.so\nmodule aubridge.so\nmodule aufile.so\nmodule srtp.so\nmodule_app account.so\nmodule_app menu.so\n",
		"accounts": "<sip:ada@127.0.0.1>;regint=0;audio_codecs=PCMU,PCMA;mediaenc=srtp-mand\n",
		"contacts": "",
	})
	d := make(desk, 1)
	s := start(t, d, withKeys(sip.KeysRequired))
	cmd := exec.CommandContext(t.Context(), baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-e", "/dial sip:100@"+s.udp.String())
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(out.String(), "failed to decrypt") {
			t.Errorf("baresip could not decrypt us:\n%s", out.String())
		}
	}()
	call := d.next(t)
	leg, err := call.Answer(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pacer.Play(leg, prompt.Tone(440, -20))()
	heard := func(what string) {
		t.Helper()
		var ear listener
		leg.SetSink(&ear)
		defer func() {
			if t.Failed() {
				t.Logf("%+v\n%s", leg.Stats(), call.Ladder().Draw(true))
			}
		}()
		eventually(t, what, func() bool { return share(ear.latest(2400), 1000) > 0.95 })
		t.Logf("%s  %s: heard; %+v", time.Now().UTC().Format(time.RFC3339), what, leg.Stats())
	}
	told := func(what string) {
		t.Helper()
		if _, err := keys.Write([]byte(what + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	heard("before the hold")
	told("/hold")
	offers := func(dir string) func() bool {
		return func() bool {
			r := call.Ladder().Messages
			for i := len(r) - 1; i >= 0; i-- {
				if strings.HasPrefix(r[i].First, "INVITE ") {
					return strings.Contains(r[i].Body, "a="+dir)
				}
			}
			return false
		}
	}
	eventually(t, "the hold", offers("sendonly"))
	<-time.After(hold)
	told("/resume")
	eventually(t, "the end of the hold", offers("sendrecv"))
	heard(fmt.Sprintf("after a hold of %v", hold))
	if call.Encryption() != "SDES AES_CM_128_HMAC_SHA1_80" || call.Ended() != "" {
		t.Errorf("encrypted by %q, ended by %q", call.Encryption(), call.Ended())
	}
}
