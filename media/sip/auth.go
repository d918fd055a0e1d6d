package sip

import (
	"slices"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

// credentials are the challenges that a call was met with. What was once asked for goes into
// every request that follows, its count one up (RFC 3261 section 22.3, RFC 7616 section 3.4).
type credentials struct {
	login digest.Login
	held  []heldChallenge
}

type heldChallenge struct {
	answer string // Authorization or Proxy-Authorization
	digest.Challenge
	count uint32 // requests that have answered it
}

// prove adds the answers to all that was asked for.
func (a *credentials) prove(req *sip.Request) {
	for i := range a.held {
		h := &a.held[i]
		h.count++
		cred := digest.Answer(h.Challenge, a.login, string(req.Method), req.Recipient.String(), token(8), h.count)
		req.AppendHeader(sip.NewHeader(h.answer, cred.String()))
	}
}

// learn takes the challenges of a 401 or 407, of each realm the first that can be answered:
// the server's order is its preference (RFC 8760 section 2.4). False if nothing new is asked:
// the first answer to a nonce was not right, so the password is not, unless the nonce was
// stale (RFC 7616 section 3.3).
func (a *credentials) learn(res *sip.Response) bool {
	asked, answer := "WWW-Authenticate", "Authorization"
	switch {
	case a.login.Username == "":
		return false
	case res.StatusCode == sip.StatusProxyAuthRequired:
		asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
	case res.StatusCode != sip.StatusUnauthorized:
		return false
	}
	learnt := map[string]bool{}
	for _, header := range res.GetHeaders(asked) {
		challenge, err := digest.ParseChallenge(header.Value())
		if err != nil || learnt[challenge.Realm] {
			continue
		}
		i := slices.IndexFunc(a.held, func(h heldChallenge) bool { return h.answer == answer && h.Realm == challenge.Realm })
		switch {
		case i < 0 && len(a.held) < maxRealms:
			a.held = append(a.held, heldChallenge{answer: answer, Challenge: challenge})
		case i < 0, a.held[i].count == 1 && !challenge.Stale:
			continue
		default:
			a.held[i] = heldChallenge{answer: answer, Challenge: challenge}
		}
		learnt[challenge.Realm] = true
	}
	return len(learnt) > 0
}
