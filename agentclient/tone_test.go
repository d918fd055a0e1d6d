package agentclient

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// tone is a sine that goes on from frame to frame.
type tone struct {
	hz, levelDBov float64
	rate          int
	n             int
}

func (t *tone) fill(frame []float32) {
	amplitude := math.Pow(10, t.levelDBov/20) * math.Sqrt2 // a full-scale sine is -3.01 dBov
	for i := range frame {
		frame[i] = float32(amplitude * math.Sin(2*math.Pi*t.hz*float64(t.n)/float64(t.rate)))
		t.n++
	}
}

// mic is a microphone that hears a tone.
type mic struct {
	tone *tone
	fail chan error
}

func (m mic) Rate() int { return m.tone.rate }

func (m mic) Run(ctx context.Context, take func([]float32, dsp.Mark)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-m.fail:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err := audio.NewSilence(m.tone.rate).Source().Run(ctx, func(frame []float32, mark dsp.Mark) {
		m.tone.fill(frame)
		take(frame, mark)
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// ear is an earphone with a recorder in it.
type ear struct {
	rate int
	mu   sync.Mutex
	pcm  []float32
}

func (e *ear) Rate() int { return e.rate }

func (e *ear) Run(ctx context.Context, fill func([]float32)) error {
	return audio.NewSilence(e.rate).Sink().Run(ctx, func(frame []float32) {
		fill(frame)
		e.mu.Lock()
		e.pcm = append(e.pcm, frame...)
		e.mu.Unlock()
	})
}

func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pcm = nil
}

func (e *ear) heard() []float32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]float32(nil), e.pcm...)
}

// decoded records what the agent says as the service hears it.
type decoded struct {
	mu      sync.Mutex
	decoder codec.Decoder
	buf     []float32
	pcm     []float32
	codec   media.Codec
}

func newDecoded(t testing.TB) *decoded {
	d, err := codec.NewDecoder(media.Opus, 16000)
	if err != nil {
		t.Fatal(err)
	}
	return &decoded{decoder: d, buf: make([]float32, codec.MaxFrame*16)}
}

func (d *decoded) Packet(p *media.Packet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.codec = p.Codec
	if n, err := d.decoder.Decode(p.Payload, d.buf); err == nil {
		d.pcm = append(d.pcm, d.buf[:n]...)
	}
}

func (d *decoded) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pcm = nil
}

func (d *decoded) heard() []float32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]float32(nil), d.pcm...)
}

// play sends a G.711 tone to the agent every 20 ms until stopped.
func play(leg media.Leg, t *tone) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	encode, _ := codec.NewEncoder(media.PCMU, 8000)
	p := media.Packet{Source: media.NewSource(), Codec: media.PCMU}
	out := make([]byte, 160)
	go func() {
		defer close(done)
		_ = audio.NewSilence(8000).Source().Run(ctx, func(frame []float32, _ dsp.Mark) {
			t.fill(frame)
			n, _ := encode.Encode(frame, out)
			p.Payload = out[:n]
			leg.Send(&p)
			p.Seq++
			p.Timestamp += 160
		})
	}()
	return func() { cancel(); <-done }
}

// wantTone waits until the newest 0.4 s hold the tone at its level and little else.
func wantTone(t testing.TB, what string, heard func() []float32, rate int, want tone) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		pcm := heard()
		n := rate * 2 / 5
		level, rest := math.Inf(-1), math.Inf(1)
		if len(pcm) >= n {
			level, rest = mediatest.ToneAndRest(pcm[len(pcm)-n:], rate, want.hz)
			if math.Abs(level-want.levelDBov) <= 0.5 && rest < level-15 {
				return
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			t.Fatalf("%s: %g Hz at %.2f dBov with %.2f dBov of other sound in %d samples; want %.2f dBov", what, want.hz, level, rest, len(pcm), want.levelDBov)
		}
	}
}
