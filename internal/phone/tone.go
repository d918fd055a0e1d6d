package phone

import (
	"context"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
)

// sound plays to a phone for a while, or until it hangs up.
func (l *line) sound(ctx context.Context, c *sip.Call, src prompt.Source, long time.Duration, leg media.Leg) {
	stop := l.lines.deps.Play(leg, src)
	defer stop()
	enough := time.NewTimer(long)
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-c.Done():
	case <-ctx.Done():
	}
}

// beeps is a tone of a quarter of a second, over and over with as long a pause.
type beeps struct{ tone prompt.Source }

// Render is part of prompt.Source.
func (b beeps) Render(pcm []float32, at int64, rate int) {
	b.tone.Render(pcm, at, rate)
	for i := range pcm {
		if (at+int64(i))/int64(rate/4)%2 == 1 {
			pcm[i] = 0
		}
	}
}
