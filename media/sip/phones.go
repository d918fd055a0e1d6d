package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/locate"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// phonePrefix makes a phone's user what stands where a trunk's ID does; no trunk's has a colon.
const phonePrefix = "phone:"

// PhonesTrunk is what the messages of calls with phones are counted by (Kind.Trunk).
const PhonesTrunk = "(phones)"

const statusIntervalTooBrief = 423

// phoneLimits bound the calls that one user's phones place: whoever has a password has no more
// than this of the audio's ports. Those placed to them are the service's own doing.
var phoneLimits = Limits{Calls: 4, PerSecond: 2}

// registerTimeout bounds how long the store is waited for.
const registerTimeout = 5 * time.Second

// Phone is what a user's phones show themselves by: whoever knows the password may register
// as the user, and call.
type Phone struct {
	User      string       // whose it is
	Login     digest.Login // the username is what stands in To, too; no other phone or trunk has it
	Codecs    []media.Codec
	MediaKeys MediaKeys
}

func validPhones(phones []Phone, trunks []Trunk) error {
	names, users := map[string]bool{}, map[string]bool{}
	for _, t := range trunks {
		names[t.Digest.Username] = true
	}
	for _, p := range phones {
		switch {
		case p.User == "" || p.Login.Username == "" || p.Login.Password == "":
			return fmt.Errorf("sip: phone of %q: a user, a username and a password are needed", p.User)
		case users[p.User]:
			return fmt.Errorf("sip: phone of %q: is there twice", p.User)
		case names[p.Login.Username]:
			return fmt.Errorf("sip: phone of %q: another phone or trunk has its username", p.User)
		case !p.MediaKeys.valid():
			return fmt.Errorf("sip: phone of %q: media keys %q", p.User, p.MediaKeys)
		case slices.ContainsFunc(p.Codecs, func(c media.Codec) bool { return c != media.PCMU && c != media.PCMA && c != media.G722 }):
			return fmt.Errorf("sip: phone of %q: a codec that is not for phones", p.User)
		}
		names[p.Login.Username], users[p.User] = true, true
	}
	return nil
}

// addPhones enters phones as what may call from anywhere with its password.
func (t *trunkTable) addPhones(phones []Phone) {
	if t.phones = len(phones) > 0; t.phones && !slices.Contains(t.realms, DefaultRealm) {
		t.realms = append(t.realms, DefaultRealm)
	}
	for _, p := range phones {
		k := &knownTrunk{id: phonePrefix + p.User, phone: p.User, limits: phoneLimits, codecs: p.Codecs, keys: p.MediaKeys, login: p.Login,
			account: digest.NewAccount(p.Login, DefaultRealm), doubted: true, elsewhere: make(map[string]digest.Account)}
		if len(k.codecs) == 0 {
			k.codecs = []media.Codec{media.PCMU, media.PCMA}
		}
		for _, realm := range t.realms { // many a phone answers the first, whatever it says
			k.elsewhere[realm] = digest.NewAccount(p.Login, realm)
		}
		t.all[k.id], t.named[p.Login.Username] = k, k
	}
}

// PhoneHandler is a Handler that decides about the transfers of calls that users' phones
// placed, too; without it their REFER gets what a trunk's does.
type PhoneHandler interface {
	PhoneTransfer(*Transfer)
}

// SetSite replaces all trunks and all users' phones at once, and whether these are offered
// SHA-256 (Config.PhonesSHA256). Calls in progress, and what is registered, are left alone.
func (s *Server) SetSite(trunks []Trunk, phones []Phone, sha256 bool) error {
	if err := errors.Join(validTrunks(trunks), validPhones(phones, trunks)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trunks, s.phones, s.better = trunks, phones, sha256
	s.know()
	return nil
}

// fromPhone says that a request is to show a user's password though it comes from a trunk's
// address: a phone may stand beside a PBX, or behind the same NAT.
func (s *Server) fromPhone(req *sip.Request) bool {
	if s.ep.cfg.Registrar == nil || !s.fw.trunks.Load().phones {
		return false
	}
	return req.Method == sip.REGISTER || s.ep.cfg.Registrar.At(source(req))
}

// onlyMD5 says that whoever sends a request is asked by MD5 alone.
func (s *Server) onlyMD5(req *sip.Request) bool {
	if !s.fromPhone(req) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.better
}

// handleRegister answers a REGISTER of whoever has shown a password.
func (e *endpoint) handleRegister(req *sip.Request, from *knownTrunk) *sip.Response {
	if e.registered == nil || e.cfg.Registrar == nil {
		return e.response(req, sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow))
	}
	return e.registered(req, from)
}

// registered carries a REGISTER out (RFC 3261 section 10.3). It runs on a goroutine of the
// request's own, since what is acknowledged is kept.
func (s *Server) registered(req *sip.Request, from *knownTrunk) *sip.Response {
	switch {
	case !s.fw.trunks.Load().phones:
		return s.ep.response(req, sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow))
	case from == nil || from.phone == "":
		return s.ep.refusal(req, errNoPhone)
	case userOf(&req.To().Address) != from.account.Username:
		return s.ep.refusal(req, errOtherUser)
	case s.strays(req):
		s.ep.log.Warn("registration refused", "user", from.phone, "source", source(req).String(), "why", errContactTrunk)
		return s.ep.refusal(req, errContactTrunk)
	}
	ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
	defer cancel()
	r := s.ep.cfg.Registrar
	bindings, err := r.Register(ctx, registrar.Request{
		User: from.phone, Login: from.login, CallID: text(req.CallID()), CSeq: req.CSeq().SeqNo, Contacts: values(req, "Contact", "m"), Expires: headerOf(req, "Expires"),
		Transport: sip.NetworkToUpper(req.Transport()), Source: source(req), UserAgent: headerOf(req, "User-Agent"),
		Dead: func(b registrar.Binding) bool {
			return !s.Client().Connected(locate.Target{Transport: b.Transport, Addr: b.Source})
		},
	})
	if err != nil {
		s.ep.log.Warn("registration refused", "user", from.phone, "source", source(req).String(), "why", err)
		res := s.ep.refusal(req, err)
		if res.StatusCode == statusIntervalTooBrief {
			res.AppendHeader(sip.NewHeader("Min-Expires", strconv.Itoa(int(r.MinExpires()/time.Second))))
		}
		return res
	}
	res, now := s.ep.response(req, sip.StatusOK), time.Now()
	for _, b := range bindings {
		res.AppendHeader(sip.NewHeader("Contact", b.String(now)))
	}
	res.AppendHeader(sip.NewHeader("Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))) // section 10.3, step 8
	return res
}

// headerOf is the value of a header's first field; "" if it is not there.
func headerOf(m sip.Message, name string) string {
	if h := m.GetHeaders(name); len(h) > 0 {
		return strings.TrimSpace(h[0].Value())
	}
	return ""
}

// Phone is the user whose phone the call is with; "" for a trunk's.
func (c *Call) Phone() string { return c.phone }

// At is where the phone is that placed the call, for Client.Reach: it may be registered
// nowhere. It is empty for a call that this side placed, and for a trunk's.
func (c *Call) At() registrar.Binding { return c.at }

// Holds yields true when the other side puts the call on hold, in whatever spelling, and
// false when it takes it back. What nobody has taken is replaced by what is newer.
func (c *Call) Holds() <-chan bool { return c.holds }

// tellHold notes a change from one description of the other side's to the next.
func (c *Call) tellHold(was, is *stream) {
	if held := is.held(); held != (was != nil && was.held()) {
		select {
		case <-c.holds:
		default:
		}
		c.holds <- held // holds one, and only the owner puts any in
	}
}

// Reach is where a request to a registered phone is to be sent, as Outgoing.Via and
// Request.Via have it: to where it registered from. Once a connection is gone the phone is not
// reachable until it registers again (ErrUnreachable), whatever its Contact says: that is its
// word alone, and who listens at the port that it came from, behind a NAT, may be another.
func (c *Client) Reach(b registrar.Binding) locate.Target {
	to := locate.Target{Transport: b.Transport, Addr: b.Source}
	if !c.Connected(to) {
		to.Addr = netip.AddrPort{}
	}
	return to
}

// strays says that a REGISTER from a trunk's address has a Contact that names a trunk's, too,
// and not the one that it comes from: what is beside a PBX is not to speak for it. Over a
// connection the port may be another, since nothing is ever sent there.
func (s *Server) strays(req *sip.Request) bool {
	from, trunks := source(req), s.fw.trunks.Load()
	if trunks.find(from.Addr()) == nil {
		return false
	}
	return slices.ContainsFunc(values(req, "Contact", "m"), func(value string) bool {
		uri, err := registrar.ContactURI(value)
		if err != nil {
			return false // the registrar says what is wrong
		}
		at, ok := literal(&uri)
		if !ok || trunks.find(at.Addr()) == nil {
			return false
		}
		return at.Addr() != from.Addr() || sip.NetworkToUpper(req.Transport()) == "UDP" && at.Port() != from.Port()
	})
}
