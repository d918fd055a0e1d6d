package main

import (
	"context"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/internal/toll"
)

type dialRulesTestCmd struct {
	processFile
	Site   string `type:"path" placeholder:"site.yaml" help:"The site file to try; without it the site in force."`
	User   string `required:"" placeholder:"NAME" help:"Who calls: a user's sign-in name."`
	Queue  string `placeholder:"NAME" help:"On behalf of which queue, if any."`
	At     string `placeholder:"TIME" help:"When, such as 2026-03-04T03:00:00+01:00; without it now."`
	Number string `arg:"" help:"The number as it would be typed; in quotes where it has spaces."`
}

func (c dialRulesTestCmd) Run(ctx context.Context, std streams) error {
	now := time.Now()
	if c.At != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, c.At); err != nil {
			return fmt.Errorf("--at %q is not a time; write it like 2026-03-04T03:00:00Z", c.At)
		}
	}
	site, err := c.site(ctx)
	if err != nil {
		return err
	}
	request := model.DialRequest{User: model.AgentID(c.User), Queue: model.QueueID(c.Queue), Number: c.Number, At: now}
	e := toll.Explain(toll.Compile(site), request, now)
	e.Route = service.DialRoute(site, e.Permit)
	e.Print(std.out, request.User)
	if e.Refusal != nil || len(e.Route) == 0 {
		return exitStatus(1)
	}
	return nil
}

// site is the file's, or the one in force.
func (c dialRulesTestCmd) site(ctx context.Context) (model.Site, error) {
	if c.Site != "" {
		return config.LoadSite(c.Site)
	}
	s, err := c.open(ctx)
	if err != nil {
		return model.Site{}, err
	}
	defer s.Close()
	return s.Site(ctx)
}
