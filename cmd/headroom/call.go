package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/story"
)

type callShowCmd struct {
	processFile
	SIP  bool   `name:"sip" help:"Draw the SIP messages of the call too."`
	Full bool   `help:"With --sip: print every message behind the picture, secrets left out."`
	JSON bool   `help:"Print one JSON object and nothing else."`
	ID   string `arg:"" name:"id" help:"The call, as its page's address and the log's call_id name it."`
}

// shownCall is what --json prints.
type shownCall struct {
	store.CallStory
	SIP []model.CallLadder `json:"sip,omitempty"`
}

func (c callShowCmd) Run(ctx context.Context, std streams) error {
	if c.Full && !c.SIP {
		return errors.New("--full is about the messages of --sip; give both")
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shown, err := c.read(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, shown)
	}
	if err := story.Tell(std.out, shown.CallStory); err != nil {
		return err
	}
	if !c.SIP {
		return nil
	}
	if len(shown.SIP) == 0 {
		fmt.Fprintln(std.out, "\nNo SIP messages are kept of this call: it goes on, or ended a moment ago, or with the service, or is from before they were kept.")
		return nil
	}
	for _, l := range shown.SIP {
		since := ""
		if len(l.Messages) > 0 {
			since = ", in seconds since " + l.Messages[0].At.UTC().Format("15:04:05.000 UTC")
		}
		fmt.Fprintf(std.out, "\nWhat was said in SIP, %s%s\n\n", l.Leg, since)
		fmt.Fprint(std.out, l.Draw(c.Full))
	}
	return nil
}

func (c callShowCmd) read(ctx context.Context, s *store.Store) (shown shownCall, err error) {
	id := model.CallID(c.ID)
	if shown.CallStory, err = s.Call(ctx, id); errors.Is(err, store.ErrNotFound) {
		return shown, fmt.Errorf("there is no call %q in the record", c.ID)
	} else if err != nil {
		return shown, err
	}
	if c.SIP {
		shown.SIP, err = s.Ladders(ctx, id)
	}
	return shown, err
}
