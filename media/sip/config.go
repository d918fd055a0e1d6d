package sip

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/e164"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Trunk is a carrier or PBX that may call in: from its sources, with its password from
// anywhere, or, where it has both, with its password from its sources.
type Trunk struct {
	ID      string
	Sources []netip.Prefix // where its signalling comes from; the longest match of all trunks counts
	Codecs  []media.Codec  // allowed, of PCMU, PCMA and G722; empty means the first two
	Digest  Digest
	Limits  Limits
	Numbers e164.Plan // how it writes numbers; Call.From and Call.To give +E.164
	// Doubted is a trunk whose word on who calls, or who passed a call on, does not count:
	// P-Asserted-Identity, Remote-Party-ID, Diversion and History-Info are not read.
	Doubted bool
	// Registered is the user part by which this side is registered at the trunk. Calls come
	// to it, and the number called stands elsewhere.
	Registered string
	MediaKeys  MediaKeys // whether its audio is encrypted
	KeysBy     KeysBy    // how it is sent the keys of a telephone
	// Login is what its challenges to our requests within a call that came in by it are
	// answered with: a BYE, a re-INVITE. Without a name they are refusals.
	Login digest.Login
}

// Digest is the name and password that a trunk answers challenges with (RFC 3261 section
// 22); without a name it is not asked to.
type Digest struct {
	digest.Login
	Realm string // default DefaultRealm
}

// DefaultRealm is the realm of trunks that name none.
const DefaultRealm = "headroom"

// maxRealms bounds the challenges that one answer to a stranger holds.
const maxRealms = 4

// Config is what a Server needs to know. Zero durations take the defaults named.
type Config struct {
	UDP, TCP  string // listen addresses, "" = off; at least one of these and TLS.Listen
	TLS       TLS
	Advertise netip.Addr // put into Contact, Via and SDP; not valid = the listening address, or the one facing the peer
	// AdvertiseAlso is that of the other family (IPv4, IPv6) where Advertise is of one; peers
	// of each are told theirs.
	AdvertiseAlso netip.Addr
	Ports         *rtp.Ports // where audio is received
	UserAgent     string     // Server header; default "headroom"
	Trunks        []Trunk

	RetryAfter   time.Duration // told to callers while draining or out of ports; 10 s
	MediaTimeout time.Duration // no packet from the caller, RTP or RTCP, while talking; 60 s
	HoldTimeout  time.Duration // the same while the caller holds us or only listens; 1 h
	RingTimeout  time.Duration // unanswered by the handler; 3 min, then 480
	T1, T2       time.Duration // RFC 3261 section 17.1.1.1, for what this package repeats itself; 500 ms, 4 s
	// Silent answers strangers nothing: no refusal, and a connection is closed without a word.
	// Where trunks may call from anywhere, the challenge that those answer is still given.
	Silent    bool
	Refusals  int           // answers to strangers per second; the rest is dropped and counted; 20
	NonceLife time.Duration // how long a challenge can be answered; 5 min

	// The session timer (RFC 4028), in whole seconds: how long a session may go without a
	// refresh, 30 min, and the least that a caller may ask for, 90 s. The RFC has no MinSE
	// below 90 s (section 4); anything shorter is for tests.
	SessionExpires, MinSE time.Duration

	Phones []Phone // whose users may register and call
	// PhonesSHA256 has phones asked by SHA-256 and MD5, as trunks are. Many give up on an
	// algorithm that they do not know, though MD5 is offered, too (RFC 8760 section 2.4).
	PhonesSHA256 bool
	Registrar    *registrar.Registrar // where they are kept; nil = REGISTER is refused
}

// Handler takes the calls that come in. Incoming runs on a goroutine of its own after 100
// Trying was sent; the call is refused with 480 if nothing is decided within RingTimeout.
type Handler interface {
	Incoming(*Call)
}

func (c Config) withDefaults() (Config, error) {
	if c.UDP == "" && c.TCP == "" && c.TLS.Listen == "" {
		return c, errors.New("sip: neither a UDP nor a TCP nor a TLS address to listen on")
	}
	if err := c.TLS.valid(); err != nil {
		return c, err
	}
	if c.AdvertiseAlso.IsValid() && (!c.Advertise.IsValid() || c.Advertise.Is4() == c.AdvertiseAlso.Is4()) {
		return c, errors.New("sip: two addresses to advertise must be one of IPv4 and one of IPv6")
	}
	if c.Ports == nil {
		return c, errors.New("sip: no RTP ports")
	}
	if c.UserAgent == "" {
		c.UserAgent = "headroom"
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.RetryAfter, 10 * time.Second}, {&c.MediaTimeout, time.Minute},
		{&c.HoldTimeout, time.Hour}, {&c.RingTimeout, 3 * time.Minute},
		{&c.T1, 500 * time.Millisecond}, {&c.T2, 4 * time.Second},
		{&c.NonceLife, 5 * time.Minute},
		{&c.SessionExpires, 30 * time.Minute}, {&c.MinSE, 90 * time.Second},
	} {
		if *d.value < 0 {
			return c, errors.New("sip: negative duration")
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.Refusals == 0 {
		c.Refusals = 20
	}
	if c.MinSE < time.Second || c.SessionExpires < c.MinSE {
		return c, fmt.Errorf("sip: sessions that expire after %v, at the least %v", c.SessionExpires, c.MinSE)
	}
	if err := validTrunks(c.Trunks); err != nil {
		return c, err
	}
	return c, validPhones(c.Phones, c.Trunks)
}

func validTrunks(trunks []Trunk) error {
	names, realms := map[string]bool{}, map[string]bool{}
	for _, t := range trunks {
		if t.Limits.Calls < 0 || t.Limits.PerSecond < 0 {
			return fmt.Errorf("sip: trunk %q: a limit below zero", t.ID)
		}
		if name := t.Digest.Username; name != "" {
			if t.Digest.Password == "" {
				return fmt.Errorf("sip: trunk %q: no password", t.ID)
			}
			if names[name] {
				return fmt.Errorf("sip: trunk %q: another trunk has its username", t.ID)
			}
			names[name] = true
			if len(t.Sources) == 0 {
				realms[cmp.Or(t.Digest.Realm, DefaultRealm)] = true
			}
		}
		if len(realms) > maxRealms {
			return fmt.Errorf("sip: more than %d realms", maxRealms)
		}
		for _, p := range t.Sources {
			if !p.IsValid() {
				return fmt.Errorf("sip: trunk %q: invalid source", t.ID)
			}
		}
		if !t.MediaKeys.valid() {
			return fmt.Errorf("sip: trunk %q: media keys %q", t.ID, t.MediaKeys)
		}
		if !t.KeysBy.valid() {
			return fmt.Errorf("sip: trunk %q: keys by %q", t.ID, t.KeysBy)
		}
		for _, codec := range t.Codecs {
			if codec != media.PCMU && codec != media.PCMA && codec != media.G722 {
				return fmt.Errorf("sip: trunk %q: codec %s is not for trunks", t.ID, codec)
			}
		}
	}
	return nil
}

// trunkTable finds the trunk of an address or of a username. It is built once and only read.
type trunkTable struct {
	entries []trunkEntry // longest prefix first
	named   map[string]*knownTrunk
	all     map[string]*knownTrunk
	realms  []string // that a stranger may answer for; none = no stranger may
	phones  bool     // there are any

	anywhere bool // a trunk may call from anywhere
}

type trunkEntry struct {
	prefix netip.Prefix
	trunk  *knownTrunk
}

// knownTrunk is a trunk as the server works with it: hashes instead of the password that it
// shows us. The one that we show it has to be kept as it is.
type knownTrunk struct {
	id      string
	codecs  []media.Codec
	account digest.Account // without a username it is not asked
	bound   bool           // to its sources
	limits  Limits
	numbers e164.Plan
	doubted bool
	contact string // Trunk.Registered
	keys    MediaKeys
	keysBy  KeysBy
	login   digest.Login // Trunk.Login
	phone   string       // of a phone, its user

	// elsewhere are the accounts of a trunk that is not bound, by realm. A stranger is asked
	// about every realm at once, and many a phone answers the first, whatever it says.
	elsewhere map[string]digest.Account
}

// accountFor is what the trunk answers for a realm with; the zero Account if it does not.
func (k *knownTrunk) accountFor(realm string) digest.Account {
	if k.account.Realm == realm {
		return k.account
	}
	return k.elsewhere[realm]
}

func newTrunkTable(trunks []Trunk, phones ...Phone) *trunkTable {
	t := &trunkTable{named: make(map[string]*knownTrunk), all: make(map[string]*knownTrunk)}
	for _, trunk := range trunks {
		k := &knownTrunk{id: trunk.ID, codecs: trunk.Codecs, bound: len(trunk.Sources) > 0,
			limits: trunk.Limits, numbers: trunk.Numbers, doubted: trunk.Doubted, keys: trunk.MediaKeys, keysBy: trunk.KeysBy, contact: trunk.Registered, login: trunk.Login}
		t.all[k.id] = k
		if len(k.codecs) == 0 {
			k.codecs = []media.Codec{media.PCMU, media.PCMA}
		}
		if trunk.Digest.Username != "" {
			k.account = digest.NewAccount(trunk.Digest.Login, cmp.Or(trunk.Digest.Realm, DefaultRealm))
			t.named[k.account.Username] = k
			if !k.bound && !slices.Contains(t.realms, k.account.Realm) {
				t.realms = append(t.realms, k.account.Realm)
			}
		}
		for _, p := range trunk.Sources {
			t.entries = append(t.entries, trunkEntry{unmapPrefix(p), k})
		}
	}
	t.anywhere = len(t.realms) > 0
	t.addPhones(phones)
	for _, trunk := range trunks {
		if k := t.named[trunk.Digest.Username]; k != nil && !k.bound {
			k.elsewhere = make(map[string]digest.Account)
			for _, realm := range t.realms {
				k.elsewhere[realm] = digest.NewAccount(trunk.Digest.Login, realm)
			}
		}
	}
	slices.SortStableFunc(t.entries, func(a, b trunkEntry) int { return b.prefix.Bits() - a.prefix.Bits() })
	return t
}

// meet adds the addresses at which trunks were found to be, by their IDs: they count where no
// trunk has them as its sources.
func (t *trunkTable) meet(met map[string][]netip.Addr) {
	for _, id := range slices.Sorted(maps.Keys(met)) {
		for _, a := range met[id] {
			if k := t.all[id]; k != nil && a.IsValid() && t.find(a) == nil {
				a = a.Unmap()
				t.entries = append(t.entries, trunkEntry{netip.PrefixFrom(a, a.BitLen()), k})
			}
		}
	}
}

// find gives the trunk of an address, or nil.
func (t *trunkTable) find(a netip.Addr) *knownTrunk {
	a = a.Unmap()
	for _, e := range t.entries {
		if e.prefix.Contains(a) {
			return e.trunk
		}
	}
	return nil
}

// unmapPrefix turns ::ffff:10.0.0.0/104 into 10.0.0.0/8: addresses are compared unmapped.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
