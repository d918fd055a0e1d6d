package media

import (
	"strings"
	"time"
)

// keyNames are the events 0 to 15 of RFC 4733 section 3.2, by their codes.
const keyNames = "0123456789*#ABCD"

// KeyCode is the event code of a key of the telephone: '0' to '9', '*', '#', 'A' to 'D' in
// either case (RFC 4733 section 3.2). It is not ok for anything else.
func KeyCode(key rune) (code uint8, ok bool) {
	if key >= 'a' && key <= 'd' {
		key += 'A' - 'a'
	}
	at := strings.IndexRune(keyNames, key)
	return uint8(max(at, 0)), at >= 0
}

// KeyName is the key of an event code, the reverse of KeyCode.
func KeyName(code uint8) (key rune, ok bool) {
	if int(code) >= len(keyNames) {
		return 0, false
	}
	return rune(keyNames[code]), true
}

// Event is one packet of a key press as a telephone-event (RFC 4733 section 2.3).
type Event struct {
	Code    uint8         // 0 to 15, see KeyCode
	Volume  uint8         // power of the tone it stands for, in -dBm0, 0 to 63
	Begin   bool          // the first packet of the press: its time is the whole press's
	End     bool          // the key is up; sent three times, for one may be lost
	Elapsed time.Duration // since the press began
}

// Keypad is a Leg whose party can be sent keys. As with a Leg, no method blocks.
type Keypad interface {
	Leg
	// TakesEvents reports whether telephone-events were agreed on with the party.
	TakesEvents() bool
	// SendEvent sends one packet of a key press, numbered on with the audio. Where no events
	// were agreed on it does nothing.
	SendEvent(e Event)
	// Reserve keeps from the party whatever is sent but what comes from this Source, until a
	// time: a key is not to be heard together with a voice. A time that has passed ends it.
	Reserve(source uint32, until time.Time)
}
