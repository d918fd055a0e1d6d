package prompt

import (
	"math"
	"sync"
)

// Manner is what an announcement does to what it interrupts.
type Manner uint8

// The manners.
const (
	Duck  Manner = iota // it goes on, 20 dB quieter
	Pause               // it stops, and goes on where it was
)

// How an announcement comes and goes.
const (
	ducked   = 0.1   // gain of what goes on under it
	turnTime = 0.150 // seconds in which the background makes room, or comes back
	maxQueue = 16    // announcements that wait
)

// Program is what one leg hears: a background without end, and announcements. It is a Source with
// a memory, so for one play only; its methods may be called from any goroutine.
type Program struct {
	mu         sync.Mutex
	background Source // nil: silence
	backAt     int64  // of the background, in samples at clipRate
	queue      []announcement
	at         int     // of the clip that plays, in samples at clipRate
	room       float64 // 0: the background is as it is; 1: it has made room
	floor      float64 // its gain then
}

// announcement is some clips, one after another.
type announcement struct {
	manner Manner
	clips  []*Clip
	done   func()
}

// NewProgram begins with a background, nil for silence.
func NewProgram(background Source) *Program { return &Program{background: background, floor: ducked} }

// Announce plays clips once the announcements before them are over, and then calls done, if that
// is not nil: on the goroutine that keeps time, so it must not wait. It is false, and nothing is
// played, where there is nothing to play or too many wait.
func (p *Program) Announce(m Manner, done func(), clips ...*Clip) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(clips) == 0 || len(p.queue) == maxQueue {
		return false
	}
	p.queue = append(p.queue, announcement{m, clips, done})
	return true
}

// Render is part of Source. The position is its own: at is not looked at.
func (p *Program) Render(pcm []float32, _ int64, rate int) {
	for _, done := range p.render(pcm, rate) {
		done()
	}
}

// render gives who is to be told that their announcement is over. It goes a millisecond at a time,
// in which the background moves on or stands still.
func (p *Program) render(pcm []float32, rate int) (over []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	scale := clipRate / rate
	step := 1 / (turnTime * float64(rate))
	for len(pcm) > 0 {
		n := min(rate/1000, len(pcm))
		p.goOn(pcm[:n], rate, scale)
		for i := range pcm[:n] {
			pcm[i] *= float32(1 - (1-p.floor)*(0.5-0.5*math.Cos(math.Pi*p.room)))
			switch {
			case len(p.queue) == 0:
				p.room = max(p.room-step, 0)
			case p.room < 1:
				p.room = min(p.room+step, 1)
			default:
				if done, ended := p.speak(&pcm[i], rate, scale); ended && done != nil {
					over = append(over, done)
				}
			}
		}
		pcm = pcm[n:]
	}
	return over
}

// goOn renders the next of the background, unless that is paused.
func (p *Program) goOn(pcm []float32, rate, scale int) {
	if len(p.queue) > 0 && p.room == 0 {
		p.floor = ducked
		if p.queue[0].manner == Pause {
			p.floor = 0
		}
	}
	if p.background == nil || p.room == 1 && p.floor == 0 {
		clear(pcm)
		return
	}
	p.background.Render(pcm, p.backAt/int64(scale), rate)
	p.backAt += int64(len(pcm) * scale)
}

// speak adds the next sample of the announcement; ended says that it was its last.
func (p *Program) speak(x *float32, rate, scale int) (done func(), ended bool) {
	now := &p.queue[0]
	clip := now.clips[0].samples(rate)
	if at := p.at / scale; at < len(clip) {
		*x = min(max(*x+clip[at], -1), 1)
	}
	if p.at += scale; p.at/scale < len(clip) {
		return nil, false
	}
	p.at = 0
	if now.clips = now.clips[1:]; len(now.clips) > 0 {
		return nil, false
	}
	done = now.done
	p.queue[0] = announcement{}
	p.queue = p.queue[1:]
	return done, true
}
