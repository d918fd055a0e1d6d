package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gordonklaus/portaudio"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/dsp"
)

// silentFor is how long a card may stay away before it counts as unplugged. PortAudio
// tells of it in no other way.
const silentFor = 3 * time.Second

// rates are tried in this order; a headset's own is nearly always the first.
var rates = [...]int{48000, 44100, 16000, 32000, 8000}

// Mic is a sound card's input.
type Mic struct {
	info     Info
	rate     int
	channels int
}

// Ear is a sound card's output.
type Ear struct {
	info     Info
	rate     int
	channels int
}

var (
	_ audio.Source = (*Mic)(nil)
	_ audio.Sink   = (*Ear)(nil)
)

// OpenMic finds a microphone by index, name, part of the name, or Default, and a rate it
// can do. It is opened by Run.
func OpenMic(name string) (*Mic, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	d, err := choose(list, name, "microphone", func(i Info) int { return i.Inputs }, func(i Info) bool { return i.DefaultIn })
	if err != nil {
		return nil, err
	}
	rate, channels, err := findFormat(d, true)
	if err != nil {
		return nil, err
	}
	return &Mic{info: d, rate: rate, channels: channels}, nil
}

// OpenEar finds an earphone as OpenMic does a microphone.
func OpenEar(name string) (*Ear, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	d, err := choose(list, name, "earphone", func(i Info) int { return i.Outputs }, func(i Info) bool { return i.DefaultOut })
	if err != nil {
		return nil, err
	}
	rate, channels, err := findFormat(d, false)
	if err != nil {
		return nil, err
	}
	return &Ear{info: d, rate: rate, channels: channels}, nil
}

// Rate in Hz.
func (m *Mic) Rate() int { return m.rate }

// Name is the system's for the device.
func (m *Mic) Name() string { return m.info.Name }

// Rate in Hz.
func (e *Ear) Rate() int { return e.rate }

// Name is the system's for the device.
func (e *Ear) Name() string { return e.info.Name }

// library guards PortAudio's own global state: it may be opened, searched and closed by
// one goroutine at a time. A running stream does not need it.
var library sync.Mutex

// opened runs fn between Pa_Initialize and Pa_Terminate.
func opened(fn func() error) error {
	library.Lock()
	defer library.Unlock()
	if err := portaudio.Initialize(); err != nil {
		return err
	}
	defer func() { _ = portaudio.Terminate() }() // nothing to do about it
	return fn()
}

// findFormat tries mono, then stereo, at each rate.
func findFormat(d Info, input bool) (rate, channels int, err error) {
	err = opened(func() error {
		for _, rate = range rates {
			for channels = 1; channels <= 2; channels++ {
				p, err := parameters(d, input, rate, channels)
				if err != nil {
					return err
				}
				if portaudio.IsFormatSupported(p, []float32(nil)) == nil {
					return nil
				}
			}
		}
		return fmt.Errorf("it does none of the rates %v; is another program holding it?", rates)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s: %w", audio.ErrDevice, d.Name, err)
	}
	return rate, channels, nil
}

// parameters looks the device up anew, since PortAudio forgets its list between uses.
func parameters(d Info, input bool, rate, channels int) (portaudio.StreamParameters, error) {
	devices, err := portaudio.Devices()
	if err != nil {
		return portaudio.StreamParameters{}, err
	}
	for _, found := range devices {
		if found.Index != d.Index || found.Name != d.Name {
			continue
		}
		p := portaudio.StreamParameters{SampleRate: float64(rate), FramesPerBuffer: rate / 100}
		if input {
			p.Input = portaudio.StreamDeviceParameters{Device: found, Channels: channels, Latency: max(found.DefaultLowInputLatency, 30*time.Millisecond)}
		} else {
			p.Output = portaudio.StreamDeviceParameters{Device: found, Channels: channels, Latency: max(found.DefaultLowOutputLatency, 30*time.Millisecond)}
		}
		return p, nil
	}
	return portaudio.StreamParameters{}, errors.New("it is not there any more")
}

// stream opens and starts one direction, waits in serve, and gives everything back.
func stream(d Info, input bool, rate, channels int, callback any, serve func() error) error {
	s, err := start(d, input, rate, channels, callback)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", audio.ErrDevice, d.Name, err)
	}
	err = serve()
	library.Lock()
	defer library.Unlock()
	// An unplugged device may complain about each of these; it is gone all the same.
	_ = s.Abort()
	_ = s.Close()
	_ = portaudio.Terminate()
	return err
}

// start leaves the library initialized for the stream it gives.
func start(d Info, input bool, rate, channels int, callback any) (s *portaudio.Stream, err error) {
	library.Lock()
	defer library.Unlock()
	if err := portaudio.Initialize(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = portaudio.Terminate() // the first error is the one to tell
		}
	}()
	p, err := parameters(d, input, rate, channels)
	if err != nil {
		return nil, err
	}
	if s, err = portaudio.OpenStream(p, callback); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err = s.Start(); err != nil {
		_ = s.Close() // the first error is the one to tell
		return nil, fmt.Errorf("start: %w", err)
	}
	return s, nil
}

// Run records until ctx ends or the device is gone.
func (m *Mic) Run(ctx context.Context, take func([]float32, dsp.Mark)) error {
	ring := audio.NewRing(m.rate / 2)
	awake := make(chan struct{}, 1)
	var overrun atomic.Bool
	mono := make([]float32, m.rate/10)
	callback := func(in []float32, _ portaudio.StreamCallbackTimeInfo, flags portaudio.StreamCallbackFlags) {
		if flags&portaudio.InputOverflow != 0 {
			overrun.Store(true)
		}
		for len(in) > 0 {
			n := downmix(mono, in, m.channels)
			in = in[n*m.channels:]
			if ring.Write(mono[:n]) < n {
				overrun.Store(true)
			}
		}
		wake(awake)
	}
	frame := make([]float32, audio.FrameSize(m.rate))
	return stream(m.info, true, m.rate, m.channels, callback, func() error {
		return whileAlive(ctx, m.info, awake, func() {
			for ring.Len() >= len(frame) {
				ring.Read(frame)
				mark := dsp.Mark(0)
				if overrun.Swap(false) {
					mark = dsp.Lost
				}
				take(frame, mark)
			}
		})
	})
}

// Ring levels of an Ear, in frames: it starts shallow, deepens when the card outruns it,
// and tries less again after a minute without trouble.
const (
	shallow    = 2
	deepest    = 10
	calmFrames = 3000
)

// Run plays until ctx ends or the device is gone.
func (e *Ear) Run(ctx context.Context, fill func([]float32)) error {
	frame := make([]float32, audio.FrameSize(e.rate))
	ring := audio.NewRing((deepest + 1) * len(frame))
	awake := make(chan struct{}, 1)
	var underruns atomic.Uint64
	mono := make([]float32, e.rate/10)
	callback := func(out []float32) {
		for len(out) > 0 {
			n := min(len(mono), len(out)/e.channels)
			got := ring.Read(mono[:n])
			if got < n {
				underruns.Add(1)
				clear(mono[got:n])
			}
			upmix(out[:n*e.channels], mono[:n], e.channels)
			out = out[n*e.channels:]
		}
		wake(awake)
	}
	ring.Write(make([]float32, shallow*len(frame))) // the card asks before anybody could fill
	depth, seen, calm := shallow, uint64(0), 0
	return stream(e.info, false, e.rate, e.channels, callback, func() error {
		return whileAlive(ctx, e.info, awake, func() {
			if n := underruns.Load(); n != seen {
				seen, depth, calm = n, min(depth+1, deepest), 0
			}
			if calm > calmFrames {
				depth, calm = max(depth-1, shallow), 0
			}
			for ring.Len() < depth*len(frame) {
				fill(frame)
				ring.Write(frame)
				calm++
			}
		})
	})
}

func wake(awake chan<- struct{}) {
	select {
	case awake <- struct{}{}:
	default:
	}
}

// whileAlive calls work whenever the card has called back, until ctx ends.
func whileAlive(ctx context.Context, d Info, awake <-chan struct{}, work func()) error {
	watchdog := time.NewTimer(silentFor)
	defer watchdog.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-awake:
			watchdog.Reset(silentFor)
			work()
		case <-watchdog.C:
			return fmt.Errorf("%w: %s gave no sign of life for %v: was it unplugged?", audio.ErrDevice, d.Name, silentFor)
		}
	}
}

// downmix averages interleaved channels into mono and returns how many frames fitted.
func downmix(mono, in []float32, channels int) int {
	n := min(len(mono), len(in)/channels)
	if channels == 1 {
		return copy(mono[:n], in)
	}
	for i := range n {
		mono[i] = (in[2*i] + in[2*i+1]) / 2
	}
	return n
}

func upmix(out, mono []float32, channels int) {
	for i, v := range mono {
		for c := range channels {
			out[i*channels+c] = v
		}
	}
}
