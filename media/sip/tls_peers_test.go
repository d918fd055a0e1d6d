package sip_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// baresipHome is a folder with baresip's settings, a tone to say, and what TLS needs.
func (a *authority) baresipHome(t *testing.T, listen, account string) string {
	t.Helper()
	modules, _ := filepath.Glob("/usr/lib*/baresip/modules")
	if more, _ := filepath.Glob("/usr/lib/*/baresip/modules"); len(modules) == 0 {
		modules = more
	}
	if len(modules) == 0 {
		t.Skip("baresip's modules are not installed")
	}
	dir := t.TempDir()
	speech := filepath.Join(dir, "tone.wav")
	pcm := make([]float32, 10*8000)
	prompt.Tone(1000, -20).Render(pcm, 0, 8000)
	if err := wavfile.Write(speech, 8000, pcm); err != nil {
		t.Fatal(err)
	}
	a.issue("baresip", "127.0.0.1")
	var both []byte
	for _, name := range []string{"baresip.pem", "baresip.key"} {
		data, err := os.ReadFile(a.file(name))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, data...)
	}
	for name, text := range map[string]string{
		"both.pem": string(both),
		"config": "module_path " + modules[0] + "\nsip_listen " + listen + "\nsip_certificate " + filepath.Join(dir, "both.pem") + "\nsip_cafile " + a.file("ca.pem") +
			"\nsip_verify_server yes\naudio_source aufile," + speech + "\nrtp_ports 18000-18999\nmodule g711.so\nmodule aufile.so\nmodule_app account.so\nmodule_app menu.so\n",
		"accounts": account,
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBaresipCallsOverTLSAndChecksWhoWeAre(t *testing.T) {
	t.Parallel()
	baresip := program(t, "baresip")
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	dir := a.baresipHome(t, "127.0.0.1:0", "<sip:ada@127.0.0.1;transport=tls>;regint=0;audio_codecs=PCMU,PCMA\n")
	ctx, done := context.WithCancel(t.Context())
	defer done()
	over := make(chan string, 1)
	go func() {
		out, _ := command(ctx, t, dir, baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-t", "15", "-e", "/dial sip:100@"+s.TLSAddr().String()+";transport=tls")
		over <- out
	}()
	var call *sip.Call
	select {
	case call = <-d:
	case out := <-over:
		t.Fatalf("baresip did not call:\n%s", out)
	}
	leg, err := call.Answer(within(t))
	if err != nil {
		t.Fatal(err)
	}
	var ear listener
	leg.SetSink(&ear)
	eventually(t, "baresip's 1000 Hz", func() bool { return share(ear.latest(1600), 1000) > 0.95 })
	if err := call.Hangup(within(t)); err != nil {
		t.Errorf("hanging up on baresip: %v", err)
	}
	ended(t, call, sip.CauseLocal)
	done()
	<-over
}

func TestWeCallBaresipOverTLSAndCheckWhoItIs(t *testing.T) {
	t.Parallel()
	baresip := program(t, "baresip")
	a := newAuthority(t)
	port := freePort(t) // baresip listens on the next one for TLS
	dir := a.baresipHome(t, "127.0.0.1:"+port, "<sip:bob@127.0.0.1;transport=tls>;regint=0;answermode=auto;audio_codecs=PCMA\n")
	ctx, done := context.WithCancel(t.Context())
	defer done()
	over := make(chan string, 1)
	go func() {
		out, _ := command(ctx, t, dir, baresip, "-4", "-n", "127.0.0.1", "-f", dir, "-t", "15")
		over <- out
	}()
	host, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	host.Port++
	eventually(t, "baresip listens", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", host.String())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	client := newClient(t, func(c *sip.Config) { c.TLS.Roots = a.file("ca.pem") })
	call, err := client.Dial(within(t), sip.Outgoing{Target: "sip:bob@" + host.String() + ";transport=tls"})
	if err != nil {
		done()
		t.Fatalf("%v\n%s", err, <-over)
	}
	var ear listener
	call.Leg().SetSink(&ear)
	eventually(t, "baresip's 1000 Hz", func() bool { return share(ear.latest(1600), 1000) > 0.95 })
	if err := call.Hangup(within(t)); err != nil {
		t.Errorf("hanging up on baresip: %v", err)
	}
	ended(t, call, sip.CauseLocal)
	done()
	<-over
}
