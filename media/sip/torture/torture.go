// Package torture has the test messages of RFC 4475 and RFC 5118 and what must come of each
// where it is sent to the service: by a trunk, and by somebody whom no trunk knows. A Go test
// (media/sip) and `make interop` send them.
//
// The messages are the RFCs' own, byte by byte, named by their labels there. Of RFC 5118 three
// state a Content-Length that is not their body's; theirs is put right here, for it is not what
// they are about. The empty line behind RFC 4475's baddn is ours for the same reason.
package torture

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
)

//go:embed rfc4475/*.dat rfc5118/*.dat
var files embed.FS

// Message is one test message.
type Message struct {
	RFC     int
	Section string
	Name    string // its label in the RFC
	What    string // it shows
	Want    string // statuses with | between them, "" for silence, "closed" for the end of the connection
	Miss    string // why this is not what the RFC asks for, where it is not
}

// Transport is what the message is sent over, as its Via says, "UDP" or "TCP", and the port in
// it: a response without rport goes to it (RFC 3261 section 18.2.2), so it is sent from there.
func (m Message) Transport() (transport string, port int) {
	switch m.Name {
	case "intmeth", "esc02", "scalar02", "scalarlg", "trws", "unkscm", "novelsc", "regaut01":
		return "TCP", 5060
	case "quotbal":
		return "UDP", 5050
	case "mult-ip-in-header":
		return "UDP", 6050
	case "ipv4-mapped-ipv6":
		return "UDP", 19823
	}
	return "UDP", 5060
}

// Bytes are the message as it is sent. The one that came over TLS goes over UDP here, and says
// so; those that share sender and branch with another, of which they would be a repetition, have
// one of their own.
func (m Message) Bytes() []byte {
	switch b := m.read(); m.Name {
	case "bext01":
		return bytes.Replace(b, []byte("SIP/2.0/TLS"), []byte("SIP/2.0/UDP"), 1)
	case "badvers", "mismatch01", "cparam02", "regescrt", "port-ambiguous", "port-unambiguous", "mult-ip-in-sdp", "ipv6-correct-abnf-2-colons":
		return bytes.Replace(b, []byte("branch=z9hG4bK"), []byte("branch=z9hG4bK"+m.Name), 1)
	default:
		return b
	}
}

func (m Message) read() []byte {
	b, err := files.ReadFile(fmt.Sprintf("rfc%d/%s.dat", m.RFC, m.Name))
	if err != nil {
		panic(err) // a test of this package reads each
	}
	return b
}

// IsRequest says that there is something to answer.
func (m Message) IsRequest() bool { return !strings.HasPrefix(string(m.Bytes()), "SIP/2.0 ") }

// Wanted are the outcomes that are good enough.
func (m Message) Wanted() []string { return strings.Split(m.Want, "|") }

// registers is what a REGISTER gets: trunks do not register here.
const registers = "405|401|403|404"
