package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// The stored form of a run of readings, about 10 bytes a second of speech:
//
//	byte     version, 1
//	uvarint  number of readings n, 1..3600
//	n times:
//	  byte     which of level, active level, noise floor, peak, clipped are there (bits 0..4)
//	  varint   At in ms, difference to 1000 ms after the one before (first: to 0)
//	  varint   each present value in that order, scaled (below), difference to the last
//	           present one of its field (first: to 0)
//	  varint   speech, scored: likewise, always present
//
// varint is Go's encoding/binary: base 128, zig-zag. Scaled values are int16: decibels
// times 100, so that levels come back within 0.005 dB; the clipped share times 30,000, so
// that one clipped sample in a second at 48 kHz is still not zero; speech and scored, which
// count frames, times 1000.
const (
	readingsVersion  = 1
	maxReadings      = 3600 // in one stored run
	minReadingBytes  = 4
	decibelScale     = 100
	clippedScale     = 30_000
	shareScale       = 1000
	maxReadingMillis = 1 << 40 // 34 years
	valueFields      = 5       // those with a presence bit; two more follow
)

var errReadings = errors.New("not a run of readings")

// runState is what the next reading is a difference to.
type runState struct {
	at     int64
	fields [valueFields + 2]int64
}

// encodeReadings gives the stored form of at most maxReadings readings. Values outside of
// what an int16 holds are cut to it; a time that is no time is an error.
func encodeReadings(readings []headset.Reading) ([]byte, error) {
	if len(readings) == 0 || len(readings) > maxReadings {
		return nil, fmt.Errorf("%d readings in one run, wanted 1 to %d", len(readings), maxReadings)
	}
	b := append(make([]byte, 0, 3+12*len(readings)), readingsVersion)
	b = binary.AppendUvarint(b, uint64(len(readings)))
	var last runState
	for i, r := range readings {
		ms := math.Round(r.At * 1000)
		if !(ms >= 0 && ms <= maxReadingMillis) {
			return nil, fmt.Errorf("reading %d is of second %g", i, r.At)
		}
		values := [valueFields]dsp.Value{r.Level, r.ActiveLevel, r.NoiseFloor, r.Peak, r.Clipped}
		var present byte
		for f, v := range values {
			if v.Valid() {
				present |= 1 << f
			}
		}
		b = append(b, present)
		expected := last.at
		if i > 0 {
			expected += 1000
		}
		b = binary.AppendVarint(b, int64(ms)-expected)
		last.at = int64(ms)
		for f, v := range values {
			if v.Valid() {
				b = appendField(b, &last.fields[f], float64(v), fieldScale(f))
			}
		}
		b = appendField(b, &last.fields[valueFields], r.Speech, shareScale)
		b = appendField(b, &last.fields[valueFields+1], r.Scored, shareScale)
	}
	return b, nil
}

// fieldScale gives the factor of a field: the fifth is a share, those before are decibels.
func fieldScale(field int) float64 {
	if field == valueFields-1 {
		return clippedScale
	}
	return decibelScale
}

// appendField adds one scaled value as a difference.
func appendField(b []byte, last *int64, value, scale float64) []byte {
	v := math.Round(value * scale)
	switch {
	case math.IsNaN(v):
		v = 0
	case v > math.MaxInt16:
		v = math.MaxInt16
	case v < math.MinInt16:
		v = math.MinInt16
	}
	b = binary.AppendVarint(b, int64(v)-*last)
	*last = int64(v)
	return b
}

// decodeReadings reads the stored form. It trusts nothing: a count, time or value out of
// its range, a short input and one with something behind it are errors.
func decodeReadings(b []byte) ([]headset.Reading, error) {
	if len(b) == 0 || b[0] != readingsVersion {
		return nil, fmt.Errorf("%w of version %d", errReadings, readingsVersion)
	}
	n, size := binary.Uvarint(b[1:])
	if size <= 0 || n < 1 || n > maxReadings {
		return nil, fmt.Errorf("%w: bad count", errReadings)
	}
	b = b[1+size:]
	if uint64(len(b)) < n*minReadingBytes {
		return nil, fmt.Errorf("%w: cut short", errReadings)
	}
	out := make([]headset.Reading, n)
	var last runState
	for i := range out {
		var ok bool
		if b, ok = decodeReading(b, &out[i], &last, i == 0); !ok {
			return nil, fmt.Errorf("%w: reading %d is damaged", errReadings, i)
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errReadings, len(b))
	}
	return out, nil
}

// decodeReading reads one reading and gives what is left.
func decodeReading(b []byte, r *headset.Reading, last *runState, first bool) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] >= 1<<valueFields {
		return nil, false
	}
	present := b[0]
	b = b[1:]
	step, size := binary.Varint(b)
	if size <= 0 || step < -2*maxReadingMillis || step > 2*maxReadingMillis {
		return nil, false
	}
	b = b[size:]
	if !first {
		step += 1000
	}
	if last.at += step; last.at < 0 || last.at > maxReadingMillis {
		return nil, false
	}
	r.At = float64(last.at) / 1000
	for f, to := range [valueFields]*dsp.Value{&r.Level, &r.ActiveLevel, &r.NoiseFloor, &r.Peak, &r.Clipped} {
		if present&(1<<f) == 0 {
			*to = dsp.None()
			continue
		}
		v, left, ok := decodeField(b, &last.fields[f], fieldScale(f))
		if !ok {
			return nil, false
		}
		*to, b = dsp.Value(v), left
	}
	for f, to := range [2]*float64{&r.Speech, &r.Scored} {
		v, left, ok := decodeField(b, &last.fields[valueFields+f], shareScale)
		if !ok {
			return nil, false
		}
		*to, b = v, left
	}
	return b, true
}

// decodeField reads one scaled value and gives what is left.
func decodeField(b []byte, last *int64, scale float64) (value float64, rest []byte, ok bool) {
	diff, size := binary.Varint(b)
	if size <= 0 || diff < -math.MaxUint16 || diff > math.MaxUint16 {
		return 0, nil, false
	}
	if *last += diff; *last < math.MinInt16 || *last > math.MaxInt16 {
		return 0, nil, false
	}
	return float64(*last) / scale, b[size:], true
}

// readingRowsLimit bounds Readings: at ten seconds a row this is more than a day of both taps.
const readingRowsLimit = 20_000

// AddReadings keeps a run of readings of one call, leg and tap. Levels are rounded to
// 0.01 dB, the clipped share to 1/30,000, other shares to 1/1000, times to the millisecond.
// The same run again is the same run.
func (s *Store) AddReadings(ctx context.Context, chunk model.ReadingChunk) error {
	var blobs [][]byte
	for rest := chunk.Readings; len(rest) > 0; {
		n := min(len(rest), maxReadings)
		blob, err := encodeReadings(rest[:n])
		if err != nil {
			return fmt.Errorf("store: readings of call %q: %w", chunk.Call, err)
		}
		blobs, rest = append(blobs, blob), rest[n:]
	}
	if len(blobs) == 0 {
		return nil
	}
	call, leg, tap, now := chunk.Call, chunk.Leg, chunk.Tap, s.now()
	return s.change(ctx, "readings of call", string(call), func(t *tx) error {
		for _, blob := range blobs {
			if _, err := t.exec(`INSERT INTO readings (call_id, leg_id, tap, recorded_at, data, digest) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (call_id, leg_id, tap, digest) DO NOTHING`, call, leg, tap, now, blob, digest(string(blob))); err != nil {
				return err
			}
		}
		return nil
	})
}

// readingRow is one stored run.
type readingRow struct {
	leg      model.LegID
	tap      headset.Tap
	readings []headset.Reading
}

func scanReadings(r row) (out readingRow, err error) {
	var data []byte
	if err := r.Scan(&out.leg, &out.tap, &data); err != nil {
		return out, err
	}
	out.readings, err = decodeReadings(data)
	return out, err
}

// Readings gives a call's readings, one chunk for each leg and tap in the order in which
// they first came, each with its runs joined in the order they were recorded. Of a call
// with more than 20,000 runs it gives the first of them.
func (s *Store) Readings(ctx context.Context, id model.CallID) ([]model.ReadingChunk, error) {
	rows, err := list(ctx, s.read, "SELECT leg_id, tap, data FROM readings WHERE call_id = $1 ORDER BY seq LIMIT $2",
		[]any{id, readingRowsLimit}, scanReadings)
	if err != nil {
		return nil, fmt.Errorf("store: readings of call %q: %w", id, err)
	}
	type key struct {
		leg model.LegID
		tap headset.Tap
	}
	place := map[key]int{}
	chunks := []model.ReadingChunk{}
	for _, r := range rows {
		i, there := place[key{r.leg, r.tap}]
		if !there {
			i = len(chunks)
			place[key{r.leg, r.tap}] = i
			chunks = append(chunks, model.ReadingChunk{Call: id, Leg: r.leg, Tap: r.tap})
		}
		chunks[i].Readings = append(chunks[i].Readings, r.readings...)
	}
	return chunks, nil
}
