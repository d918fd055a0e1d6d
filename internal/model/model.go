package model

import (
	"net/netip"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// Identities. Each is opaque to everyone but its maker.
type (
	CallID    string // one call, from ring to hang-up
	LegID     string // one party of a call; unique within the service
	AgentID   string // a user's sign-in name
	QueueID   string // a queue's name in the site file
	TrunkID   string // a trunk's name in the site file
	HeadsetID string // model/serial, see HeadsetInfo.ID
)

// Role is what a user may do.
type Role string

// The roles. Admin may do everything.
const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleIT         Role = "it"
	RoleAdmin      Role = "admin"
)

// HeadsetPolicy says what a queue does with an agent whose headset is flagged.
type HeadsetPolicy string

// The policies.
const (
	PolicyExclude    HeadsetPolicy = "exclude"     // never offered a call
	PolicyLastResort HeadsetPolicy = "last-resort" // offered only when nobody else is free; the default
	PolicyIgnore     HeadsetPolicy = "ignore"      // offered as if nothing were known
)

// Site is the call centre: what site.yaml says.
type Site struct {
	Trunks  []Trunk      `yaml:"trunks" json:"trunks"`
	Queues  []Queue      `yaml:"queues" json:"queues"`
	Users   []User       `yaml:"users" json:"users"`
	Headset HeadsetRules `yaml:"headset" json:"headset"`

	Dialling DialRules  `yaml:"dialling" json:"dialling,omitzero"` // who may call where
	Phones   PhoneRules `yaml:"phones" json:"phones,omitzero"`

	Supervision SupervisionRules `yaml:"supervision" json:"supervision,omitzero"`
	Ears        EarRules         `yaml:"ears" json:"ears,omitzero"`
}

// Trunk is a SIP peer that calls may come from: from its sources, with its password from
// anywhere, or, where it has both, with its password from its sources. Calls go out by it, too,
// where it has targets.
type Trunk struct {
	ID      TrunkID        `yaml:"name" json:"name"`
	Sources []netip.Prefix `yaml:"sources" json:"sources"`        // source addresses that are this trunk
	Digest  TrunkDigest    `yaml:"digest" json:"digest,omitzero"` // what it answers a challenge with; zero = it is not asked
	Codecs  []string       `yaml:"codecs" json:"codecs"`          // PCMU, PCMA, G722; preferred first; empty = the first two

	Numbers          TrunkNumbers  `yaml:"numbers" json:"numbers,omitzero"`
	Limits           TrunkLimits   `yaml:"limits" json:"limits,omitzero"`
	DistrustIdentity bool          `yaml:"distrust_identity" json:"distrust_identity,omitempty"` // only From says who calls
	Outbound         TrunkOutbound `yaml:"outbound" json:"outbound,omitzero"`
	MediaKeys        MediaKeys     `yaml:"media_keys" json:"media_keys,omitempty"` // empty = optional
	DTMF             string        `yaml:"dtmf" json:"dtmf,omitempty"`             // auto (also when empty), rfc4733, info, inband
}

// MediaKeys is whether a trunk's audio is encrypted (SRTP).
type MediaKeys string

// The policies: never, where the other side can, and always.
const (
	MediaKeysOff      MediaKeys = "off"
	MediaKeysOptional MediaKeys = "optional"
	MediaKeysRequired MediaKeys = "required"
)

// TrunkDigest is the name and password of a trunk (RFC 3261 section 22).
type TrunkDigest struct {
	Username string `yaml:"username" json:"username"`
	Password Secret `yaml:"password" json:"password"`
	Realm    string `yaml:"realm" json:"realm,omitempty"` // empty = "headroom"
}

// Secret is a text that is kept but not shown: printed, by itself or within a value, it is
// nothing but that. Its JSON and YAML, which the store and a site file need, are the text.
type Secret string

// String stands in for the text.
func (Secret) String() string { return "(secret)" }

// GoString stands in for it, too.
func (Secret) GoString() string { return "(secret)" }

// Queue is where callers wait.
type Queue struct {
	ID            QueueID       `yaml:"name" json:"name"`
	Title         string        `yaml:"title" json:"title"`     // what people read
	Numbers       []string      `yaml:"numbers" json:"numbers"` // dialled numbers that lead here
	OfferTimeout  time.Duration `yaml:"offer_timeout" json:"offer_timeout"`
	WrapUp        time.Duration `yaml:"wrap_up" json:"wrap_up"`
	HeadsetPolicy HeadsetPolicy `yaml:"headset_policy" json:"headset_policy"`
	ServiceLevel  time.Duration `yaml:"service_level" json:"service_level"`  // answer within; for the page's figure
	Unmetered     bool          `yaml:"unmetered" json:"unmetered,omitzero"` // no wire meter listens to its calls

	CallerID CallerID `yaml:"caller_id" json:"caller_id,omitzero"` // of calls on the queue's behalf

	Recording     QueueRecording     `yaml:"recording" json:"recording,omitzero"`
	Announcements QueueAnnouncements `yaml:"announcements" json:"announcements,omitzero"`
}

// Dialable reduces a number as people and trunks write it to what identifies it: "+49 30-123"
// and "4930123" lead to the same queue.
func Dialable(number string) string {
	number = strings.TrimPrefix(strings.TrimSpace(number), "+")
	return strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(number)
}

// User is a person who signs in.
type User struct {
	ID     AgentID   `yaml:"name" json:"name"`
	Title  string    `yaml:"title" json:"title"` // the name people read
	Roles  []Role    `yaml:"roles" json:"roles"`
	Queues []QueueID `yaml:"queues" json:"queues"`

	Phone UserPhone `yaml:"phone" json:"phone,omitzero"`
}

// Has reports whether the user holds the role; an admin holds every one.
func (u User) Has(r Role) bool {
	for _, have := range u.Roles {
		if have == r || have == RoleAdmin {
			return true
		}
	}
	return false
}

// HeadsetRules say when reports become a verdict.
type HeadsetRules struct {
	MinActiveSpeech time.Duration `yaml:"min_active_speech" json:"min_active_speech"` // a report with less does not count; default 30 s
	Window          int           `yaml:"window" json:"window"`                       // the newest reports looked at; default 10
	ReplaceAfter    int           `yaml:"replace_after" json:"replace_after"`         // calls with the same bad fault before "replace"; default 3

	// Limits is what counts as a fault, in reports from now on; the zero value means headset.DefaultLimits.
	Limits headset.Limits `yaml:"limits" json:"limits,omitzero"`
}

// HeadsetInfo is one physical device as an agent's client knows it.
type HeadsetInfo struct {
	Model  string `json:"model"`
	Serial string `json:"serial"`
}

// ID gives the device's identity, or "" when the client knows neither model nor serial.
func (h HeadsetInfo) ID() HeadsetID {
	if h.Model == "" && h.Serial == "" {
		return ""
	}
	return HeadsetID(h.Model + "/" + h.Serial)
}

// AgentState is what an agent is doing.
type AgentState string

// The states.
const (
	Offline AgentState = "offline"
	Ready   AgentState = "ready"
	Offered AgentState = "offered" // the client is ringing
	OnCall  AgentState = "on-call"
	WrapUp  AgentState = "wrap-up"
	Break   AgentState = "break" // with a reason
)

// Direction is who called whom.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound" // an agent called: From is what the callee was shown, To the callee
)

// Call is what a caller experienced from ring to hang-up, or a callee from the dialling on.
type Call struct {
	ID         CallID     `json:"id"`
	Direction  Direction  `json:"direction"`
	Trunk      TrunkID    `json:"trunk"`
	Queue      QueueID    `json:"queue"`
	From       string     `json:"from"`
	FromName   string     `json:"from_name,omitempty"`
	To         string     `json:"to"`
	StartedAt  time.Time  `json:"started_at"`
	AnsweredAt *time.Time `json:"answered_at,omitempty"` // first agent
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	Cause      Cause      `json:"cause,omitempty"`
	Agent      AgentID    `json:"agent,omitempty"` // the last agent who spoke with the caller
}

// Cause says why a call or a leg ended.
type Cause string

// The causes.
const (
	CauseCallerHungUp  Cause = "caller_hung_up"
	CauseAgentHungUp   Cause = "agent_hung_up"
	CauseAbandoned     Cause = "abandoned"      // the caller left while waiting
	CauseAgentLost     Cause = "agent_lost"     // the agent's client or connection died
	CauseMediaTimeout  Cause = "media_timeout"  // no audio from the caller
	CauseServiceLost   Cause = "service_lost"   // the service died in mid-call; written by the next start
	CauseDrained       Cause = "drained"        // the service was stopped in order
	CauseRequeued      Cause = "requeued"       // the agent's leg ended and the caller went back to the queue
	CauseSignalling    Cause = "signalling"     // the trunk's dialog failed
	CauseMediaKeys     Cause = "media_keys"     // the audio was to be encrypted, and no keys came
	CauseRejected      Cause = "rejected"       // never answered: unknown number, draining
	CauseInternalError Cause = "internal_error" // ours
	CauseWaitExpired   Cause = "wait_expired"   // nobody was free within the longest wait there is
	CauseMediaReplaced Cause = "media_replaced" // an agent's leg went on over a new media connection
	CauseNewHeadset    Cause = "new_headset"    // an agent's leg went on with another headset

	// Of calls that agents place, and of callers who are passed on.
	CauseBusy           Cause = "busy"
	CauseNoAnswer       Cause = "no_answer"       // nobody answered in time
	CauseDeclined       Cause = "declined"        // the callee did not want it
	CauseNoSuchNumber   Cause = "no_such_number"  // says the trunk
	CauseUnreachable    Cause = "unreachable"     // no trunk leads there, or none could carry the call
	CauseCancelled      Cause = "cancelled"       // the agent gave up before the answer
	CauseCalleeHungUp   Cause = "callee_hung_up"  // who was called, or passed on to
	CauseTransferred    Cause = "transferred"     // an agent's leg ended because the caller was passed on
	CauseTakenOver      Cause = "taken_over"      // an agent's leg ended because a supervisor has the call now
	CauseTransferFailed Cause = "transfer_failed" // the caller could not be passed on, and nobody was left
	CauseTimeLimit      Cause = "time_limit"      // as long as the call was allowed to be
)

// Leg is one party's part of a call.
type Leg struct {
	ID        LegID      `json:"id"`
	Call      CallID     `json:"call_id"`
	Kind      LegKind    `json:"kind"`
	Trunk     TrunkID    `json:"trunk,omitempty"`
	Agent     AgentID    `json:"agent,omitempty"`
	Headset   HeadsetID  `json:"headset,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Cause     Cause      `json:"cause,omitempty"`
	Stats     LegStats   `json:"stats"`
}

// LegKind tells the two sides of a call apart.
type LegKind string

// The kinds.
const (
	TrunkLeg LegKind = "trunk"
	AgentLeg LegKind = "agent"
)

// LegStats are a leg's counters as they are recorded.
type LegStats struct {
	Codec      string  `json:"codec,omitempty"`
	PacketsIn  uint64  `json:"packets_in"`
	PacketsOut uint64  `json:"packets_out"`
	Lost       int64   `json:"lost"`
	JitterMS   float64 `json:"jitter_ms"`
	RoundTrip  float64 `json:"round_trip_ms"`
	Forged     uint64  `json:"forged,omitempty"`
	MOS        float64 `json:"mos,omitempty"`
}

// CallEvent is one line of a call's story.
type CallEvent struct {
	Call   CallID            `json:"call_id"`
	At     time.Time         `json:"at"`
	Kind   string            `json:"kind"` // arrived, queued, offered, accepted, declined, offer_expired, connected, requeued, dtmf, ended …
	Agent  AgentID           `json:"agent,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}

// ReportRecord is a meter's report with what it belongs to.
type ReportRecord struct {
	Call    CallID         `json:"call_id"`
	Leg     LegID          `json:"leg_id"`
	Headset HeadsetID      `json:"headset"`
	Agent   AgentID        `json:"agent"`
	At      time.Time      `json:"at"`
	Report  headset.Report `json:"report"`
}

// ReadingChunk is a run of consecutive one-second readings of one leg and tap.
type ReadingChunk struct {
	Call     CallID            `json:"call_id"`
	Leg      LegID             `json:"leg_id"`
	Tap      headset.Tap       `json:"tap"`
	Readings []headset.Reading `json:"readings"`
}

// CallLadder is what was said in the SIP dialog of one party of a call, secrets left out.
type CallLadder struct {
	Call CallID `json:"call_id"`
	Leg  LegID  `json:"leg_id"` // of one that was never answered, what it would have been
	ladder.Record
}

// Headset is a device that has been seen.
type Headset struct {
	ID        HeadsetID `json:"id"`
	Model     string    `json:"model"`
	Serial    string    `json:"serial"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	LastAgent AgentID   `json:"last_agent"`
}

// VerdictState says what to do with a headset.
type VerdictState string

// The verdicts.
const (
	VerdictUnknown VerdictState = "unknown" // not enough heard yet
	VerdictGood    VerdictState = "good"
	VerdictWatch   VerdictState = "watch"   // a fault of the headset's own, not (yet) reason enough to replace it
	VerdictReplace VerdictState = "replace" // flagged
)

// Flagged reports whether calls should go elsewhere first.
func (v VerdictState) Flagged() bool { return v == VerdictReplace }

// Verdict is what many reports say of one headset.
type Verdict struct {
	Headset  HeadsetID        `json:"headset"`
	State    VerdictState     `json:"state"`
	Findings []VerdictFinding `json:"findings"` // never nil
	Text     string           `json:"text"`     // one sentence a person understands
	Reports  int              `json:"reports"`  // how many reports counted
	At       time.Time        `json:"at"`
}

// VerdictFinding is one fault over several calls.
type VerdictFinding struct {
	Kind     headset.Kind     `json:"kind"`
	Severity headset.Severity `json:"severity"`
	Blame    Blame            `json:"blame"`
	Value    dsp.Value        `json:"value"` // the median over the calls that have it
	Limit    dsp.Value        `json:"limit"`
	Calls    []CallID         `json:"calls"` // where it was heard, newest first
	Text     string           `json:"text"`
}

// Blame says whose fault a finding is taken to be.
type Blame string

// The suspects.
const (
	BlameHeadset Blame = "headset"
	BlamePerson  Blame = "person"
	BlameRoom    Blame = "room"
	BlameNetwork Blame = "network"
	BlameSetting Blame = "setting"
)
