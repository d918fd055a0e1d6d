package dtmf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// The time of a press. Everything is a multiple of tick.
const (
	tick      = 10 * time.Millisecond
	pressTime = 100 * time.Millisecond // of the tones, and of the event
	gapTime   = 100 * time.Millisecond // until the next key (RFC 4733 section 2.5.2.2 gives none; Q.24 asks for 65 ms at most)
	update    = 50 * time.Millisecond  // between packets of an event (section 2.5.1.2)
	endEvery  = 20 * time.Millisecond  // between the three packets that end it
	firstTime = 20 * time.Millisecond  // the duration that its first packet gives
	tonePause = 40 * time.Millisecond  // of silence after the last tone
	maxBurst  = 5                      // ticks caught up at once after the process was held up
	keepOut   = 500 * time.Millisecond // how long voices stay away should the loop end
)

// MaxKeys is how many keys may wait for one party.
const MaxKeys = 64

// What Press refuses.
var (
	ErrFull  = errors.New("dtmf: too many keys wait to be sent")
	ErrNoKey = errors.New("dtmf: not a key of a telephone")
)

// Player presses keys, one after the other for each party. It is to be Run.
type Player struct {
	wake chan struct{}

	mu    sync.Mutex
	lines map[media.Keypad]*line
}

// NewPlayer makes a Player with nothing to press.
func NewPlayer() *Player {
	return &Player{wake: make(chan struct{}, 1), lines: make(map[media.Keypad]*line)}
}

// Check says whether every character is a key: 0 to 9, *, #, A to D.
func Check(digits string) error {
	for i, d := range digits {
		if _, ok := media.KeyCode(d); !ok {
			return fmt.Errorf("%w: character %d", ErrNoKey, i+1) // never which: it may be a card's
		}
	}
	return nil
}

// Press sends keys to a party, after those that wait for it. Each is a telephone-event if events
// are agreed on as it begins and sound is false, else two tones. Voices do not reach the party
// until the last key is up. It returns at once; of keys that are too many, none is sent.
func (p *Player) Press(leg media.Keypad, digits string, sound bool) error {
	if err := Check(digits); err != nil || digits == "" {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lines[leg]
	if l == nil {
		l = &line{leg: leg, source: media.NewSource()}
	}
	if len(l.keys)+len(digits) > MaxKeys {
		return ErrFull
	}
	for _, d := range digits {
		code, _ := media.KeyCode(d)
		l.keys = append(l.keys, key{code, sound})
	}
	p.lines[leg] = l
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Forget drops what waits for a party that is no more.
func (p *Player) Forget(leg media.Keypad) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, leg)
}

// Run keeps time until ctx ends. Ticks are counted from the first, so they do not drift.
func (p *Player) Run(ctx context.Context) error {
	timer := time.NewTimer(tick)
	defer timer.Stop()
	next := time.Now()
	for {
		if !p.turn(time.Now()) {
			select {
			case <-ctx.Done():
				return nil
			case <-p.wake:
				next = time.Now()
				continue
			}
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

// turn does what is due in one tick; false when there is nothing to do any more. Legs do not
// block, so that all of it may happen under the lock.
func (p *Player) turn(now time.Time) (more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for leg, l := range p.lines {
		if !l.turn(now) {
			delete(p.lines, leg)
		}
	}
	return len(p.lines) > 0
}
