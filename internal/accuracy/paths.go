package main

import (
	"fmt"

	"gopkg.in/hraban/opus.v2"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/rtp"
)

// path is how a scene reaches the meter.
type path struct {
	name    string
	tap     headset.Tap
	codec   media.Codec
	bitrate int // bit/s, of Opus; 0 is the service's own, 24000
	dtx     bool
	loss    float64 // share of the packets
	burst   float64 // their mean number in a row
}

// allPaths lists what -case and -codec may name.
func allPaths() []path {
	p := []path{
		{name: "mic", tap: headset.TapMic},
		{name: "opus24", tap: headset.TapWire, codec: media.Opus},
		{name: "opus12", tap: headset.TapWire, codec: media.Opus, bitrate: 12000},
		{name: "opus48", tap: headset.TapWire, codec: media.Opus, bitrate: 48000},
		{name: "g711", tap: headset.TapWire, codec: media.PCMA},
		{name: "opus24dtx", tap: headset.TapWire, codec: media.Opus, bitrate: 24000, dtx: true},
	}
	for _, loss := range []float64{1, 3, 8} {
		burst := 1 + loss/4
		p = append(p,
			path{name: fmt.Sprintf("opus24loss%g", loss), tap: headset.TapWire, codec: media.Opus, loss: loss / 100, burst: burst},
			path{name: fmt.Sprintf("g711loss%g", loss), tap: headset.TapWire, codec: media.PCMU, loss: loss / 100, burst: burst})
	}
	return p
}

func pathNamed(name string) (path, bool) {
	for _, p := range allPaths() {
		if p.name == name {
			return p, true
		}
	}
	return path{}, false
}

// wireRate is at which the service decodes: Opus at 16 kHz for the meter, G.711 as it is.
func (p path) wireRate() int {
	if p.tap == headset.TapWire && p.codec != media.Opus {
		return 8000
	}
	return rate
}

// heard is a stream of marked stretches at a rate, as the meter gets it.
type heard struct {
	rate  int
	pcm   []float32
	marks []dsp.Mark // of each 10 ms
}

func (h *heard) add(pcm []float32, mark dsp.Mark) {
	h.pcm = append(h.pcm, pcm...)
	for len(h.marks)*h.rate/100 < len(h.pcm) {
		h.marks = append(h.marks, mark)
	}
}

// carry takes a signal along a path.
func (p path) carry(m *recording, seed uint64) (*heard, error) {
	h := &heard{rate: p.wireRate()}
	if p.tap == headset.TapMic {
		for i := 0; i+frame <= len(m.mic); i += frame {
			mark := dsp.Mark(0)
			if m.marks != nil {
				mark = m.marks[i/frame]
			}
			h.add(m.mic[i:i+frame], mark)
		}
		return h, nil
	}
	enc, err := p.encoder()
	if err != nil {
		return nil, err
	}
	dec, err := codec.NewDecoder(p.codec, h.rate)
	if err != nil {
		return nil, err
	}
	x, err := resampled(m.mic, rate, h.rate)
	if err != nil {
		return nil, err
	}
	step := h.rate / 50
	lost := dsptest.Loss(len(x)/step, p.loss, p.burst, seed+77)
	r := receiver{order: rtp.NewSequencer(), dec: dec, codec: p.codec, out: h, pcm: make([]float32, codec.MaxFrame*h.rate/1000)}
	payload := make([]byte, 1500)
	for i := range lost {
		n, err := enc.Encode(x[i*step:(i+1)*step], payload)
		if err != nil {
			return nil, err
		}
		if lost[i] {
			continue
		}
		r.take(&media.Packet{
			Source: 1, Seq: uint64(1000 + i), Timestamp: uint64(i) * uint64(p.codec.ClockRate()/50),
			Codec: p.codec, Payload: payload[:n],
		})
	}
	return h, nil
}

func resampled(x []float32, from, to int) ([]float32, error) {
	if from == to {
		return x, nil
	}
	r, err := resample.New(from, to)
	if err != nil {
		return nil, err
	}
	return r.Process(nil, x), nil
}

// receiver orders, decodes and marks packets as media/bridge does before a meter.
type receiver struct {
	order *rtp.Sequencer
	dec   codec.Decoder
	codec media.Codec
	out   *heard
	pcm   []float32
}

func (r *receiver) take(p *media.Packet) {
	r.order.Push(p)
	for item, ok := r.order.Pop(); ok; item, ok = r.order.Pop() {
		switch {
		case item.Packet != nil:
			n, err := r.dec.Decode(item.Packet.Payload, r.pcm)
			if err != nil {
				continue // the encoder's own packets are never malformed
			}
			mark := dsp.Mark(0)
			if codec.Silent(r.codec, item.Packet.Payload) {
				mark = dsp.ComfortNoise
			}
			r.out.add(r.pcm[:n], mark)
		case item.Lost > 0:
			r.conceal(&item)
		default:
			r.out.add(make([]float32, item.Silence*r.out.rate/r.codec.ClockRate()), dsp.ComfortNoise)
		}
	}
}

func (r *receiver) conceal(item *rtp.Item) {
	n := item.Lost * r.out.rate / r.codec.ClockRate()
	made := r.pcm[:min(n, r.out.rate/10)]
	if rec, ok := r.dec.(codec.Recoverer); ok && len(made) == n && item.Next != nil {
		rec.Recover(item.Next.Payload, made)
	} else {
		r.dec.Conceal(made)
	}
	r.out.add(made, dsp.Lost|dsp.Concealed)
	if n > len(made) {
		r.out.add(make([]float32, n-len(made)), dsp.Lost)
	}
}

// encoder is what the sending end uses: the service's own settings, or Opus with another
// bit rate.
func (p path) encoder() (codec.Encoder, error) {
	if p.bitrate == 0 {
		return codec.NewEncoder(p.codec, p.wireRate())
	}
	enc, err := opus.NewEncoder(rate, 1, opus.AppVoIP)
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		enc.SetBitrate(p.bitrate), enc.SetComplexity(5), enc.SetInBandFEC(true), enc.SetPacketLossPerc(10), enc.SetDTX(p.dtx),
	} {
		if err != nil {
			return nil, err
		}
	}
	return opusEncoder{enc}, nil
}

type opusEncoder struct{ enc *opus.Encoder }

func (opusEncoder) Rate() int { return rate }

func (e opusEncoder) Encode(pcm []float32, out []byte) (int, error) {
	return e.enc.EncodeFloat32(pcm, out)
}

// judge carries a recording along a path and lets the meter hear it.
func (p path) judge(m *recording, seed uint64) (*heard, headset.Report, error) {
	h, err := p.carry(m, seed)
	if err != nil {
		return nil, headset.Report{}, err
	}
	baseline := 0.0
	if m.usual != nil {
		before, err := p.carry(&recording{mic: m.usual}, seed)
		if err != nil {
			return nil, headset.Report{}, err
		}
		r, err := before.judge(p.tap, nil, 0)
		if err != nil {
			return nil, headset.Report{}, err
		}
		if r.Metrics.HighLow.Valid() {
			baseline = float64(r.Metrics.HighLow)
		}
	}
	r, err := h.judge(p.tap, m.far, baseline)
	return h, r, err
}

// judge lets the meter hear it, the far end in step. The baseline is the high/low ratio
// that the headset usually has, in dB; 0 is not known.
func (h *heard) judge(tap headset.Tap, far []float32, baseline float64) (headset.Report, error) {
	a, err := headset.New(headset.Config{SampleRate: h.rate, Tap: tap, HighLowBaseline: baseline})
	if err != nil {
		return headset.Report{}, err
	}
	if far, err = resampled(far, rate, h.rate); err != nil {
		return headset.Report{}, err
	}
	step := h.rate / 100
	for i, mark := range h.marks {
		from, to := i*step, min((i+1)*step, len(h.pcm))
		if to <= len(far) {
			a.ProcessFar(far[from:to])
		}
		a.Process(h.pcm[from:to], mark)
	}
	return a.Report(), nil
}
