package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// bob is the user of RFC 3665 section 2.
var bob = sip.Phone{User: "bob", Login: digest.Login{Username: "bob", Password: "zanzibar"}}

// register is a REGISTER as a phone sends it, with header lines.
func (p *phone) register(to string, extra ...string) string {
	p.branch = fmt.Sprintf("z9hG4bK%d", time.Now().UnixNano())
	lines := append([]string{
		"REGISTER sip:127.0.0.1 SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s 192.0.2.1:5060;branch=%s;rport", p.network, p.branch), // as behind a NAT
		"Max-Forwards: 70", "From: Bob <sip:" + to + "@127.0.0.1>;tag=ja743ks76zlflH", "To: Bob <sip:" + to + "@127.0.0.1>",
		"Call-ID: " + p.id, fmt.Sprintf("CSeq: %d REGISTER", p.cseq),
	}, extra...)
	p.cseq++
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

// registers sends a REGISTER, answers the challenge as somebody, and expects a status.
func (p *phone) registers(who digest.Login, status string, extra ...string) string {
	p.t.Helper()
	p.raw(p.register("bob", extra...))
	c := challenges(p.t, p.expect("SIP/2.0 401"))[p.cseq%2] // either algorithm
	proof := "Authorization: " + digest.Answer(c, who, "REGISTER", "sip:127.0.0.1", "cnonce", 1).String()
	p.raw(p.register("bob", append(extra, proof)...))
	return p.expect("SIP/2.0 " + status)
}

// contacts are those of a 200, without for how long.
func contacts(m string) string {
	var out []string
	for line := range strings.SplitSeq(m, "\r\n") {
		if v, ok := strings.CutPrefix(line, "Contact: "); ok {
			uri, _, _ := strings.Cut(v, ";expires=")
			out = append(out, uri)
		}
	}
	return strings.Join(out, " ")
}

func withPhones(trunks ...sip.Trunk) func(*sip.Config) {
	return func(c *sip.Config) {
		c.Trunks, c.Phones = trunks, []sip.Phone{bob}
		c.Registrar, _ = registrar.New(registrar.Config{})
		c.PhonesSHA256 = true
	}
}

// The flows of RFC 3665 section 2, from a stranger's address and from a trunk's.
func TestAPhoneRegistersAsInRFC3665(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		for _, trunks := range [][]sip.Trunk{nil, everyone, {branch}} {
			s := start(t, make(desk, 1), withPhones(trunks...))
			p := newPhone(t, network, s.addr(network))

			// 2.1 Successful New Registration
			m := p.registers(bob.Login, "200", "Contact: <sip:bob@client.biloxi.example.com>", "User-Agent: Desk 1")
			mustContain(t, m, ";expires=3600", "Date: ")
			if got := contacts(m); got != "<sip:bob@client.biloxi.example.com>" {
				t.Errorf("2.1: %s", got)
			}
			// 2.2 Update of Contact List
			m = p.registers(bob.Login, "200", `Contact: "Bob, at home" <sip:bob@home.example;transport=tcp>;q=0.2;expires=600`)
			mustContain(t, m, "<sip:bob@home.example;transport=tcp>;expires=600;q=0.200")
			if !strings.Contains(m, "<sip:bob@client.biloxi.example.com>") {
				t.Errorf("2.2: the first has gone:\n%s", m)
			}
			// 2.3 Request for Current Contact List
			if got := contacts(p.registers(bob.Login, "200")); got != "<sip:bob@client.biloxi.example.com> <sip:bob@home.example;transport=tcp>" {
				t.Errorf("2.3: %s", got)
			}
			// 2.4 Cancellation of Registration
			if got := contacts(p.registers(bob.Login, "200", "Contact: *", "Expires: 0")); got != "" {
				t.Errorf("2.4: %s", got)
			}
			// 2.5 Unsuccessful Registration
			p.registers(digest.Login{Username: "bob", Password: "wrong"}, "401", "Contact: <sip:bob@client.biloxi.example.com>")
			if got := s.Stats().Digest["wrong_password"]; got != 1 {
				t.Errorf("%d wrong passwords", got)
			}
		}
	})
}

func TestARegistrationIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones(branch))
	refused := func(name string) uint64 { return s.Stats().Refused[name] }
	for _, c := range []struct {
		name, status, header string
	}{
		{"interval_too_brief", "423", "Contact: <sip:bob@192.0.2.1>;expires=59"},
		{"contact_star", "400", "Contact: *"},
		{"contact", "400", "Contact: <tel:+4930123>"},
		{"registrations", "403", "Contact: " + strings.TrimSuffix(strings.Repeat("<sip:bob@192.0.2.%d>, ", 11), ", ")},
	} {
		p := newPhone(t, "UDP", s.udp)
		if strings.Contains(c.header, "%d") {
			n := make([]any, 11)
			for i := range n {
				n[i] = i
			}
			c.header = fmt.Sprintf(c.header, n...)
		}
		m := p.registers(bob.Login, c.status, c.header)
		if refused(c.name) != 1 {
			t.Errorf("%s: counted %d times\n%s", c.name, refused(c.name), m)
		}
		if c.status == "423" {
			mustContain(t, m, "Min-Expires: 60")
		} else {
			mustContain(t, m, "Warning: 399")
		}
	}

	p := newPhone(t, "UDP", s.udp)
	p.raw(p.register("ada", "Contact: <sip:ada@192.0.2.1>"))
	proof := digest.Answer(challenges(t, p.expect("SIP/2.0 401"))[0], bob.Login, "REGISTER", "sip:127.0.0.1", "cnonce", 1).String()
	p.raw(p.register("ada", "Contact: <sip:ada@192.0.2.1>", "Authorization: "+proof))
	p.expect("SIP/2.0 403")
	if refused("other_user") != 1 {
		t.Error("somebody else's address-of-record was not refused as such")
	}

	p = newPhone(t, "UDP", s.udp)
	p.registers(branchLogin, "403", "Contact: <sip:bob@192.0.2.1>") // a trunk's password
	if refused("no_phone") != 1 {
		t.Error("a trunk that registers was not refused as such")
	}

	p = newPhone(t, "UDP", s.udp)
	p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
	p.cseq -= 2
	p.registers(bob.Login, "500", "Contact: <sip:bob@192.0.2.1>")
	if refused("register_order") != 1 {
		t.Error("a REGISTER out of order was not refused as such")
	}
}

func TestAPhoneIsAskedForWhatEveryPhoneKnows(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		r, _ := registrar.New(registrar.Config{})
		s := start(t, make(desk, 1), func(c *sip.Config) { c.Trunks, c.Phones, c.Registrar = []sip.Trunk{branch}, []sip.Phone{bob}, r })
		p := newPhone(t, network, s.addr(network))
		p.raw(p.register("bob"))
		m := p.expect("SIP/2.0 401")
		if strings.Contains(m, "SHA-256") || strings.Count(m, "WWW-Authenticate") != 1 {
			t.Errorf("asked for more:\n%s", m)
		}
		c, err := digest.ParseChallenge(header(m, "WWW-Authenticate"))
		if err != nil {
			t.Fatal(err)
		}
		p.raw(p.register("bob", "Contact: <sip:bob@192.0.2.1>", "Authorization: "+digest.Answer(c, bob.Login, "REGISTER", "sip:127.0.0.1", "cnonce", 1).String()))
		p.expect("SIP/2.0 200")
	})
}

func TestAStrangerIsAskedForAPhonesPasswordOnlyToRegister(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withPhones())
		p := newPhone(t, network, s.addr(network))
		p.send("OPTIONS", "")
		p.expect("SIP/2.0 403")
		if p = newPhone(t, network, s.addr(network)); network == "TCP" {
			p.send("INVITE", p.offer("0"))
			p.expect("SIP/2.0 403")
			p = newPhone(t, network, s.addr(network))
		}
		p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
		p = newPhone(t, network, s.addr(network)) // another port of the same address
		p.send("INVITE", p.offer("0"))
		p.expect("SIP/2.0 401")
		p.send("ACK", "")
	})
}

func TestNobodyRegistersWhereThereAreNoPhones(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withTrunks(everyone...))
	p := newPhone(t, "UDP", s.udp)
	p.raw(p.register("bob", "Contact: <sip:bob@192.0.2.1>"))
	p.expect("SIP/2.0 405")
}

func TestAPhoneIsCalledWhereItRegisteredFromAndCalls(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		r, _ := registrar.New(registrar.Config{})
		s := start(t, d, func(c *sip.Config) { c.Phones, c.Registrar, c.PhonesSHA256 = []sip.Phone{bob}, r, true })
		p := newPhone(t, network, s.addr(network))
		p.registers(bob.Login, "200", "Contact: <sip:bob@198.51.100.7:5060>") // where nobody is
		b := r.Bindings("bob")
		if len(b) != 1 || b[0].Source.String() != p.conn.LocalAddr().String() || b[0].Transport != network {
			t.Fatalf("%+v", b)
		}

		called := make(chan *sip.Call, 1)
		go func() {
			c, err := s.Client().Dial(t.Context(), sip.Outgoing{Target: b[0].Contact, Via: s.Client().Reach(b[0]), Phone: "bob", From: "+4930123"})
			if err != nil {
				t.Errorf("dial: %v", err)
			}
			called <- c
		}()
		invite := p.expect("INVITE sip:bob@198.51.100.7:5060 ")
		p.takes(invite)
		call := <-called
		if call == nil {
			return
		}
		if call.Phone() != "bob" || call.Leg() == nil || call.Leg().Preferred() != media.PCMU {
			t.Errorf("phone %q, leg %v", call.Phone(), call.Leg())
		}
		p.expect("ACK ")
		go func() { _ = call.Hangup(t.Context()) }()
		p.answerBye()
		ended(t, call, sip.CauseLocal)

		// A call of the phone's, though its address is a trunk's: it is asked for its password.
		p.toTag, p.cseq = "", 100
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], bob.Login, "INVITE", 1))
		call = d.next(t)
		if call.Phone() != "bob" || call.To() != "100" {
			t.Errorf("phone %q calls %q", call.Phone(), call.To())
		}
		if at := call.At(); at.Source.String() != p.conn.LocalAddr().String() || at.Transport != network || at.User != "bob" {
			t.Errorf("it is at %+v", at)
		}
		if err := call.Reject(404, 0); err != nil {
			t.Fatal(err)
		}
		p.expect("SIP/2.0 404")
		p.send("ACK", "")

		// Attended transfer is not done: it is no call of its own either.
		p.toTag, p.cseq = "", 200
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], bob.Login, "INVITE", 1), "Replaces: other;to-tag=1;from-tag=2")
		p.expect("SIP/2.0 501")
		p.send("ACK", "")
	})
}

// takes answers an INVITE that came, with audio.
func (p *phone) takes(invite string) {
	p.t.Helper()
	body := p.offer("0")
	lines := []string{"SIP/2.0 200 OK"}
	for _, h := range []string{"Via", "From", "Call-ID", "CSeq"} {
		lines = append(lines, h+": "+header(invite, h))
	}
	lines = append(lines, "To: "+header(invite, "To")+";tag=callee", "Contact: <sip:bob@198.51.100.7:5060>",
		"Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	p.raw(strings.Join(lines, "\r\n"))
}

func TestAPhoneIsToldThatAnotherHasAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones())
	for _, c := range []struct {
		why  error
		want string
	}{{sip.ErrElsewhere, `SIP;cause=200;text="Call completed elsewhere"`}, {context.Canceled, ""}} {
		p := newPhone(t, "UDP", s.udp)
		ctx, cancel := context.WithCancelCause(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := s.Client().Dial(ctx, sip.Outgoing{Target: "sip:bob@" + p.conn.LocalAddr().String(), Phone: "bob"})
			over <- err
		}()
		invite := p.expect("INVITE ")
		p.respond(invite, "180 Ringing")
		eventually(t, "it rings", func() bool {
			return s.Messages()[sip.Kind{Trunk: sip.PhonesTrunk, Method: "INVITE", Status: "180"}] > 0
		})
		cancel(c.why)
		if err := <-over; !errors.Is(err, c.why) {
			t.Errorf("dial: %v", err)
		}
		m := p.expect("CANCEL ")
		if got := header(m, "Reason"); got != c.want {
			t.Errorf("Reason: %q", got)
		}
		p.respond(m, "200 OK")
		p.respond(invite, "487 Request Terminated")
		p.expect("ACK ")
	}
}

func TestWhoeverPutsACallOnHoldIsNoticed(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	zero := func(attrs ...string) string {
		return strings.Replace(p.offer("0", attrs...), "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1)
	}
	for i, body := range []string{p.offer("0", "a=sendonly"), p.offer("0"), p.offer("0", "a=inactive"), p.offer("0", "a=sendrecv"), zero(), p.offer("0")} {
		p.cseq++
		p.send("INVITE", body)
		p.expect("SIP/2.0 200")
		p.send("ACK", "")
		select {
		case held := <-call.Holds():
			if held != (i%2 == 0) {
				t.Errorf("change %d: held %v", i, held)
			}
		case <-time.After(patience):
			t.Fatalf("change %d was not noticed", i)
		}
	}
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
}

func TestPhonesAreCheckedBeforeTheyCount(t *testing.T) {
	r, _ := registrar.New(registrar.Config{})
	for name, phones := range map[string][]sip.Phone{
		"twice":            {bob, bob},
		"no password":      {{User: "bob", Login: digest.Login{Username: "bob"}}},
		"a trunk's name":   {{User: "bob", Login: branchLogin}},
		"an unknown codec": {{User: "bob", Login: bob.Login, Codecs: []media.Codec{media.Opus}}},
		"unknown keys":     {{User: "bob", Login: bob.Login, MediaKeys: "some"}},
	} {
		if _, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: newPorts(t, 1), Trunks: []sip.Trunk{branch}, Phones: phones, Registrar: r}, make(desk), nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: newPorts(t, 1), Phones: []sip.Phone{bob}, Registrar: r}, make(desk), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetTrunks([]sip.Trunk{{ID: "x", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Digest: sip.Digest{Login: bob.Login}}}); err == nil {
		t.Error("a trunk with a phone's username is taken")
	}
	if err := s.SetSite([]sip.Trunk{{ID: "x", Digest: sip.Digest{Login: bob.Login}}}, nil, false); err != nil {
		t.Error(err)
	}
}
