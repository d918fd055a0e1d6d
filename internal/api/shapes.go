package api

import (
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// The shapes below mirror the values of internal/model, internal/acd and dsp/headset with
// the same JSON names, plus what a page needs beside them. They are separate types so that
// the OpenAPI document can describe every field, and so that a new field inside is never
// published by accident. Where one mirrors another field by field, a Go conversion between
// the two keeps them in step at compile time.

// Session is the body of GET and POST /api/v1/session.
type Session struct {
	User   model.AgentID   `json:"user" doc:"Sign-in name"`
	Title  string          `json:"title" doc:"The name people read"`
	Roles  []model.Role    `json:"roles" enum:"agent,supervisor,it,admin" doc:"What this person may do; admin includes every other role"`
	Queues []model.QueueID `json:"queues" doc:"The queues this person answers"`
}

// Credentials is the body of POST /api/v1/session.
type Credentials struct {
	User     string `json:"user" minLength:"1" maxLength:"128" doc:"Sign-in name"`
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"Password"`
}

// Queue is one queue as a supervisor watches it.
type Queue struct {
	ID            model.QueueID       `json:"id" doc:"Name in the site file"`
	Title         string              `json:"title" doc:"The name people read"`
	HeadsetPolicy model.HeadsetPolicy `json:"headset_policy" enum:"exclude,last-resort,ignore" doc:"What the queue does with an agent whose headset is flagged"`
	Waiting       []WaitingCall       `json:"waiting" doc:"Callers in the queue, head first; one whose call is being offered is still waiting"`
	LongestWaitS  float64             `json:"longest_wait_s" doc:"Seconds the caller who has waited longest has waited; 0 when nobody waits"`
	Ready         int                 `json:"agents_ready" doc:"Agents of this queue who are free, those with a flagged headset included"`
	ReadyFlagged  int                 `json:"agents_ready_flagged" doc:"Of those, agents whose headset is flagged"`
	SignedIn      int                 `json:"agents_signed_in" doc:"Agents of this queue who are not offline"`
	Answered      int                 `json:"answered" doc:"Calls answered since the service started"`
	Abandoned     int                 `json:"abandoned" doc:"Callers who left while waiting, since the service started"`
	WithinLevel   int                 `json:"answered_within" doc:"Calls answered within the queue's service level, since the service started"`
	ServiceLevel  dsp.Value           `json:"service_level_share" doc:"answered_within / (answered + abandoned), 0..1; null before the first of them"`
}

// WaitingCall is one caller in a queue.
type WaitingCall struct {
	Call    model.CallID  `json:"call_id" doc:"The call"`
	Since   time.Time     `json:"since" doc:"When the caller entered the queue"`
	Offered model.AgentID `json:"offered_to,omitempty" doc:"The agent whose client is ringing"`
}

// Queues is the body of GET /api/v1/queues.
type Queues struct {
	At     time.Time `json:"at" doc:"The moment this describes"`
	Total  int       `json:"total" doc:"How many there are, on all pages"`
	Queues []Queue   `json:"queues" doc:"In the order of the site file"`
}

// QueueDetail is the body of GET /api/v1/queues/{id}.
type QueueDetail struct {
	At            time.Time `json:"at" doc:"The moment this describes"`
	Queue         Queue     `json:"queue" doc:"The queue now"`
	Numbers       []string  `json:"numbers" doc:"Dialled numbers that lead here"`
	OfferTimeoutS float64   `json:"offer_timeout_s" doc:"Seconds an agent's client rings before the call goes to the next"`
	WrapUpS       float64   `json:"wrap_up_s" doc:"Seconds an agent has after a call before the next"`
	ServiceLevelS float64   `json:"service_level_s" doc:"Seconds within which a call should be answered"`
	Agents        []Agent   `json:"agents" doc:"The agents who answer this queue, offline ones last"`
}

// Agent is one agent now.
type Agent struct {
	ID        model.AgentID      `json:"id" doc:"Sign-in name"`
	Title     string             `json:"title" doc:"The name people read"`
	State     model.AgentState   `json:"state" enum:"offline,ready,offered,on-call,wrap-up,break" doc:"What the agent is doing"`
	Reason    string             `json:"reason,omitempty" doc:"Of a break: what the agent said, or signed in, no answer, connection failed"`
	Since     *time.Time         `json:"since,omitempty" doc:"When this state began; absent when offline"`
	Until     *time.Time         `json:"until,omitempty" doc:"When it ends by itself; absent when it does not"`
	Call      model.CallID       `json:"call_id,omitempty" doc:"The call offered or in progress"`
	Then      model.AgentState   `json:"then,omitempty" enum:"break,offline" doc:"What the agent asked to do after this call"`
	Queues    []model.QueueID    `json:"queues" doc:"The queues this agent answers"`
	Handled   int                `json:"handled" doc:"Calls since sign-in"`
	Connected bool               `json:"connected" doc:"Whether the agent's client has its WebSocket open"`
	Media     bool               `json:"media" doc:"Whether the agent's audio connection stands, or comes with each call"`
	Phone     bool               `json:"phone" doc:"Whether the agent takes calls on a SIP phone, whose headset is measured on the wire only"`
	Phones    []AgentPhone       `json:"phones,omitempty" doc:"SIP phones that are registered for the agent, the most preferred first; only where one agent is shown"`
	Headset   *AgentHeadset      `json:"headset,omitempty" doc:"The headset in use; absent when offline or unknown"`
	Verdict   model.VerdictState `json:"verdict" enum:"unknown,good,watch,replace" doc:"What is known of the headset in use"`
	Mic       *Reading           `json:"mic,omitempty" doc:"The last second at the microphone, before any codec"`
	Wire      *Reading           `json:"wire,omitempty" doc:"The last second as the service heard it"`
}

// AgentHeadset is the device an agent wears.
type AgentHeadset struct {
	ID     model.HeadsetID `json:"id" doc:"model/serial"`
	Key    HeadsetKey      `json:"key" doc:"The identity as it stands in an address: /api/v1/headsets/{key}"`
	Model  string          `json:"model" doc:"What it is"`
	Serial string          `json:"serial" doc:"Which one it is"`
}

// Agents is the body of GET /api/v1/agents.
type Agents struct {
	At     time.Time `json:"at" doc:"The moment this describes"`
	Total  int       `json:"total" doc:"How many there are, on all pages"`
	Agents []Agent   `json:"agents" doc:"Signed in first, then offline; by name within each"`
}

// Call is one call from ring to hang-up.
type Call struct {
	ID         model.CallID    `json:"id" doc:"The call"`
	Direction  model.Direction `json:"direction" doc:"inbound, or outbound for one that an agent dialled"`
	Trunk      model.TrunkID   `json:"trunk" doc:"The trunk it came in on or goes out by; empty before one is known"`
	Queue      model.QueueID   `json:"queue" doc:"The queue the dialled number leads to, or that it was dialled for; empty for none"`
	From       string          `json:"from" doc:"The caller's number; of an outbound call, what the callee is shown, empty for the trunk's own"`
	FromName   string          `json:"from_name,omitempty" doc:"The caller's name as the trunk gave it"`
	To         string          `json:"to" doc:"The dialled number"`
	StartedAt  time.Time       `json:"started_at" doc:"When it rang"`
	AnsweredAt *time.Time      `json:"answered_at,omitempty" doc:"When the first agent answered"`
	EndedAt    *time.Time      `json:"ended_at,omitempty" doc:"Absent while the call goes on"`
	Cause      model.Cause     `json:"cause,omitempty" doc:"Why it ended"`
	Agent      model.AgentID   `json:"agent,omitempty" doc:"The last agent who spoke with the caller"`
}

// CallOrder is the body of POST /api/v1/calls.
type CallOrder struct {
	To    string        `json:"to" minLength:"1" maxLength:"128" doc:"The number to call, as people write it"`
	Queue model.QueueID `json:"queue,omitempty" maxLength:"128" doc:"On whose behalf: what number the callee sees, and the wrap-up"`
}

// CallPlaced is its answer.
type CallPlaced struct {
	Call model.CallID `json:"call_id" doc:"The call that has begun"`
}

// Calls is the body of GET /api/v1/calls.
type Calls struct {
	Calls []Call `json:"calls" doc:"Newest first, those in progress included"`
	Next  string `json:"next,omitempty" doc:"Give this as before= for the next page; absent on the last"`
}

// CallStory is the body of GET /api/v1/calls/{id}.
type CallStory struct {
	Call    Call        `json:"call" doc:"The call"`
	Legs    []Leg       `json:"legs" doc:"Its parties, in the order they joined"`
	Events  []CallEvent `json:"events" doc:"What happened, in order"`
	Reports []Report    `json:"reports" doc:"What the meters heard"`
}

// Leg is one party's part of a call.
type Leg struct {
	ID        model.LegID     `json:"id" doc:"The leg"`
	Call      model.CallID    `json:"call_id" doc:"The call it is part of"`
	Kind      model.LegKind   `json:"kind" enum:"trunk,agent" doc:"Which side"`
	Trunk     model.TrunkID   `json:"trunk,omitempty" doc:"Of a trunk leg"`
	Agent     model.AgentID   `json:"agent,omitempty" doc:"Of an agent leg"`
	Headset   model.HeadsetID `json:"headset,omitempty" doc:"Of an agent leg: the headset worn"`
	StartedAt time.Time       `json:"started_at" doc:"When the party joined"`
	EndedAt   *time.Time      `json:"ended_at,omitempty" doc:"When the party left"`
	Cause     model.Cause     `json:"cause,omitempty" doc:"Why the party left"`
	Stats     LegStats        `json:"stats" doc:"The leg's counters"`
}

// LegStats are a leg's counters.
type LegStats struct {
	Codec      string  `json:"codec,omitempty" doc:"Of the last packet in"`
	PacketsIn  uint64  `json:"packets_in" doc:"Packets the party sent"`
	PacketsOut uint64  `json:"packets_out" doc:"Packets sent to the party"`
	Lost       int64   `json:"lost" doc:"Packets expected less packets received"`
	JitterMS   float64 `json:"jitter_ms" doc:"Interarrival jitter in ms, RFC 3550"`
	RoundTrip  float64 `json:"round_trip_ms" doc:"Round trip in ms; 0 when unknown"`
	Forged     uint64  `json:"forged,omitempty" doc:"Packets that the agreed key did not encrypt, none of which was heard"`
	MOS        float64 `json:"mos,omitempty" doc:"Listening quality of what the party sent, estimated of its loss (ITU-T G.107), 1 to 4.5; on a leg that stood before the call it is left out"`
}

// CallEvent is one line of a call's story.
type CallEvent struct {
	Call   model.CallID      `json:"call_id" doc:"The call"`
	At     time.Time         `json:"at" doc:"When"`
	Kind   string            `json:"kind" doc:"arrived, queued, offered, accepted, declined, offer_expired, connected, requeued, dtmf, ended and others"`
	Agent  model.AgentID     `json:"agent,omitempty" doc:"The agent concerned"`
	Detail map[string]string `json:"detail,omitempty" doc:"What else is known"`
}

// Report is a meter's report of one call leg.
type Report struct {
	Call         model.CallID    `json:"call_id" doc:"The call it was measured in"`
	Leg          model.LegID     `json:"leg_id" doc:"The leg it was measured on"`
	Headset      model.HeadsetID `json:"headset" doc:"The headset worn"`
	Agent        model.AgentID   `json:"agent" doc:"Who wore it"`
	At           time.Time       `json:"at" doc:"When the report was made"`
	Tap          headset.Tap     `json:"tap" enum:"mic,wire" doc:"mic: raw in the agent's client; wire: decoded by the service"`
	SampleRate   int             `json:"sample_rate" doc:"Hz"`
	Duration     float64         `json:"duration_s" doc:"Seconds of audio"`
	ActiveSpeech float64         `json:"active_speech_s" doc:"Seconds of scored speech"`
	Metrics      headset.Metrics `json:"metrics" doc:"The numbers; null stands for what could not be measured"`
	Findings     []Finding       `json:"findings" doc:"The faults heard"`

	Conversation *headset.Conversation `json:"conversation,omitempty" doc:"How the two parties talked; not there where the other was not heard"`
}

// Finding is one fault in one report.
type Finding struct {
	Kind     headset.Kind     `json:"kind" doc:"dead, quiet, loud, clipping, noise, hum, buzz, dropout, crackle, muffled, echo, dc_offset or pumping"`
	Severity headset.Severity `json:"severity" enum:"watch,bad" doc:"How bad"`
	Value    dsp.Value        `json:"value" doc:"The metric, in the unit of its limit"`
	Limit    dsp.Value        `json:"limit" doc:"The limit it crossed"`
	Text     string           `json:"text" doc:"A sentence with what to do"`
}

// Reading is one second of audio; null stands for what could not be measured in it.
type Reading struct {
	At          float64   `json:"at_s" doc:"Seconds since the first sample, at the end of the second"`
	Level       dsp.Value `json:"level_dbov" doc:"RMS of the second"`
	ActiveLevel dsp.Value `json:"active_level_dbov" doc:"P.56 active speech level over the last 10 s"`
	NoiseFloor  dsp.Value `json:"noise_floor_dbov" doc:"Noise floor over the last 10 s"`
	Peak        dsp.Value `json:"peak_dbov" doc:"Largest absolute sample"`
	Clipped     dsp.Value `json:"clipped_share" doc:"Clipped samples / scored samples, 0..1"`
	Speech      float64   `json:"speech_share" doc:"Share of the second in which someone spoke, 0..1"`
	Scored      float64   `json:"scored_share" doc:"Share of the second that was measured (not lost, concealed, held or muted), 0..1"`
}

// ReadingRun is a run of consecutive one-second readings.
type ReadingRun struct {
	Leg      model.LegID `json:"leg_id" doc:"The leg it was measured on"`
	Tap      headset.Tap `json:"tap" enum:"mic,wire" doc:"mic: raw in the agent's client; wire: decoded by the service"`
	Readings []Reading   `json:"readings" doc:"One a second"`
}

// CallReadings is the body of GET /api/v1/calls/{id}/readings.
type CallReadings struct {
	Call model.CallID `json:"call_id" doc:"The call"`
	Runs []ReadingRun `json:"runs" doc:"By leg and tap, in order of time"`
}

// CallSIP is the body of GET /api/v1/calls/{id}/sip.
type CallSIP struct {
	Call    model.CallID `json:"call_id" doc:"The call"`
	Ladders []SIPLadder  `json:"ladders" doc:"One for each party that is reached by SIP; empty while the call goes on, and of calls from before these were kept"`
}

// SIPLadder is what was said in one party's SIP dialog.
type SIPLadder struct {
	Leg      model.LegID  `json:"leg_id" doc:"The party; one that was never answered has no leg"`
	Picture  string       `json:"picture" doc:"The messages drawn as text, the service on the left"`
	Messages []SIPMessage `json:"messages" doc:"In order; of a dialog with very many, the beginning and the end"`
	Missing  int          `json:"missing,omitempty" doc:"Messages left out for want of room"`
	After    int          `json:"after,omitempty" doc:"Where they are missing: behind so many of messages"`
}

// SIPMessage is one SIP message. Proofs of passwords, keys and digits are left out.
type SIPMessage struct {
	At        time.Time `json:"at" doc:"When it was received or sent"`
	Out       bool      `json:"out" doc:"Sent by the service, not received"`
	Transport string    `json:"transport" doc:"UDP, TCP or TLS"`
	Peer      string    `json:"peer" doc:"The other side's address and port"`
	First     string    `json:"first" doc:"Request or status line"`
	CSeq      string    `json:"cseq,omitempty" doc:"Number and method"`
	Headers   string    `json:"headers" doc:"One a line; *** stands for what is left out"`
	Body      string    `json:"body,omitempty" doc:"A session description or a transfer's progress; of another body what it was"`
	Repeated  int       `json:"repeated,omitempty" doc:"How often it came again"`
	Cut       bool      `json:"cut,omitempty" doc:"It was longer"`
}

// Headset is one device with what is known of it.
type Headset struct {
	ID        model.HeadsetID `json:"id" doc:"model/serial"`
	Key       HeadsetKey      `json:"key" doc:"The identity as it stands in an address: /api/v1/headsets/{key}"`
	Model     string          `json:"model" doc:"What it is"`
	Serial    string          `json:"serial" doc:"Which one it is"`
	FirstSeen time.Time       `json:"first_seen" doc:"When it was first plugged in"`
	LastSeen  time.Time       `json:"last_seen" doc:"When it was last plugged in"`
	LastAgent model.AgentID   `json:"last_agent" doc:"Who used it last"`
	LastTitle string          `json:"last_agent_title,omitempty" doc:"The name people read"`
	InUse     bool            `json:"in_use" doc:"Whether it is that agent's headset at this moment"`
	Verdict   Verdict         `json:"verdict" doc:"What many reports say of it"`
}

// Verdict is what many reports say of one headset.
type Verdict struct {
	State    model.VerdictState `json:"state" enum:"unknown,good,watch,replace" doc:"unknown: not enough heard; good: no fault of its own; watch: one, but not enough to replace it; replace: flagged"`
	Findings []VerdictFinding   `json:"findings" doc:"The faults behind it"`
	Text     string             `json:"text" doc:"One sentence a person understands"`
	Reports  int                `json:"reports" doc:"How many reports counted"`
	At       *time.Time         `json:"at,omitempty" doc:"When it was judged; absent when it never was"`
}

// VerdictFinding is one fault over several calls.
type VerdictFinding struct {
	Kind     headset.Kind     `json:"kind" doc:"As in a report's finding"`
	Severity headset.Severity `json:"severity" enum:"watch,bad" doc:"How bad"`
	Blame    model.Blame      `json:"blame" enum:"headset,person,room,network,setting" doc:"Whose fault it is taken to be"`
	Value    dsp.Value        `json:"value" doc:"The median over the calls that have it"`
	Limit    dsp.Value        `json:"limit" doc:"The limit it crossed"`
	Calls    []model.CallID   `json:"calls" doc:"Where it was heard, newest first"`
	Text     string           `json:"text" doc:"A sentence with what to do"`
}

// Headsets is the body of GET /api/v1/headsets.
type Headsets struct {
	Total    int       `json:"total" doc:"How many there are, on all pages"`
	Headsets []Headset `json:"headsets" doc:"Those to replace first, then watch, unknown, good; last seen first within each"`
}

// HeadsetDetail is the body of GET /api/v1/headsets/{key}.
type HeadsetDetail struct {
	Headset Headset   `json:"headset" doc:"The device and its verdict"`
	History []Verdict `json:"history" doc:"Its verdicts over time, newest first"`
	Reports []Report  `json:"reports" doc:"The newest reports, newest first"`
}

// Floor is the data of a "floor" event, the first on every live stream: the picture that
// the events after it change.
type Floor struct {
	At     time.Time `json:"at" doc:"The moment this describes"`
	Queues []Queue   `json:"queues" doc:"As in GET /api/v1/queues; empty for a role that may not see queues"`
	Agents []Agent   `json:"agents" doc:"Agents who are signed in and whom the viewer may see"`
}

// CallChange is the data of a "call" event: one line of a call's story.
type CallChange struct {
	Call  Call      `json:"call" doc:"The call as it is after it"`
	Event CallEvent `json:"event" doc:"What happened"`
}

// ReadingTaken is the data of a "reading" event: one second of one agent.
type ReadingTaken struct {
	Agent   model.AgentID   `json:"agent" doc:"Who spoke"`
	Headset model.HeadsetID `json:"headset,omitempty" doc:"The headset worn"`
	Call    model.CallID    `json:"call_id,omitempty" doc:"The call; absent between calls"`
	Tap     headset.Tap     `json:"tap" enum:"mic,wire" doc:"mic: raw in the agent's client; wire: decoded by the service"`
	Reading Reading         `json:"reading" doc:"The numbers"`
}

// HeadsetJudged is the data of a "verdict" event.
type HeadsetJudged struct {
	Headset model.HeadsetID `json:"headset" doc:"model/serial"`
	Key     HeadsetKey      `json:"key" doc:"The identity as it stands in an address: /api/v1/headsets/{key}"`
	Verdict Verdict         `json:"verdict" doc:"What is now thought of it"`
}

// Lost is the data of a "lost" event: the reader was too slow and must fetch anew.
type Lost struct {
	Lost uint64 `json:"lost" doc:"Events not delivered since the last one that was"`
}

// Problem is every error answer, RFC 9457 (application/problem+json).
type Problem struct {
	Type      string         `json:"type" doc:"about:blank: the title says what is meant"`
	Title     string         `json:"title" doc:"The status in words"`
	Status    int            `json:"status" doc:"The HTTP status"`
	Detail    string         `json:"detail,omitempty" doc:"What was wrong with this request"`
	RequestID string         `json:"request_id,omitempty" doc:"Names this request in the service's log"`
	Errors    []ProblemField `json:"errors,omitempty" doc:"What was wrong with which part of the request"`
}

// ProblemField is one part of a request that was wrong.
type ProblemField struct {
	Message  string `json:"message" doc:"What was expected"`
	Location string `json:"location,omitempty" doc:"Where, as in body.user or query.limit"`
}
