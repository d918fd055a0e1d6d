package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// notes is a desk that writes down what it was asked for.
type notes struct{ done []string }

func (n *notes) note(format string, args ...any) {
	n.done = append(n.done, fmt.Sprintf(format, args...))
}

func (n *notes) SetReady()                { n.note("ready") }
func (n *notes) SetBreak(reason string)   { n.note("break %q", reason) }
func (n *notes) Answer(id string)         { n.note("answer %s", id) }
func (n *notes) Decline(id string)        { n.note("decline %s", id) }
func (n *notes) Hangup(id string)         { n.note("hangup %s", id) }
func (n *notes) EndWrapUp()               { n.note("done") }
func (n *notes) Dial(to, queue string)    { n.note("dial %q %q", to, queue) }
func (n *notes) Transfer(id, to string)   { n.note("transfer %s %q", id, to) }
func (n *notes) CancelTransfer(id string) { n.note("back %s", id) }
func (n *notes) Hold(id string, on bool)  { n.note("hold %s %v", id, on) }

func (n *notes) SendDigits(id, digits string) { n.note("keys %s %q", id, digits) }
func (n *notes) Secret(id string, on bool)    { n.note("secret %s %v", id, on) }

func TestCommandsAreCarriedOut(t *testing.T) {
	var out bytes.Buffer
	n := &notes{}
	c := &console{out: &out, desk: n}
	c.run(context.Background(), strings.NewReader("transfer sales\nanswer\n\nready\nbreak tea time\ndial +49 30 123 for service\ndial\nfly\nhelp\n"))
	c.take(agentclient.Ringing{Offer: protocol.Offer{Call: protocol.Call{ID: "r", Queue: "sales"}}})
	c.run(context.Background(), strings.NewReader("answer\ndecline\n"))
	c.take(agentclient.CallStarted{Call: protocol.Call{ID: "r", From: "+4930"}})
	c.run(context.Background(), strings.NewReader("hold\nresume\nkeys 12 #\nkeys\nsecret\nsecret off\ntransfer +49 30 5\nback\nhangup\ntransfer\n"))
	c.take(agentclient.Progressed{Progress: protocol.Progress{CallID: "r", Transfer: true, To: "+49305", State: protocol.Failed, Text: "The number is busy."}})
	c.take(agentclient.CallEnded{CallID: "r", Cause: "caller_hung_up"})
	c.take(agentclient.Refused{Message: "No."})
	c.run(context.Background(), strings.NewReader("hangup\ndone\n"))
	want := []string{"ready", `break "tea time"`, `dial "+49 30 123" "service"`, "answer r", "decline r", "hold r true", "hold r false",
		`keys r "12#"`, "secret r true", "secret r false",
		`transfer r "+49 30 5"`, "back r", "hangup r", "done"}
	if !slices.Equal(n.done, want) {
		t.Errorf("done %q\nwanted %q", n.done, want)
	}
	for _, line := range []string{"There is no call.", "Nothing rings.", "Which number?", "Which keys?", `"fly" is no command`, "dial NUMBER [for QUEUE]",
		"rings: a withheld number for sales", "call from +4930", "transfer to +49305: failed: The number is busy.", "call ended: caller_hung_up", "refused: No."} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it did not say %q in\n%s", line, out.String())
		}
	}
}

func TestALineWithoutEndEndsTheCommands(t *testing.T) {
	n := &notes{}
	c := &console{out: &bytes.Buffer{}, desk: n}
	c.run(context.Background(), strings.NewReader("dial "+strings.Repeat("1", 2*maxCommand)+"\nready\n"))
	if len(n.done) != 0 {
		t.Errorf("done %q", n.done)
	}
}
