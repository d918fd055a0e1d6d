package webrtc

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"

	"github.com/headroom-voice/headroom/media/rtp"
)

var errNoKeys = errors.New("DTLS gave no keys for SRTP")

// keyring takes what the keys of SRTP are made of from a peer's DTLS handshake, on the
// server's side. Pion offers no other way to them than what it tells a key log. They are
// held until keys is called, and nowhere else.
type keyring struct {
	mu     sync.Mutex
	client []byte // the client's random, as secret
	secret []byte // the master secret
	server [handshake.RandomLength]byte
	hash   prf.HashFunc
	chosen dtls.SRTPProtectionProfile
}

// Write is where Pion writes the key log to: a line "CLIENT_RANDOM", the random and the
// master secret, in hexadecimal.
func (k *keyring) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != "CLIENT_RANDOM" {
		return len(line), nil
	}
	client, secret := make([]byte, hex.DecodedLen(len(fields[1]))), make([]byte, hex.DecodedLen(len(fields[2])))
	if _, err := hex.Decode(client, fields[1]); err != nil {
		return len(line), nil
	}
	if _, err := hex.Decode(secret, fields[2]); err != nil {
		return len(line), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.secret = client, secret
	return len(line), nil
}

// hello sees our ServerHello and sends it as it is: our random, the hash of the cipher
// suite's PRF (RFC 5246 section 5, RFC 5289) and the profile of SRTP (RFC 5764 section 4.1).
func (k *keyring) hello(m handshake.MessageServerHello) handshake.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server, k.hash, k.chosen = m.Random.MarshalFixed(), sha256.New, 0
	if m.CipherSuiteID != nil {
		switch dtls.CipherSuiteID(*m.CipherSuiteID) {
		case dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
			k.hash = func() hash.Hash { return sha512.New384() }
		}
	}
	for _, e := range m.Extensions {
		if use, ok := e.(*extension.UseSRTP); ok && len(use.ProtectionProfiles) == 1 {
			k.chosen = use.ProtectionProfiles[0]
		}
	}
	return &m
}

// keys gives the client's key and the server's, once the handshake is done, and forgets
// what they were made of.
func (k *keyring) keys() (client, server rtp.Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == nil || k.hash == nil {
		return client, server, errNoKeys
	}
	defer func() {
		clear(k.secret)
		k.secret = nil
	}()
	client, server, err = rtp.DTLSKeys(k.chosen, func(label string, length int) ([]byte, error) {
		seed := append([]byte(label), k.client...) // RFC 5705 section 4, without a context
		return prf.PHash(k.secret, append(seed, k.server[:]...), length, k.hash)
	})
	if err != nil {
		return client, server, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return client, server, nil
}
