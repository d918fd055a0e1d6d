package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/internal/trunktest"
)

type trunkTestCmd struct {
	processFile
	Name       string        `arg:"" help:"The trunk's name in the site file."`
	Call       string        `placeholder:"NUMBER" help:"Call this number, play a tone of 1004 Hz to it and say what comes back. It may cost money."`
	From       string        `placeholder:"NUMBER" help:"Who calls, for --call; without it the trunk's account."`
	Answer     time.Duration `default:"45s" help:"How long --call waits for an answer."`
	Listen     time.Duration `default:"5s" help:"How long --call listens."`
	NoRegister bool          `help:"Leave the registration alone, for a registrar that keeps only one, while the service runs."`
	JSON       bool          `name:"json" help:"Print JSON."`
}

// Validate bounds what a test takes.
func (c trunkTestCmd) Validate() error {
	const most = 10 * time.Minute
	if c.Answer < time.Second || c.Answer > most || c.Listen < time.Second || c.Listen > most {
		return fmt.Errorf("--answer and --listen are from 1s to %v", most)
	}
	return nil
}

func (c trunkTestCmd) Run(ctx context.Context, std streams) error {
	p, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	site, err := s.Site(ctx)
	s.Close()
	if err != nil {
		return err
	}
	test, err := service.TrunkTest(p, site, c.Name, version)
	if err != nil {
		return err
	}
	test.NoRegister, test.Number, test.From, test.Answer, test.Listen = c.NoRegister, c.Call, c.From, c.Answer, c.Listen
	if !c.JSON {
		test.Told = func(one trunktest.Check) { trunktest.Line(std.out, one) }
	}
	result, err := trunktest.Run(ctx, test)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(std.out)
		out.SetIndent("", "  ")
		if err := out.Encode(result); err != nil {
			return err
		}
	} else {
		trunktest.Summary(std.out, result)
	}
	if !result.OK {
		return exitStatus(1)
	}
	return nil
}
