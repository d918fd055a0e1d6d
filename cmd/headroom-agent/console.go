package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// desk is what commands work on (agentclient.Client).
type desk interface {
	SetReady()
	SetBreak(reason string)
	Answer(callID string)
	Decline(callID string)
	Hangup(callID string)
	EndWrapUp()
	Dial(to, queue string)
	Transfer(callID, to string)
	CancelTransfer(callID string)
	Hold(callID string, on bool)
	SendDigits(callID, digits string)
	Secret(callID string, on bool)
}

// maxCommand bounds a line of commands, bytes.
const maxCommand = 1024

const commandHelp = `dial NUMBER [for QUEUE]   call a number
transfer TO               pass the caller on, to a queue or a number
back                      take the caller back from a transfer
hold, resume              part from the caller, who hears music, and be joined again
keys DIGITS               press keys, as for a menu: 0 to 9, *, #
secret, secret off        the caller keys in what nobody may know; that is over
answer, decline           the call that rings
hangup                    end the call
ready, break [REASON]     take calls, or none
done                      end the wrap-up
`

// console takes commands, one a line, and says what happens.
type console struct {
	desk desk // set before commands come

	saying sync.Mutex
	out    io.Writer

	mu      sync.Mutex // not held while the desk is asked for something
	call    string     // in progress or being dialled
	ringing string
}

// say writes a line; an output that is gone is nobody's concern.
func (c *console) say(format string, args ...any) {
	c.saying.Lock()
	defer c.saying.Unlock()
	fmt.Fprintf(c.out, strings.ReplaceAll(format, "\n", " ")+"\n", args...)
}

// take shows an event of the client.
func (c *console) take(e agentclient.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := e.(type) {
	case agentclient.StateChanged:
		if reason := e.State.Reason; reason != e.State.State {
			c.say("state: %s", strings.TrimSpace(e.State.State+" "+reason))
		} else {
			c.say("state: %s", reason)
		}
	case agentclient.Ringing:
		c.ringing = e.Offer.Call.ID
		c.say("rings: %s for %s", orUnknown(e.Offer.Call.From), e.Offer.Call.Queue)
	case agentclient.RingingStopped:
		c.ringing = ""
		c.say("rings no more: %s", e.Why)
	case agentclient.Progressed:
		c.call = e.Progress.CallID
		what := "call to "
		if e.Progress.Transfer {
			what = "transfer to "
		}
		c.say("%s%s: %s: %s", what, e.Progress.To, e.Progress.State, e.Progress.Text)
	case agentclient.CallStarted:
		c.call, c.ringing = e.Call.ID, ""
		who := "from " + orUnknown(e.Call.From)
		if e.Call.Direction == protocol.Outbound {
			who = "with " + e.Call.To
		}
		c.say("call %s", who)
	case agentclient.CallEnded:
		if c.call == e.CallID {
			c.call = ""
		}
		c.say("call ended: %s", e.Cause)
	case agentclient.Refused:
		c.say("refused: %s", e.Message)
	}
}

func orUnknown(number string) string {
	if number == "" {
		return "a withheld number"
	}
	return number
}

// run takes commands until the input ends or ctx does. It does not wait for a read that is
// going on: that of a terminal ends with the process.
func (c *console) run(ctx context.Context, in io.Reader) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, maxCommand), maxCommand)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			c.obey(line)
		case <-ctx.Done():
			return
		}
	}
}

// obey carries out one line.
func (c *console) obey(line string) {
	c.mu.Lock()
	current, ringing := c.call, c.ringing
	c.mu.Unlock()
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	call := func(do func(id string)) {
		if current == "" {
			c.say("There is no call.")
			return
		}
		do(current)
	}
	switch word {
	case "":
	case "dial":
		to, queue, _ := strings.Cut(rest, " for ")
		if to == "" {
			c.say("Which number? Write: dial NUMBER")
			return
		}
		c.desk.Dial(strings.TrimSpace(to), strings.TrimSpace(queue))
	case "transfer":
		if rest == "" {
			c.say("To whom? Write: transfer QUEUE or NUMBER")
			return
		}
		call(func(id string) { c.desk.Transfer(id, rest) })
	case "back":
		call(c.desk.CancelTransfer)
	case "hold", "resume":
		call(func(id string) { c.desk.Hold(id, word == "hold") })
	case "keys":
		if rest == "" {
			c.say("Which keys? Write: keys DIGITS")
			return
		}
		call(func(id string) { c.desk.SendDigits(id, strings.ReplaceAll(rest, " ", "")) })
	case "secret":
		call(func(id string) { c.desk.Secret(id, rest != "off") })
	case "hangup":
		call(c.desk.Hangup)
	case "answer", "decline":
		if ringing == "" {
			c.say("Nothing rings.")
			return
		}
		if word == "answer" {
			c.desk.Answer(ringing)
		} else {
			c.desk.Decline(ringing)
		}
	case "ready":
		c.desk.SetReady()
	case "break":
		c.desk.SetBreak(rest)
	case "done":
		c.desk.EndWrapUp()
	case "help":
		for _, line := range strings.Split(strings.TrimSpace(commandHelp), "\n") {
			c.say("%s", line)
		}
	default:
		c.say("%q is no command; help lists them.", word)
	}
}
