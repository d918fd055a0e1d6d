package sip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

var me = digest.Login{Username: "headroom", Password: "s3cret"}

// question is a challenge header.
func question(header, realm, nonce string, stale bool) string {
	return header + ": " + digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: digest.SHA256, Auth: true, Stale: stale}.String()
}

// shows checks that a request carries a right answer to a nonce, for the count'th time.
func shows(t *testing.T, req, name, realm, nonce string, count int) {
	t.Helper()
	cred, err := digest.ParseCredentials(header(req, name))
	if err != nil {
		t.Fatalf("no %s: %v in\n%s", name, err, req)
	}
	method, rest, _ := strings.Cut(req, " ")
	uri, _, _ := strings.Cut(rest, " ")
	if cred.Nonce != nonce || cred.NC != fmt.Sprintf("%08x", count) || cred.URI != uri {
		t.Errorf("%s of %s is for nonce %q, count %s, %q", name, method, cred.Nonce, cred.NC, cred.URI)
	}
	if method != "ACK" && !digest.NewAccount(me, realm).Knows(cred, method) {
		t.Errorf("%s of %s is wrong", name, method)
	}
}

// withProof is a call whose INVITE was challenged by a proxy and by the callee behind it.
func withProof(t *testing.T, far *callee) *sip.Call {
	t.Helper()
	far.rtpPort = 4000
	client := newClient(t)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), Login: me})
	far.reply(far.expectRequest("INVITE"), "407 Proxy Authentication Required", "a", "", question("Proxy-Authenticate", "proxy", "p1", false))
	far.expectRequest("ACK")
	invite := far.expectRequest("INVITE")
	shows(t, invite, "Proxy-Authorization", "proxy", "p1", 1)
	far.reply(invite, "401 Unauthorized", "a", "", question("WWW-Authenticate", "callee", "c1", false))
	far.expectRequest("ACK")
	invite = far.expectRequest("INVITE")
	shows(t, invite, "Proxy-Authorization", "proxy", "p1", 2)
	shows(t, invite, "Authorization", "callee", "c1", 1)
	far.reply(invite, "200 OK", "a", far.offer("0"))
	ack := far.expectRequest("ACK")
	if header(ack, "Authorization") != header(invite, "Authorization") || header(ack, "Proxy-Authorization") != header(invite, "Proxy-Authorization") {
		t.Errorf("the ACK has other credentials than its INVITE (RFC 3261 section 13.2.2.4)\n%s", ack)
	}
	d := <-out
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.call
}

func TestPasswordsAreShownOverTheWholeCall(t *testing.T) {
	t.Parallel()
	far := newCallee(t)
	call := withProof(t, far)
	held := holding(t, call)
	m := far.expectRequest("INVITE")
	shows(t, m, "Proxy-Authorization", "proxy", "p1", 3)
	shows(t, m, "Authorization", "callee", "c1", 2)
	far.reply(m, "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", "c2", true)) // the nonce was old
	far.expectRequest("ACK")
	m = far.expectRequest("INVITE")
	shows(t, m, "Proxy-Authorization", "proxy", "p1", 4)
	shows(t, m, "Authorization", "callee", "c2", 1)
	far.reply(m, "200 OK", "", far.offer("0", "a=recvonly"))
	far.expectRequest("ACK")
	if err := <-held; err != nil {
		t.Error(err)
	}
	go func() { _ = call.Hangup(within(t)) }()
	bye := far.expectRequest("BYE")
	shows(t, bye, "Authorization", "callee", "c2", 2)
	far.reply(bye, "407 Proxy Authentication Required", "", "", question("Proxy-Authenticate", "proxy", "p2", false)) // old, without saying so
	bye = far.expectRequest("BYE")
	shows(t, bye, "Proxy-Authorization", "proxy", "p2", 1)
	shows(t, bye, "Authorization", "callee", "c2", 3)
	far.reply(bye, "200 OK", "", "")
	ended(t, call, sip.CauseLocal)
}

func TestARefreshShowsThePassword(t *testing.T) {
	t.Parallel()
	client, far := newClient(t, shortSessions), newCallee(t)
	far.rtpPort = 4000
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), Login: me})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "183 Session Progress", "a", "", "Require: 100rel", "RSeq: 1")
	far.reply(far.expectRequest("PRACK"), "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", "c1", false))
	prack := far.expectRequest("PRACK")
	shows(t, prack, "Authorization", "callee", "c1", 1)
	mustContain(t, prack, "RAck: 1 1 INVITE\r\n", "CSeq: 3 PRACK")
	far.reply(prack, "200 OK", "", "")
	far.reply(invite, "200 OK", "a", far.offer("0"), "Session-Expires: 2;refresher=uac", "Allow: UPDATE")
	far.expectRequest("ACK")
	call := (<-out).call
	m := far.expectRequest("UPDATE")
	shows(t, m, "Authorization", "callee", "c1", 2)
	far.reply(m, "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", "c2", false))
	m = far.expectRequest("UPDATE")
	shows(t, m, "Authorization", "callee", "c2", 1)
	far.reply(m, "200 OK", "", "", "Session-Expires: 2;refresher=uac")
	hangup(t, far, call)
}

// A server that never has enough is given up on; the call stays as it was, or ends all the same.
func TestQuestionsWithoutEndAreNotAnsweredForEver(t *testing.T) {
	t.Parallel()
	far := newCallee(t)
	call := withProof(t, far)
	asked := 0
	// until asks again and again, whatever is answered, until the wish has an outcome.
	until := func(method string, outcome chan error) error {
		buf := make([]byte, 65536)
		for asked = 0; ; {
			select {
			case err := <-outcome:
				return err
			default:
			}
			_ = far.socket.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			n, _, err := far.socket.ReadFromUDPAddrPort(buf)
			if m := string(buf[:max(n, 0)]); err == nil && strings.HasPrefix(m, method+" ") {
				asked++
				far.reply(m, "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", fmt.Sprint(method, asked), true))
			}
		}
	}
	var refused *sip.RejectedError
	err := until("INVITE", result(func() error { return call.Hold(t.Context()) }))
	if !errors.As(err, &refused) || refused.Status != 401 || asked > 4 {
		t.Errorf("re-INVITE sent %d times, %v", asked, err)
	}
	alive(t, call)
	if err := until("BYE", result(func() error { return call.Hangup(within(t)) })); err != nil || asked > 4 {
		t.Errorf("BYE sent %d times, %v", asked, err)
	}
	ended(t, call, sip.CauseLocal)
}

func TestAWrongPasswordIsNotTriedTwice(t *testing.T) {
	t.Parallel()
	far := newCallee(t)
	call := withProof(t, far)
	held := holding(t, call)
	far.reply(far.expectRequest("INVITE"), "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", "c2", false))
	far.expectRequest("ACK")
	far.reply(far.expectRequest("INVITE"), "401 Unauthorized", "", "", question("WWW-Authenticate", "callee", "c3", false))
	far.expectRequest("ACK")
	var refused *sip.RejectedError
	if err := <-held; !errors.As(err, &refused) || refused.Status != 401 {
		t.Errorf("%v", err)
	}
	hangup(t, far, call)
}

// The other side called, and wants a password before it lets itself be held or hung up on.
func TestPasswordsAreShownInACallThatCameIn(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		trunk := everyone[0]
		trunk.Login = me
		s := start(t, d, func(c *sip.Config) { c.Trunks = []sip.Trunk{trunk} })
		p := newPhone(t, network, s.addr(network))
		call, _ := taken(t, p, d, p.offer("0"))
		held := holding(t, call)
		p.reply(p.expect("INVITE "), "407 Proxy Authentication Required", "", question("Proxy-Authenticate", "proxy", "p1", false))
		p.expect("ACK ")
		m := p.expect("INVITE ")
		shows(t, m, "Proxy-Authorization", "proxy", "p1", 1)
		p.reply(m, "200 OK", p.offer("0", "a=recvonly"))
		if ack := p.expect("ACK "); header(ack, "Proxy-Authorization") != header(m, "Proxy-Authorization") {
			t.Errorf("the ACK has other credentials than its INVITE\n%s", ack)
		}
		must(t, <-held)
		over := result(func() error { return call.Hangup(within(t)) })
		m = p.expect("BYE ")
		shows(t, m, "Proxy-Authorization", "proxy", "p1", 2)
		p.reply(m, "401 Unauthorized", "", question("WWW-Authenticate", "callee", "c1", false))
		m = p.expect("BYE ")
		shows(t, m, "Authorization", "callee", "c1", 1)
		p.respond(m, "200 OK")
		must(t, <-over)
		ended(t, call, sip.CauseLocal)
	})
}

func TestATrunkWithoutALoginIsShownNoPassword(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _ := taken(t, p, d, p.offer("0"))
	held := holding(t, call)
	p.reply(p.expect("INVITE "), "401 Unauthorized", "", question("WWW-Authenticate", "callee", "c1", false))
	p.expect("ACK ")
	var refused *sip.RejectedError
	if err := <-held; !errors.As(err, &refused) || refused.Status != 401 {
		t.Errorf("%v", err)
	}
	p.hangup(call)
}
