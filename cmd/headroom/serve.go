package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/media/sip/mask"
)

type serveCmd struct {
	Config string `type:"path" placeholder:"headroom.yaml" help:"The process: addresses, ports, data folder, log. Without it everything is on 127.0.0.1."`
	Site   string `type:"path" placeholder:"site.yaml" help:"The call centre: trunks, queues, users; applied at start. Without it the stored site stays."`
}

func (c serveCmd) Run(ctx context.Context, std streams) error {
	process, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	var site *model.Site
	if c.Site != "" {
		loaded, err := config.LoadSite(c.Site)
		if err != nil {
			return err
		}
		site = &loaded
	}
	collectEarly()
	s, err := service.New(ctx, service.Config{Process: process, Site: site, Version: version}, logger(process.Log, std.err))
	if err != nil {
		return err
	}
	greet(std.out, process, s)
	defer hurryWhenToldAgain(ctx, s)()
	return s.Run(ctx)
}

// collectEarly has garbage collected when the heap has grown by a quarter and not by as much
// again: calls that go on make next to none, so it costs little and each needs less memory.
// Whoever sets GOGC has their way.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

// hurryWhenToldAgain lets a second signal end the calls that the first one waits for. A
// third one ends the process on the spot; the next start then closes the record. The
// function it gives takes this back.
func hurryWhenToldAgain(ctx context.Context, s *service.Service) (stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		for range 2 { // the first is the one that ended ctx
			select {
			case <-signals:
			case <-over:
				return
			}
		}
		<-ctx.Done()
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		s.Hurry()
	}()
	return func() {
		signal.Stop(signals)
		close(over)
	}
}

// greet says where everything is and, on an empty site, how to go on.
func greet(w io.Writer, p config.Process, s *service.Service) {
	a := s.Addrs()
	fmt.Fprintf(w, "headroom %s\n  pages and API   http://%s\n  SIP trunks      %s\n  agents' audio   %s (UDP)\n  data            %s\n",
		version, a.HTTP, sipAddrs(a), a.WebRTC, p.Data)
	if !s.EmptySite() {
		return
	}
	fmt.Fprint(w, `
This call centre is empty: no trunk may call and nobody can sign in yet. To go on:
  1. write a site file; deploy/site.yaml in the source is a commented sample
  2. headroom apply site.yaml          (add --config if you started with one)
  3. headroom user passwd NAME         (reads the password from standard input)
The running service takes it up within seconds.
`)
}

func sipAddrs(a service.Addrs) string {
	var words []string
	if a.SIPUDP.IsValid() {
		words = append(words, a.SIPUDP.String()+" (UDP)")
	}
	if a.SIPTCP.IsValid() {
		words = append(words, a.SIPTCP.String()+" (TCP)")
	}
	if a.SIPTLS.IsValid() {
		words = append(words, a.SIPTLS.String()+" (TLS)")
	}
	return strings.Join(words, ", ")
}

func logger(l config.Log, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: l.Level}
	var h slog.Handler = slog.NewTextHandler(w, opt)
	if l.Format == config.LogJSON {
		h = slog.NewJSONHandler(w, opt)
	}
	return slog.New(mask.NewHandler(h, mask.Policy(l.Identities)))
}
