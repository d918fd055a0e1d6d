package tap

import (
	"context"
	"fmt"
	"sync"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
)

const (
	frameLen = 320 // samples of a queued frame: 20 ms at 16 kHz
	queueLen = 96  // frames queued at most: about a second of both parties
	batchLen = 8   // frames worth waking the meter for
)

// Meter measures one party's voice, as decoded on the wire, away from the goroutines
// that carry it.
type Meter struct {
	rate      int
	onReading func(headset.Reading)
	wake      chan struct{}

	mu    sync.Mutex // the queue; held for a copy of one frame at most
	queue [queueLen]frame
	first int
	count int
	shed  uint64
	gaps  [2]gap // what was shed of the near and the far party before the queue's first

	work      sync.Mutex // the analyzer and everything below
	analyzer  *headset.Analyzer
	now       frame
	lost      [frameLen]float32 // zeros
	resampled []float32
	near, far converter
}

// gap is a number of samples at a rate.
type gap struct{ samples, rate int }

type frame struct {
	far  bool
	mark dsp.Mark
	rate int
	from media.Codec
	n    int
	pcm  [frameLen]float32
}

// party is the index of who said it.
func (f *frame) party() int {
	if f.far {
		return 1
	}
	return 0
}

// converter brings a stream of whatever rate to the meter's.
type converter struct {
	from      int
	resampler *resample.Resampler
}

// New makes a meter at cfg.SampleRate. The codec is taken from what is offered. onReading, which may be nil, is called for every
// second measured, from Run or Finish.
func New(cfg headset.Config, onReading func(headset.Reading)) (*Meter, error) {
	analyzer, err := headset.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	return &Meter{
		rate: cfg.SampleRate, onReading: onReading, analyzer: analyzer,
		wake:      make(chan struct{}, 1),
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
	e.m.offer(e.far, pcm, rate, from, mark)
}

// Run measures until ctx ends and then drains what is queued.
func (m *Meter) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			m.drain()
			return nil
		case <-m.wake:
			m.drain()
		}
	}
}

// Finish drains what is queued and gives the report on everything heard so far.
func (m *Meter) Finish() headset.Report {
	m.drain()
	m.work.Lock()
	defer m.work.Unlock()
	return m.analyzer.Report()
}

// Shed counts the frames the meter was too slow for.
func (m *Meter) Shed() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shed
}

func (m *Meter) offer(far bool, pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	m.mu.Lock()
	for len(pcm) > 0 {
		if m.count == queueLen {
			m.shedOldest()
		}
		f := &m.queue[(m.first+m.count)%queueLen]
		f.far, f.rate, f.from, f.mark = far, rate, from, mark
		f.n = copy(f.pcm[:], pcm)
		pcm = pcm[f.n:]
		m.count++
	}
	due := m.count >= batchLen
	m.mu.Unlock()
	if due {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// shedOldest makes room. Both parties' time goes on: what is shed of the near one will be
// measured as lost, of the far one as silence.
func (m *Meter) shedOldest() {
	f := &m.queue[m.first]
	g := &m.gaps[f.party()]
	if g.rate != f.rate {
		*g = gap{rate: f.rate}
	}
	g.samples += f.n
	m.first = (m.first + 1) % queueLen
	m.count--
	m.shed++
}

// take copies the queue's first frame to m.now, and says what was shed before it.
func (m *Meter) take() (shed gap, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == 0 {
		return gap{}, false
	}
	m.now = m.queue[m.first]
	m.first = (m.first + 1) % queueLen
	m.count--
	g := &m.gaps[m.now.party()]
	shed, *g = *g, gap{}
	return shed, true
}

func (m *Meter) drain() {
	m.work.Lock()
	defer m.work.Unlock()
	for {
		shed, ok := m.take()
		if !ok {
			return
		}
		for ; shed.samples > 0; shed.samples -= frameLen {
			m.hear(m.lost[:min(shed.samples, frameLen)], shed.rate, dsp.Lost)
		}
		if !m.now.far {
			m.analyzer.SetCodec(codecOf(m.now.from))
		}
		m.hear(m.now.pcm[:m.now.n], m.now.rate, m.now.mark)
	}
}

// hear gives the analyzer a piece of the party whose turn it is.
func (m *Meter) hear(pcm []float32, rate int, mark dsp.Mark) {
	if m.now.far {
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
