package sip_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
)

// TestALongCallWithTheShortestSession takes 36 minutes and is run by hand: HEADROOM_LONG_CALL
// names the file that its log goes to.
func TestALongCallWithTheShortestSession(t *testing.T) {
	t.Parallel()
	name := os.Getenv("HEADROOM_LONG_CALL")
	if name == "" {
		t.Skip("HEADROOM_LONG_CALL is not set")
	}
	program(t, "sipp")
	log, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	began := time.Now()
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(log, "%7.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	d := make(desk, 1)
	s := start(t, d, func(c *sip.Config) { c.T1, c.T2 = 500*time.Millisecond, 4*time.Second })
	file, err := filepath.Abs(filepath.Join("testdata", "uac_long.xml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Minute)
	defer cancel()
	dir := t.TempDir()
	peer := exec.CommandContext(ctx, "sipp", s.udp.String(), "-sf", file, "-t", "u1", "-i", "127.0.0.1", "-p", freePort(t), "-mi", "127.0.0.1",
		"-mp", freePort(t), "-rtp_echo", "-s", "100", "-m", "1", "-nostdin", "-trace_msg", "-message_file", filepath.Join(dir, "ladder"))
	peer.Dir = dir
	ended := result(func() error {
		out, err := peer.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out[max(0, len(out)-4000):])
		}
		return nil
	})
	call := d.next(t)
	leg, err := call.Answer(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pacer.Play(leg, prompt.Tone(440, -20))()
	say("answered; the session expires after 90 s unless refreshed, and we refresh it")
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	var last media.Stats
	for {
		select {
		case <-minute.C:
			now := leg.Stats()
			say("packets in the last minute: %d sent, %d echoed, %d lost", now.PacketsOut-last.PacketsOut, now.PacketsIn-last.PacketsIn, now.Lost-last.Lost)
			last = now
		case err := <-ended:
			say("sipp: %v", err)
			must(t, err)
			wait(t, "the call's end", call.Done())
			say("call over: %s", call.Ended())
			ladder, _ := os.ReadFile(filepath.Join(dir, "ladder"))
			say("UPDATEs: %d", strings.Count(string(ladder), "\nUPDATE sip:"))
			if call.Ended() != sip.CauseRemoteBye || time.Since(began) < 35*time.Minute {
				t.Errorf("ended by %q after %v", call.Ended(), time.Since(began))
			}
			return
		}
	}
}
