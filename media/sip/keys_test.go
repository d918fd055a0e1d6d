package sip_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

const (
	off      = sip.KeysOff
	optional = sip.KeysOptional
	required = sip.KeysRequired
)

// withKeys is a site whose one trunk has this policy.
func withKeys(policy sip.MediaKeys) func(*sip.Config) {
	return func(c *sip.Config) {
		trunk := everyone[0]
		trunk.MediaKeys = policy
		c.Trunks = []sip.Trunk{trunk}
	}
}

// cryptoLine is an a=crypto line of a phone.
func cryptoLine(tag int, suite string, bytes int, more string) string {
	key := make([]byte, bytes)
	for i := range key {
		key[i] = byte(i * tag)
	}
	return fmt.Sprintf("a=crypto:%d %s inline:%s%s", tag, suite, base64.StdEncoding.EncodeToString(key), more)
}

func over(proto, sdp string) string { return strings.Replace(sdp, "RTP/AVP", proto, 1) }

// answer skips to the answer to the latest request: a 200 that was repeated meanwhile is not.
func (p *phone) answer(status string) string {
	p.t.Helper()
	for {
		m := p.expect("SIP/2.0 " + status)
		if strings.HasPrefix(header(m, "CSeq"), fmt.Sprint(p.cseq)+" ") {
			return m
		}
	}
}

// line finds the line of a message that starts so.
func line(msg, start string) string {
	for l := range strings.SplitSeq(msg, "\r\n") {
		if strings.HasPrefix(l, start) {
			return l
		}
	}
	return ""
}

const fingerprint = "a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF"

func TestWhichKeysAreTaken(t *testing.T) {
	t.Parallel()
	aes80 := cryptoLine(1, "AES_CM_128_HMAC_SHA1_80", 30, "|2^20|1:4")
	aes32 := cryptoLine(2, "AES_CM_128_HMAC_SHA1_32", 30, "")
	gcm := cryptoLine(3, "AEAD_AES_256_GCM", 44, "")
	strange := cryptoLine(1, "SEED_CTR_128_HMAC_SHA1_80", 30, "")
	open := cryptoLine(1, "AES_CM_128_HMAC_SHA1_80", 30, " UNENCRYPTED_SRTP")
	for _, c := range []struct {
		name   string
		policy sip.MediaKeys
		proto  string
		attrs  []string
		want   []string // of the answer; a refusal's begin with its status
		none   string   // what the answer must not have
		by     string
	}{
		{"SDES", optional, "RTP/SAVP", []string{aes80, aes32}, []string{"m=audio ", " RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "|1:4"}, "a=crypto:2", "SDES AES_CM_128_HMAC_SHA1_80"},
		{"the first that is known", required, "RTP/SAVP", []string{strange, open, aes32, gcm}, []string{"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:"}, "", "SDES AES_CM_128_HMAC_SHA1_32"},
		{"GCM with feedback", "", "RTP/SAVPF", []string{gcm}, []string{" RTP/SAVPF 0", "a=crypto:3 AEAD_AES_256_GCM inline:"}, "", "SDES AEAD_AES_256_GCM"},
		{"best effort", optional, "RTP/AVP", []string{aes80}, []string{" RTP/AVP 0", "a=crypto:1 "}, "", "SDES AES_CM_128_HMAC_SHA1_80"},
		{"best effort, required here", required, "RTP/AVP", []string{aes80}, []string{" RTP/AVP 0", "a=crypto:1 "}, "", "SDES AES_CM_128_HMAC_SHA1_80"},
		{"best effort without a suite in common", optional, "RTP/AVP", []string{strange}, []string{" RTP/AVP 0"}, "a=crypto", ""},
		{"best effort, off here", off, "RTP/AVP", []string{aes80}, []string{" RTP/AVP 0"}, "a=crypto", ""},
		{"the encrypted of two lines", optional, "RTP/AVP", []string{"m=audio 10 RTP/SAVP 0", aes80}, []string{"m=audio 0 RTP/AVP 0", " RTP/SAVP 0", "a=crypto:1 "}, "", "SDES AES_CM_128_HMAC_SHA1_80"},
		{"the plain of two lines", off, "RTP/SAVP", []string{aes80, "m=audio 10 RTP/AVP 0"}, []string{"m=audio 0 RTP/SAVP 0", " RTP/AVP 0"}, "a=crypto", ""},
		{"the plain of two lines, for want of a suite", optional, "RTP/SAVP", []string{strange, "m=audio 10 RTP/AVP 0"}, []string{"m=audio 0 RTP/SAVP 0", " RTP/AVP 0"}, "a=crypto", ""},
		{"DTLS, the choice is ours", optional, "UDP/TLS/RTP/SAVPF", []string{fingerprint, "a=setup:actpass", "a=rtcp-mux"}, []string{" UDP/TLS/RTP/SAVPF 0", "a=fingerprint:sha-256 ", "a=setup:passive", "a=rtcp-mux"}, "a=crypto", ""},
		{"DTLS, it is for us to begin", required, "UDP/TLS/RTP/SAVP", []string{fingerprint, "a=setup:passive"}, []string{"a=setup:active"}, "a=rtcp-mux", ""},
		{"DTLS under its old name", optional, "RTP/SAVPF", []string{fingerprint, "a=setup:active"}, []string{" RTP/SAVPF 0", "a=setup:passive"}, "a=crypto", ""},

		{"plain, required here", required, "RTP/AVP", nil, []string{"488", `302 headroom "this trunk takes encrypted audio only (SRTP)"`}, "", ""},
		{"SDES, off here", off, "RTP/SAVP", []string{aes80}, []string{"488", `302 headroom "this trunk takes plain audio only (RTP/AVP)"`}, "", ""},
		{"DTLS, off here", off, "UDP/TLS/RTP/SAVP", []string{fingerprint, "a=setup:actpass"}, []string{"488", `302 headroom "this trunk takes plain audio only (RTP/AVP)"`}, "", ""},
		{"no suite in common", optional, "RTP/SAVP", []string{strange}, []string{"488", `306 headroom "encrypted audio without an a=crypto line that is supported"`}, "", ""},
		{"only what is called encrypted", required, "RTP/AVP", []string{open}, []string{"488", `306 headroom "encrypted audio without an a=crypto line`}, "", ""},
		{"no key at all", optional, "RTP/SAVP", nil, []string{"488", "306 headroom"}, "", ""},
		{"DTLS without a fingerprint", optional, "UDP/TLS/RTP/SAVP", []string{"a=setup:actpass"}, []string{"488", `306 headroom "DTLS without an a=fingerprint`}, "", ""},
		{"DTLS that begins nothing", optional, "UDP/TLS/RTP/SAVP", []string{fingerprint, "a=setup:holdconn"}, []string{"488", "306 headroom"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, withKeys(c.policy))
			p := newPhone(t, "UDP", s.udp)
			p.send("INVITE", over(c.proto, p.offer("0", c.attrs...)))
			if len(c.want[0]) == 3 {
				m := p.expect("SIP/2.0 " + c.want[0])
				if !strings.Contains(header(m, "Warning"), c.want[1]) {
					t.Errorf("Warning: %s", header(m, "Warning"))
				}
				if strings.Contains(m, "inline") {
					t.Error("the refusal repeats a key")
				}
				p.send("ACK", "")
				return
			}
			call := d.next(t)
			if _, err := call.Answer(within(t)); err != nil {
				t.Fatal(err)
			}
			m := p.expect("SIP/2.0 200")
			p.send("ACK", "")
			mustContain(t, m, c.want...)
			if c.none != "" && strings.Contains(m, c.none) {
				t.Errorf("%q in\n%s", c.none, m)
			}
			if call.Encryption() != c.by {
				t.Errorf("encrypted by %q, want %q", call.Encryption(), c.by)
			}
			p.cseq++
			p.send("BYE", "")
			ended(t, call, sip.CauseRemoteBye)
		})
	}
}

// TestKeysOfBothSides has this side call itself, under every pair of policies.
func TestKeysOfBothSides(t *testing.T) {
	t.Parallel()
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	for _, c := range []struct {
		caller, callee sip.MediaKeys
		by             string
		status         int
	}{
		{off, off, "", 0}, {off, optional, "", 0}, {off, required, "", 488},
		{optional, off, "", 0}, {optional, optional, "", 0}, {optional, required, "", 488}, // no key is offered without TLS
		{required, off, "", 488}, {required, optional, "SDES AES_CM_128_HMAC_SHA1_80", 0}, {required, required, "SDES AES_CM_128_HMAC_SHA1_80", 0},
	} {
		t.Run(string(c.caller)+" calls "+string(c.callee), func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, withKeys(c.callee))
			legs := make(chan media.Leg, 1)
			if c.status == 0 {
				go func() {
					in := <-d
					leg, err := in.Answer(context.Background())
					if err != nil {
						t.Errorf("answer: %v", err)
					}
					if in.Encryption() != c.by {
						t.Errorf("the callee has %q, want %q", in.Encryption(), c.by)
					}
					legs <- leg
				}()
			}
			out, err := newClient(t).Dial(within(t), sip.Outgoing{Target: "sip:100@" + s.udp.String(), Keys: c.caller})
			if c.status != 0 {
				if r, ok := errors.AsType[*sip.RejectedError](err); !ok || r.Status != c.status {
					t.Fatalf("dial: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if out.Encryption() != c.by {
				t.Errorf("encrypted by %q, want %q", out.Encryption(), c.by)
			}
			bothWays(t, pacer, out.Leg(), <-legs)
			if err := out.Hangup(within(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// bothWays has each leg hear the other's tone.
func bothWays(t *testing.T, pacer *prompt.Pacer, a, b media.Leg) {
	t.Helper()
	var atA, atB listener
	a.SetSink(&atA)
	b.SetSink(&atB)
	defer pacer.Play(a, prompt.Tone(440, -20))()
	defer pacer.Play(b, prompt.Tone(1000, -20))()
	eventually(t, "440 Hz there", func() bool { return share(atB.latest(1600), 440) > 0.95 })
	eventually(t, "1000 Hz here", func() bool { return share(atA.latest(1600), 1000) > 0.95 })
}

func TestKeysStayWhileTheCallIsNegotiatedAnew(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	aes80 := cryptoLine(1, "AES_CM_128_HMAC_SHA1_80", 30, "")
	call, _, first := answered(t, p, d, over("RTP/SAVP", p.offer("0", aes80)))
	ours := line(first, "a=crypto")
	again := func(body, want string) string {
		t.Helper()
		p.cseq++
		p.send("INVITE", body)
		m := p.answer(want)
		p.send("ACK", "")
		return line(m, "a=crypto")
	}
	if got := again(over("RTP/SAVP", p.offer("0", aes80, "a=sendonly")), "200"); got != ours {
		t.Errorf("a hold brings another key of ours: %q", got)
	}
	if got := again(over("RTP/SAVP", p.offer("0", cryptoLine(5, "AES_CM_128_HMAC_SHA1_80", 30, ""))), "200"); got != strings.Replace(ours, "crypto:1", "crypto:5", 1) {
		t.Errorf("their new key brings another of ours: %q", got)
	}
	gcm := cryptoLine(1, "AEAD_AES_128_GCM", 28, "")
	if got := again(over("RTP/SAVP", p.offer("0", gcm)), "200"); !strings.HasPrefix(got, "a=crypto:1 AEAD_AES_128_GCM inline:") {
		t.Errorf("another suite: %q", got)
	}
	if call.Encryption() != "SDES AEAD_AES_128_GCM" {
		t.Errorf("encrypted by %q", call.Encryption())
	}
	if got := again(over("RTP/SAVP", p.offer("0", aes80)), "200"); got == ours {
		t.Error("a key that was out of use is used again")
	}
	again(over("RTP/SAVP", p.offer("0")), "488")
	if call.Encryption() != "SDES AES_CM_128_HMAC_SHA1_80" {
		t.Errorf("after a refused change encrypted by %q", call.Encryption())
	}
	// Asked for an offer, this side describes what is in effect.
	p.cseq++
	p.send("INVITE", "")
	m := p.answer("200")
	mustContain(t, m, " RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
	p.send("ACK", over("RTP/SAVP", p.offer("0", aes80)))
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}

func TestAnAnswerWhoseKeysDoNotFitEndsTheCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy sip.MediaKeys
		proto  string
		attrs  []string
	}{
		"plain, though required": {required, "RTP/AVP", nil},
		"another tag":            {required, "RTP/SAVP", []string{cryptoLine(7, "AES_CM_128_HMAC_SHA1_80", 30, "")}},
		"another suite":          {required, "RTP/SAVP", []string{cryptoLine(1, "AES_CM_128_HMAC_SHA1_32", 30, "")}},
		"keys nobody offered":    {off, "RTP/SAVP", []string{cryptoLine(1, "AES_CM_128_HMAC_SHA1_80", 30, "")}},
		"DTLS nobody offered":    {off, "UDP/TLS/RTP/SAVP", []string{fingerprint, "a=setup:active"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, withKeys(c.policy))
			p := newPhone(t, "UDP", s.udp)
			p.send("INVITE", "") // the offer is ours
			call := d.next(t)
			failed := make(chan error, 1)
			go func() {
				_, err := call.Answer(context.Background())
				failed <- err
			}()
			p.answer("200")
			p.send("ACK", over(c.proto, p.offer("0", c.attrs...)))
			p.answerBye()
			ended(t, call, sip.CauseBadAnswer)
			if err := <-failed; err == nil {
				t.Error("Answer succeeded")
			}
		})
	}
}

// dtlsPhone is a phone whose audio is a session of ours that agrees on keys by DTLS.
type dtlsPhone struct {
	*phone
	t     *testing.T
	leg   *rtp.Session
	hello rtp.DTLS
	print rtp.Fingerprint
}

func newDTLSPhone(t *testing.T, s *site) *dtlsPhone {
	t.Helper()
	leg, err := rtp.Open(newPorts(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	p := &dtlsPhone{phone: newPhone(t, "UDP", s.udp), t: t, leg: leg}
	p.rtpPort = leg.LocalPort()
	if p.hello.Certificate, p.print, err = rtp.NewCertificate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := leg.Run(ctx); err != nil {
			t.Log("the phone's audio:", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-over })
	return p
}

// take goes by an answer.
func (p *dtlsPhone) take(m string, active bool) {
	p.t.Helper()
	print, err := rtp.ParseFingerprint(strings.TrimPrefix(line(m, "a=fingerprint:"), "a=fingerprint:"))
	if err != nil {
		p.t.Fatal(err)
	}
	port, err := strconv.ParseUint(strings.Fields(mediaLine(m))[1], 10, 16)
	if err != nil {
		p.t.Fatal(err)
	}
	p.hello.Active, p.hello.Fingerprints = active, []rtp.Fingerprint{print}
	hello := p.hello
	if err := p.leg.Configure(rtp.Params{Remote: netip.AddrPortFrom(loopback, uint16(port)), Codecs: []media.Codec{media.PCMU}, DTLS: &hello, Mux: true}); err != nil {
		p.t.Fatal(err)
	}
}

func TestKeysByDTLS(t *testing.T) {
	t.Parallel()
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	for offered, answer := range map[string]string{"active": "passive", "passive": "active", "actpass": "passive"} {
		t.Run(offered, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, withKeys(required))
			p := newDTLSPhone(t, s)
			body := func(setup string, more ...string) string {
				return over("UDP/TLS/RTP/SAVPF", p.offer("0", append(more, "a=fingerprint:"+p.print.String(), "a=setup:"+setup, "a=rtcp-mux")...))
			}
			call, leg, m := answered(t, p.phone, d, body(offered))
			mustContain(t, m, "a=setup:"+answer)
			p.take(m, answer == "passive")
			bothWays(t, pacer, leg, p.leg)
			if call.Encryption() != "DTLS AEAD_AES_128_GCM" {
				t.Errorf("encrypted by %q", call.Encryption())
			}
			// Roles and certificate stay through a hold whose offer leaves the choice again.
			print := line(m, "a=fingerprint")
			for _, dir := range []string{"a=sendonly", "a=sendrecv"} {
				p.cseq++
				p.send("INVITE", body("actpass", dir))
				m = p.answer("200")
				p.send("ACK", "")
				mustContain(t, m, "a=setup:"+answer, print)
			}
			bothWays(t, pacer, leg, p.leg)
			p.cseq++
			p.send("INVITE", "")
			mustContain(t, p.answer("200"), " UDP/TLS/RTP/SAVPF 0", "a=setup:actpass", print)
			p.send("ACK", body(map[string]string{"active": "passive", "passive": "active"}[answer]))
			bothWays(t, pacer, leg, p.leg)
			p.cseq++
			p.send("BYE", "")
			ended(t, call, sip.CauseRemoteBye)
		})
	}
}

func TestAnotherCertificateEndsTheCall(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newDTLSPhone(t, s)
	call, leg, m := answered(t, p.phone, d, over("UDP/TLS/RTP/SAVP", p.offer("0", fingerprint, "a=setup:actpass")))
	leg.Send(&media.Packet{Source: 1, Codec: media.PCMU, Payload: make([]byte, 160)})
	p.take(m, true)
	p.answerBye()
	ended(t, call, sip.CauseKeys)
	if st := leg.Stats(); st.PacketsOut != 0 || st.PacketsIn != 0 || call.Encryption() != "" {
		t.Errorf("%+v, %q", st, call.Encryption())
	}
}

func TestAFaxLeavesTheAudioAlone(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	const fax = "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
	call, leg, _ := answered(t, p, d, p.offer("0")+fax)
	for _, c := range []struct{ body, status, has string }{
		{p.offer("0") + fax, "200", "m=image 0 udptl t38\r\n"},
		{p.offer("0") + strings.TrimSuffix(fax, "\r\n"), "200", "m=image 0 udptl t38\r\n"},
		{strings.Replace(p.offer("0"), "m=audio 9 RTP/AVP 0\r\n", "", 1) + fax, "488", `304 headroom "no audio stream`},
		{strings.Replace(p.offer("0"), "m=audio 9 ", "m=audio 0 ", 1) + fax, "488", `304 headroom "no audio stream`},
		{p.offer("0") + "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=application 0 UDP/BFCP *\r\na=bundle-only\r\nm=what 7 EVER x y\r\n", "200",
			"m=video 0 RTP/AVP 96\r\nm=application 0 UDP/BFCP *\r\nm=what 0 EVER x\r\n"},
	} {
		p.cseq++
		p.send("INVITE", c.body)
		m := p.answer(c.status)
		p.send("ACK", "")
		mustContain(t, m, c.has)
	}
	if call.Ended() != "" || leg.Preferred() != media.PCMU {
		t.Errorf("ended %q, prefers %v", call.Ended(), leg.Preferred())
	}
	p.cseq++
	p.send("BYE", "")
	ended(t, call, sip.CauseRemoteBye)
}
