package rtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// identity is a certificate and what the other side is told of it.
type identity struct {
	certificate tls.Certificate
	print       Fingerprint
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	c, p, err := NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return identity{c, p}
}

func (i identity) towards(other identity, active bool) *DTLS {
	return &DTLS{Certificate: i.certificate, Active: active, Fingerprints: []Fingerprint{other.print}}
}

func (r *running) addr() netip.AddrPort { return netip.AddrPortFrom(loopback, uint16(r.LocalPort())) }

// said counts what is spoken, for every packet to be the next.
var said atomic.Uint64

func spoken() *media.Packet {
	n := said.Add(1)
	return &media.Packet{Source: 1, Seq: n, Timestamp: 160 * n, Codec: media.PCMU, Payload: []byte("what is said")}
}

// talk sends from one to the other until it is heard.
func talk(t *testing.T, from, to *running) {
	t.Helper()
	to.until(func() { from.Send(spoken()) })
	if got := to.hear(); string(got.Payload) != "what is said" {
		t.Errorf("heard %q", got.Payload)
	}
}

// eventually polls for what no channel tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(what + ": not in time")
		}
	}
}

func TestKeysAreAgreedOnByDTLS(t *testing.T) {
	a, b := runSession(t, 28000, 28099), runSession(t, 28100, 28199)
	us, them := newIdentity(t), newIdentity(t)
	begin := us.towards(them, true)
	a.configure(Params{Remote: b.addr(), DTLS: begin})
	b.configure(Params{Remote: a.addr(), DTLS: them.towards(us, false)})
	talk(t, a, b)
	talk(t, b, a)
	if a.Suite() != AEADAES128GCM || b.Suite() != a.Suite() {
		t.Errorf("encrypted with %v and %v", a.Suite(), b.Suite())
	}
	// A hold describes the same certificates: the association and its keys stay.
	was := a.agreed.Load().crypt
	a.configure(Params{Remote: b.addr(), DTLS: us.towards(them, true), Quiet: true})
	a.configure(Params{Remote: b.addr(), DTLS: us.towards(them, true)})
	if a.agreed.Load().crypt != was {
		t.Error("the keys were changed by a hold")
	}
	talk(t, b, a)
	// A new certificate is a new association; until it stands the old keys are in use.
	fresh := newIdentity(t)
	a.configure(Params{Remote: b.addr(), DTLS: fresh.towards(them, true)})
	b.configure(Params{Remote: a.addr(), DTLS: them.towards(fresh, false)})
	eventually(t, "new keys", func() bool {
		b.Send(spoken())
		return a.agreed.Load().crypt != was && b.agreed.Load().crypt.former != nil
	})
	if st := a.Stats(); st.PacketsIn == 0 || a.Suite() == NoSuite {
		t.Errorf("nothing was heard meanwhile: %+v", st)
	}
	for len(a.packets) > 0 {
		a.hear()
	}
	for len(b.packets) > 0 {
		b.hear()
	}
	talk(t, a, b)
	talk(t, b, a)
}

func TestThePartyIsHeardBehindItsNAT(t *testing.T) {
	a, b := runSession(t, 28200, 28299), runSession(t, 28300, 28399)
	us, them := newIdentity(t), newIdentity(t)
	// What the party calls its address leads nowhere; it begins, and is found by that.
	a.configure(Params{Remote: netip.MustParseAddrPort("192.0.2.77:4000"), DTLS: us.towards(them, false)})
	b.configure(Params{Remote: a.addr(), DTLS: them.towards(us, true)})
	talk(t, a, b)
	talk(t, b, a)
}

func TestAStrangersHandshakeDoesNotKeepThePartyOut(t *testing.T) {
	a, b, stranger := runSession(t, 28400, 28499), runSession(t, 28500, 28599), runSession(t, 28600, 28699)
	us, them := newIdentity(t), newIdentity(t)
	a.configure(Params{Remote: b.addr(), DTLS: us.towards(them, false)})
	ctx, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	s := newAssociation(stranger.Session, newIdentity(t).towards(us, true), a.addr())
	if err := stranger.Configure(Params{DTLS: s.cfg}); err != nil { // for its reader to hand on what comes
		t.Fatal(err)
	}
	stranger.sendMu.Lock()
	was := stranger.agreed.Load()
	was.dtls.stop()
	next := *was
	next.dtls = s
	stranger.agreed.Store(&next)
	stranger.sendMu.Unlock()
	if err := s.run(ctx); err == nil {
		t.Fatal("the stranger was let in")
	}
	b.configure(Params{Remote: a.addr(), DTLS: them.towards(us, true)})
	talk(t, a, b)
	talk(t, b, a)
}

// failing runs a session by itself and gives what Run returned.
func failing(t *testing.T, low int, p func(*Session) Params) <-chan error {
	t.Helper()
	ports, err := NewPorts(loopback, low, low+99, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	s.shakeTime = 2 * time.Second
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	if err := s.Configure(p(s)); err != nil {
		t.Fatal(err)
	}
	return ended
}

func TestAHandshakeThatFailsEndsTheSession(t *testing.T) {
	us, them, other := newIdentity(t), newIdentity(t), newIdentity(t)
	for _, c := range []struct {
		name   string
		active bool
		peer   identity
		want   error
	}{
		{"nobody answers", true, identity{}, ErrHandshake},
		{"nobody begins", false, identity{}, ErrHandshake},
		{"another certificate, we begin", true, other, ErrFingerprint},
		{"another certificate, it begins", false, other, ErrFingerprint},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := still(t, 28700)
			over := make(chan error, 1)
			go func() { over <- to.Run(t.Context()) }()
			ended := failing(t, 28800, func(s *Session) Params {
				if c.peer.certificate.Certificate != nil {
					if err := to.Configure(Params{Remote: s.LocalAddr(), DTLS: c.peer.towards(us, !c.active)}); err != nil {
						t.Error(err)
					}
				}
				return Params{Remote: to.LocalAddr(), Codecs: []media.Codec{media.PCMU}, DTLS: us.towards(them, c.active)}
			})
			select {
			case err := <-ended:
				if !errors.Is(err, c.want) {
					t.Errorf("ended with %v, want %v", err, c.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it goes on")
			}
			_ = to.Close()
			if err := <-over; err != nil {
				t.Log("its own handshake failed, too:", err)
			}
		})
	}
}

func TestClosingInMidHandshakeLeavesNothingBehind(t *testing.T) {
	us, them := newIdentity(t), newIdentity(t)
	for _, active := range []bool{true, false} {
		s := still(t, 28900)
		if err := s.Configure(Params{Remote: netip.MustParseAddrPort("127.0.0.1:9"), Codecs: []media.Codec{media.PCMU}, DTLS: us.towards(them, active)}); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		s.handshakes.Wait()
	}
}

func TestFingerprints(t *testing.T) {
	c, print, err := NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	der := c.Certificate[0]
	back, err := ParseFingerprint(strings.ToUpper(print.String()))
	if err != nil || back != print || !back.matches(der) {
		t.Errorf("%v, %v", back, err)
	}
	weak, err := ParseFingerprint("SHA-1 " + strings.TrimSuffix(strings.Repeat("00:", 20), ":"))
	if err != nil {
		t.Fatal(err)
	}
	if !matchesAny([]Fingerprint{weak, print}, der) || matchesAny([]Fingerprint{weak}, der) || matchesAny(nil, der) {
		t.Error("a certificate is known by the wrong fingerprint")
	}
	for _, bad := range []string{"", "sha-256", "sha-256 AA", "md5 " + strings.Repeat("00:", 15) + "00", "sha-1 " + strings.Repeat("0:", 39) + "0",
		"sha-256 " + strings.Repeat("00", 32), "sha-1 zz" + strings.Repeat(":00", 19)} {
		if f, err := ParseFingerprint(bad); err == nil {
			t.Errorf("%q is %v", bad, f)
		}
	}
}

// FuzzFingerprint holds that a fingerprint is refused or reads the same when written.
func FuzzFingerprint(f *testing.F) {
	f.Add("sha-256 " + strings.Repeat("ab:", 31) + "CD")
	f.Add("sha-1 " + strings.Repeat("00:", 19) + "00")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseFingerprint(text)
		if err != nil {
			return
		}
		if back, err := ParseFingerprint(p.String()); err != nil || back != p {
			t.Fatalf("%q reads back as %v, %v", text, back, err)
		}
	})
}
