//go:build linux

package talk

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// Way is one direction of all calls.
type Way struct {
	Sent, Heard uint64
	Lost        uint64 // of those sent
	Marked      uint64 // heard to the bit as they were sent; none where a codec is in between
	Chirps      int    // sent where a codec is in between
	Found       int    // of these, at the far end
	Strange     uint64 // of another call
	Disorder    uint64
	Again       uint64
	Broken      uint64
	Delays      stream.Delays
}

// Loss is the share of packets that were sent and not heard.
func (w *Way) Loss() float64 {
	if w.Sent == 0 {
		return 0
	}
	return float64(w.Lost) / float64(w.Sent)
}

// Whole says that all that arrived is what was said: marked packets of the right call, in order
// and once; chirps all but one in a hundred, or one.
func (w *Way) Whole() bool {
	if w.Chirps > 0 {
		return w.Found > 0 && w.Chirps-w.Found <= max(1, w.Chirps/100) && w.Broken == 0
	}
	return w.Marked > 0 && w.Marked >= w.Heard && w.Strange+w.Disorder+w.Again+w.Broken == 0
}

// Describe says in words what arrived otherwise than it was said; "" when all is whole.
func (r *Result) Describe() string {
	for _, w := range []struct {
		name string
		*Way
	}{{"up", &r.Up}, {"down", &r.Down}} {
		switch {
		case w.Whole():
		case w.Chirps > 0:
			return fmt.Sprintf("%s: %d of %d chirps arrived, %d packets broken", w.name, w.Found, w.Chirps, w.Broken)
		default:
			return fmt.Sprintf("%s: %d of %d packets as they were sent, %d of other calls, %d out of order, %d twice, %d broken",
				w.name, w.Marked, w.Heard, w.Strange, w.Disorder, w.Again, w.Broken)
		}
	}
	return ""
}

// Result is what a while of many calls was like.
type Result struct {
	Calls    int
	Up, Down Way // from agent to caller, and from caller to agent
	LateP99  time.Duration
	Missed   uint64 // milliseconds in which the load itself sent nothing
}

// Codecs says what the two sides say; what they hear differs from it where there is a codec in between.
type Codecs struct {
	Caller, Agent media.Codec // said
	Up, Down      bool        // a codec is in between
}

// drain is how long packets are waited for that may still be on their way.
const drain = 800 * time.Millisecond

// Measure watches calls for a while. each is called every second, and may be nil.
func Measure(ctx context.Context, loop *stream.Loop, pairs []*Pair, codecs Codecs, during time.Duration, each func(second int)) (*Result, error) {
	r := &Result{Calls: len(pairs)}
	begin := make([][2]stream.Count, len(pairs))
	packets := int((during+drain)/(20*time.Millisecond)) + 200
	for i, p := range pairs {
		if codecs.Up {
			p.Caller.Listen(packets)
		} else {
			p.Caller.Measure(&r.Up.Delays)
		}
		if codecs.Down {
			p.Agent.Listen(packets)
		} else {
			p.Agent.Measure(&r.Down.Delays)
		}
		begin[i] = [2]stream.Count{p.Caller.Count(), p.Agent.Count()}
	}
	loop.Late(1)
	from := time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; n <= int(during/time.Second); n++ {
		select {
		case <-second.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if each != nil {
			each(n)
		}
	}
	to := time.Now()
	r.LateP99, r.Missed = loop.Late(0.99)
	select {
	case <-time.After(drain): // for what is still on its way
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for i, p := range pairs {
		p.Caller.Measure(nil)
		p.Agent.Measure(nil)
		caller, agent := p.Caller.Count(), p.Agent.Count()
		r.Up.add(begin[i][1], agent, begin[i][0], caller)
		r.Down.add(begin[i][0], caller, begin[i][1], agent)
	}
	if codecs.Up {
		r.Up.captured(pairs, codecs.Agent, from, to, func(p *Pair) (said, heard *stream.End) { return p.Agent, p.Caller })
	}
	if codecs.Down {
		r.Down.captured(pairs, codecs.Caller, from, to, func(p *Pair) (said, heard *stream.End) { return p.Caller, p.Agent })
	}
	return r, nil
}

// add counts what one end said to another.
func (w *Way) add(saidBefore, said, heardBefore, heard stream.Count) {
	w.Sent += said.Sent - saidBefore.Sent
	w.Heard += heard.Heard - heardBefore.Heard
	w.Marked += heard.Marked - heardBefore.Marked
	w.Strange += heard.Strange - heardBefore.Strange
	w.Disorder += heard.Disorder - heardBefore.Disorder
	w.Again += heard.Again - heardBefore.Again
	w.Broken += heard.Broken - heardBefore.Broken
	switch said, got := said.Sent-saidBefore.Sent, heard.Heard-heardBefore.Heard; {
	case heard.Marked > heardBefore.Marked: // their numbers tell to the packet
		if heard.Missing > heardBefore.Missing {
			w.Lost += heard.Missing - heardBefore.Missing
		}
	case said > got:
		w.Lost += said - got
	}
}

// captured looks at a direction with a codec in between: for the chirps, and for how many packets
// left between from and to and how many came in as long a time, later by what the chirps were.
func (w *Way) captured(pairs []*Pair, codecSaid media.Codec, from, to time.Time, ends func(*Pair) (said, heard *stream.End)) {
	type side struct {
		said  []stream.Said
		heard *stream.Capture
	}
	sides := make([]side, len(pairs))
	for i, p := range pairs {
		said, heard := ends(p)
		sides[i] = side{said.Said(), heard.Captured()}
		w.listen(sides[i].said, sides[i].heard, codecSaid, from, to)
	}
	shift := w.Delays.Quantile(0.5)
	w.Sent, w.Heard, w.Lost = 0, 0, 0
	for _, s := range sides {
		for _, p := range s.said {
			if p.AtNS >= from.UnixNano() && p.AtNS < to.UnixNano() {
				w.Sent++
			}
		}
		for _, p := range s.heard.Packets {
			if p.AtNS >= from.Add(shift).UnixNano() && p.AtNS < to.Add(shift).UnixNano() {
				w.Heard++
			}
		}
	}
	if w.Sent > w.Heard {
		w.Lost = w.Sent - w.Heard
	}
}

// What is looked through for a chirp.
const (
	lookBefore = 40 * time.Millisecond
	lookAfter  = 700 * time.Millisecond
)

// listen finds the chirps of what was said in what was heard.
func (w *Way) listen(said []stream.Said, c *stream.Capture, codecSaid media.Codec, from, to time.Time) {
	heard := newHeard(c)
	finder := mark.NewFinder()
	own := ownDelay(codecSaid) + heard.own
	for _, s := range said {
		at := time.Unix(0, s.AtNS)
		if s.Index%mark.Period != 0 || at.Before(from.Add(lookBefore)) || at.After(to.Add(-lookAfter)) {
			continue
		}
		w.Chirps++
		arrived, ok := heard.find(finder, at.Add(-lookBefore), at.Add(lookAfter))
		if !ok {
			continue
		}
		w.Found++
		w.Delays.Add(int64(arrived.Sub(at) - mark.ChirpAt*sample - own))
	}
}

const sample = time.Second / mark.Rate

// ownDelay is by how much a codec is late by itself: Opus looks ahead while it codes, as RFC 6716
// section 2 has it; a test of package mark measures it with the packets that are sent.
func ownDelay(c media.Codec) time.Duration {
	if c == media.Opus {
		return 52 * sample
	}
	return 0
}

// hearing is what somebody heard, as sound and by when it came.
type hearing struct {
	pcm  []float32
	from []int // first sample of each packet
	at   []int64
	own  time.Duration // of the codec that it came in
}

// newHeard decodes. What is missing is silent; packets are as they came, which on one machine is in order.
func newHeard(c *stream.Capture) *hearing {
	h := &hearing{}
	var decoder codec.Decoder
	var frame [codec.MaxFrame * mark.Rate / 1000]float32
	var last stream.Packet
	samples := 0
	for i, p := range c.Packets {
		kind, clock := media.PCMU, uint32(1)
		if p.PayloadType >= 96 {
			kind, clock = media.Opus, 6
		}
		if decoder == nil || p.PayloadType != last.PayloadType {
			var err error
			if decoder, err = codec.NewDecoder(kind, mark.Rate); err != nil {
				continue
			}
			h.own = ownDelay(kind)
		}
		if i > 0 && p.SSRC == last.SSRC && p.PayloadType == last.PayloadType {
			gap := int(int32(p.Timestamp-last.Timestamp))/int(clock) - samples
			h.pcm = append(h.pcm, make([]float32, min(max(gap, 0), mark.Rate))...)
		}
		n, err := decoder.Decode(p.Payload, frame[:])
		if err != nil {
			n = 0
		}
		h.from, h.at = append(h.from, len(h.pcm)), append(h.at, p.AtNS)
		h.pcm = append(h.pcm, frame[:n]...)
		samples, last = n, p
	}
	return h
}

// find gives when the chirp arrived that was heard between two times: its first sample.
func (h *hearing) find(f *mark.Finder, from, to time.Time) (time.Time, bool) {
	first, last := math.MaxInt, -1
	for i, at := range h.at {
		if at >= from.UnixNano() && at <= to.UnixNano() {
			first, last = min(first, i), i
		}
	}
	if last < 0 {
		return time.Time{}, false
	}
	end := len(h.pcm)
	if last+1 < len(h.from) {
		end = h.from[last+1]
	}
	at, err := f.Find(h.pcm[h.from[first]:end])
	if err != nil {
		return time.Time{}, false
	}
	at += h.from[first]
	i := last
	for h.from[i] > at {
		i--
	}
	return time.Unix(0, h.at[i]).Add(time.Duration(at-h.from[i]) * sample), true
}
