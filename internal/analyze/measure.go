package analyze

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/plot"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// The sample rates that the meter takes, Hz.
const minRate, maxRate = 8000, 96000

// blockFrames is how many samples of a channel are read at a time.
const blockFrames = 4096

// measure runs the meter over one recording. The recorder is nil unless a picture is
// wanted. The error names the file.
func (r *run) measure(ctx context.Context, j job) (Result, *plot.Recorder, error) {
	fail := func(err error) (Result, *plot.Recorder, error) {
		if ctx.Err() != nil {
			err = errInterrupted
		}
		return Result{}, nil, err
	}
	wav, err := r.open(ctx, j.file)
	if err != nil {
		return fail(err)
	}
	defer wav.Close()
	m := &measurement{wav: wav, near: r.Channel, farChannel: r.FarChannel}
	m.Result = Result{File: j.file, Channels: wav.Channels, Channel: r.Channel, limits: r.limits}
	if err := r.prepare(ctx, m); err != nil {
		return fail(fmt.Errorf("%s: %w", j.file, err))
	}
	defer m.far.close()
	if j.picture != "" {
		m.recorder = plot.NewRecorder(wav.Rate, r.Far != "" || r.FarChannel > 0)
	}
	if err := m.run(ctx); err != nil {
		return fail(fmt.Errorf("%s: %w", j.file, err))
	}
	return m.Result, m.recorder, nil
}

// open begins to read a file or standard input.
func (r *run) open(ctx context.Context, file string) (*wavfile.Reader, error) {
	if file != stdinName {
		return wavfile.Stream(file)
	}
	if r.Stdin == nil {
		return nil, errors.New("there is no standard input")
	}
	wav, err := wavfile.NewReader(interruptible(ctx, r.Stdin))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return wav, nil
}

// interruptible reads src until ctx ends, even if src then gives nothing for ever, like a
// terminal. The goroutine that waits for it ends with the program.
func interruptible(ctx context.Context, src io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, src)
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { r.CloseWithError(context.Cause(ctx)) })
	return r
}

// measurement is one recording on its way through the meter.
type measurement struct {
	Result
	wav        *wavfile.Reader
	near       int // channel, from 1
	farChannel int // of the same file; 0 is none
	far        *farFile
	meter      *headset.Analyzer
	recorder   *plot.Recorder
}

// prepare makes the meter and opens the far end.
func (r *run) prepare(ctx context.Context, m *measurement) error {
	for _, channel := range []int{r.Channel, r.FarChannel} {
		if channel > m.wav.Channels {
			return fmt.Errorf("there is no channel %d, the file has %d", channel, m.wav.Channels)
		}
	}
	if m.wav.Rate < minRate || m.wav.Rate > maxRate {
		return fmt.Errorf("has a sample rate of %d Hz, %d to %d are measured; convert it first, for instance with: ffmpeg -i IN.wav -ar 16000 OUT.wav", m.wav.Rate, minRate, maxRate)
	}
	var err error
	if m.meter, err = headset.New(headset.Config{SampleRate: m.wav.Rate, Tap: r.Tap, Codec: r.Codec, Limits: r.limits}); err != nil {
		return err
	}
	switch {
	case r.Far != "":
		wav, err := r.open(ctx, r.Far)
		if err != nil {
			return fmt.Errorf("far end: %w", err)
		}
		m.Far = r.Far
		m.far, err = newFarFile(wav, m.wav.Rate)
		if err != nil {
			return fmt.Errorf("far end: %s: %w", r.Far, err)
		}
	case r.FarChannel > 0:
		m.Far = fmt.Sprintf("channel %d", r.FarChannel)
	}
	return nil
}

// run goes through the recording.
func (m *measurement) run(ctx context.Context) error {
	block := make([]float32, blockFrames*m.wav.Channels)
	near, far := make([]float32, 0, blockFrames), make([]float32, 0, blockFrames)
	for {
		n, err := m.wav.Read(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		near = appendChannel(near[:0], block[:n], m.wav.Channels, m.near)
		far, err = m.farBlock(far[:0], block[:n], len(near))
		if err != nil {
			return err
		}
		m.listen(near, far)
		m.collect()
		if m.recorder != nil {
			m.recorder.Add(near, far)
		}
	}
	if missing := m.wav.Missing(); missing > 0 {
		here := m.meter.Report().Duration
		all := here + float64(missing)/float64(m.wav.Rate)
		m.Warning = fmt.Sprintf("is cut short: it says that it is %s long and %s are there; measured as far as it goes", clock(all, 1), clock(here, 1))
	}
	report := m.meter.Report()
	m.Report, m.Verdict = &report, verdict(&report, m.limits)
	return nil
}

// listen gives both ends to the meter in turns: neither may be more than 200 ms ahead.
func (m *measurement) listen(near, far []float32) {
	turn := m.wav.Rate / 10
	for len(near) > 0 {
		n := min(turn, len(near))
		if len(far) > 0 {
			m.meter.ProcessFar(far[:n])
			far = far[n:]
		}
		m.meter.Process(near[:n], 0)
		near = near[n:]
	}
}

// farBlock gives as many samples of the other party, or none where there is none.
func (m *measurement) farBlock(dst, block []float32, n int) ([]float32, error) {
	switch {
	case m.far != nil:
		return m.far.next(dst, n)
	case m.farChannel > 0:
		return appendChannel(dst, block, m.wav.Channels, m.farChannel), nil
	}
	return dst, nil
}

// collect takes what the meter noticed meanwhile.
func (m *measurement) collect() {
	for reading, ok := m.meter.Reading(); ok; reading, ok = m.meter.Reading() {
		if m.recorder != nil {
			m.recorder.Reading(reading)
		}
	}
	for e, ok := m.meter.Event(); ok; e, ok = m.meter.Event() {
		m.note(e)
		if m.recorder != nil {
			m.recorder.Event(e)
		}
	}
}

// appendChannel appends one channel, from 1, of interleaved samples.
func appendChannel(dst, pcm []float32, channels, channel int) []float32 {
	if channels == 1 {
		return append(dst, pcm...)
	}
	for i := channel - 1; i < len(pcm); i += channels {
		dst = append(dst, pcm[i])
	}
	return dst
}
