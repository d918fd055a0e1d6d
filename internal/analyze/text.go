package analyze

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// printText writes one file's report for a person.
func printText(w io.Writer, r Result) error {
	m := r.Metrics
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d Hz, %.1f s, of which %.1f s speech (tap: %s)\n", r.File, r.SampleRate, r.Duration, r.ActiveSpeech, r.Tap)
	if r.Channels > 1 {
		fmt.Fprintf(&b, "  only the first of its %d channels is measured\n", r.Channels)
	}
	fmt.Fprintf(&b, "  active level  %s dBov (%s behind the 100 Hz high-pass), activity %s %%", number(m.ActiveLevel, 1), number(m.ActiveLevelHP, 1), number(100*m.Activity, 0))
	if !m.ActiveValid && m.ActiveLevel.Valid() {
		b.WriteString("; not valid, the noise is too near")
	}
	fmt.Fprintf(&b, "\n  noise floor   %s dBov, SNR %s dB\n", number(m.NoiseFloor, 1), number(m.SNR, 1))
	fmt.Fprintf(&b, "  peak          %s dBov, active peak factor %s dB\n", number(m.Peak, 1), number(m.PeakFactor, 1))
	fmt.Fprintf(&b, "  clipped       %s %% of the samples", number(100*m.ClippedShare, 3))
	if m.ClipEvents > 0 {
		fmt.Fprintf(&b, ", %d times, at %s dBov", m.ClipEvents, number(m.ClipCeiling, 1))
	}
	fmt.Fprintf(&b, "\n  offset        %s %% of full scale\n", number(100*m.DC, 2))
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %-5s %-10s  %s\n", strings.ToUpper(string(f.Severity)), f.Kind, f.Text)
	}
	if len(r.Findings) == 0 {
		if need := headset.DefaultLimits().MinActive; r.ActiveSpeech < need {
			fmt.Fprintf(&b, "  too little speech to judge: %.1f s, %.0f s are needed\n", r.ActiveSpeech, need)
		} else {
			b.WriteString("  no faults found\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number writes a value to so many decimals, or a dash where it was not measured.
func number(v dsp.Value, decimals int) string {
	if !v.Valid() {
		return "-"
	}
	unit := math.Pow(10, float64(decimals))
	return fmt.Sprintf("%.*f", decimals, math.Round(float64(v)*unit)/unit+0) // no -0.0
}
