package rtp

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	pionrtp "github.com/pion/rtp"
)

// Suite is what the session's audio is encrypted with; NoSuite when it is plain or its keys
// are not agreed on yet.
func (s *Session) Suite() Suite {
	if c := s.agreed.Load().crypt; c != nil && c.open != nil {
		return c.open.key.suite
	}
	return NoSuite
}

// ByDTLS says that the keys are, or are to be, agreed on by DTLS.
func (s *Session) ByDTLS() bool { return s.agreed.Load().dtls != nil }

// secure completes a with its encryption, going on with what was agreed before where the
// keys are the same. Called with sendMu held.
func (s *Session) secure(a, was *agreed) (err error) {
	p := &a.params
	switch {
	case p.DTLS != nil && was.dtls != nil && was.dtls.cfg.same(p.DTLS):
		a.dtls, a.crypt = was.dtls, was.crypt
		if was.params.Remote == p.Remote {
			a.proven = was.proven
		}
		a.dtls.moved(p.Remote)
	case p.DTLS != nil:
		a.dtls, a.crypt = newAssociation(s, p.DTLS, p.Remote), was.crypt // the old keys until there are new
		if a.crypt == nil {
			a.crypt = new(crypt)
		}
		s.shake(a.dtls)
	case p.Send.suite != NoSuite:
		if a.crypt, err = was.crypt.with(p.Send, p.Receive, time.Now()); err != nil {
			return err
		}
	}
	if was.dtls != nil && was.dtls != a.dtls {
		was.dtls.stop()
	}
	s.rename(a.crypt, was.crypt)
	return nil
}

// shake starts an association. Called with sendMu held.
func (s *Session) shake(d *association) {
	ctx, stop := context.WithCancel(s.life)
	d.stop = stop
	if s.life.Err() != nil {
		return
	}
	s.handshakes.Go(func() {
		err := d.run(ctx)
		stop()
		if err == nil {
			return
		}
		s.sendMu.Lock()
		current := s.agreed.Load().dtls == d
		if current && s.failed == nil {
			s.failed = err
		}
		s.sendMu.Unlock()
		if current {
			_ = s.Close()
		}
	})
}

// keyed puts the keys that an association brought into effect, towards the place where it
// found the party.
func (s *Session) keyed(d *association, send, receive Key, peer netip.AddrPort) error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	was := s.agreed.Load()
	if was.dtls != d {
		return nil
	}
	a := *was
	c, err := was.crypt.with(send, receive, time.Now())
	if err != nil {
		return err
	}
	a.crypt, a.proven = c, peer
	s.rename(c, was.crypt)
	s.agreed.Store(&a)
	s.dest, s.destRTCP = peer, netip.AddrPortFrom(peer.Addr(), peer.Port()+1)
	return nil
}

// rename makes our stream a new one where going on could leave it unheard: under a new key,
// where one side keeps the rollover counter and the other starts it again; and at any change
// once the sequence number has wrapped, for there are phones that then forget the counter
// (a call that was held is silent after it). Called with sendMu held.
func (s *Session) rename(c, was *crypt) {
	if c == nil || was == nil || c.seal == nil || was.seal == nil {
		return
	}
	if c.seal != was.seal || c.seal.wrapped(s.sender.SSRC()) {
		s.sender.Rename(rand.Uint32())
	}
}

// decrypt opens a packet from the RTP port. Whoever cannot be the party is not worth the
// work; and what is not authentic goes no further: not to the gate, nor to the counters.
func (s *Session) decrypt(a *agreed, data []byte, from netip.AddrPort, now time.Time) ([]byte, bool) {
	in := &s.in
	if in.gate.strange(from) {
		s.stranger.Add(1)
		return nil, false
	}
	if _, ok := header(&in.header, data); !ok {
		return nil, false
	}
	plain, v := a.crypt.decrypt(in.plain[:0], data, &in.header, now)
	s.count(v)
	return plain, v == authentic
}

func (s *Session) count(v verdict) {
	switch v {
	case forged:
		s.forged.Add(1)
	case replayed:
		s.replayed.Add(1)
	}
}

// header reads the header of an RTP packet (RFC 3550 section 5.1), which SRTP leaves
// readable, and gives its size. RTCP that comes to the RTP port uninvited (RFC 5761 section
// 4) is no RTP.
func header(h *pionrtp.Header, data []byte) (size int, ok bool) {
	if len(data) < headerSize || data[0]>>6 != 2 || data[1]&0x7f >= 72 && data[1]&0x7f <= 76 {
		return 0, false
	}
	n, err := h.Unmarshal(data)
	return n, err == nil && n <= len(data)
}
