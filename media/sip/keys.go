package sip

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/sdes"
)

// MediaKeys is whether the audio of a trunk is encrypted (SRTP), with keys from the session
// description (SDES, RFC 4568) or agreed on by DTLS (RFC 5763). The empty MediaKeys is
// KeysOptional.
//
//	           offered to us                       offered by us
//	off        RTP/AVP; anything else is refused   RTP/AVP
//	optional   all; encrypted where it can be      RTP/AVP, over TLS with a=crypto lines
//	required   all but unencrypted                 RTP/SAVP with a=crypto lines
//
// An offer of RTP/AVP with a=crypto lines may be answered either way. RFC 4568 does not know
// it, but it is what most offer who would rather encrypt than not (Asterisk's "optimistic",
// Lync, baresip, phones); others send a line of RTP/SAVP and one of RTP/AVP (FreeSWITCH,
// Polycom), of which the encrypted one is taken. Without TLS an optional key would be there
// for everybody to read, so it is not offered; one that is offered to us is used. A re-INVITE
// may change a call from one to the other as far as the policy allows.
type MediaKeys string

// The policies.
const (
	KeysOff      MediaKeys = "off"
	KeysOptional MediaKeys = "optional"
	KeysRequired MediaKeys = "required"
)

func (m MediaKeys) valid() bool {
	return m == "" || m == KeysOff || m == KeysOptional || m == KeysRequired
}

// The suites in our offers, the preferred one first. The first is the one that everybody has.
var offeredSuites = []rtp.Suite{rtp.AESCM128HMACSHA1Tag80, rtp.AEADAES256GCM}

// maxCryptos bounds the a=crypto and a=fingerprint lines of one stream that are looked at.
const maxCryptos = 16

// keying is how the keys of a stream come about.
type keying uint8

const (
	plain keying = iota // no keys
	bySDES
	byDTLS
)

// setup is who begins the DTLS handshake (RFC 4145 section 4, RFC 5763 section 5).
type setup uint8

const (
	setupNone setup = iota // not said, or a word that does not count here
	setupActive
	setupPassive
	setupActpass
)

// secrecy is what a description says of a stream's keys; of several ways, the one taken.
type secrecy struct {
	by      keying
	cryptos []sdes.Crypto // that are supported; the one taken is the first
	bad     error         // why the first of the others is not
	prints  []rtp.Fingerprint
	setup   setup
	tlsID   string // RFC 8842
}

// parseSecrecy reads a stream's a=crypto, a=fingerprint, a=setup and a=tls-id. Nothing in
// them is an error by itself: a line that is not understood is passed over.
func parseSecrecy(d *sdp.SessionDescription, m *sdp.MediaDescription) secrecy {
	var s secrecy
	for n, a := range m.Attributes {
		if a.Key != "crypto" || n >= maxSDPLines || len(s.cryptos) == maxCryptos {
			continue
		}
		c, err := sdes.Parse(a.Value)
		if err == nil {
			s.cryptos = append(s.cryptos, c)
		} else if s.bad == nil {
			s.bad = err
		}
	}
	for _, attrs := range [][]sdp.Attribute{m.Attributes, d.Attributes} { // the stream's own come first
		if len(s.prints) > 0 {
			break
		}
		for _, a := range attrs {
			if f, err := rtp.ParseFingerprint(a.Value); a.Key == "fingerprint" && err == nil && len(s.prints) < maxCryptos {
				s.prints = append(s.prints, f)
			}
		}
	}
	switch word, said := attribute(d, m, "setup"); {
	case !said || word == "active": // RFC 4145 section 4: what an offer means that does not say
		s.setup = setupActive
	case word == "passive":
		s.setup = setupPassive
	case word == "actpass":
		s.setup = setupActpass
	}
	s.tlsID, _ = attribute(d, m, "tls-id")
	return s
}

// attribute finds the value of a stream's attribute, or the session's for all streams.
func attribute(d *sdp.SessionDescription, m *sdp.MediaDescription, key string) (string, bool) {
	value, ok := m.Attribute(key)
	if !ok {
		value, ok = d.Attribute(key)
	}
	return strings.TrimSpace(value), ok
}

// isDTLS and isSecure read the transport of an m-line (RFC 5764 section 8, RFC 4568 section 3).
func isDTLS(proto string) bool { return strings.HasPrefix(proto, "UDP/TLS/") }

func isSecure(proto string) bool { return isDTLS(proto) || strings.Contains(proto, "/SAVP") }

// keyring is this side's half of a call's keys. It belongs to the call's owner.
type keyring struct {
	policy  MediaKeys
	private bool // the signalling is encrypted

	by      keying      // in effect
	proto   string      // of the m-line in effect
	mine    sdes.Crypto // in effect, or the last there was
	offered []sdes.Crypto
	settled bool     // since offered was written
	hello   rtp.DTLS // in effect, or the last there was; its certificate is the call's
	print   rtp.Fingerprint
}

// judge says whether the trunk takes an offer's stream, and picks how it is encrypted.
func (k *keyring) judge(proto string, s *secrecy) error {
	usable := len(s.cryptos) > 0
	dtls := len(s.prints) > 0 && s.setup != setupNone
	switch {
	case isSecure(proto) && k.policy == KeysOff:
		return errKeysUnwanted
	case k.policy == KeysOff:
		s.by = plain
	case isDTLS(proto) && !dtls:
		return errNoFingerprint
	case isDTLS(proto):
		s.by = byDTLS
	case usable:
		s.by = bySDES
	case isSecure(proto) && dtls: // "RTP/SAVPF", from before RFC 5764 gave DTLS its name
		s.by = byDTLS
	case isSecure(proto):
		return noKey(s)
	case k.policy == KeysRequired && s.bad != nil:
		return noKey(s)
	case k.policy == KeysRequired:
		return errKeysWanted
	default:
		s.by = plain
	}
	return nil
}

func noKey(s *secrecy) error {
	if s.bad != nil {
		return fmt.Errorf("%w: %w", errNoKey, s.bad)
	}
	return errNoKey
}

// judgeAnswer says whether an answer's stream fits our offer. It may come as RTP/SAVP or
// RTP/AVP to an offer of either with a=crypto lines (as Lync has it); its own line counts.
func (k *keyring) judgeAnswer(proto string, s *secrecy) error {
	if k.by == byDTLS {
		if len(s.prints) == 0 || s.setup == setupNone || s.setup == setupActpass {
			return errKeyAnswer
		}
		s.by = byDTLS
		return nil
	}
	for _, c := range s.cryptos {
		for _, o := range k.offered {
			if c.Tag == o.Tag && c.Key.Suite() == o.Key.Suite() {
				s.by, s.cryptos = bySDES, []sdes.Crypto{c}
				return nil
			}
		}
	}
	switch {
	case len(s.cryptos) > 0 || s.bad != nil || isSecure(proto) || isDTLS(proto):
		return errKeyAnswer
	case k.policy == KeysRequired:
		return errKeysWanted
	default:
		s.by = plain
		return nil
	}
}

// settle puts the keys that a description brought into effect, and ours into p. Ours stay
// what they are while suite and identifier do (RFC 4568 section 7.1.4).
func (k *keyring) settle(s *stream, isAnswer bool, p *rtp.Params) error {
	switch s.secrecy.by {
	case plain:
	case bySDES:
		theirs := s.secrecy.cryptos[0]
		if err := k.choose(&theirs, isAnswer); err != nil {
			return err
		}
		p.Send, p.Receive = k.mine.Key, theirs.Key
	case byDTLS:
		if err := k.identify(); err != nil {
			return err
		}
		p.DTLS = k.associate(&s.secrecy, isAnswer)
	}
	if s.secrecy.by != bySDES {
		k.mine = sdes.Crypto{} // a key that was out of use is never used again (RFC 3711 section 9.1)
	}
	k.by, k.proto, k.settled = s.secrecy.by, s.mlines[s.index].proto, true
	return nil
}

// choose finds our key to go with theirs.
func (k *keyring) choose(theirs *sdes.Crypto, isAnswer bool) error {
	if isAnswer {
		for _, o := range k.offered {
			if o.Tag == theirs.Tag {
				k.mine = o
			}
		}
		return nil
	}
	suite, mki := theirs.Key.Suite(), theirs.Key.MKI()
	if k.mine.Key.Suite() != suite || !slices.Equal(k.mine.Key.MKI(), mki) {
		key, err := rtp.RandomKey(suite, mki)
		if err != nil {
			return err
		}
		k.mine.Key = key
	}
	k.mine.Tag, k.mine.Suite = theirs.Tag, theirs.Suite
	return nil
}

// identify makes the call's certificate.
func (k *keyring) identify() (err error) {
	if len(k.hello.Certificate.Certificate) == 0 {
		k.hello.Certificate, k.print, err = rtp.NewCertificate()
	}
	return err
}

// associate says how to shake hands. To an offer that leaves the choice we let the other
// side begin: that gets through its NAT, and its answer is found by it. Once chosen, roles
// stay as long as its certificate does (RFC 5763 section 5).
func (k *keyring) associate(s *secrecy, isAnswer bool) *rtp.DTLS {
	same := k.by == byDTLS && slices.Equal(k.hello.Fingerprints, s.prints) && k.hello.ID == s.tlsID
	switch {
	case s.setup == setupPassive:
		k.hello.Active = true
	case s.setup == setupActpass && same && !isAnswer:
	default:
		k.hello.Active = false
	}
	k.hello.Fingerprints, k.hello.ID = s.prints, s.tlsID
	hello := k.hello
	return &hello
}

// answerLines are the attributes of our answer to the stream just settled.
func (k *keyring) answerLines() string {
	switch k.by {
	case bySDES:
		return "a=crypto:" + k.mine.Line() + "\r\n"
	case byDTLS:
		role := "passive"
		if k.hello.Active {
			role = "active"
		}
		return fmt.Sprintf("a=fingerprint:%s\r\na=setup:%s\r\n", k.print, role)
	default:
		return ""
	}
}

// offerLines are the transport and the attributes of an offer of ours: in a call what is in
// effect, before it what the policy says.
func (k *keyring) offerLines() (proto, lines string) {
	if k.settled {
		k.offered, k.settled = nil, false
	}
	proto = "RTP/AVP"
	if k.proto != "" {
		proto = k.proto
	}
	switch {
	case k.by == byDTLS:
		return proto, fmt.Sprintf("a=fingerprint:%s\r\na=setup:actpass\r\n", k.print)
	case k.by == bySDES:
		k.offered = []sdes.Crypto{k.mine}
	case len(k.offered) > 0: // said before, in an INVITE that was challenged for instance
	case k.policy == KeysRequired || k.policy != KeysOff && k.private:
		for i, suite := range offeredSuites {
			if key, err := rtp.RandomKey(suite, nil); err == nil {
				k.offered = append(k.offered, sdes.Crypto{Tag: i + 1, Suite: suite.String(), Key: key})
			}
		}
	}
	if k.by != bySDES && k.policy == KeysRequired {
		proto = "RTP/SAVP"
	}
	var b strings.Builder
	for _, c := range k.offered {
		b.WriteString("a=crypto:" + c.Line() + "\r\n")
	}
	return proto, b.String()
}

// Encryption is how the call's audio is encrypted now or was at its end, like
// "SDES AES_CM_128_HMAC_SHA1_80" or "DTLS AEAD_AES_128_GCM"; "" is not, or not yet.
func (c *Call) Encryption() string {
	l := c.leg.Load()
	if l == nil || l.Suite() == rtp.NoSuite {
		return ""
	}
	if l.ByDTLS() {
		return "DTLS " + l.Suite().String()
	}
	return "SDES " + l.Suite().String()
}

// CauseKeys is the end of a call whose audio was to be encrypted, and DTLS brought no keys.
const CauseKeys = "media_keys"

// mediaCause is the cause of a call whose media ended by itself.
func mediaCause(err error) string {
	if errors.Is(err, rtp.ErrHandshake) || errors.Is(err, rtp.ErrFingerprint) {
		return CauseKeys
	}
	return CauseTransport
}
