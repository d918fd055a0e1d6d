package prompt

import (
	"context"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

const (
	tick     = 20 * time.Millisecond
	maxBurst = 5 // ticks caught up at once after the process was held up; older ones are given up
)

// Pacer sends sources to legs in real time: one loop of 20 ms for everybody. It rests
// while nothing is played.
type Pacer struct {
	wake chan struct{}

	mu    sync.Mutex
	beats map[*beat]struct{}
}

// beat is something that is done every 20 ms.
type beat struct{ tick func() }

// NewPacer makes a Pacer with nothing to play.
func NewPacer() *Pacer {
	return &Pacer{wake: make(chan struct{}, 1), beats: make(map[*beat]struct{})}
}

// Run keeps time until ctx ends. Ticks are counted from the first, so they do not drift.
func (p *Pacer) Run(ctx context.Context) error {
	timer := time.NewTimer(tick)
	defer timer.Stop()
	var batch []*beat
	next := time.Now()
	for {
		batch = p.current(batch[:0])
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-p.wake:
				next = time.Now()
				continue
			}
		}
		for _, one := range batch {
			one.tick()
		}
		next = next.Add(tick)
		wait := time.Until(next)
		if wait < -maxBurst*tick {
			next = time.Now()
		}
		timer.Reset(max(wait, 0))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

func (p *Pacer) current(batch []*beat) []*beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one := range p.beats {
		batch = append(batch, one)
	}
	return batch
}

// Every calls tick each 20 ms, on the goroutine of Run, which it must not hold up, until stop
// is called. A tick that is under way then still ends, and may end after stop.
func (p *Pacer) Every(tick func()) (stop func()) {
	one := &beat{tick: tick}
	p.mu.Lock()
	p.beats[one] = struct{}{}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return func() {
		p.mu.Lock()
		delete(p.beats, one)
		p.mu.Unlock()
	}
}

// Play sends src to leg from its beginning until stop is called. It fades in, and stop sends
// one packet more at once, in which it fades out, if the leg is playing. After stop has
// returned nothing more is sent; stopping again does nothing.
func (p *Pacer) Play(leg media.Leg, src Source) (stop func()) { return p.PlayAfter(leg, src, 0) }

// PlayAfter is Play that begins after a wait, in ticks of 20 ms.
func (p *Pacer) PlayAfter(leg media.Leg, src Source, wait time.Duration) (stop func()) {
	one := &play{leg: leg, src: src, wait: int(wait / tick)}
	end := p.Every(one.tick)
	return func() {
		end()
		one.stop()
	}
}

// play is one source on its way to one leg.
type play struct {
	leg media.Leg
	src Source

	mu      sync.Mutex
	stopped bool
	began   bool // something was sent
	fade    fade // of the next packet
	wait    int  // ticks before the first
	encoder codec.Encoder
	codec   media.Codec
	at      int64 // next sample of src at the encoder's rate
	due     int   // samples due and not sent
	pcm     []float32
	packet  media.Packet
	payload [1500]byte
}

func (y *play) stop() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.stopped && y.began && y.prepare() {
		y.fade = fadeOut
		y.send(y.pcm[:y.size()])
	}
	y.stopped = true
}

// size is how many samples the leg wants in a packet.
func (y *play) size() int {
	return int(codec.PacketTime(y.codec, y.leg.PacketTime()) * time.Duration(y.encoder.Rate()) / time.Second)
}

// tick sends what 20 ms more complete.
func (y *play) tick() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.stopped || !y.prepare() {
		return
	}
	if y.wait > 0 {
		y.wait--
		return
	}
	size := y.size()
	for y.due += y.encoder.Rate() / 50; y.due >= size; y.due -= size {
		y.send(y.pcm[:size])
	}
}

// prepare makes the encoder for what the leg prefers at this moment. A leg that is not
// set up yet prefers nothing, and hears nothing.
func (y *play) prepare() bool {
	c := y.leg.Preferred()
	if y.encoder != nil && c == y.codec {
		return true
	}
	rate := codec.EncodeRate(c)
	encoder, err := codec.NewEncoder(c, rate)
	if err != nil {
		return false
	}
	if y.encoder != nil {
		y.at = y.at * int64(rate) / int64(y.encoder.Rate())
	}
	y.encoder, y.codec, y.due = encoder, c, 0
	y.pcm = make([]float32, 60*rate/1000)
	y.packet = media.Packet{Source: media.NewSource(), Codec: c, Marker: true}
	return true
}

func (y *play) send(pcm []float32) {
	y.src.Render(pcm, y.at, y.encoder.Rate())
	y.at += int64(len(pcm))
	y.fade.apply(pcm, y.encoder.Rate())
	y.fade, y.began = noFade, true
	n, err := y.encoder.Encode(pcm, y.payload[:])
	if err == nil {
		y.packet.Payload = y.payload[:n]
		y.leg.Send(&y.packet)
		y.packet.Seq++
		y.packet.Marker = false
	}
	y.packet.Timestamp += uint64(len(pcm) * y.codec.ClockRate() / y.encoder.Rate())
}
