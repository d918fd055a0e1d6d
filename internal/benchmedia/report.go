//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// row is one line of build/bench-media.json.
type row struct {
	Case  string  `json:"case"`
	Calls int     `json:"calls"`
	CPU   float64 `json:"cpu_ms_per_call_s"`
	RSS   float64 `json:"rss_kib_per_call"`
	Loss  float64 `json:"loss"`
	P50   float64 `json:"delay_ms_p50"`
	P99   float64 `json:"delay_ms_p99"`
}

// result is a test and what it came to; without a measurement the note says why.
type result struct {
	test
	*measured
	note string
}

// What makes a measurement worthless: then it is tried with fewer calls.
const (
	tooLate  = 10 * time.Millisecond // of the load's own packets, one in a hundred
	tooStill = 0.01                  // of the time
	tooLost  = 0.01                  // of the packets
)

// failed says why a measurement does not count; "" when it does.
func (r result) failed() string {
	switch {
	case float64(r.Missed) > tooStill*float64(len(r.cpu))*1000:
		return fmt.Sprintf("the load itself stood still for %d ms", r.Missed)
	case r.LateP99 > tooLate:
		return fmt.Sprintf("the load itself was late: one packet in a hundred by %.0f ms", ms(r.LateP99))
	case r.loss() > tooLost:
		return fmt.Sprintf("%.1f %% of the packets were lost", 100*r.loss())
	}
	return ""
}

func (r result) loss() float64 { return max(r.Up.Loss(), r.Down.Loss()) }

// delay is that of the slower direction, with what is no delay of the service's left in: the
// loopback's 10 to 20 µs.
func (r result) delay(q float64) time.Duration {
	return max(r.Up.Delays.Quantile(q), r.Down.Delays.Quantile(q))
}

func (r result) row() row {
	cpu, _ := r.perCall()
	return row{r.name, r.calls, round(cpu, 3), round(float64(r.resident)/1024/float64(r.calls), 1), round(r.loss(), 6),
		round(ms(r.delay(0.5)), 3), round(ms(r.delay(0.99)), 3)}
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// String is the line for a person.
func (r result) String() string {
	v := r.row()
	_, quiet := r.perCall()
	text := fmt.Sprintf("%-17s %3d calls: %6.2f CPU-ms a call-second, %5.0f KiB a call, loss %.2f %%, delay p50 %.2f p99 %.2f max %.1f ms, %s (%d of %d seconds quiet; load itself %.2f CPU-ms)",
		v.Case, v.Calls, v.CPU, v.RSS, 100*v.Loss, v.P50, v.P99, ms(r.delay(1)), r.whole(), quiet, len(r.cpu), r.load)
	if r.note != "" {
		text += "; " + r.note
	}
	return text
}

// whole says whether what arrived is what was said.
func (r result) whole() string {
	if text := r.Describe(); text != "" {
		return "speech NOT whole, " + text
	}
	return "speech whole"
}

// find gives the measured result of a case with at least so many calls, the fewest first.
func find(results []result, name string, from, to int) (result, bool) {
	for _, r := range results {
		if r.name == name && r.measured != nil && r.calls >= from && r.calls <= to {
			return r, true
		}
	}
	return result{}, false
}

// compare holds the results against the bars that were set.
func compare(results []result) (lines []string) {
	bar := func(what string, value float64, unit string, first, goal float64, at string) {
		word := "below the first bar"
		switch {
		case value <= goal:
			word = "goal reached"
		case value <= first:
			word = "first bar reached"
		}
		lines = append(lines, fmt.Sprintf("%s: %.2f%s (%s; first bar %g, goal %g): %s", what, value, unit, at, first, goal, word))
	}
	ratio := func(a, b string, from, to int, first, goal float64) {
		x, okX := find(results, a, from, to)
		y, okY := find(results, b, from, to)
		if okX && okY {
			bar(a+" ÷ "+b, x.row().CPU/y.row().CPU, "", first, goal, fmt.Sprintf("%d and %d calls", x.calls, y.calls))
		}
	}
	ratio("ours-metered", "rtpengine-opus", 25, 40, 0.25, 0.10)
	if r, ok := find(results, "ours-metered", 41, most); ok {
		bar("ours-metered", r.row().CPU, " CPU-ms", 5.7, 3, fmt.Sprintf("%d calls", r.calls))
		bar("ours-metered, memory", r.row().RSS, " KiB a call", 400, 150, fmt.Sprintf("%d calls", r.calls))
	}
	ratio("ours-pcmu", "rtpengine-srtp", 100, 199, 2, 1)
	ratio("ours-pcmu", "rtpengine-srtp", 200, 200, 2, 1)
	for _, name := range []string{"ours-metered", "ours-pcmu"} {
		if r, ok := halfLoad(results, name); ok {
			bar(name+", delay p99", r.row().P99, " ms", 10, 3, fmt.Sprintf("%d calls, %.0f %% of the processors", r.calls, 100*r.share()))
		}
	}
	return lines
}

// share is how much of the machine service and load use together.
func (r result) share() float64 {
	cpu, _ := r.perCall()
	return (cpu + r.load) * float64(r.calls) / 1000 / processors
}

// halfLoad is the measurement of a case that is nearest to half of the machine.
func halfLoad(results []result, name string) (best result, ok bool) {
	for _, r := range results {
		if r.name == name && r.measured != nil && (!ok || math.Abs(r.share()-0.5) < math.Abs(best.share()-0.5)) {
			best, ok = r, true
		}
	}
	return best, ok
}

func writeJSON(results []result, name string) error {
	rows := []row{}
	for _, r := range results {
		if r.measured != nil && r.name != "direct" {
			rows = append(rows, r.row())
		}
	}
	if len(rows) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644) //nolint:gosec // figures, for everybody
}

const pageHead = `# What a call costs, beside rtpengine

` + "`make bench-media`" + ` writes this page: in one run on one machine, calls with speech go through the service, then through
[rtpengine](https://github.com/sipwise/rtpengine) in user space. Compare within one page only.

- **A call** is a caller in PCMU over plain RTP and an agent over SRTP (AES-128-GCM), 50 packets a second each way. All callers and
  agents are one process beside, whose cost does not count; it says so itself when it cannot keep up, and fewer calls are measured.
- **CPU** is the process's own processor time per second and call: the median of the seconds in which others used less than a tenth
  of the machine, or of all seconds where fewer than five were quiet.
- **Memory** is what is resident with the calls and was not without, a call; of the service, the agent's connection included.
- **Delay** is one way, of the slower direction, dated by the kernel. A packet of G.711 carries the time it was sent in the least bits
  of its own bytes, under a checksum over its speech. Where a codec is in between, the delay is that of a chirp in the speech, less the
  codec's own: jitter buffers and packet times of the transcoder count.
- **Whole**: every packet of G.711 arrived once, in order, in its own call and to the bit; of chirps, 99 in 100 are found.

| case | what it is |
|---|---|
| direct | nothing in between: the load, and the machine's loopback |
| ours-metered | PCMU trunk and WebRTC agent; Opus up, PCMU down; the agent's voice is decoded and measured, readings of the microphone come by WebSocket |
| ours-pcmu | PCMU both ways, in a queue that is not metered |
| ours-transcoding | Opus both ways to the agent, not metered |
| rtpengine-srtp | PCMU both ways, RTP to SRTP with keys by SDES |
| rtpengine-opus | PCMU to Opus in SRTP and back |

`

func writePage(results []result, name string) error {
	var b strings.Builder
	b.WriteString(pageHead)
	fmt.Fprintf(&b, "Measured on %s, %d processors (%s), %s.\n\n", time.Now().Format("2006-01-02"), runtime.NumCPU(), processorName(), kernel())
	b.WriteString("| case | calls | CPU-ms per call-second | KiB a call | loss | delay p50 / p99 / max, ms | speech | quiet seconds | the load's own CPU-ms |\n|---|---|---|---|---|---|---|---|---|\n")
	var notes []string
	for _, r := range results {
		if r.measured == nil {
			notes = append(notes, fmt.Sprintf("%s was not measured: %s.", r.name, r.note))
			continue
		}
		v := r.row()
		_, quiet := r.perCall()
		fmt.Fprintf(&b, "| %s | %d | %.2f | %.0f | %.2f %% | %.2f / %.2f / %.1f | %s | %d of %d | %.2f |\n", v.Case, v.Calls, v.CPU, v.RSS, 100*v.Loss,
			v.P50, v.P99, ms(r.delay(1)), strings.TrimPrefix(r.whole(), "speech "), quiet, len(r.cpu), r.load)
		if r.note != "" {
			notes = append(notes, fmt.Sprintf("%s, %d calls: %s.", r.name, r.calls, r.note))
		}
	}
	for _, n := range append(notes, compare(results)...) {
		fmt.Fprintf(&b, "\n- %s", n)
	}
	b.WriteString("\n")
	return os.WriteFile(name, []byte(b.String()), 0o644) //nolint:gosec // a page of the documentation
}

func processorName() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(b))
}
