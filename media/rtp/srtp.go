package rtp

import (
	"errors"
	"sync"
	"time"

	pionrtp "github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	replayWindow = 128              // packets, of RTP and of RTCP; RFC 3711 section 3.3.2 asks for 64
	maxSources   = 1024             // SSRCs under one key
	formerFor    = 10 * time.Second // how long the party may go on with the key it has just replaced
	sealRoom     = 16 + MaxMKI      // bytes that SRTP adds to a packet at most
	minReport    = 8 + 4 + 10       // bytes of the shortest SRTCP packet, but for its MKI
	maxWraps     = 4                // of the sequence number, unheard, that are caught up with: 87 minutes at 20 ms
	guessAfter   = 500 * time.Millisecond
	guessEvery   = 10 * time.Millisecond
)

// sealer encrypts what is sent under one key.
type sealer struct {
	key    Key
	rtp    *srtp.Context // guarded by Session.sendMu, as header
	header pionrtp.Header

	mu   sync.Mutex
	rtcp *srtp.Context // guarded by mu
}

func newSealer(key Key) (*sealer, error) {
	rtp, err := key.context()
	if err != nil {
		return nil, err
	}
	rtcp, err := key.context()
	return &sealer{key: key, rtp: rtp, rtcp: rtcp}, err
}

// packet encrypts the packet of n bytes in buf, which has sealRoom bytes to spare, and
// gives its new length.
func (s *sealer) packet(buf []byte, n int) (int, bool) {
	out, err := s.rtp.EncryptRTP(buf, buf[:n], &s.header)
	return len(out), err == nil
}

// report encrypts a compound RTCP packet.
func (s *sealer) report(data []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.rtcp.EncryptRTCP(nil, data, nil)
	return out, err == nil
}

// wrapped says that the stream's sequence number has wrapped: a party that loses count of
// that, at a hold for instance, hears nothing more of it.
func (s *sealer) wrapped(ssrc uint32) bool {
	roc, ok := s.rtp.ROC(ssrc)
	return ok && roc > 0
}

// opener decrypts what is received under one key.
type opener struct {
	key     Key
	rtp     *srtp.Context // this and the next four: owned by the reader goroutine
	sources int           // SSRCs that rtp knows
	heard   time.Time     // when a packet was last authentic
	guessed time.Time     // when the rollover counter was last guessed at
	scratch [2048]byte

	mu   sync.Mutex
	rtcp *srtp.Context // guarded by mu
}

func newOpener(key Key) (*opener, error) {
	rtp, err := key.context(srtp.SRTPReplayProtection(replayWindow))
	if err != nil {
		return nil, err
	}
	rtcp, err := key.context(srtp.SRTCPReplayProtection(replayWindow))
	return &opener{key: key, rtp: rtp, rtcp: rtcp}, err
}

// What a packet that is encrypted may turn out to be.
type verdict uint8

const (
	authentic verdict = iota
	forged            // not encrypted with this key, or altered
	replayed          // came before, or too late to tell
)

// packet decrypts data into dst; h is its header. before is the rollover counter that the
// stream had under the key before this one, for a party that keeps it as RFC 3711 section
// 3.3.1 asks.
func (o *opener) packet(dst, data []byte, h *pionrtp.Header, before uint32, now time.Time) ([]byte, verdict) {
	_, known := o.rtp.ROC(h.SSRC)
	if !known && o.sources == maxSources {
		return nil, forged
	}
	if len(data) < headerSize+suites[o.key.suite].tag+int(o.key.mkiLen) {
		return nil, forged // too short to be encrypted
	}
	out, err := o.rtp.DecryptRTP(dst, data, h)
	if errors.Is(err, srtp.ErrMKINotFound) {
		return nil, forged
	}
	if err != nil {
		if out = o.guess(dst, data, h, known, before, now); out == nil {
			if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) {
				return nil, forged
			}
			return nil, replayed
		}
	}
	o.heard = now
	if !known {
		o.sources++
	}
	return out, authentic
}

// guess finds the rollover counter of a stream that went on unheard: that began before our
// first packet of it, or whose sequence number wrapped during a long hold. A context of its
// own is asked first, so that a forgery changes nothing.
func (o *opener) guess(dst, data []byte, h *pionrtp.Header, known bool, before uint32, now time.Time) []byte {
	if known && now.Sub(o.heard) < guessAfter || now.Sub(o.guessed) < guessEvery {
		return nil
	}
	o.guessed = now
	probe, err := o.key.context()
	if err != nil {
		return nil
	}
	roc, _ := o.rtp.ROC(h.SSRC)
	guesses := [maxWraps + 2]uint32{before, before + 1}
	for i := range maxWraps {
		guesses[i+2] = roc + uint32(i) + 1
	}
	for _, g := range guesses {
		probe.SetROC(h.SSRC, g)
		if _, err := probe.DecryptRTP(o.scratch[:0], data, h); err != nil {
			continue
		}
		o.rtp.SetROC(h.SSRC, g)
		if out, err := o.rtp.DecryptRTP(dst, data, h); err == nil {
			return out
		}
		return nil // a replay
	}
	return nil
}

// report decrypts a compound RTCP packet.
func (o *opener) report(data []byte) ([]byte, verdict) {
	if len(data) < minReport+int(o.key.mkiLen) {
		return nil, forged // too short to be encrypted
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	out, err := o.rtcp.DecryptRTCP(nil, data, nil)
	switch {
	case err == nil:
		return out, authentic
	case errors.Is(err, srtp.ErrFailedToVerifyAuthTag), errors.Is(err, srtp.ErrMKINotFound):
		return nil, forged
	default:
		return nil, replayed
	}
}

// crypt is the encryption of a session: nothing in it while the keys are not agreed on,
// when nothing is sent and nothing heard. It is a part of agreed, and never changed.
type crypt struct {
	seal        *sealer
	open        *opener
	former      *opener // until formerUntil
	formerUntil time.Time
}

// with gives the encryption under these keys; what has the same key goes on as it is, for
// its counters must never start again (RFC 3711 section 9.1).
func (c *crypt) with(send, receive Key, now time.Time) (*crypt, error) {
	next := new(crypt)
	if c != nil {
		*next = *c
	}
	if next.seal == nil || !next.seal.key.Equal(&send) {
		seal, err := newSealer(send)
		if err != nil {
			return nil, err
		}
		next.seal = seal
	}
	if next.open == nil || !next.open.key.Equal(&receive) {
		open, err := newOpener(receive)
		if err != nil {
			return nil, err
		}
		next.former, next.formerUntil = next.open, now.Add(formerFor)
		next.open = open
	}
	return next, nil
}

// decrypt opens a packet from the RTP port. Right after a change of keys the party may still
// use the old one (RFC 4568 section 7.1.4).
func (c *crypt) decrypt(dst, data []byte, h *pionrtp.Header, now time.Time) ([]byte, verdict) {
	if c.open == nil {
		return nil, forged
	}
	var before uint32
	if c.former != nil {
		before, _ = c.former.rtp.ROC(h.SSRC)
	}
	out, v := c.open.packet(dst, data, h, before, now)
	if v == forged && c.former != nil && now.Before(c.formerUntil) {
		out, v = c.former.packet(dst, data, h, 0, now)
	}
	return out, v
}

// decryptReport opens a packet of RTCP.
func (c *crypt) decryptReport(data []byte, now time.Time) ([]byte, verdict) {
	if c.open == nil {
		return nil, forged
	}
	out, v := c.open.report(data)
	if v == forged && c.former != nil && now.Before(c.formerUntil) {
		out, v = c.former.report(data)
	}
	return out, v
}
