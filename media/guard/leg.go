package guard

import (
	"sync"
	"time"

	"github.com/headroom-voice/headroom/dsp/loudness"
	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

const (
	maxShocks = 16    // kept until somebody takes them
	stranger  = -18.0 // dBov: how loud somebody may be who has not spoken enough to be known
	keepsOn   = 50    // packets that a codec with a memory is encoded again after the last need: a second
	wideband  = 16000 // Hz
	longest   = codec.MaxFrame * wideband / 1000
	maxOpus   = 1275 // bytes (RFC 6716 section 3.4)
)

// Shock is something that ears were protected from.
type Shock struct {
	At   time.Time
	Kind shock.Kind
}

// Leg is a media.Leg whose party's ears are guarded.
type Leg struct {
	media.Leg
	guard *Guard

	mu     sync.Mutex // one sender at a time; they take turns at most when a call changes hands
	source uint32     // of the last packet
	chains [2]*chain  // of 8 and 16 kHz
	lines  [media.NumCodecs]*line
	pcm    []float32
	packet media.Packet
	out    []byte
	shocks []Shock
	missed int // shocks for which there was no room
}

// chain is what hears a stream at one rate.
type chain struct {
	leveller *loudness.Leveller
	limiter  *shock.Limiter
	counted  uint64 // of the leveller's samples
}

// line is a codec on its way to the party.
type line struct {
	chain   *chain
	decoder codec.Decoder
	encoder codec.Encoder // nil before the first need
	keeps   int           // packets yet to be encoded again
}

// Unwrap gives the leg itself.
func (l *Leg) Unwrap() media.Leg { return l.Leg }

// Shocks takes what there was since it was last asked, the oldest first, and how many more
// there were for which there was no room.
func (l *Leg) Shocks() (shocks []Shock, missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	shocks, missed = l.shocks, l.missed
	l.shocks, l.missed = nil, 0
	return shocks, missed
}

// Send is part of media.Leg.
func (l *Leg) Send(p *media.Packet) {
	limit, level := l.guard.limit.Load(), l.guard.level.Load()
	if !limit && !level || !l.Accepts(p.Codec) || p.Codec != media.CN && codec.Silent(p.Codec, p.Payload) {
		l.Leg.Send(p)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if out := l.hear(p, limit, level); out != nil {
		l.Leg.Send(out)
	}
}

// hear gives what to send in place of p: p itself, unless something had to be done.
func (l *Leg) hear(p *media.Packet, limit, level bool) *media.Packet {
	if p.Codec == media.CN {
		if limit {
			return l.hush(p)
		}
		return p
	}
	line := l.line(p.Codec)
	if line == nil {
		return p
	}
	c := line.chain
	if p.Source != l.source { // somebody else speaks
		l.source = p.Source
		c.leveller.Reset()
		c.counted = 0
	}
	if line.keeps == 0 { // should this be the first to be encoded again
		codec.HandOver(line.encoder, line.decoder)
	}
	if n := codec.Samples(p.Codec, p.Payload) * line.decoder.Rate() / p.Codec.ClockRate(); n > len(l.pcm) && n <= longest {
		l.pcm = make([]float32, n)
	}
	n, err := line.decoder.Decode(p.Payload, l.pcm)
	if err != nil {
		return p // whoever it is sent to can make nothing of it either
	}
	pcm := l.pcm[:n]
	levelled, limited := l.protect(c, pcm, limit, level)
	if !levelled && !limited && line.keeps == 0 {
		return p
	}
	return l.encode(line, p, pcm, levelled, limited)
}

// protect has the samples levelled and limited, and counts.
func (l *Leg) protect(c *chain, pcm []float32, limit, level bool) (levelled, limited bool) {
	if level {
		levelled = c.leveller.Process(pcm)
		if now := c.leveller.Samples(); now != c.counted {
			l.guard.levelled.Add((now - c.counted) * 1e6 / uint64(c.rate()))
			c.counted = now
		}
	} else {
		c.leveller.Follower.Process(pcm)
	}
	if !limit {
		return levelled, false
	}
	c.limiter.Expect(c.expected())
	r := c.limiter.Process(pcm)
	if r.Began != shock.Nothing {
		l.guard.began[r.Began].Add(1)
	}
	if r.Shock != shock.Nothing {
		l.note(r.Shock)
	}
	return levelled, r.Changed
}

// note keeps a shock for the call's story.
func (l *Leg) note(kind shock.Kind) {
	if len(l.shocks) == maxShocks {
		l.missed++
		return
	}
	l.shocks = append(l.shocks, Shock{At: time.Now(), Kind: kind})
}

func (c *chain) rate() int { return c.leveller.Rate() }

// expected is at what level the talker is heard.
func (c *chain) expected() float64 {
	level := c.leveller.LevelDBov()
	if !c.leveller.Known() {
		level = max(level, stranger)
	}
	return level + c.leveller.GainDB()
}

// encode gives the packet with other samples. Where that cannot be done (an Opus packet longer
// than 60 ms) a level that is wrong is passed on, but not a shock.
func (l *Leg) encode(line *line, p *media.Packet, pcm []float32, levelled, limited bool) *media.Packet {
	if line.encoder == nil {
		encoder, err := codec.NewEncoder(p.Codec, line.decoder.Rate())
		if err != nil {
			return p
		}
		line.encoder = encoder
	}
	size := len(p.Payload)
	if p.Codec == media.Opus {
		size = maxOpus
	}
	if size > cap(l.out) {
		l.out = make([]byte, size)
	}
	l.out = l.out[:cap(l.out)]
	switch {
	case p.Codec == media.PCMU || p.Codec == media.PCMA: // each sample for itself
	case levelled || limited:
		line.keeps = keepsOn
	default:
		line.keeps--
	}
	n, err := line.encoder.Encode(pcm, l.out)
	if err != nil {
		if limited {
			l.guard.dropped.Add(1)
			return nil
		}
		return p
	}
	l.guard.repacked.Add(1)
	l.packet = *p
	l.packet.Payload = l.out[:n]
	return &l.packet
}

// hush limits the level that a party is to make comfort noise at (RFC 3389 section 3.1: the
// first byte, in -dBov), since it is as steady as a tone.
func (l *Leg) hush(p *media.Packet) *media.Packet {
	const softest = byte(-shock.ToneDBov)
	if len(p.Payload) == 0 || p.Payload[0]&0x7f >= softest {
		return p
	}
	l.out = append(l.out[:0], p.Payload...)
	l.out[0] = softest
	l.guard.repacked.Add(1)
	l.packet = *p
	l.packet.Payload = l.out
	return &l.packet
}

// line gives the codec's, made when it is first sent; nil for what is no voice.
func (l *Leg) line(c media.Codec) *line {
	if codec.EncodeRate(c) == 0 {
		return nil
	}
	if l.lines[c] == nil {
		rate := codec.EncodeRate(c)
		decoder, err := codec.NewDecoder(c, rate)
		if err != nil {
			return nil
		}
		ch := l.chain(rate)
		if ch == nil {
			return nil
		}
		l.lines[c] = &line{chain: ch, decoder: decoder}
		if c == media.G722 { // follows the stream from its start
			if l.lines[c].encoder, err = codec.NewEncoder(c, rate); err != nil {
				return nil
			}
		}
	}
	return l.lines[c]
}

// chain gives that of a rate, which codecs share.
func (l *Leg) chain(rate int) *chain {
	i := 0
	if rate == wideband {
		i = 1
	}
	if l.chains[i] == nil {
		leveller, err := loudness.New(rate)
		if err != nil {
			return nil
		}
		limiter, err := shock.New(rate)
		if err != nil {
			return nil
		}
		l.chains[i] = &chain{leveller: leveller, limiter: limiter}
	}
	return l.chains[i]
}
