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
	seam        = 0.005 // seconds in which one codec's voice turns into another's
	fineClock   = 48000 // Hz: ticks in a JitterBuffer, a multiple of every codec's clock
	minBuffer   = 256   // bytes of the memory a payload is copied to, at least
	defaultMax  = 500 * time.Millisecond
)

// JitterConfig sets up a JitterBuffer. Zero fields take the defaults.
type JitterConfig struct {
	Rate int           // of what is pulled, Hz: 8000, 16000 or 48000 (default)
	Max  time.Duration // most delay it will grow to; 500 ms by default
}

// JitterBuffer turns packets that arrive unevenly into samples pulled evenly, by a
// sound card. Its delay follows the network: it grows at once in a burst and shrinks
// again by leaving out or repeating single pitch periods. What is missing is recovered
// from in-band FEC or concealed; a pause sounds as the party's comfort noise says, if it
// sends any. Another source or codec goes on where the last one ended, without a gap. Memory
// follows what is held, and a codec's decoder is made when it is first heard: narrow-band
// speech takes about 25 KiB. Push and Pull may be called from different goroutines.
type JitterBuffer struct {
	mu   sync.Mutex
	rate int
	max  float64 // seconds

	slots   [jitterSlots]jitterSlot // by place
	spare   [][]byte                // memory of payloads that were played
	began   bool
	source  uint32
	clock   int         // Hz, of the packets' timestamps
	seqPast uint64      // added to a packet's sequence number gives its place
	tsPast  uint64      // the same of its timestamp, in ticks
	codec   media.Codec // played last
	next    uint64      // place due
	nextTS  uint64      // timestamp due, in ticks of fineClock, as all below
	highest uint64      // newest packet
	held    int         // packets in slots
	endTS   uint64      // where it ends
	firstTS uint64
	ticks   int  // duration of the last packet
	noisy   bool // in a pause whose sound the party has described

	primed  bool    // playing; otherwise gathering packets
	waited  float64 // seconds gathered
	guessed int     // ticks made up since the stream ran dry
	meter   delayMeter
	delay   float64 // seconds a packet waits, smoothed

	voices  [media.NumCodecs]voice // by codec, once it was heard
	out     []float32
	at      int // samples of out already pulled
	mark    dsp.Mark
	room    []float32 // of out: a packet, stretched
	decoded []float32 // at the codec's own rate
	late    uint64
}

type jitterSlot struct {
	codec   media.Codec
	used    bool
	ticks   int
	seq, ts uint64 // place and timestamp
	payload []byte
}

// voice is a codec's decoder and the way from its rate to the output's.
type voice struct {
	decoder   codec.Decoder
	resampler *resample.Resampler
}

// NewJitterBuffer makes an empty buffer.
func NewJitterBuffer(cfg JitterConfig) (*JitterBuffer, error) {
	if cfg.Rate == 0 {
		cfg.Rate = 48000
	}
	if cfg.Max == 0 {
		cfg.Max = defaultMax
	}
	if cfg.Max < 0 {
		return nil, errors.New("rtp: jitter buffer: negative maximum")
	}
	j := &JitterBuffer{rate: cfg.Rate, max: cfg.Max.Seconds()}
	if cfg.Rate != 8000 && cfg.Rate != 16000 && cfg.Rate != 48000 {
		return nil, fmt.Errorf("rtp: jitter buffer: %d Hz is none of 8000, 16000 and 48000", cfg.Rate)
	}
	longest := codec.MaxFrame * cfg.Rate / 1000
	j.room = make([]float32, 0, 2*longest)
	j.decoded = make([]float32, max(longest, codec.MaxFrame*16000/1000)) // G.722 has no other rate
	j.spare = make([][]byte, 0, jitterSlots)
	return j, nil
}

// voice gives the decoder of a codec that has been pushed; made when it is first heard. It
// is nil for a codec that there is none of.
func (j *JitterBuffer) voice(c media.Codec) *voice {
	v := &j.voices[c]
	if v.decoder != nil {
		return v
	}
	rate := codec.EncodeRate(c)
	switch c {
	case media.Opus:
		rate = j.rate
	case media.CN:
		rate = c.ClockRate()
	}
	decoder, err := codec.NewDecoder(c, rate)
	if err != nil {
		return nil
	}
	resampler, err := resample.New(rate, j.rate)
	if err != nil {
		return nil
	}
	*v = voice{decoder, resampler}
	return v
}

// Push takes a packet and copies it. Any codec may come. Another Source, or a codec of
// another clock, goes on after what is held; in a pause it starts anew.
func (j *JitterBuffer) Push(p *media.Packet, arrival time.Time) {
	samples := codec.Samples(p.Codec, p.Payload)
	if samples == 0 || len(p.Payload) > maxPayload {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.voice(p.Codec) == nil {
		return
	}
	scale := fineClock / p.Codec.ClockRate()
	ticks := samples * scale
	switch follows := p.Source == j.source && p.Codec.ClockRate() == j.clock; {
	case j.began && !follows && j.primed && j.highest+1 < j.next+jitterSlots:
		j.splice(p, scale)
	case !j.began || !follows || p.Seq+j.seqPast >= j.next+jitterSlots:
		j.start(p, scale)
	}
	seq, ts := p.Seq+j.seqPast, p.Timestamp*uint64(scale)+j.tsPast
	if j.held == 0 && int64(ts-j.endTS) > longPause*fineClock {
		j.firstTS = ts // meanwhile the clocks may have drifted apart
		j.meter.restart()
	}
	excess := j.meter.arrived(arrival, seconds(int64(ts-j.firstTS)), seconds(int64(ticks)))
	if seq < j.next {
		j.late++
		return
	}
	slot := &j.slots[seq%jitterSlots]
	if slot.used {
		return // twice
	}
	*slot = jitterSlot{codec: p.Codec, used: true, ticks: ticks, seq: seq, ts: ts, payload: j.keep(p.Payload)}
	j.held++
	if seq >= j.highest {
		j.highest, j.endTS = seq, ts+uint64(ticks)
	}
	if j.primed {
		due := j.nextTS + uint64(j.guessed) // what was made up has been heard
		waits := seconds(int64(ts+uint64(ticks)-due)) + float64(len(j.out)-j.at)/float64(j.rate) + excess
		j.delay += (waits - j.delay) / 8
	}
}

// keep copies a payload to memory of its own.
func (j *JitterBuffer) keep(payload []byte) []byte {
	var buf []byte
	if n := len(j.spare); n > 0 {
		buf, j.spare = j.spare[n-1], j.spare[:n-1]
	}
	return append(grown(buf, len(payload))[:0], payload...)
}

// grown gives buf, or memory that has room for n bytes, up to maxPayload.
func grown(buf []byte, n int) []byte {
	switch {
	case cap(buf) >= n:
		return buf
	case n <= minBuffer:
		return make([]byte, 0, minBuffer)
	default:
		return make([]byte, 0, maxPayload)
	}
}

// empty gives a slot and its memory back. Until the next Push the memory stays as it is.
func (j *JitterBuffer) empty(slot *jitterSlot) {
	j.spare = append(j.spare, slot.payload)
	slot.used, slot.payload = false, nil
	j.held--
}

// start forgets what is held and begins with p.
func (j *JitterBuffer) start(p *media.Packet, scale int) {
	for i := range j.slots {
		if j.slots[i].used {
			j.empty(&j.slots[i])
		}
	}
	j.follow(p)
	j.seqPast, j.tsPast = 0, 0
	j.codec = p.Codec
	j.next, j.highest = p.Seq, p.Seq
	j.nextTS = p.Timestamp * uint64(scale)
	j.endTS, j.firstTS = j.nextTS, j.nextTS
	j.ticks = fineClock / 50
	j.primed, j.waited, j.guessed, j.noisy = false, 0, 0, false
}

// splice has p's numbers go on where those of the stream before it end. What was made up
// since then has passed.
func (j *JitterBuffer) splice(p *media.Packet, scale int) {
	j.follow(p)
	j.seqPast = j.highest + 1 - p.Seq
	j.tsPast = j.endTS + uint64(j.guessed) - p.Timestamp*uint64(scale)
	j.firstTS = j.endTS + uint64(j.guessed)
}

// follow takes p's stream for the one to come.
func (j *JitterBuffer) follow(p *media.Packet) {
	j.began, j.source, j.clock = true, p.Source, p.Codec.ClockRate()
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
	return min(j.meter.peak+seconds(int64(j.ticks))+guard, j.max)
}

func seconds(ticks int64) float64 { return float64(ticks) / fineClock }

// produce makes the next piece of out: some milliseconds, of one kind.
func (j *JitterBuffer) produce() {
	j.at = 0
	if !j.primed && !j.gathered() {
		return
	}
	slot := &j.slots[j.next%jitterSlots]
	switch {
	case slot.used:
		if gap := int64(slot.ts - j.nextTS); gap > 0 {
			if gap = j.skip(gap - int64(j.forgive(gap))); gap > 0 {
				j.pause(int(min(gap, int64(j.ticks))))
				return
			}
		}
		j.play(slot)
	case j.held > 0:
		j.conceal(j.following())
	case seconds(int64(j.guessed)) < maxGuess && !j.noisy:
		ticks := fineClock / 100
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
	span := seconds(int64(j.endTS - first.ts))
	for span > j.max && j.held > 1 { // what a stall kept back: nobody waits to hear it all
		j.next = first.seq + 1
		j.empty(first)
		j.late++
		first = j.following()
		span = seconds(int64(j.endTS - first.ts))
	}
	if span < j.wanted() && j.waited < j.wanted() {
		j.waited += 0.005
		j.silence(0.005)
		return false
	}
	j.primed, j.guessed = true, 0
	j.next, j.nextTS = first.seq, first.ts
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

// skip leaves out what would keep the newest packet waiting longer than the buffer may: of a
// gap, for in that there is nothing to hear. It returns what is left of the gap.
func (j *JitterBuffer) skip(gap int64) int64 {
	n := min(max(int64(j.endTS-j.nextTS)-int64(j.max*fineClock), 0), max(gap, 0))
	if n > 0 {
		j.nextTS += uint64(n)
		j.delay = min(j.delay, j.max)
	}
	return gap - n
}

// conceal fills what is missing before slot, one packet at a time.
func (j *JitterBuffer) conceal(slot *jitterSlot) {
	gap := int64(slot.ts - j.nextTS)
	if gap > 0 {
		gap = j.skip(gap - int64(j.forgive(gap)))
	}
	if gap <= 0 {
		j.next, j.nextTS = slot.seq, slot.ts
		j.play(slot)
		return
	}
	ticks := int(min(gap, int64(j.ticks)))
	if j.noisy {
		j.pause(ticks)
		return
	}
	j.nextTS += uint64(ticks)
	if int64(ticks) < gap {
		j.makeUp(ticks, nil)
		return
	}
	j.next = slot.seq
	if slot.codec != j.codec {
		j.makeUp(ticks, nil)
		return
	}
	j.makeUp(ticks, slot.payload)
}

// play decodes a packet that is due, and stretches it if the delay is off.
func (j *JitterBuffer) play(slot *jitterSlot) {
	j.empty(slot)
	j.guessed, j.next = 0, slot.seq+1
	payload := j.spare[len(j.spare)-1]
	if slot.codec == media.CN {
		j.describe(slot, payload)
		return
	}
	j.ticks, j.noisy = slot.ticks, false
	j.nextTS = slot.ts + uint64(slot.ticks)
	tail := j.change(slot.codec)
	v := j.voice(j.codec)
	n, err := v.decoder.Decode(payload, j.decoded)
	if err != nil {
		j.makeUp(slot.ticks, nil)
		return
	}
	j.mark = 0
	if codec.Silent(j.codec, payload) {
		j.mark = dsp.ComfortNoise
	}
	j.out = v.resampler.Process(j.room[len(tail):len(tail)], j.decoded[:n])
	for i := range min(len(tail), len(j.out)) {
		w := float32(i+1) / float32(len(tail)+1)
		j.out[i] = (1-w)*tail[i] + w*j.out[i]
	}
	j.stretch()
}

// change turns to another codec. It returns, at the front of room, how the voice before it
// would have gone on for a moment, which the first packet grows out of.
func (j *JitterBuffer) change(to media.Codec) (tail []float32) {
	if j.codec == to {
		return nil
	}
	old := j.voice(j.codec)
	j.codec = to
	j.voice(to).resampler.Reset()
	pcm := j.decoded[:int(seam*float64(old.decoder.Rate()))]
	old.decoder.Conceal(pcm)
	return old.resampler.Process(j.room[:0], pcm)
}

// describe takes what a pause sounds like, and begins it.
func (j *JitterBuffer) describe(slot *jitterSlot, payload []byte) {
	v := j.voice(media.CN)
	if !j.noisy {
		v.resampler.Reset()
	}
	j.noisy, j.nextTS = true, slot.ts
	n, err := v.decoder.Decode(payload, j.decoded)
	if err != nil {
		n = 0
	}
	n = min(n, 8*5) // the rest is made when it is known how long the pause is
	j.nextTS += uint64(n * fineClock / v.decoder.Rate())
	j.out = v.resampler.Process(j.room[:0], j.decoded[:n])
	j.mark = dsp.ComfortNoise
}

func (j *JitterBuffer) stretch() {
	off := j.delay - j.wanted()
	if off < slack && off > -guard/2 { // too short loses packets, too long only waits
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
	v := j.voice(j.codec)
	pcm := j.decoded[:min(max(ticks*v.decoder.Rate()/fineClock, 1), len(j.decoded))]
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
	j.silence(max(seconds(int64(ticks)), 1/float64(j.rate)))
}

// silence is what a pause sounds like.
func (j *JitterBuffer) silence(seconds float64) {
	j.mark = dsp.ComfortNoise
	if j.noisy {
		v := j.voice(media.CN)
		pcm := j.decoded[:min(max(int(seconds*float64(v.decoder.Rate())), 1), codec.MaxFrame*v.decoder.Rate()/1000)]
		v.decoder.Conceal(pcm)
		j.out = v.resampler.Process(j.room[:0], pcm)
		return
	}
	n := min(max(int(seconds*float64(j.rate)), 1), cap(j.room))
	j.out = j.room[:n]
	clear(j.out)
}
