package call

import "github.com/headroom-voice/headroom/internal/model"

// SIP statuses with which a caller is refused (RFC 3261 section 21).
const (
	statusNotFound    = 404
	statusUnavailable = 503
)

// callerCause is the table from how a trunk leg ended to the recorded cause. talking
// tells a caller who gave up waiting from one who had spoken with somebody.
func callerCause(ended string, talking bool) model.Cause {
	switch ended {
	case "remote_bye", "cancelled":
		if talking {
			return model.CauseCallerHungUp
		}
		return model.CauseAbandoned
	case "media_timeout":
		return model.CauseMediaTimeout
	case "shutdown": // the trunks are stopped together with us
		return model.CauseDrained
	case "media_keys":
		return model.CauseMediaKeys
	case "no_ports":
		return model.CauseInternalError
	default: // ack_timeout, bad_answer, transport and whatever else a dialog dies of
		return model.CauseSignalling
	}
}
