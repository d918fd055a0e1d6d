package webrtc

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/dtmf"
)

func TestKeysGoBothWaysBesideEitherCodec(t *testing.T) {
	g := newGateway(t, Config{})
	client, service, answer := connect(t, g, OfferConfig{})
	for _, line := range []string{"telephone-event/8000", "telephone-event/48000"} {
		if !strings.Contains(answer, line) {
			t.Errorf("no %s in the answer\n%s", line, answer)
		}
	}
	player := dtmf.NewPlayer()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = player.Run(ctx) }()
	defer func() { cancel(); <-done }()

	for _, c := range []struct {
		name     string
		from, to *Peer
		codec    media.Codec
	}{
		{"client, Opus", client, service, media.Opus},
		{"client, PCMU", client, service, media.PCMU},
		{"service, Opus", service, client, media.Opus},
		{"service, PCMU", service, client, media.PCMU},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := make(heard, 64)
			c.to.SetSink(up)
			stop := speak(c.from, c.codec)
			defer stop()
			for p := next(t, up); p.Codec != c.codec; p = next(t, up) {
				continue
			}
			lost := c.to.Stats().Lost
			if err := player.Press(c.from, "1177*D", false); err != nil {
				t.Fatal(err)
			}
			for i, want := range "1177*D" {
				select {
				case got := <-c.to.Digits():
					if got != want {
						t.Errorf("key %d: %q, want %q", i, got, want)
					}
				case <-time.After(patience):
					t.Fatalf("key %d, %q, was not heard", i, want)
				}
			}
			for range cap(up) { // what was said before and during the keys
				select {
				case <-up:
				default:
				}
			}
			last := next(t, up) // the voice is back, and nothing is missing
			if after := next(t, up); after.Seq != last.Seq+1 {
				t.Errorf("packet %d after %d", after.Seq, last.Seq)
			}
			if n := len(c.to.Digits()); n > 0 {
				t.Errorf("%d keys too many", n)
			}
			if got := c.to.Stats().Lost; got != lost {
				t.Errorf("%d packets counted as lost", got-lost)
			}
		})
	}
}
