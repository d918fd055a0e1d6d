package rtp

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	pionrtp "github.com/pion/rtp"
)

// exporterLabel names the keys of SRTP among what DTLS exports (RFC 5764 section 4.2).
const exporterLabel = "EXTRACTOR-dtls_srtp"

// DTLSKeys takes the keys of SRTP from a DTLS association, where export is RFC 5705's
// exporter: the client's key, the server's, and their salts in the same order (RFC 5764
// section 4.2). An error is for a profile that is none of ours, or the exporter's.
func DTLSKeys(chosen dtls.SRTPProtectionProfile, export func(label string, length int) ([]byte, error)) (client, server Key, err error) {
	var suite Suite
	for _, p := range profiles {
		if p.profile == chosen {
			suite = p.suite
		}
	}
	if suite == NoSuite {
		return Key{}, Key{}, fmt.Errorf("%w: no SRTP in it", ErrHandshake)
	}
	k, n := suite.KeyLen(), suite.SaltLen()
	material, err := export(exporterLabel, 2*(k+n))
	if err != nil {
		return Key{}, Key{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if client, err = NewKey(suite, slices.Concat(material[:k], material[2*k:2*k+n]), nil); err != nil {
		return Key{}, Key{}, err
	}
	server, err = NewKey(suite, slices.Concat(material[k:2*k], material[2*k+n:]), nil)
	return client, server, err
}

// Room is how many bytes Crypt.Seal adds to a packet at most.
const Room = sealRoom

// Crypt is SRTP and SRTCP for a leg that is not a Session: one key each way, for its
// lifetime. Sending and receiving may go on at once, but only one goroutine each.
type Crypt struct {
	both     *crypt
	plain    [2048]byte
	forged   atomic.Uint64
	replayed atomic.Uint64
}

// NewCrypt makes a Crypt of the keys for what is sent and what is received.
func NewCrypt(send, receive Key) (*Crypt, error) {
	both, err := (*crypt)(nil).with(send, receive, time.Time{})
	if err != nil {
		return nil, err
	}
	return &Crypt{both: both}, nil
}

// Seal encrypts the RTP packet of n bytes in buf, which has Room to spare, and gives its
// new length.
func (c *Crypt) Seal(buf []byte, n int) (int, bool) { return c.both.seal.packet(buf, n) }

// Open decrypts an RTP packet and reads its header. The payload is valid until the next
// call. What is not authentic, came before or is no RTP is not ok.
func (c *Crypt) Open(data []byte, h *pionrtp.Header, now time.Time) (payload []byte, ok bool) {
	if _, ok := header(h, data); !ok {
		return nil, false
	}
	plain, v := c.both.decrypt(c.plain[:0], data, h, now)
	if c.count(v); v != authentic {
		return nil, false
	}
	return parse(h, plain)
}

// SealReport encrypts a compound RTCP packet.
func (c *Crypt) SealReport(data []byte) ([]byte, bool) { return c.both.seal.report(data) }

// OpenReport decrypts a compound RTCP packet.
func (c *Crypt) OpenReport(data []byte, now time.Time) ([]byte, bool) {
	plain, v := c.both.decryptReport(data, now)
	c.count(v)
	return plain, v == authentic
}

// Refused counts what was not encrypted with the key, and what came twice.
func (c *Crypt) Refused() (forged, replayed uint64) { return c.forged.Load(), c.replayed.Load() }

func (c *Crypt) count(v verdict) {
	switch v {
	case forged:
		c.forged.Add(1)
	case replayed:
		c.replayed.Add(1)
	}
}

// IsReport tells RTCP from RTP where both come to one port (RFC 5761 section 4).
func IsReport(data []byte) bool { return isMuxedRTCP(data) }
