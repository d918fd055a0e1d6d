package call

import (
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/tap"
)

// chunkLength is how many readings are stored together: what a kill can cost.
const chunkLength = 10

// agentLeg is an agent's part of one call over one media connection with one headset.
// The agent makes it and hands it to the call, which owns it from then on.
type agentLeg struct {
	id      model.LegID
	call    model.CallID
	journal *journal
	agent   *Agent
	headset model.HeadsetInfo
	peer    Peer
	meter   *tap.Meter // nil when the queue has none or it could not be made; the call goes on without
	near    media.Tap  // the meter's, with mute marked
	wire    atomic.Pointer[headset.Reading]

	// The agent's alone.
	on      *call
	attempt uint64
	// The call's alone.
	started time.Time
	base    media.Stats // the peer's when the leg began

	chunk []headset.Reading // of whoever drains the meter, one at a time
}

// newAgentLeg prepares a leg; nothing runs before listen.
func newAgentLeg(a *Agent, c *call, id model.LegID) *agentLeg {
	l := &agentLeg{id: id, call: c.id, journal: c.journal, agent: a, headset: a.headset, peer: a.peer}
	if q := (*a.sb.queues.Load())[c.published.Load().Queue]; q.Unmetered {
		return l
	}
	m, err := tap.New(headset.Config{SampleRate: a.sb.cfg.MeterRate, Tap: headset.TapWire, Limits: a.sb.limits()}, l.reading)
	if err != nil {
		c.log.Error("no wire meter for this leg", "leg", id, "err", err)
		return l
	}
	l.meter = m
	l.near = muteTap{next: m.Near(), muted: &a.muted}
	return l
}

// record is the leg as it is stored while it lasts.
func (l *agentLeg) record() model.Leg {
	return model.Leg{ID: l.id, Call: l.call, Kind: model.AgentLeg, Agent: l.agent.id, Headset: l.headset.ID(), StartedAt: l.started}
}

// listen has the meter drained beside the call.
func (l *agentLeg) listen() {
	if l.meter != nil {
		l.agent.sb.meters.Join(l.meter)
	}
}

// finish hands over the meter's report, beside the call. Nothing is offered to it any more.
func (l *agentLeg) finish() {
	if l.meter == nil {
		return
	}
	sb := l.agent.sb
	sb.meters.Leave(l.meter)
	sb.owners.Go(func() {
		rep := l.meter.Finish()
		l.flush()
		l.journal.addReport(model.ReportRecord{
			Call: l.call, Leg: l.id, Headset: l.headset.ID(), Agent: l.agent.id, At: time.Now(), Report: rep,
		})
	})
}

// reading takes one second from the meter, on the goroutine that drains it.
func (l *agentLeg) reading(r headset.Reading) {
	sb := l.agent.sb
	sb.count.readingsWire.Add(1)
	l.wire.Store(&r)
	sb.publish(EventReading, ReadingTaken{Agent: l.agent.id, Headset: l.headset.ID(), Call: l.call, Tap: headset.TapWire, Reading: r})
	l.chunk = append(l.chunk, r)
	if len(l.chunk) == chunkLength {
		l.flush()
	}
}

func (l *agentLeg) flush() {
	if len(l.chunk) > 0 {
		l.journal.addReadings(model.ReadingChunk{Call: l.call, Leg: l.id, Tap: headset.TapWire, Readings: l.chunk})
		l.chunk = nil
	}
}

// muteTap marks what is heard while the person has muted, so that no meter holds the
// silence against the headset.
type muteTap struct {
	next  media.Tap
	muted *atomic.Bool
}

// Offer passes the frame on.
func (t muteTap) Offer(pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	if t.muted.Load() {
		mark |= dsp.Muted
	}
	t.next.Offer(pcm, rate, from, mark)
}
