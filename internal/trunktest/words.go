package trunktest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// inShort leaves out the name of the package that an error comes from.
func inShort(err error) string {
	s := err.Error()
	for _, p := range []string{"sip: ", "locate: ", "carrier: "} {
		s = strings.TrimPrefix(s, p)
	}
	return s
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// registerTime is how long a registrar is waited for; see media/sip/carrier.
const registerTime = 4 * time.Second

// silent says why nothing came back from an address; waited of zero is a registrar's time.
func (r *run) silent(via locate.Target, err error, waited time.Duration) (words, advice string) {
	if waited == 0 {
		waited = registerTime
	}
	if r.onLoopback(via) && !via.Addr.Addr().IsLoopback() {
		return fmt.Sprintf("nothing can be sent to %s from this machine's own 127.0.0.1", via.Addr),
			"put this machine's address into sip.udp, sip.tcp and rtp.address of headroom.yaml"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "nobody listens"):
		return fmt.Sprintf("nobody listens at %s over %s", via.Addr, via.Transport), "a wrong port or transport, or the server is down"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("this machine has no way to %s", via.Addr), "check its network, and IPv6 where the address is one"
	case errors.Is(err, sip.ErrNoReply), isTimeout(err):
		return fmt.Sprintf("no answer from %s over %s within %v", via.Addr, via.Transport, waited),
			"a firewall, a wrong port, or the carrier does not know this address"
	}
	advice = "check the address, the port and the network"
	if via.Transport == "TLS" {
		advice = "see what the check of TLS has found there"
	}
	return fmt.Sprintf("%s over %s was not reached: %s", via.Addr, via.Transport, inShort(err)), advice
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// onLoopback says that what goes to via leaves from 127.0.0.1 or ::1.
func (r *run) onLoopback(via locate.Target) bool {
	bound := map[string]string{"UDP": r.cfg.SIP.UDP}[via.Transport]
	a, err := netip.ParseAddrPort(bound)
	return err == nil && a.Addr().IsLoopback()
}

// seenFrom is the address that a reply says our request came from, where it is another than
// the one we told (RFC 3261 section 18.2.1); "" otherwise.
func seenFrom(reply *sip.Reply) string {
	via := reply.Values("Via")
	if len(via) == 0 {
		return ""
	}
	sentBy, params, _ := strings.Cut(via[0], ";")
	_, sentBy, _ = strings.Cut(strings.TrimSpace(sentBy), " ")
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "received") {
			a, err := netip.ParseAddr(strings.Trim(value, "[] "))
			told, _ := netip.ParseAddrPort(strings.TrimSpace(sentBy))
			if err == nil && a.Unmap() != told.Addr().Unmap() {
				return a.Unmap().String()
			}
		}
	}
	return ""
}

// wrongPassword is what a second challenge means.
func wrongPassword(status int) (words, advice string) {
	return fmt.Sprintf("answered %d and again %d: the password or username is wrong", status, status),
		"check outbound.username and outbound.password in the site file; some carriers want another domain (outbound.domain), too"
}

// noPassword is what a challenge means where there is nothing to answer it with.
func noPassword(status int) (words, advice string) {
	return fmt.Sprintf("answered %d: it asks for a password, and the trunk has none", status),
		"set outbound.username and outbound.password in the site file, or have the carrier allow this address"
}

// notRegistered says why a registrar that answered did not register us.
func notRegistered(got carrier.ProbedRegistration, err error, login string) (words, advice string) {
	switch s := got.Status; {
	case (s == 401 || s == 407) && login == "":
		return noPassword(s)
	case (s == 401 || s == 407) && got.Proven:
		return wrongPassword(s)
	case s == 401 || s == 407:
		return inShort(err), "ask the carrier for digest authentication with MD5 or SHA-256"
	case s == 403:
		return inShort(err), "the account is not allowed to register, or not from here: check outbound.register.user and outbound.username; some carriers say 403 for a wrong password"
	case s == 404:
		return inShort(err), "the registrar does not know the user or its domain: check outbound.register.user and outbound.domain"
	case s == 423:
		return inShort(err), "set outbound.register.expires longer"
	case s >= 200 && s <= 299:
		return inShort(err), "the trunk may be called by address: then leave outbound.register out"
	case s >= 500:
		return inShort(err), "trouble of the carrier's own: try again later, then ask it"
	}
	return inShort(err), "ask the carrier why"
}

// refusedCall says what a refusal of the call means.
func refusedCall(e *sip.RejectedError, login string) (words, advice string) {
	words = strings.TrimSpace(fmt.Sprintf("refused with %d %s", e.Status, e.Reason))
	switch e.Status {
	case 401, 407:
		if login == "" {
			return noPassword(e.Status)
		}
		return wrongPassword(e.Status)
	case 403:
		return words, "the carrier does not let this account call there: check the account, the caller's number (--from, outbound.identity) and that the number may be called"
	case 404, 484, 604:
		return words, "the carrier does not know the number so written: check it, and outbound.number_format with numbers.country"
	case 408, 480, 487:
		return words, "the number was not to be reached: try another one"
	case 486, 600, 603:
		return words, "the number is busy or declines, so the trunk works as far as that: try another one"
	case 488, 606, 415:
		return words, "the carrier does not take the audio offered: check codecs and media_keys of the trunk"
	case 483:
		return words, "the call goes round in circles: check where the number is routed"
	}
	switch {
	case e.Status >= 500 && e.Status <= 599:
		return words, "trouble of the carrier's own: try again later, then ask it"
	case e.Status >= 300 && e.Status <= 399:
		return words, "the carrier sends calls elsewhere; write the server it names into outbound.targets"
	}
	return words, "ask the carrier why"
}
