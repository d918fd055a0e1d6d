package call

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// outcome is what a dialled call, or a transfer, came to: for the record and in words for
// the agent.
type outcome struct {
	cause  model.Cause
	status int // of SIP, zero if there was none
	text   string
	detail string // for the record, what was tried and why it failed
}

// maxDetail bounds what the record holds of an error, bytes.
const maxDetail = 500

// refusals are the final responses of RFC 3261 section 21 that people can do something with.
var refusals = map[int]outcome{
	404: {cause: model.CauseNoSuchNumber, text: "There is no such number."},
	604: {cause: model.CauseNoSuchNumber, text: "There is no such number."},
	410: {cause: model.CauseNoSuchNumber, text: "This number is not in use any more."},
	484: {cause: model.CauseNoSuchNumber, text: "The number is not complete."},
	486: {cause: model.CauseBusy, text: "The number is busy."},
	600: {cause: model.CauseBusy, text: "The number is busy."},
	603: {cause: model.CauseDeclined, text: "The call was declined."},
	607: {cause: model.CauseDeclined, text: "The callee does not want such calls."},
	408: {cause: model.CauseNoAnswer, text: "Nobody answered."},
	480: {cause: model.CauseNoAnswer, text: "Nobody can be reached there now."},
	487: {cause: model.CauseNoAnswer, text: "Nobody answered."},
	488: {cause: model.CauseSignalling, text: "The other side cannot speak with us: no audio that both know."},
	606: {cause: model.CauseSignalling, text: "The other side cannot speak with us: no audio that both know."},
}

// outcomeOf is the table from why a call came to nothing to cause and words.
func outcomeOf(err error) outcome {
	o := judge(err)
	o.detail = err.Error()
	if len(o.detail) > maxDetail {
		o.detail = strings.ToValidUTF8(o.detail[:maxDetail], "")
	}
	return o
}

func judge(err error) outcome {
	var failed *DialError
	if !errors.As(err, &failed) {
		return outcome{cause: model.CauseSignalling, text: "The call could not be placed."}
	}
	switch failed.Fault {
	case FaultRefused:
		said := fmt.Sprintf(" (%d %s)", failed.Status, failed.Reason)
		o, ok := refusals[failed.Status]
		switch {
		case ok:
		case failed.Status >= 500 && failed.Status < 600:
			o = outcome{cause: model.CauseUnreachable, text: "The trunk could not place the call" + said + "."}
		default:
			o = outcome{cause: model.CauseRejected, text: "The trunk refused the call" + said + "."}
		}
		o.status = failed.Status
		return o
	case FaultNoTrunk:
		return outcome{cause: model.CauseUnreachable, text: "No trunk leads to this number."}
	case FaultFull:
		return outcome{cause: model.CauseUnreachable, text: "All lines of the trunk are taken. Try again in a moment."}
	case FaultUnreachable:
		return outcome{cause: model.CauseUnreachable, text: "The trunk does not answer."}
	case FaultSilent:
		return outcome{cause: model.CauseNoAnswer, text: "Nothing rang there."}
	default:
		return outcome{cause: model.CauseSignalling, text: "The call could not be placed."}
	}
}

func unanswered(after time.Duration) outcome {
	return outcome{cause: model.CauseNoAnswer, text: fmt.Sprintf("Nobody answered within %.0f seconds.", after.Seconds())}
}

// progressOf is the state that a provisional response tells of, and the words.
func progressOf(status int) (state, text string) {
	if status == 180 {
		return protocol.Ringing, "It rings."
	}
	return protocol.Trying, "The call is being placed."
}

// calleeCause is callerCause for somebody who was called.
func calleeCause(ended string, talking bool) model.Cause {
	cause := callerCause(ended, talking)
	if cause == model.CauseCallerHungUp {
		return model.CauseCalleeHungUp
	}
	return cause
}
