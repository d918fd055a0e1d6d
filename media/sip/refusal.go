package sip

import (
	"errors"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// What keeps a session description from being taken. Each is told to the other side and to
// the log in the words of refusals.
var (
	errSDP           = errors.New("malformed session description")
	errAddress       = errors.New("the audio's address is not one by number")
	errNoAudio       = errors.New("no audio stream, and nothing else is taken")
	errNoCodec       = errors.New("no audio stream in a codec of this trunk")
	errKeysWanted    = errors.New("this trunk takes encrypted audio only (SRTP)")
	errKeysUnwanted  = errors.New("this trunk takes plain audio only (RTP/AVP)")
	errNoKey         = errors.New("encrypted audio without an a=crypto line that is supported")
	errNoFingerprint = errors.New("DTLS without an a=fingerprint and a=setup that are supported")
	errKeyAnswer     = errors.New("the answer's keys do not fit the offer's")
)

// refusals say how a description is refused: the status, and the code and words of a
// Warning header (RFC 3261 section 20.43).
var refusals = []struct {
	err     error
	status  int
	warning int
}{
	{errSDP, sip.StatusBadRequest, 399},
	{errAddress, sip.StatusNotAcceptableHere, 301},
	{errNoAudio, sip.StatusNotAcceptableHere, 304},
	{errNoCodec, sip.StatusNotAcceptableHere, 305},
	{errKeysWanted, sip.StatusNotAcceptableHere, 302},
	{errKeysUnwanted, sip.StatusNotAcceptableHere, 302},
	{errNoKey, sip.StatusNotAcceptableHere, 306},
	{errNoFingerprint, sip.StatusNotAcceptableHere, 306},
	{errKeyAnswer, sip.StatusNotAcceptableHere, 306},
}

// refusal gives the status for what is wrong with a description, and the header that says
// why. It quotes nothing of the description: there are keys in it.
func refusal(err error) (status int, warning sip.Header) {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.status, sip.NewHeader("Warning", fmt.Sprintf("%d headroom %q", r.warning, r.err.Error()))
		}
	}
	return sip.StatusInternalServerError, sip.NewHeader("Warning", `399 headroom "the media could not be set up"`)
}
