package bridge

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

const maxTick = wideband / ticksASecond // samples

// Role is who hears somebody in a conference.
type Role uint8

// The roles. Everybody hears all those who are meant for them.
const (
	RoleListen  Role = iota // heard by none
	RoleWhisper             // heard by the bridge's second leg, the agent's, alone
	RoleBarge               // heard by all
)

// String names the role.
func (r Role) String() string {
	switch r {
	case RoleListen:
		return "listen"
	case RoleWhisper:
		return "whisper"
	default:
		return "barge"
	}
}

// seat is one party of a conference: what it says, and what it hears.
type seat struct {
	leg  media.Leg
	role Role
	away bool // on hold: neither heard nor sent anything
	gone bool // has left: fades out in the next tick

	jitter atomic.Pointer[rtp.JitterBuffer]
	wider  atomic.Pointer[rtp.JitterBuffer] // that fills while the rate rises; else nil
	pcm    [maxTick]float32                 // said in this tick
	silent bool                             // nothing was

	gain    [MaxParties]float32 // with which it heard each other seat at the end of the last tick
	hum     float32             // and the comfort noise
	sum     [maxTick]float32
	limiter *limiter
	ear     *earpiece
}

func newSeat(leg media.Leg, guest bool, role Role, rate int) (*seat, error) {
	jitter, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: rate})
	if err != nil {
		return nil, err
	}
	s := &seat{leg: leg, role: role, limiter: newLimiter(rate), ear: newEarpiece(leg, guest)}
	s.jitter.Store(jitter)
	return s, nil
}

// Packet is part of media.Sink.
func (s *seat) Packet(p *media.Packet) {
	now := time.Now()
	s.jitter.Load().Push(p, now)
	if wider := s.wider.Load(); wider != nil {
		wider.Push(p, now)
	}
}

// speak takes what the party says in n samples.
func (s *seat) speak(n int) {
	s.silent = s.jitter.Load().Pull(s.pcm[:n])&dsp.ComfortNoise != 0
	if wider := s.wider.Load(); wider != nil {
		var unheard [maxTick]float32
		wider.Pull(unheard[:])
	}
}

// fill begins to fill a jitter buffer of 16 kHz.
func (s *seat) fill() error {
	wider, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: wideband})
	if err == nil {
		s.wider.Store(wider)
	}
	return err
}

// widen goes over to 16 kHz. What is heard has faded out before.
func (s *seat) widen() {
	if wider := s.wider.Swap(nil); wider != nil {
		s.jitter.Store(wider)
	}
	s.limiter = newLimiter(wideband)
	s.gain, s.hum = [MaxParties]float32{}, 0
}

// fadeAway sends the last of what the party hears: the limiter's 5 ms, fading.
func (s *seat) fadeAway(rate int) {
	rest := s.sum[:rate/ticksASecond]
	clear(rest)
	s.limiter.process(rest)
	n := rate / lookahead
	for i := range n {
		rest[i] *= 1 - ramp(i, n)
	}
	s.ear.finish(rest, rate)
}

// add mixes pcm into sum, the gain going from one value to another in the first 10 ms.
func add(sum, pcm []float32, from, to float32, rate int) {
	if from == to {
		if to != 0 {
			for i, x := range pcm {
				sum[i] += x * to
			}
		}
		return
	}
	n := rate / seamTime
	for i, x := range pcm[:n] {
		sum[i] += x * (from + (to-from)*ramp(i, n))
	}
	if to != 0 {
		for i, x := range pcm[n:] {
			sum[n+i] += x * to
		}
	}
}

// fadeOut lets the first 10 ms of sum fade, and nothing follow.
func fadeOut(sum []float32, rate int) {
	n := rate / seamTime
	for i := range n {
		sum[i] *= 1 - ramp(i, n)
	}
	clear(sum[n:])
}

// roomNoise is a noise of -66 dBov, so that a line on which nobody speaks is not dead.
type roomNoise struct {
	random *rand.PCG
	pcm    [maxTick]float32
}

func newRoomNoise() roomNoise { return roomNoise{random: rand.NewPCG(rand.Uint64(), rand.Uint64())} }

// render makes n samples of it, evenly distributed.
func (h *roomNoise) render(n int) {
	const peak = 0.00087 // of an even distribution: 10^(-66/20) times the root of three
	for i := 0; i < n; i += 4 {
		bits := h.random.Uint64()
		for k := range 4 {
			h.pcm[i+k] = (float32(uint16(bits>>(16*k)))/32768 - 1) * peak
		}
	}
}
