package protocol

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// The largest fields, in bytes. Together they keep any message within MaxFrame.
const (
	MaxID       = 64       // of a message
	MaxIdent    = 128      // call, agent, queue, token, state, code, cause
	MaxText     = 512      // anything a person reads
	MaxSDP      = 16 << 10 // an offer or answer
	MaxFindings = 32       // of a report
	MaxKeys     = 64       // of a DTMF
	MaxSecret   = 300      // seconds
	MaxServers  = 8        // relays, and addresses of each
)

// checkID takes letters, digits and . _ : - only, so that an id can stand in a log as it is.
func checkID(id string) error {
	if len(id) > MaxID {
		return fmt.Errorf("id of %d bytes: %w", len(id), ErrBounds)
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != ':' && c != '-' {
			return fmt.Errorf("id holds %q: %w", c, ErrBounds)
		}
	}
	return nil
}

// check holds a message to its bounds.
func check(m Message) error {
	switch m := m.(type) {
	case Hello:
		if m.Version < 1 {
			return fmt.Errorf("version %d: %w", m.Version, ErrBounds)
		}
		return first(text("client", m.Client), checkHeadset(m.Headset), ident("resume", m.Resume, false))
	case SDPOffer:
		return checkSDP(m.SDP)
	case SDPAnswer:
		return checkSDP(m.SDP)
	case SetState:
		if m.State != "ready" && m.State != "break" {
			return fmt.Errorf("state %.32q is neither ready nor break: %w", m.State, ErrBounds)
		}
		return text("reason", m.Reason)
	case Accept:
		return ident("call_id", m.CallID, true)
	case Decline:
		return ident("call_id", m.CallID, true)
	case Hangup:
		return ident("call_id", m.CallID, true)
	case Dial:
		return first(address("to", m.To), ident("queue", m.Queue, false))
	case Transfer:
		return first(ident("call_id", m.CallID, true), address("to", m.To))
	case CancelTransfer:
		return ident("call_id", m.CallID, true)
	case Hold:
		return ident("call_id", m.CallID, true)
	case Record:
		return first(ident("call_id", m.CallID, true), ident("action", m.Action, true))
	case DTMF:
		return first(ident("call_id", m.CallID, true), keys(m.Digits))
	case Secret:
		return first(ident("call_id", m.CallID, true), upTo("seconds", float64(m.Seconds), MaxSecret))
	case MicReading:
		return first(ident("call_id", m.CallID, false), checkReading(m.Reading))
	case MicReport:
		return first(ident("call_id", m.CallID, true), checkHeadset(m.Headset), checkReport(m.Report))
	case HeadsetChanged:
		return checkHeadset(m.Headset)
	case Welcome:
		return checkWelcome(m)
	case ICEServers:
		return checkServers(m.ICEServers)
	case State:
		return checkState(m)
	case Offer:
		return checkCall(m.Call)
	case OfferWithdrawn:
		return first(ident("call_id", m.CallID, true), ident("why", m.Why, false))
	case Connected:
		return checkCall(m.Call)
	case Ended:
		return first(ident("call_id", m.CallID, true), ident("cause", m.Cause, false))
	case Progress:
		return checkProgress(m)
	case Supervised:
		return first(ident("call_id", m.CallID, true), ident("supervisor", m.Supervisor, true), text("name", m.Name), ident("mode", m.Mode, false))
	case Supervising:
		err := first(ident("call_id", m.CallID, true), ident("mode", m.Mode, false), text("agent", m.Agent))
		if err == nil && m.Call != nil {
			err = checkCall(*m.Call)
		}
		return err
	case Ack:
		return ident("call_id", m.CallID, false)
	case Verdict:
		return first(ident("state", m.State, true), text("text", m.Text))
	case Limits:
		if wrong := m.Limits.Check(); len(wrong) > 0 {
			return fmt.Errorf("limits: %s: %s: %w", wrong[0].Key, wrong[0].Problem, ErrBounds)
		}
	case Error:
		return first(ident("code", m.Code, true), text("message", m.Message))
	}
	return nil
}

func checkWelcome(m Welcome) error {
	if m.Version < 1 {
		return fmt.Errorf("version %d: %w", m.Version, ErrBounds)
	}
	err := first(ident("resume", m.Resume, true), ident("agent", m.Agent, true), text("name", m.Name), checkState(m.State), checkServers(m.ICEServers))
	if err == nil && m.Call != nil {
		err = checkCall(*m.Call)
	}
	return err
}

func checkServers(servers []ICEServer) error {
	if len(servers) > MaxServers {
		return fmt.Errorf("%d ice_servers: %w", len(servers), ErrBounds)
	}
	for _, s := range servers {
		if len(s.URLs) == 0 || len(s.URLs) > MaxServers {
			return fmt.Errorf("%d urls of an ice server: %w", len(s.URLs), ErrBounds)
		}
		for _, u := range s.URLs {
			if err := first(text("url", u), relayURL(u)); err != nil {
				return err
			}
		}
		if err := first(text("username", s.Username), text("credential", s.Credential)); err != nil {
			return err
		}
	}
	return nil
}

// relayURL holds an address to the schemes of RFC 7064 and RFC 7065.
func relayURL(u string) error {
	for _, scheme := range []string{"stun:", "stuns:", "turn:", "turns:"} {
		if strings.HasPrefix(u, scheme) {
			return nil
		}
	}
	return fmt.Errorf("url %.32q of an ice server is neither stun nor turn: %w", u, ErrBounds)
}

func checkState(s State) error {
	return first(ident("state", s.State, true), text("reason", s.Reason))
}

func checkCall(c Call) error {
	if c.Direction != "" && c.Direction != Inbound && c.Direction != Outbound {
		return fmt.Errorf("direction %.32q is neither inbound nor outbound: %w", c.Direction, ErrBounds)
	}
	return first(ident("id", c.ID, true), ident("queue", c.Queue, false), text("from", c.From), text("from_name", c.FromName), text("to", c.To))
}

func checkProgress(p Progress) error {
	if p.Status != 0 && (p.Status < 100 || p.Status > 699) {
		return fmt.Errorf("status %d is none of SIP: %w", p.Status, ErrBounds)
	}
	return first(ident("call_id", p.CallID, true), text("to", p.To), ident("state", p.State, true), text("text", p.Text))
}

func checkHeadset(h Headset) error {
	return first(ident("model", h.Model, false), ident("serial", h.Serial, false))
}

func checkSDP(sdp string) error {
	if sdp == "" || len(sdp) > MaxSDP {
		return fmt.Errorf("sdp of %d bytes: %w", len(sdp), ErrBounds)
	}
	return nil
}

func checkReading(r headset.Reading) error {
	return first(upTo("at_s", r.At, 1e7), upTo("speech_share", r.Speech, 1), upTo("scored_share", r.Scored, 1),
		sane(r.Level, r.ActiveLevel, r.NoiseFloor, r.Peak, r.Clipped))
}

func checkReport(r headset.Report) error {
	if r.SampleRate < 1 || r.SampleRate > 384_000 {
		return fmt.Errorf("sample_rate %d: %w", r.SampleRate, ErrBounds)
	}
	if len(r.Findings) > MaxFindings {
		return fmt.Errorf("%d findings: %w", len(r.Findings), ErrBounds)
	}
	err := first(ident("tap", string(r.Tap), true), upTo("duration_s", r.Duration, 1e7), upTo("active_speech_s", r.ActiveSpeech, 1e7),
		measured("metrics", reflect.ValueOf(r.Metrics)))
	if r.Conversation != nil {
		err = first(err, measured("conversation", reflect.ValueOf(*r.Conversation)))
	}
	for _, f := range r.Findings {
		err = first(err, ident("kind", string(f.Kind), true), ident("severity", string(f.Severity), true), text("text", f.Text), sane(f.Value, f.Limit))
	}
	return err
}

// measured holds every field of what a meter measured to what meters give: counts that are
// not negative, numbers of a sensible size, short words.
func measured(name string, v reflect.Value) error {
	for i := range v.NumField() {
		key := name + "." + v.Type().Field(i).Tag.Get("json")
		var err error
		switch x := v.Field(i); x.Kind() {
		case reflect.Struct:
			err = measured(key, x)
		case reflect.Float64:
			err = sane(dsp.Value(x.Float()))
		case reflect.Int:
			if x.Int() < 0 || x.Int() > 1e9 {
				err = fmt.Errorf("count %d: %w", x.Int(), ErrBounds)
			}
		case reflect.String:
			err = ident("word", x.String(), false)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func ident(name, s string, required bool) error {
	if len(s) > MaxIdent || required && s == "" {
		return fmt.Errorf("%s of %d bytes: %w", name, len(s), ErrBounds)
	}
	return nil
}

// address holds what somebody typed to call to a length and to what can be typed.
func address(name, s string) error {
	if err := ident(name, s, true); err != nil {
		return err
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s holds a control character: %w", name, ErrBounds)
	}
	return nil
}

// keys takes what can be pressed on a telephone. The error never says what was.
func keys(s string) error {
	if s == "" || len(s) > MaxKeys || strings.Trim(s, "0123456789*#ABCDabcd") != "" {
		return fmt.Errorf("digits are not up to %d of 0 to 9, *, #, A to D: %w", MaxKeys, ErrBounds)
	}
	return nil
}

func text(name, s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("%s of %d bytes: %w", name, len(s), ErrBounds)
	}
	return nil
}

func upTo(name string, v, most float64) error {
	if !(v >= 0 && v <= most) {
		return fmt.Errorf("%s %g: %w", name, v, ErrBounds)
	}
	return nil
}

// sane refuses numbers no meter gives; an absent value is fine.
func sane(values ...dsp.Value) error {
	for _, v := range values {
		if v.Valid() && math.Abs(float64(v)) > 1e9 {
			return fmt.Errorf("value %g: %w", float64(v), ErrBounds)
		}
	}
	return nil
}

// clip cuts what people read to MaxText. Names and texts come from callers and site
// files; a long one must not cost an agent the call it belongs to.
func clip(m Message) Message {
	switch m := m.(type) {
	case Hello:
		m.Client, m.Headset = cut(m.Client, MaxText), clipHeadset(m.Headset)
		return m
	case SetState:
		m.Reason = cut(m.Reason, MaxText)
		return m
	case MicReport:
		findings := make([]headset.Finding, len(m.Report.Findings))
		for i, f := range m.Report.Findings {
			f.Text = cut(f.Text, MaxText)
			findings[i] = f
		}
		m.Report.Findings = findings
		return m
	case HeadsetChanged:
		m.Headset = clipHeadset(m.Headset)
		return m
	case Welcome:
		m.Name, m.State.Reason = cut(m.Name, MaxText), cut(m.State.Reason, MaxText)
		if m.Call != nil {
			c := clipCall(*m.Call)
			m.Call = &c
		}
		return m
	case State:
		m.Reason = cut(m.Reason, MaxText)
		return m
	case Offer:
		m.Call = clipCall(m.Call)
		return m
	case Connected:
		m.Call = clipCall(m.Call)
		return m
	case Supervised:
		m.Name = cut(m.Name, MaxText)
		return m
	case Supervising:
		m.Agent = cut(m.Agent, MaxText)
		if m.Call != nil {
			c := clipCall(*m.Call)
			m.Call = &c
		}
		return m
	case Progress:
		m.To, m.Text = cut(m.To, MaxText), cut(m.Text, MaxText)
		return m
	case Verdict:
		m.Text = cut(m.Text, MaxText)
		return m
	case Error:
		m.Message = cut(m.Message, MaxText)
		return m
	}
	return m
}

func clipCall(c Call) Call {
	c.From, c.FromName, c.To = cut(c.From, MaxText), cut(c.FromName, MaxText), cut(c.To, MaxText)
	return c
}

func clipHeadset(h Headset) Headset {
	return Headset{Model: cut(h.Model, MaxIdent), Serial: cut(h.Serial, MaxIdent)}
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
