package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// What Decode and Encode refuse. Every error they return wraps one of these.
var (
	ErrTooLarge    = errors.New("frame is larger than MaxFrame")
	ErrMalformed   = errors.New("not an agent protocol frame")
	ErrUnknownType = errors.New("unknown message type")
	ErrBounds      = errors.New("field out of bounds")
)

// Codes of Error.
const (
	CodeBadMessage = "bad_message" // malformed, out of bounds, or not for this side to send
	CodeUnknown    = "unknown"     // a message type this side does not know; the rest of the conversation goes on
	CodeVersion    = "version"     // the service does not speak the client's version; the client stops
	CodeReplaced   = "replaced"    // the same user signed in elsewhere; the client stops
	CodeStale      = "stale"       // the call or offer it speaks of is not this agent's any more
	CodeNotNow     = "not_now"     // not possible in the agent's state
	CodeNotAllowed = "not_allowed" // the number may not be called; the message says why
	CodeMedia      = "media"       // the SDP offer could not be taken
	CodeBusy       = "busy"        // the service is draining or full; try again later
	CodeInternal   = "internal"    // the service failed; the message may be sent again under a new id
)

// Fatal reports whether an Error with this code ends the client for good: trying
// again would meet the same answer, or throw somebody else out.
func Fatal(code string) bool { return code == CodeVersion || code == CodeReplaced }

// envelope is the frame. Body stays raw until the type is known.
type envelope struct {
	Type string          `json:"type"`
	ID   string          `json:"id,omitempty"`
	Body json.RawMessage `json:"body"`
}

// Encode writes one frame, at most MaxFrame bytes. An id of "" sends a message that
// nobody answers. Text for people that is longer than the other side takes is cut at a
// character; anything else out of bounds is refused with ErrBounds.
func Encode(id string, m Message) ([]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	m = clip(m)
	if err := check(m); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.kind(), err)
	}
	body, err := marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.kind(), err)
	}
	frame, err := marshal(envelope{Type: m.kind(), ID: id, Body: body})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.kind(), err)
	}
	if len(frame) > MaxFrame {
		return nil, fmt.Errorf("encode %s: %d bytes: %w", m.kind(), len(frame), ErrTooLarge)
	}
	return frame, nil
}

// marshal is json.Marshal that leaves <, > and & alone, so that a frame does not grow.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Decode reads one frame. Fields it does not know are passed over, so that a newer
// peer of the same version can say more. The id is given back even with an error,
// once it could be read, so that the sender can be told.
func Decode(frame []byte) (id string, m Message, err error) {
	if len(frame) > MaxFrame {
		return "", nil, fmt.Errorf("decode: %d bytes: %w", len(frame), ErrTooLarge)
	}
	if !utf8.Valid(frame) {
		return "", nil, fmt.Errorf("decode: not UTF-8: %w", ErrMalformed)
	}
	var e envelope
	dec := json.NewDecoder(bytes.NewReader(frame))
	if err := dec.Decode(&e); err != nil {
		return "", nil, fmt.Errorf("decode: %w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", nil, fmt.Errorf("decode: more than one value: %w", ErrMalformed)
	}
	if err := checkID(e.ID); err != nil {
		return "", nil, err
	}
	if len(e.Body) == 0 || e.Body[0] != '{' {
		return e.ID, nil, fmt.Errorf("decode %.32q: body is not an object: %w", e.Type, ErrMalformed)
	}
	m, err = decodeBody(e.Type, e.Body)
	if err != nil {
		return e.ID, nil, fmt.Errorf("decode %.32q: %w", e.Type, err)
	}
	if err := check(m); err != nil {
		return e.ID, nil, fmt.Errorf("decode %s: %w", e.Type, err)
	}
	return e.ID, m, nil
}

func decodeBody(kind string, body []byte) (Message, error) {
	switch kind {
	case Hello{}.kind():
		return as[Hello](body)
	case SDPOffer{}.kind():
		return as[SDPOffer](body)
	case SetState{}.kind():
		return as[SetState](body)
	case Accept{}.kind():
		return as[Accept](body)
	case Decline{}.kind():
		return as[Decline](body)
	case Hangup{}.kind():
		return as[Hangup](body)
	case Dial{}.kind():
		return as[Dial](body)
	case Transfer{}.kind():
		return as[Transfer](body)
	case CancelTransfer{}.kind():
		return as[CancelTransfer](body)
	case Hold{}.kind():
		return as[Hold](body)
	case Record{}.kind():
		return as[Record](body)
	case DTMF{}.kind():
		return as[DTMF](body)
	case Secret{}.kind():
		return as[Secret](body)
	case EndWrapUp{}.kind():
		return as[EndWrapUp](body)
	case Mute{}.kind():
		return as[Mute](body)
	case MicReading{}.kind():
		return as[MicReading](body)
	case MicReport{}.kind():
		return as[MicReport](body)
	case HeadsetChanged{}.kind():
		return as[HeadsetChanged](body)
	case SignOut{}.kind():
		return as[SignOut](body)
	case Welcome{}.kind():
		return as[Welcome](body)
	case ICEServers{}.kind():
		return as[ICEServers](body)
	case SDPAnswer{}.kind():
		return as[SDPAnswer](body)
	case State{}.kind():
		return as[State](body)
	case Offer{}.kind():
		return as[Offer](body)
	case OfferWithdrawn{}.kind():
		return as[OfferWithdrawn](body)
	case Connected{}.kind():
		return as[Connected](body)
	case Ended{}.kind():
		return as[Ended](body)
	case Progress{}.kind():
		return as[Progress](body)
	case Supervised{}.kind():
		return as[Supervised](body)
	case Supervising{}.kind():
		return as[Supervising](body)
	case Verdict{}.kind():
		return as[Verdict](body)
	case Limits{}.kind():
		return as[Limits](body)
	case Ack{}.kind():
		return as[Ack](body)
	case Error{}.kind():
		return as[Error](body)
	}
	return nil, ErrUnknownType
}

func as[T Message](body []byte) (Message, error) {
	var m T
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

// Messages gives one zero value of every message: what the client says, then what
// the service says, in the order of the documentation.
func Messages() []Message {
	return []Message{
		Hello{}, SDPOffer{}, SetState{}, Accept{}, Decline{}, Hangup{}, Dial{}, Transfer{}, CancelTransfer{}, Hold{}, Record{}, DTMF{}, Secret{}, EndWrapUp{}, Mute{},
		MicReading{}, MicReport{}, HeadsetChanged{}, SignOut{},
		Welcome{}, ICEServers{}, SDPAnswer{}, State{}, Offer{}, OfferWithdrawn{}, Connected{}, Ended{}, Progress{}, Supervised{}, Supervising{}, Verdict{}, Limits{}, Ack{}, Error{},
	}
}

// FromClient reports whether the message is the client's to send. The others are the service's.
func FromClient(m Message) bool {
	switch m.(type) {
	case Hello, SDPOffer, SetState, Accept, Decline, Hangup, Dial, Transfer, CancelTransfer, Hold, Record, DTMF, Secret, EndWrapUp, Mute, MicReading, MicReport, HeadsetChanged, SignOut:
		return true
	}
	return false
}
