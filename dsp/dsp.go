package dsp

import (
	"bytes"
	"math"
	"strconv"
)

// SilenceDBov is what digital silence reads as, so that a level is always finite.
const SilenceDBov = -120.0

// Mark says what else is known of a frame. The zero Mark is an ordinary frame.
// A meter scores only frames with the zero Mark: what the network lost, a codec
// made up, or a person muted is never held against a headset.
type Mark uint8

// The marks; a frame may carry several.
const (
	Lost         Mark = 1 << iota // the network lost it; samples, if any, are made up
	Concealed                     // made up or stretched by packet loss concealment
	ComfortNoise                  // a silence descriptor or DTX gap, filled by the decoder
	Held                          // the call is on hold
	Muted                         // the person muted the microphone
)

// Scored reports whether a frame with this mark may count in a measurement.
func (m Mark) Scored() bool { return m == 0 }

// PowerDBov converts a mean square (full scale 1.0) to dBov; 0 dBov is a power of
// 1.0, so a full-scale sine reads -3.01 (ITU-T G.100.1). The result is never below
// SilenceDBov.
func PowerDBov(power float64) float64 {
	if !(power > 1e-12) {
		return SilenceDBov
	}
	return 10 * math.Log10(power)
}

// AmplitudeDBov converts an absolute amplitude (full scale 1.0) to dBov.
func AmplitudeDBov(amplitude float64) float64 { return PowerDBov(amplitude * amplitude) }

// Value is a measured number that may be absent. NaN means "not measured"; it is
// written to JSON as null and read back as NaN.
type Value float64

// None is the Value of what could not be measured.
func None() Value { return Value(math.NaN()) }

// Valid reports whether the value was measured.
func (v Value) Valid() bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// MarshalJSON writes the value rounded to a millionth (and no -0), or null when not
// measured.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Valid() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, math.Round(float64(v)*1e6)/1e6+0, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number or null.
func (v *Value) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*v = None()
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	*v = Value(f)
	return nil
}
