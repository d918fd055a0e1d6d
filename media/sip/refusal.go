package sip

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Why a call, or a change to one, is refused. The words are told to the other side and to
// the log.
var (
	errUnknownTrunk = errors.New("no trunk has this address")
	errDraining     = errors.New("no new calls: this side is about to stop")
	errNoContact    = errors.New("an INVITE without a Contact")
	errNotSDP       = errors.New("a body that is no session description")
	errMerged       = errors.New("this INVITE is here already, having come another way")
	errUnavailable  = errors.New("no room for another call")
	errNoPhone      = errors.New("only a user with a phone may register here")
	errOtherUser    = errors.New("this password is not that of the user in To")

	errSDP           = errors.New("malformed session description")
	errAddress       = errors.New("the audio's address is not one by number")
	errNoAudio       = errors.New("no audio stream, and nothing else is taken")
	errNoCodec       = errors.New("no audio stream in a codec of this trunk")
	errKeysWanted    = errors.New("this trunk takes encrypted audio only (SRTP)")
	errKeysUnwanted  = errors.New("this trunk takes plain audio only (RTP/AVP)")
	errNoKey         = errors.New("encrypted audio without an a=crypto line that is supported")
	errNoFingerprint = errors.New("DTLS without an a=fingerprint and a=setup that are supported")
	errKeyAnswer     = errors.New("the answer's keys do not fit the offer's")
	errMedia         = errors.New("the media could not be set up")
)

// refusals say how each is put: the name it is counted by, the status, the code of a Warning
// header (RFC 3261 section 20.43; 0 is no header, for those who are told nothing), and
// whether a Retry-After goes with it.
var refusals = [...]struct {
	err     error
	name    string
	status  int
	warning int
	later   bool
}{
	{errUnknownTrunk, "unknown_trunk", sip.StatusForbidden, 0, false},
	{errDraining, "draining", sip.StatusServiceUnavailable, 399, true},
	{errNoContact, "no_contact", sip.StatusBadRequest, 399, false},
	{errNotSDP, "not_sdp", sip.StatusUnsupportedMediaType, 399, false},
	{errMerged, "merged", sip.StatusLoopDetected, 399, false},
	{errUnavailable, "unavailable", sip.StatusServiceUnavailable, 399, true},
	{errNoPhone, "no_phone", sip.StatusForbidden, 399, false},
	{errOtherUser, "other_user", sip.StatusForbidden, 399, false},
	{registrar.ErrContact, "contact", sip.StatusBadRequest, 399, false},
	{registrar.ErrStar, "contact_star", sip.StatusBadRequest, 399, false},
	{registrar.ErrOrder, "register_order", sip.StatusInternalServerError, 399, false},
	{registrar.ErrMany, "registrations", sip.StatusForbidden, 399, false},
	{registrar.ErrBrief, "interval_too_brief", statusIntervalTooBrief, 0, false},

	{errSDP, "bad_sdp", sip.StatusBadRequest, 399, false},
	{errAddress, "sdp_address", sip.StatusNotAcceptableHere, 301, false},
	{errNoAudio, "no_audio", sip.StatusNotAcceptableHere, 304, false},
	{errNoCodec, "no_codec", sip.StatusNotAcceptableHere, 305, false},
	{errKeysWanted, "keys_required", sip.StatusNotAcceptableHere, 302, false},
	{errKeysUnwanted, "keys_off", sip.StatusNotAcceptableHere, 302, false},
	{errNoKey, "no_key", sip.StatusNotAcceptableHere, 306, false},
	{errNoFingerprint, "no_fingerprint", sip.StatusNotAcceptableHere, 306, false},
	{errKeyAnswer, "key_answer", sip.StatusNotAcceptableHere, 306, false},
	{errMedia, "media", sip.StatusInternalServerError, 399, true}, // last: what is none of those above
}

// refusalCounts count by row of refusals.
type refusalCounts [len(refusals)]atomic.Uint64

func (c *refusalCounts) byName() map[string]uint64 {
	out := make(map[string]uint64, len(c))
	for i := range c {
		out[refusals[i].name] = c[i].Load()
	}
	return out
}

// refusal is the response that refuses a request for this reason; it is counted. It quotes
// nothing of the request: there may be keys in it.
func (e *endpoint) refusal(req *sip.Request, why error, headers ...sip.Header) *sip.Response {
	row := rowOf(why)
	r := &refusals[row]
	e.refused[row].Add(1)
	res := e.response(req, r.status, headers...)
	if r.warning != 0 {
		res.AppendHeader(sip.NewHeader("Warning", fmt.Sprintf("%d headroom %q", r.warning, r.err.Error())))
	}
	if r.later {
		res.AppendHeader(retryAfter(e.cfg.RetryAfter))
	}
	return res
}

func rowOf(why error) int {
	for i := range refusals {
		if errors.Is(why, refusals[i].err) {
			return i
		}
	}
	return len(refusals) - 1
}
