package story

import (
	"strings"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// causes are the ends of calls and legs in words. One that is missing is shown as it is
// kept.
var causes = map[model.Cause]string{
	model.CauseCallerHungUp:  "the caller hung up",
	model.CauseAgentHungUp:   "the agent hung up",
	model.CauseAbandoned:     "the caller left while waiting",
	model.CauseAgentLost:     "the agent's client was lost",
	model.CauseMediaTimeout:  "no more audio came from the caller",
	model.CauseServiceLost:   "the service stopped unexpectedly",
	model.CauseDrained:       "the service was shut down",
	model.CauseRequeued:      "the caller went back to the queue",
	model.CauseSignalling:    "the trunk failed",
	model.CauseMediaKeys:     "the audio was to be encrypted, and no keys came",
	model.CauseRejected:      "it was not taken",
	model.CauseInternalError: "an error of ours",
	model.CauseWaitExpired:   "nobody was free within the longest wait",
	model.CauseMediaReplaced: "the agent's audio went on over a new connection",
	model.CauseNewHeadset:    "the agent went on with another headset",

	model.CauseBusy:           "the number was busy",
	model.CauseNoAnswer:       "nobody answered",
	model.CauseDeclined:       "the callee declined",
	model.CauseNoSuchNumber:   "there is no such number",
	model.CauseUnreachable:    "no trunk could carry the call",
	model.CauseCancelled:      "the agent gave up before the answer",
	model.CauseCalleeHungUp:   "the callee hung up",
	model.CauseTransferred:    "the caller was passed on",
	model.CauseTakenOver:      "a supervisor took the call over",
	model.CauseTransferFailed: "the caller could not be passed on, and nobody was left",
	model.CauseTimeLimit:      "it lasted as long as it was allowed to",
}

// reasons are why an offer or a talk came to nothing.
var reasons = map[string]string{
	acd.WhyExpired:       "not answered in time",
	acd.WhyCallerGone:    "the caller had left",
	acd.WhyElsewhere:     "another agent had the caller",
	acd.WhyAgentLost:     "the agent's client was lost",
	acd.WhyStale:         "the answer came too late",
	acd.WhyDeclined:      "declined",
	acd.WhySignedOut:     "the agent signed out",
	acd.WhyConnectFailed: "the audio could not be connected",

	acd.WhyTransferFailed: "the caller could not be passed on",
	"hung_up":             "the agent hung up",

	"left":            "left",
	"own_call":        "has a call of their own",
	"media_lost":      "their audio was lost",
	"supervisor_gone": "their client was lost",
}

// verdicts are what is known of a headset that a call is offered to.
var verdicts = map[string]string{
	string(model.VerdictGood): "a good headset", string(model.VerdictWatch): "a headset to watch",
	string(model.VerdictReplace): "a headset to be replaced",
}

// word is an entry of a table, or what is looked up itself.
func word[K ~string](table map[K]string, key K) string {
	if w, ok := table[key]; ok {
		return w
	}
	return strings.ReplaceAll(clean(string(key)), "_", " ")
}

// shocks are what ears are protected from (docs/ears.md).
var shocks = map[string]string{
	"burst": "a sudden loud sound", "fax_calling": "the tone of a fax machine that calls", "fax_answer": "the tone of a fax machine or modem that answers",
	"howl": "howling", "tone": "a loud tone", "modem": "the sound of a modem",
}

// happening is one line of a story in words.
func happening(e model.CallEvent) string {
	detail := func(key string) string { return clean(e.Detail[key]) }
	switch agent := clean(string(e.Agent)); e.Kind {
	case "arrived":
		return "the call came in; its SIP Call-ID is " + detail("sip_call_id")
	case "queued":
		return "answered with music, in queue " + detail("queue")
	case "offered":
		s := "rings at " + agent
		if v, ok := verdicts[e.Detail["verdict"]]; ok {
			s += ", who wears " + v
		}
		if e.Detail["last_resort"] == "true" {
			s += "; nobody with a sound one was free"
		}
		return s
	case "offer_expired":
		return agent + " did not answer"
	case "offer_withdrawn":
		return "rings at " + agent + " no more: " + word(reasons, e.Detail["why"])
	case "declined":
		return agent + " declined"
	case "accepted":
		return agent + " accepted"
	case "connected":
		return "speaks with " + agent
	case "rejoined":
		return "goes on: " + word(causes, model.Cause(e.Detail["why"]))
	case "requeued":
		return "back at the head of the queue: " + word(reasons, e.Detail["why"])
	case "supervised", "supervision_ended", "taken_over":
		return supervising(e, agent, detail)
	case "dialled", "progress", "answered", "failed", "held", "resumed", "transfer", "transferred", "transfer_failed", "parted":
		return dialling(e, agent, detail)
	case "dtmf":
		if detail("secret") != "" {
			return "secret keys pressed"
		}
		if n := detail("count"); n != "1" { // which they were is never kept
			return n + " keys pressed"
		}
		return "a key pressed"
	case "shock":
		return "the ears of " + agent + " were protected from " + word(shocks, e.Detail["kind"])
	case "dtmf_sent":
		return agent + " pressed keys: " + detail("count")
	case "secret_began":
		return "a secret is to be keyed in, within " + detail("seconds") + " s"
	case "secret_ended":
		return "no secret is keyed in any more"
	case "ended":
		s := "over: " + word(causes, model.Cause(e.Detail["cause"]))
		if status := detail("sip_status"); status == "404" {
			s += ", no queue has this number (SIP status 404)"
		} else if status != "" {
			s += ", with SIP status " + status
		}
		return s
	default:
		return strings.TrimSpace(word(map[string]string{}, e.Kind) + " " + agent)
	}
}

// supervising is what supervisors do in somebody else's call.
func supervising(e model.CallEvent, agent string, detail func(string) string) string {
	switch e.Kind {
	case "supervision_ended":
		why := e.Detail["why"]
		if _, own := reasons[why]; !own {
			why = word(causes, model.Cause(why))
		}
		return agent + " supervises no more: " + word(reasons, why)
	case "taken_over":
		return agent + " takes the call over from " + detail("from")
	}
	switch model.SuperviseMode(e.Detail["mode"]) {
	case model.Listen:
		return agent + " listens to " + detail("agent")
	case model.Whisper:
		return agent + " whispers to " + detail("agent")
	case model.Barge:
		return agent + " joins in, heard by all"
	}
	return agent + " supervises"
}

// progress is how a call to a number gets on.
var progress = map[string]string{
	"trying": "a trunk is asked", "ringing": "it rings there", "early_media": "the other side can be heard",
}

// dialling is happening for calls that agents place, and for callers who are passed on.
func dialling(e model.CallEvent, agent string, detail func(string) string) string {
	switch e.Kind {
	case "dialled":
		s := agent + " dials " + detail("to")
		if q := detail("queue"); q != "" {
			s += " for queue " + q
		}
		if e.Detail["emergency"] == "true" {
			s += ", an emergency number"
		}
		return s
	case "progress":
		return word(progress, e.Detail["state"])
	case "answered":
		return "the callee answered, over " + detail("trunk") + "; the SIP Call-ID is " + detail("sip_call_id")
	case "failed", "transfer_failed":
		s := "it came to nothing: "
		if e.Kind == "transfer_failed" {
			s = "not passed on to " + detail("to") + ": "
		}
		s += word(causes, model.Cause(e.Detail["cause"]))
		if status := detail("sip_status"); status != "" {
			s += ", with SIP status " + status
		}
		if why := detail("error"); why != "" {
			s += " (" + why + ")"
		}
		return s
	case "held":
		return agent + " puts the caller on hold"
	case "resumed":
		return agent + " is back with the caller"
	case "transfer":
		return agent + " passes the caller on to " + detail("to")
	case "transferred":
		if q := detail("queue"); q != "" {
			return agent + " passed the caller on to queue " + q
		}
		return "passed on to " + detail("to") + ", over " + detail("trunk") + "; the SIP Call-ID is " + detail("sip_call_id")
	default: // parted
		return agent + " left while the caller is being passed on: " + word(reasons, e.Detail["why"])
	}
}
