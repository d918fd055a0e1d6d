package testenv_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// branch is a caller over UDP that writes its own messages.
type branch struct {
	t      *testing.T
	conn   *net.UDPConn
	target string // host:port
	seq    int
	to     string // with our tag, once known
}

func newBranch(t *testing.T, env *testenv.Env) *branch {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(env.SIP()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &branch{t: t, conn: conn, target: env.SIP().String(), to: "<sip:" + testenv.Number + "@pbx.example>"}
}

func (b *branch) send(method string, seq int, lines ...string) {
	b.t.Helper()
	head, body := lines, ""
	if len(lines) > 0 && strings.Contains(lines[len(lines)-1], "\r\n") {
		head, body = lines[:len(lines)-1], lines[len(lines)-1]
	}
	msg := append([]string{method + " sip:" + testenv.Number + "@" + b.target + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%d%s;rport", b.conn.LocalAddr(), seq, strings.TrimSuffix(method, "CK")), "Max-Forwards: 70",
		"From: <sip:+4930123@carrier.example>;tag=a", "To: " + b.to, "Call-ID: said-in-sip", fmt.Sprintf("CSeq: %d %s", seq, method),
		"Contact: <sip:x@" + b.conn.LocalAddr().String() + ">"}, head...)
	msg = append(msg, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	if _, err := b.conn.Write([]byte(strings.Join(msg, "\r\n"))); err != nil {
		b.t.Fatal(err)
	}
}

// ask sends a request and gives its final response.
func (b *branch) ask(method string, lines ...string) string {
	b.t.Helper()
	b.seq++
	b.send(method, b.seq, lines...)
	buf := make([]byte, 65536)
	for {
		_ = b.conn.SetReadDeadline(time.Now().Add(testenv.Patience))
		n, err := b.conn.Read(buf)
		if err != nil {
			b.t.Fatalf("no answer to %s: %v", method, err)
		}
		if res := string(buf[:n]); field(res, "CSeq") == fmt.Sprintf("%d %s", b.seq, method) && !strings.HasPrefix(res, "SIP/2.0 1") {
			return res
		}
	}
}

// A branch office calls in with its password, over encrypted audio, presses a key that goes
// by INFO, and hangs up. What was said is there for whoever looks for a fault, but for what
// would open something.
func TestWhatWasSaidInSIPIsShownByTheAPIAndTheCommandWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	who := digest.Login{Username: "branch", Password: "open sesame"}
	env := testenv.Start(t, testenv.Options{Site: func(s *model.Site) {
		s.Trunks[0] = model.Trunk{ID: "branch", Sources: []netip.Prefix{}, Codecs: []string{}, MediaKeys: model.MediaKeysRequired,
			Digest: model.TrunkDigest{Username: who.Username, Password: model.Secret(who.Password), Realm: "desk.example"}}
	}})
	const key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	b := newBranch(t, env)
	offer := []string{"Content-Type: application/sdp", strings.Join([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		"m=audio 40000 RTP/SAVP 0", "a=rtpmap:0 PCMU/8000", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key, ""}, "\r\n")}
	res := b.ask("INVITE", offer...)
	challenge, err := digest.ParseChallenge(field(res, "WWW-Authenticate"))
	if err != nil {
		t.Fatalf("%v\n%s", err, res)
	}
	b.to = field(res, "To")
	b.send("ACK", b.seq)
	b.to, _, _ = strings.Cut(b.to, ";")
	proof := digest.Answer(challenge, who, "INVITE", "sip:"+testenv.Number+"@"+b.target, "c0unted0nce", 1)
	res = b.ask("INVITE", append([]string{"Authorization: " + proof.String()}, offer...)...)
	if !strings.HasPrefix(res, "SIP/2.0 200") {
		t.Fatalf("not answered:\n%s", res)
	}
	b.to = field(res, "To")
	ours := regexp.MustCompile(`inline:([^|\s]+)`).FindStringSubmatch(res)
	if ours == nil {
		t.Fatalf("no key in the answer:\n%s", res)
	}
	b.send("ACK", b.seq)
	if res := b.ask("INFO", "Content-Type: application/dtmf-relay", "Signal=7\r\nDuration=160\r\n"); !strings.HasPrefix(res, "SIP/2.0 200") {
		t.Errorf("the key was answered with\n%s", res)
	}
	b.ask("BYE")

	record := testenv.OpenRecord(t, env.Process)
	var id model.CallID
	testenv.Eventually(t, "the ladder is in the record", func() bool {
		calls, err := record.Calls(t.Context(), store.CallFilter{})
		if err != nil || len(calls) != 1 {
			return false
		}
		id = calls[0].ID
		ladders, err := record.Ladders(t.Context(), id)
		return err == nil && len(ladders) == 1
	})
	shown := ask[json.RawMessage](t, env, string(testenv.Supervisor), "/api/v1/calls/"+string(id)+"/sip")
	var sip api.CallSIP
	if err := json.Unmarshal(shown, &sip); err != nil {
		t.Fatal(err)
	}
	env.Stop() // the command needs no service

	file := filepath.Join(t.TempDir(), "headroom.yaml")
	if err := os.WriteFile(file, []byte("data: "+env.Process.Data+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	headroom := testenv.Build(t, "cmd/headroom")
	command := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), headroom, append([]string{"call", "show", "--config", file, string(id)}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("call show %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	full := command("--sip", "--full")
	t.Log(full)
	secrets := []string{who.Password, key, ours[1], challenge.Nonce, proof.Response, "c0unted0nce", "Signal", "Duration"}
	for what, text := range map[string]string{"the API": string(shown), "the command": full, "the command's JSON": command("--sip", "--json")} {
		for _, said := range []string{"INVITE sip:" + testenv.Number, "200 OK", "ACK", "INFO", "BYE", "AES_CM_128_HMAC_SHA1_80 inline:***", "said-in-sip", "response=***"} {
			if !strings.Contains(text, said) {
				t.Errorf("%s does not show %q:\n%s", what, said, text)
			}
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", what, secret)
			}
		}
	}
	if len(sip.Ladders) != 1 || len(sip.Ladders[0].Messages) == 0 {
		t.Fatalf("%+v", sip)
	}
	messages := sip.Ladders[0].Messages
	if first, last := messages[0], messages[len(messages)-1]; !strings.HasPrefix(first.First, "INVITE ") || first.Out || last.First != "SIP/2.0 200 OK" || last.CSeq != "4 BYE" || !last.Out {
		t.Errorf("it goes from %+v to %+v", first, last)
	}
	if story := command(); strings.Contains(story, "INVITE") || !strings.Contains(story, "over: the caller left while waiting") {
		t.Errorf("the story is\n%s", story)
	}
}

func TestACallThatAStopEndsHasItsByeInTheRecord(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{})
	caller := env.Caller(load.Config{})
	env.Stop()
	<-caller.Done()
	record := testenv.OpenRecord(t, env.Process)
	ladders, err := record.Ladders(t.Context(), testenv.OnlyCall(t, record).Call.ID)
	if err != nil || len(ladders) != 1 {
		t.Fatalf("%d ladders, %v", len(ladders), err)
	}
	var said []string
	for _, m := range ladders[0].Messages {
		method, _, _ := strings.Cut(m.First, " ")
		said = append(said, fmt.Sprintf("%v %s %s", m.Out, method, m.CSeq))
	}
	if n := len(said); n < 2 || said[n-2] != "true BYE 1 BYE" || said[n-1] != "false SIP/2.0 1 BYE" {
		t.Errorf("the last of it: %q", said)
	}
}

func TestTheMetricsCountSIPMessagesByTrunkMethodAndStatus(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	env := testenv.Start(t, testenv.Options{Process: func(p *config.Process) { p.HTTP.MetricsToken = token }})
	caller := env.Caller(load.Config{})
	if err := caller.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	var text string
	testenv.Eventually(t, "the call's messages are counted", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.URL()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		text = string(body)
		for _, line := range []string{
			`headroom_sip_messages_total{direction="in",method="INVITE",status="",trunk="loopback"} 1`,
			`headroom_sip_messages_total{direction="out",method="INVITE",status="200",trunk="loopback"} `,
			`headroom_sip_messages_total{direction="in",method="BYE",status="",trunk="loopback"} `,
			`headroom_sip_messages_total{direction="out",method="BYE",status="200",trunk="loopback"} `,
			`headroom_sip_ladders_shed_total 0`,
		} {
			if !strings.Contains(text, line) {
				return false
			}
		}
		return err == nil
	})
}
