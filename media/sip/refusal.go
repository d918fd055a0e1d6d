package sip

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Why a request is refused. The words are told to the other side and to the log. What a request
// within a call gets for the state that the call is in is the table's in states.go to say.
var (
	errVersion      = errors.New("another version of SIP than 2.0")
	errMalformed    = errors.New("a header field that each request has once is missing, there twice, or does not fit the method")
	errUnreadable   = errors.New("the message cannot be read")
	errURIScheme    = errors.New("an address of another kind than sip, sips and tel")
	errExtension    = errors.New("an extension is required that is not supported")
	errNotAllowed   = errors.New("this is not done here")
	errNotKnown     = errors.New("an unknown method")
	errNoDialog     = errors.New("no such call or transaction")
	errAccept       = errors.New("no answer that Accept allows could have a session description")
	errShortSession = errors.New("the session would expire too soon")

	errTrunkFull = errors.New("the trunk has as many calls as it may")
	errTrunkRate = errors.New("the trunk has had as many new calls this second as it may")

	errReplacesNobody = errors.New("Replaces names no call of this trunk")
	errReplacesOver   = errors.New("the call that Replaces names is over")
	errReplacesUp     = errors.New("the call that Replaces names is answered, and only an early one is to be replaced")
	errReplacesPhone  = errors.New("a phone's new call takes the place of no other: attended transfer is not done here")

	errPasswordWanted = errors.New("a password is asked for")
	errAnswerUnread   = errors.New("the answer to a challenge cannot be read")
	errAnswerTarget   = errors.New("the answer to a challenge is for another target")
	errLockedOut      = errors.New("too many wrong passwords")

	errUnknownTrunk = errors.New("no trunk has this address")
	errDraining     = errors.New("no new calls: this side is about to stop")
	errNoContact    = errors.New("an INVITE without a Contact")
	errNotSDP       = errors.New("a body that is no session description")
	errMerged       = errors.New("this INVITE is here already, having come another way")
	errUnavailable  = errors.New("no room for another call")
	errNoPhone      = errors.New("only a user with a phone may register here")
	errOtherUser    = errors.New("this password is not that of the user in To")

	errContactTrunk = errors.New("a Contact that is a trunk's address, and not the one that the request comes from")

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
// how long after it may be tried again (Retry-After; 0 is no header, later is
// Config.RetryAfter).
var refusals = [...]struct {
	err     error
	name    string
	status  int
	warning int
	after   time.Duration
}{
	{errVersion, "version", sip.StatusVersionNotSupported, 0, 0},
	{errMalformed, "malformed", sip.StatusBadRequest, 399, 0},
	{errUnreadable, "unreadable", sip.StatusBadRequest, 0, 0},
	{errURIScheme, "scheme", 416, 399, 0},
	{errExtension, "extension", sip.StatusBadExtension, 0, 0}, // Unsupported says it
	{errNotAllowed, "not_allowed", sip.StatusMethodNotAllowed, 0, 0},
	{errNotKnown, "unknown_method", sip.StatusNotImplemented, 0, 0},
	{errNoDialog, "no_dialog", sip.StatusCallTransactionDoesNotExists, 0, 0},
	{errAccept, "accept", sip.StatusNotAcceptable, 399, 0}, // RFC 4475 section 3.3.15
	{errShortSession, "session_interval", statusIntervalTooSmall, 0, 0},
	{errNoPhone, "no_phone", sip.StatusForbidden, 399, 0},
	{errOtherUser, "other_user", sip.StatusForbidden, 399, 0},
	{errContactTrunk, "contact_trunk", sip.StatusForbidden, 399, 0},
	{registrar.ErrContact, "contact", sip.StatusBadRequest, 399, 0},
	{registrar.ErrStar, "contact_star", sip.StatusBadRequest, 399, 0},
	{registrar.ErrOrder, "register_order", sip.StatusInternalServerError, 399, 0},
	{registrar.ErrMany, "registrations", sip.StatusForbidden, 399, 0},
	{registrar.ErrRate, "register_rate", sip.StatusServiceUnavailable, 399, time.Second},
	{registrar.ErrBusy, "register_busy", sip.StatusServiceUnavailable, 399, later},
	{registrar.ErrLogin, "login_changed", sip.StatusForbidden, 399, 0},
	{registrar.ErrBrief, "interval_too_brief", statusIntervalTooBrief, 0, 0},

	// 486 for a trunk that is full: the number called is busy, and no other way to it would
	// help; 503 for the rate, which a moment later or another way does.
	{errTrunkFull, "limit_calls", sip.StatusBusyHere, 399, 10 * time.Second},
	{errTrunkRate, "limit_rate", sip.StatusServiceUnavailable, 399, time.Second},

	{errReplaces, "replaces_malformed", sip.StatusBadRequest, 399, 0}, // RFC 3891 section 3, for these four
	{errReplacesNobody, "replaces_unknown", sip.StatusCallTransactionDoesNotExists, 399, 0},
	{errReplacesOver, "replaces_over", 603, 399, 0},
	{errReplacesUp, "replaces_answered", sip.StatusBusyHere, 399, 0},
	{errReplacesPhone, "replaces_phone", sip.StatusNotImplemented, 399, 0},

	// RFC 3261 section 22.1, RFC 7616 section 3.3. Whoever guesses learns no more than this.
	{errPasswordWanted, "password_wanted", sip.StatusUnauthorized, 0, 0},
	{errAnswerUnread, "answer_malformed", sip.StatusBadRequest, 0, 0},
	{errAnswerTarget, "answer_target", sip.StatusBadRequest, 0, 0},
	{errLockedOut, "locked_out", sip.StatusForbidden, 0, 0},

	{errUnknownTrunk, "unknown_trunk", sip.StatusForbidden, 0, 0},
	{errDraining, "draining", sip.StatusServiceUnavailable, 399, later},
	{errNoContact, "no_contact", sip.StatusBadRequest, 399, 0},
	{errNotSDP, "not_sdp", sip.StatusUnsupportedMediaType, 399, 0},
	{errMerged, "merged", sip.StatusLoopDetected, 399, 0},
	{errUnavailable, "unavailable", sip.StatusServiceUnavailable, 399, later},

	{errSDP, "bad_sdp", sip.StatusBadRequest, 399, 0},
	{errAddress, "sdp_address", sip.StatusNotAcceptableHere, 301, 0},
	{errNoAudio, "no_audio", sip.StatusNotAcceptableHere, 304, 0},
	{errNoCodec, "no_codec", sip.StatusNotAcceptableHere, 305, 0},
	{errKeysWanted, "keys_required", sip.StatusNotAcceptableHere, 302, 0},
	{errKeysUnwanted, "keys_off", sip.StatusNotAcceptableHere, 302, 0},
	{errNoKey, "no_key", sip.StatusNotAcceptableHere, 306, 0},
	{errNoFingerprint, "no_fingerprint", sip.StatusNotAcceptableHere, 306, 0},
	{errKeyAnswer, "key_answer", sip.StatusNotAcceptableHere, 306, 0},
	{errMedia, "media", sip.StatusInternalServerError, 399, later}, // last: what is none of those above
}

// later stands for Config.RetryAfter.
const later time.Duration = -1

// refusalCounts count by row of refusals.
type refusalCounts [len(refusals)]atomic.Uint64

func (c *refusalCounts) byName() map[string]uint64 {
	out := make(map[string]uint64, len(c))
	for i := range c {
		out[refusals[i].name] = c[i].Load()
	}
	return out
}

// statusOf is what a refusal for this reason has.
func statusOf(why error) int { return refusals[rowOf(why)].status }

// add counts a refusal that another than endpoint.refusal makes.
func (c *refusalCounts) add(why error) { c[rowOf(why)].Add(1) }

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
	if after := r.after; after == later {
		res.AppendHeader(retryAfter(e.cfg.RetryAfter))
	} else if after > 0 {
		res.AppendHeader(retryAfter(after))
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
