package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/recordings"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// recordingFiles opens what a service recorded, with the key that is there. The service may run.
func (f processFile) recordingFiles(ctx context.Context, std streams) (*recordings.Service, *store.Store, error) {
	p, err := config.Load(f.Config)
	if err != nil {
		return nil, nil, err
	}
	s, err := f.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg := service.RecordingsConfig(p)
	if cfg.Keys, err = seal.LoadKeys(cfg.KeyFile); err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	r, err := recordings.New(cfg, s, slog.New(slog.NewTextHandler(std.err, nil)))
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return r, s, nil
}

type recordingsListCmd struct {
	processFile
	JSON bool `help:"Print one JSON array and nothing else."`
}

func (c recordingsListCmd) Run(ctx context.Context, std streams) error {
	r, s, err := c.recordingFiles(ctx, std)
	if err != nil {
		return err
	}
	defer s.Close()
	all := []model.Recording{}
	if err := r.List(ctx, func(one model.Recording) { all = append(all, one) }); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	for _, one := range all {
		held := ""
		if one.Hold != nil {
			held = ", kept by " + string(one.Hold.By) + ": " + one.Hold.Why
		}
		fmt.Fprintf(std.out, "%s  %s  %8s  %-9s  queue %s, agent %s, key %s%s\n", one.ID, one.StartedAt.UTC().Format(time.DateTime),
			one.Length.Round(time.Second), one.State, one.Queue, one.Agent, one.Key, held)
	}
	return nil
}

type recordingsExportCmd struct {
	processFile
	Out string `short:"o" type:"path" required:"" placeholder:"FILE" help:"The file to write, in the clear; - is standard output."`
	ID  string `arg:"" name:"id" help:"The recording, as the list names it."`
}

func (c recordingsExportCmd) Run(ctx context.Context, std streams) (err error) {
	r, s, err := c.recordingFiles(ctx, std)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := r.Export(ctx, model.RecordingID(c.ID))
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no recording %q", c.ID)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if c.Out == "-" {
		_, err = io.Copy(std.out, p)
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, p)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %v\n", c.Out, p.Duration().Round(time.Millisecond))
	return nil
}

type recordingsVerifyCmd struct{ processFile }

func (c recordingsVerifyCmd) Run(ctx context.Context, std streams) error {
	r, s, err := c.recordingFiles(ctx, std)
	if err != nil {
		return err
	}
	defer s.Close()
	whole, bad := 0, 0
	err = r.Verify(ctx, func(f recordings.Finding) {
		if f.Err == nil {
			whole++
			return
		}
		bad++
		fmt.Fprintf(std.out, "%s: %v\n", f.ID, f.Err)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%d recordings are as they were written, %d are not\n", whole, bad)
	if bad > 0 {
		return exitStatus(1)
	}
	return nil
}

type recordingsRepairCmd struct{ processFile }

func (c recordingsRepairCmd) Run(ctx context.Context, std streams) error {
	r, s, err := c.recordingFiles(ctx, std)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Claim(ctx); err != nil {
		return fmt.Errorf("a service runs on this database, which repairs its recordings itself when it starts: %w", err)
	}
	n, err := r.Repair(ctx)
	fmt.Fprintf(std.out, "%d recordings were looked after\n", n)
	return err
}

type recordingsNewKeyCmd struct{}

func (recordingsNewKeyCmd) Run(std streams) error {
	line, id, err := seal.NewKey()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "# %s\n%s\n", id, line)
	return nil
}

type recordingsRekeyCmd struct{ processFile }

func (c recordingsRekeyCmd) Run(ctx context.Context, std streams) error {
	r, s, err := c.recordingFiles(ctx, std)
	if err != nil {
		return err
	}
	defer s.Close()
	n, err := r.Rekey(ctx)
	fmt.Fprintf(std.out, "%d recordings are sealed for the key file's first key now\n", n)
	return err
}
