package testenv_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/service"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/store/pgtest"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestASecondServiceOnOneDatabaseIsRefusedAndHarmsNoCall(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{})
	agent := env.Agent("agent", testenv.AgentOptions{})
	env.Caller(load.Config{})
	testenv.Await[agentclient.CallStarted](agent, 1)
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the call is in the record", func() bool {
		return testenv.OnlyCall(t, record).Call.AnsweredAt != nil
	})

	_, err := service.New(t.Context(), service.Config{Process: env.Process}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, store.ErrClaimed) {
		t.Errorf("a second service gave %v, wanted ErrClaimed", err)
	}
	if c := testenv.OnlyCall(t, record).Call; c.EndedAt != nil {
		t.Errorf("the live call was closed in the record: %+v", c)
	}
}

func TestTheSecondSignalEndsTheCallsThatTheFirstWaitsFor(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Process: func(p *config.Process) { p.Shutdown.Drain = time.Hour }})
	agent := env.Agent("agent", testenv.AgentOptions{})
	caller := env.Caller(load.Config{})
	testenv.Await[agentclient.CallStarted](agent, 1)
	env.Drain()
	testenv.Eventually(t, "new callers are refused", func() bool { return ready(t, env) == http.StatusServiceUnavailable })
	select {
	case <-caller.Done():
		t.Error("the call ended while the service should wait for it")
	default:
	}
	env.Service.Hurry()
	select {
	case <-caller.Done():
	case <-time.After(testenv.Patience):
		t.Fatal("the call was not ended")
	}
	env.Stop()
	if c := testenv.OnlyCall(t, testenv.OpenRecord(t, env.Process)).Call; c.Cause != model.CauseDrained {
		t.Errorf("the call ended with cause %q, wanted %q", c.Cause, model.CauseDrained)
	}
}

func TestAScraperReadsTheMetricsWithItsToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	env := testenv.Start(t, testenv.Options{Process: func(p *config.Process) { p.HTTP.MetricsToken = token }})
	for header, want := range map[string]int{"": http.StatusUnauthorized, "Bearer wrong": http.StatusUnauthorized, "Bearer " + token: http.StatusOK} {
		if got := get(t, env.URL()+"/metrics", header); got != want {
			t.Errorf("with %q the answer was %d, wanted %d", header, got, want)
		}
	}
}

func TestACallIsServedAndRecordedOnPostgreSQLThroughItsRestart(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	dsn := server.DSN(t)
	env := testenv.Start(t, testenv.Options{Process: func(p *config.Process) {
		p.Database.DSN, p.Data = dsn, filepath.Join(p.Data, "unused")
	}})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))

	server.Restart(t)
	testenv.Hears(t, "the caller, while the database restarts,", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	if err := caller.Hangup(ctx); err != nil {
		t.Error(err)
	}
	testenv.Await[agentclient.CallEnded](agent, 1)
	record := testenv.OpenRecord(t, env.Process)
	testenv.Eventually(t, "the whole call in the record", func() bool {
		story := testenv.OnlyCall(t, record)
		return story.Call.Cause == model.CauseCallerHungUp && len(story.Legs) == 2 && len(story.Reports) == 2
	})
}

// ready is the status of /readyz.
func ready(t *testing.T, env *testenv.Env) int { return get(t, env.URL()+"/readyz", "") }

// get gives the status of an answer.
func get(t *testing.T, url, authorization string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestAServiceThatIsNeverRunGivesItsPortsBack(t *testing.T) {
	t.Parallel()
	process, _ := testenv.Prepare(t, testenv.Options{})
	open := func() *service.Service {
		s, err := service.New(t.Context(), service.Config{Process: process, Version: "test"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := open()
	a := first.Addrs()
	process.HTTP.Listen, process.WebRTC.Listen = a.HTTP, a.WebRTC.String()
	process.SIP.UDP, process.SIP.TCP = a.SIPUDP.String(), a.SIPTCP.String()
	first.Close()
	open().Close()
}
