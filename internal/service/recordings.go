package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/recordings"
	"github.com/headroom-voice/headroom/media/record"
)

// RecordingsConfig is where a process keeps recordings, and how.
func RecordingsConfig(p config.Process) recordings.Config {
	r := p.Recordings
	c := recordings.Config{
		Folder: r.Folder, KeyFile: r.Key, Format: record.Format(r.Format), Rate: r.Rate, MinFree: uint64(max(r.MinFree, 0)) << 20,
	}
	if c.Folder == "" {
		c.Folder = filepath.Join(p.Data, "recordings")
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(p.Data, "recordings.key")
	}
	return c
}

// newRecordings reads the key and repairs what an earlier process left behind.
func (s *Service) newRecordings(ctx context.Context) (err error) {
	if s.recordings, err = recordings.New(RecordingsConfig(s.cfg.Process), s.store, s.log.With("component", "recordings")); err != nil {
		return err
	}
	n, err := s.recordings.Repair(ctx)
	if err != nil {
		return fmt.Errorf("repair recordings: %w", err)
	}
	if n > 0 {
		s.log.Warn("recordings that the last run did not end were looked after", "recordings", n)
	}
	return nil
}

// recorded is what was recorded, as the API has it.
type recorded struct{ s *Service }

func (r recorded) Of(ctx context.Context, id model.CallID) ([]model.Recording, error) {
	return r.s.recordings.Call(ctx, id)
}

func (r recorded) Listen(ctx context.Context, id model.RecordingID, by model.AgentID) (api.Audio, model.Recording, error) {
	p, rec, err := r.s.recordings.Listen(ctx, id, by)
	if err != nil {
		return nil, rec, told(err) // not an Audio that holds a nil
	}
	return p, rec, nil
}

func (r recorded) Record(ctx context.Context, id model.CallID, action call.RecordAction, by model.AgentID, own bool) error {
	return r.s.board.Record(ctx, id, action, by, own)
}

func (r recorded) Hold(ctx context.Context, id model.RecordingID, by model.AgentID, why string) (model.Recording, error) {
	rec, err := r.s.recordings.Hold(ctx, id, by, why)
	return rec, told(err)
}

func (r recorded) Lift(ctx context.Context, id model.RecordingID, by model.AgentID) (model.Recording, error) {
	rec, err := r.s.recordings.Lift(ctx, id, by)
	return rec, told(err)
}

func (r recorded) Delete(ctx context.Context, id model.RecordingID, by model.AgentID) error {
	return told(r.s.recordings.Delete(ctx, id, by))
}

func (r recorded) Problem() string { return r.s.recordings.Problem() }

// told gives an error the form in which the API passes it on.
func told(err error) error {
	switch {
	case errors.Is(err, recordings.ErrGone):
		return fmt.Errorf("%w: %w", api.ErrRecordingGone, err)
	case errors.Is(err, recordings.ErrLive):
		return fmt.Errorf("%w: %w", api.ErrRecordingLive, err)
	}
	return err
}

// recordingCollector reads what is recorded at each scrape.
type recordingCollector struct{ recordings *recordings.Service }

// Describe implements prometheus.Collector as unchecked: Collect says it all.
func (c recordingCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c recordingCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.recordings.Stats()
	emit := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	emit(desc("recordings", "Recordings that go on."), prometheus.GaugeValue, float64(stats.Live))
	emit(desc("recordings_failing", "Recordings that cannot be written now: the disk is full, slow or gone."), prometheus.GaugeValue, float64(stats.Failing))
	suffers := 0.0
	if c.recordings.Problem() != "" {
		suffers = 1
	}
	emit(desc("recordings_alarm", "1 while recording suffers, for whatever reason."), prometheus.GaugeValue, suffers)
	ended := desc("recordings_total", "Recordings that have ended.", "state")
	emit(ended, prometheus.CounterValue, float64(stats.Whole), "complete")
	emit(ended, prometheus.CounterValue, float64(stats.Broken), "failed")
	emit(desc("recordings_bytes_total", "Bytes of recordings written, before they were sealed."), prometheus.CounterValue, float64(stats.Bytes))
	emit(desc("recordings_errors_total", "Writes of recordings that failed."), prometheus.CounterValue, float64(stats.Errors))
	emit(desc("recordings_lost_seconds", "Seconds of what was said that could not be written, both sides together."), prometheus.CounterValue, stats.Shed.Seconds())
}
