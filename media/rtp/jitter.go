package rtp

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

const (
	jitterSlots = 128   // packets a JitterBuffer can hold
	guard       = 0.005 // seconds of delay beyond what the jitter asks for
	slack       = 0.015 // seconds the delay may be too long before samples are cut
	hurry       = 0.100 // seconds off from which on it shows how they are stretched
	longPause   = 5     // seconds of pause after which the network is measured anew
	maxGuess    = 0.100 // seconds made up when nothing arrives, before it is a pause
)

// JitterConfig sets up a JitterBuffer. Zero fields take the defaults.
type JitterConfig struct {
	Rate int           // of what is pulled, Hz: 8000, 16000 or 48000 (default)
	Max  time.Duration // most delay it will grow to; 500 ms by default
}

// JitterBuffer turns packets that arrive unevenly into samples pulled evenly, by a
// sound card. Its delay follows the network: it grows at once in a burst and shrinks
// again by leaving out or repeating single pitch periods. What is missing is recovered
// from in-band FEC or concealed. Push and Pull may be called from different goroutines.
type JitterBuffer struct {
	mu   sync.Mutex
	rate int
	max  float64 // seconds

	slots   [jitterSlots]jitterSlot // by sequence number
	began   bool
	source  uint32
	codec   media.Codec
	next    uint64 // sequence number due
	nextTS  uint64 // timestamp due
	highest uint64 // newest packet
	held    int    // packets in slots
	endTS   uint64 // where it ends
	firstTS uint64
	ticks   int // duration of the last packet

	primed  bool    // playing; otherwise gathering packets
	waited  float64 // seconds gathered
	guessed int     // ticks made up since the stream ran dry
	meter   delayMeter
	delay   float64 // seconds a packet waits, smoothed

	voices  [media.NumCodecs]voice // by codec
	out     []float32
	at      int // samples of out already pulled
	mark    dsp.Mark
	room    []float32 // of out: a packet, stretched
	decoded []float32 // at the codec's own rate
	late    uint64
}

type jitterSlot struct {
	p     media.Packet
	ticks int
	used  bool
	buf   [maxPayload]byte
}

// voice is a codec's decoder and the way from its rate to the output's.
type voice struct {
	decoder   codec.Decoder
	resampler *resample.Resampler
}

// NewJitterBuffer makes an empty buffer with the decoders of every codec.
func NewJitterBuffer(cfg JitterConfig) (*JitterBuffer, error) {
	if cfg.Rate == 0 {
		cfg.Rate = 48000
	}
	if cfg.Max == 0 {
		cfg.Max = 500 * time.Millisecond
	}
	if cfg.Max < 0 {
		return nil, errors.New("rtp: jitter buffer: negative maximum")
	}
	j := &JitterBuffer{rate: cfg.Rate, max: cfg.Max.Seconds()}
	longest := codec.MaxFrame * cfg.Rate / 1000
	j.room = make([]float32, 0, 2*longest)
	j.decoded = make([]float32, longest)
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus} {
		rate := codec.EncodeRate(c)
		if c == media.Opus {
			rate = cfg.Rate
		}
		decoder, err := codec.NewDecoder(c, rate)
		if err != nil {
			return nil, fmt.Errorf("rtp: jitter buffer: %w", err)
		}
		resampler, err := resample.New(rate, cfg.Rate)
		if err != nil {
			return nil, fmt.Errorf("rtp: jitter buffer: %w", err)
		}
		j.voices[c] = voice{decoder, resampler}
	}
	return j, nil
}

// Push takes a packet and copies it. Any codec may come; a new Source starts anew.
func (j *JitterBuffer) Push(p *media.Packet, arrival time.Time) {
	ticks := codec.Samples(p.Codec, p.Payload)
	if ticks == 0 || len(p.Payload) > maxPayload {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.began || p.Source != j.source || p.Codec.ClockRate() != j.codec.ClockRate() ||
		p.Seq >= j.next+jitterSlots {
		j.start(p)
	}
	clock := float64(p.Codec.ClockRate())
	if j.held == 0 && int64(p.Timestamp-j.endTS) > longPause*int64(p.Codec.ClockRate()) {
		j.firstTS = p.Timestamp // meanwhile the clocks may have drifted apart
		j.meter.restart()
	}
	excess := j.meter.arrived(arrival, float64(int64(p.Timestamp-j.firstTS))/clock, float64(ticks)/clock)
	if p.Seq < j.next {
		j.late++
		return
	}
	slot := &j.slots[p.Seq%jitterSlots]
	if slot.used {
		return // twice
	}
	slot.used, slot.p, slot.ticks = true, *p, ticks
	slot.p.Payload = slot.buf[:copy(slot.buf[:], p.Payload)]
	j.held++
	if p.Seq >= j.highest {
		j.highest, j.endTS = p.Seq, p.Timestamp+uint64(ticks)
	}
	if j.primed {
		waits := float64(int64(p.Timestamp+uint64(ticks)-j.nextTS))/clock +
			float64(len(j.out)-j.at)/float64(j.rate) + excess
		j.delay += (waits - j.delay) / 8
	}
}

func (j *JitterBuffer) start(p *media.Packet) {
	for i := range j.slots {
		j.slots[i].used = false
	}
	j.held = 0
	j.began, j.source, j.codec = true, p.Source, p.Codec
	j.next, j.highest = p.Seq, p.Seq
	j.nextTS, j.endTS, j.firstTS = p.Timestamp, p.Timestamp, p.Timestamp
	j.ticks = p.Codec.ClockRate() / 50
	j.primed, j.waited, j.guessed = false, 0, 0
	j.meter.restart()
}

// Pull fills pcm with what is to be heard next, at the configured rate, and says of what
// kind it is: any frame with made up or stretched samples in it carries the mark.
func (j *JitterBuffer) Pull(pcm []float32) dsp.Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	var mark dsp.Mark
	for len(pcm) > 0 {
		if j.at == len(j.out) {
			j.produce()
		}
		n := copy(pcm, j.out[j.at:])
		pcm, j.at = pcm[n:], j.at+n
		mark |= j.mark
	}
	return mark
}

// Delay is how long a packet that arrives now will wait before it is heard.
func (j *JitterBuffer) Delay() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return time.Duration(j.delay * float64(time.Second))
}

// Late counts packets that came after their place was played.
func (j *JitterBuffer) Late() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.late
}

// wanted is the delay the network asks for at this moment, in seconds.
func (j *JitterBuffer) wanted() float64 {
	return min(j.meter.peak+j.seconds(j.ticks)+guard, j.max)
}

func (j *JitterBuffer) seconds(ticks int) float64 {
	return float64(ticks) / float64(j.codec.ClockRate())
}

// produce makes the next piece of out: some milliseconds, of one kind.
func (j *JitterBuffer) produce() {
	j.at = 0
	if !j.primed && !j.gathered() {
		return
	}
	slot := &j.slots[j.next%jitterSlots]
	switch {
	case slot.used:
		if gap := int64(slot.p.Timestamp - j.nextTS); gap > 0 {
			if gap -= int64(j.forgive(gap)); gap > 0 {
				j.pause(int(min(gap, int64(j.ticks))))
				return
			}
		}
		j.play(slot)
	case j.held > 0:
		j.conceal(j.following())
	case j.seconds(j.guessed) < maxGuess:
		ticks := j.codec.ClockRate() / 100
		j.guessed += ticks
		j.makeUp(ticks, nil)
	default:
		j.primed, j.waited, j.guessed = false, 0, 0
		j.silence(0.005)
	}
}

// gathered reports whether playing may begin, and waits out 5 ms if not.
func (j *JitterBuffer) gathered() bool {
	if j.held == 0 {
		j.silence(0.005)
		return false
	}
	first := j.following()
	span := j.seconds(int(int64(j.endTS - first.p.Timestamp)))
	if span < j.wanted() && j.waited < j.wanted() {
		j.waited += 0.005
		j.silence(0.005)
		return false
	}
	j.primed, j.guessed = true, 0
	j.next, j.nextTS = first.p.Seq, first.p.Timestamp
	j.delay = max(span, j.wanted())
	return true
}

// following is the first packet at hand; there must be one.
func (j *JitterBuffer) following() *jitterSlot {
	for seq := j.next; ; seq++ {
		if slot := &j.slots[seq%jitterSlots]; slot.used {
			return slot
		}
	}
}

// forgive takes as much of a gap as was already filled when the stream ran dry.
func (j *JitterBuffer) forgive(gap int64) int {
	n := int(min(gap, int64(j.guessed)))
	j.guessed -= n
	j.nextTS += uint64(n)
	return n
}

// conceal fills what is missing before slot, one packet at a time.
func (j *JitterBuffer) conceal(slot *jitterSlot) {
	gap := int64(slot.p.Timestamp - j.nextTS)
	if gap > 0 {
		gap -= int64(j.forgive(gap))
	}
	if gap <= 0 {
		j.next = slot.p.Seq
		j.nextTS = slot.p.Timestamp
		j.play(slot)
		return
	}
	ticks := int(min(gap, int64(j.ticks)))
	j.nextTS += uint64(ticks)
	if int64(ticks) < gap {
		j.makeUp(ticks, nil)
		return
	}
	j.next = slot.p.Seq
	j.makeUp(ticks, slot.p.Payload)
}

// play decodes a packet that is due, and stretches it if the delay is off.
func (j *JitterBuffer) play(slot *jitterSlot) {
	slot.used = false
	j.held--
	j.codec, j.ticks, j.guessed = slot.p.Codec, slot.ticks, 0
	j.next = slot.p.Seq + 1
	j.nextTS = slot.p.Timestamp + uint64(slot.ticks)
	v := &j.voices[j.codec]
	n, err := v.decoder.Decode(slot.p.Payload, j.decoded)
	if err != nil {
		j.makeUp(slot.ticks, nil)
		return
	}
	j.mark = 0
	if codec.Silent(j.codec, slot.p.Payload) {
		j.mark = dsp.ComfortNoise
	}
	j.out = v.resampler.Process(j.room[:0], j.decoded[:n])
	j.stretch()
}

func (j *JitterBuffer) stretch() {
	off := j.delay - j.wanted()
	if off < slack && off > -guard { // too short loses packets, too long only waits
		return
	}
	lag := mergeLag(j.out, j.rate, off > hurry || off < -hurry)
	if lag == 0 {
		return
	}
	j.mark |= dsp.Concealed
	if off > 0 {
		j.out = cut(j.out, lag)
		j.delay -= float64(lag) / float64(j.rate)
	} else {
		j.out = grow(j.out, lag)
		j.delay += float64(lag) / float64(j.rate)
	}
}

// makeUp conceals ticks, with the help of the packet that follows them if it is known.
func (j *JitterBuffer) makeUp(ticks int, next []byte) {
	v := &j.voices[j.codec]
	pcm := j.decoded[:min(max(ticks*v.decoder.Rate()/j.codec.ClockRate(), 1), len(j.decoded))]
	if r, ok := v.decoder.(codec.Recoverer); ok && len(next) > 0 {
		r.Recover(next, pcm)
	} else {
		v.decoder.Conceal(pcm)
	}
	j.out = v.resampler.Process(j.room[:0], pcm)
	j.mark = dsp.Lost | dsp.Concealed
}

// pause plays ticks of the silence in which nothing was sent.
func (j *JitterBuffer) pause(ticks int) {
	j.nextTS += uint64(ticks)
	j.silence(max(j.seconds(ticks), 1/float64(j.rate)))
}

func (j *JitterBuffer) silence(seconds float64) {
	n := min(max(int(seconds*float64(j.rate)), 1), cap(j.room))
	j.out = j.room[:n]
	clear(j.out)
	j.mark = dsp.ComfortNoise
}
