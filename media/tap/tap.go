package tap

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
)

// Meter measures one party's voice, as decoded on the wire, away from the goroutines
// that carry it: a Pool's, or whoever calls Finish.
type Meter struct {
	rate      int
	onReading func(headset.Reading)
	claimed   atomic.Bool // a pool is about to have it drained

	mu    sync.Mutex // held for a copy of one frame at most
	queue queue

	work      sync.Mutex // the analyzer and everything below
	analyzer  *headset.Analyzer
	now       [frameLen]float32
	resampled []float32
	near, far converter
}

// silence is what stands for samples that were shed.
var silence [frameLen]float32

// converter brings a stream of whatever rate to the meter's.
type converter struct {
	from      int
	resampler *resample.Resampler
}

// New makes a meter at cfg.SampleRate. The codec is taken from what is offered. onReading, which
// may be nil, is called for every second measured, from a Pool's worker or Finish, never by two at once.
func New(cfg headset.Config, onReading func(headset.Reading)) (*Meter, error) {
	analyzer, err := headset.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	return &Meter{
		rate: cfg.SampleRate, onReading: onReading, analyzer: analyzer,
		resampled: make([]float32, 0, frameLen*cfg.SampleRate/8000+1),
	}, nil
}

// Near hears the party that is measured.
func (m *Meter) Near() media.Tap { return ear{m, false} }

// Far hears the other party, whose echo may be in the near voice.
func (m *Meter) Far() media.Tap { return ear{m, true} }

type ear struct {
	m   *Meter
	far bool
}

// Offer is part of media.Tap.
func (e ear) Offer(pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	e.m.offer(frame{far: e.far, rate: int32(rate), from: from, mark: mark}, pcm)
}

// Finish drains what is queued and gives the report on everything heard so far.
func (m *Meter) Finish() headset.Report {
	m.drain()
	m.work.Lock()
	defer m.work.Unlock()
	return m.analyzer.Report()
}

// Shed counts the frames the meter was too slow for.
func (m *Meter) Shed() (near, far uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queue.shed[nearParty], m.queue.shed[farParty]
}

// waiting is how long the oldest frame has waited, in milliseconds, and whether there is any.
func (m *Meter) waiting() (age int, any bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queue.age(), m.queue.count > 0
}

func (m *Meter) offer(f frame, pcm []float32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(pcm) > 0 {
		n := min(len(pcm), frameLen)
		m.queue.put(f, pcm[:n])
		pcm = pcm[n:]
	}
}

// take copies the queue's first frame to m.now, and says what was shed before it.
func (m *Meter) take() (f frame, shed gap, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queue.take(m.now[:])
}

// drain hears what is queued, but no more than a queue can hold: others wait, too.
func (m *Meter) drain() {
	m.work.Lock()
	defer m.work.Unlock()
	for range maxFrames {
		f, shed, ok := m.take()
		if !ok {
			return
		}
		for ; shed.samples > 0; shed.samples -= frameLen {
			m.hear(f.far, silence[:min(shed.samples, frameLen)], shed.rate, dsp.Lost)
		}
		if !f.far {
			m.analyzer.SetCodec(codecOf(f.from))
		}
		m.hear(f.far, m.now[:f.n], int(f.rate), f.mark)
	}
}

// hear gives the analyzer a piece of one party.
func (m *Meter) hear(far bool, pcm []float32, rate int, mark dsp.Mark) {
	if far {
		if pcm = m.convert(&m.far, pcm, rate); pcm != nil {
			m.analyzer.ProcessFar(pcm)
		}
		return
	}
	if pcm = m.convert(&m.near, pcm, rate); pcm == nil {
		return
	}
	m.analyzer.Process(pcm, mark)
	for r, ok := m.analyzer.Reading(); ok; r, ok = m.analyzer.Reading() {
		if m.onReading != nil {
			m.onReading(r)
		}
	}
}

// codecOf is a codec as the analyzer calls it.
func codecOf(c media.Codec) headset.Codec {
	switch c {
	case media.Opus:
		return headset.CodecOpus
	case media.PCMA, media.PCMU, media.CN:
		return headset.CodecG711
	case media.G722:
		return headset.CodecG722
	default:
		return headset.CodecUnknown
	}
}

// convert gives pcm at the meter's rate; nil at a rate that is none.
func (m *Meter) convert(c *converter, pcm []float32, rate int) []float32 {
	if rate == m.rate {
		return pcm
	}
	if c.from != rate {
		r, err := resample.New(rate, m.rate)
		if err != nil {
			return nil
		}
		c.from, c.resampler = rate, r
	}
	m.resampled = c.resampler.Process(m.resampled[:0], pcm)
	return m.resampled
}
