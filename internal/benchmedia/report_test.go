//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
)

// made is a result as if it had been measured.
func made(name string, calls int, cpu float64, delay time.Duration) result {
	m := &measured{Result: &talk.Result{Calls: calls}, load: 1, resident: int64(calls) * 100 << 10}
	for range 10 {
		m.cpu, m.quiet = append(m.cpu, cpu), append(m.quiet, true)
	}
	m.Up.Sent, m.Up.Heard, m.Up.Marked = 1000, 1000, 1000
	m.Down.Sent, m.Down.Heard, m.Down.Marked, m.Down.Lost = 1000, 999, 999, 1
	m.Down.Delays.Add(int64(delay))
	return result{test: test{name: name, calls: calls}, measured: m}
}

func TestRowsAndBarsSayWhatWasMeasured(t *testing.T) {
	results := []result{
		made("direct", 100, 0, 0), made("ours-metered", 25, 2.5, time.Millisecond), made("rtpengine-opus", 25, 30, 4*time.Millisecond),
		made("ours-pcmu", 100, 3, 5*time.Millisecond), made("rtpengine-srtp", 100, 2, time.Millisecond), made("ours-metered", 200, 6, 20*time.Millisecond),
		{test: test{name: "rtpengine-srtp", calls: 200}, note: "not installed"},
	}
	file := filepath.Join(t.TempDir(), "deep", "rows.json")
	if err := writeJSON(results, file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5 || len(rows[0]) != 7 || rows[0]["case"] != "ours-metered" || rows[0]["calls"] != 25.0 || rows[0]["cpu_ms_per_call_s"] != 2.5 ||
		rows[0]["rss_kib_per_call"] != 100.0 || rows[0]["loss"] != 0.001 || rows[0]["delay_ms_p99"] != 1.0 {
		t.Errorf("rows: %s", text)
	}
	lines := strings.Join(compare(results), "\n")
	for _, want := range []string{
		"ours-metered ÷ rtpengine-opus: 0.08 (25 and 25 calls; first bar 0.25, goal 0.1): goal reached",
		"ours-metered: 6.00 CPU-ms (200 calls; first bar 5.7, goal 3): below the first bar",
		"ours-metered, memory: 100.00 KiB a call (200 calls; first bar 400, goal 150): goal reached",
		"ours-pcmu ÷ rtpengine-srtp: 1.50 (100 and 100 calls; first bar 2, goal 1): first bar reached",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("missing: %s\nin:\n%s", want, lines)
		}
	}
	page := filepath.Join(t.TempDir(), "page.md")
	if err := writePage(results, page); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "| ours-pcmu | 100 | 3.00 | 100 | 0.10 % | 5.00 / 5.00 / 5.0 | whole | 10 of 10 | 1.00 |") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestFewerCallsWhereTheMachineHoldsNoMore(t *testing.T) {
	before := []result{made("ours-metered", 25, 9, time.Millisecond)}
	if got, want := expected(test{name: "ours-metered", calls: 100000}, before), int(usable*1000*processors/10); got != want {
		t.Errorf("%d calls of 10 CPU-ms are expected to fit, want %d", got, want)
	}
	r := made("ours-pcmu", 100, 3, time.Millisecond)
	if why := r.failed(); why != "" {
		t.Errorf("a good measurement does not count: %s", why)
	}
	r.Missed = 300
	if why := r.failed(); !strings.Contains(why, "stood still for 300 ms") {
		t.Errorf("a load that stood still: %q", why)
	}
	if _, err := chosen("no such case", ""); err == nil {
		t.Error("a case that is none is measured")
	}
	if todo, err := chosen("ours-pcmu", "5,10"); err != nil || len(todo) != 2 || todo[1].calls != 10 {
		t.Errorf("%v, %v", todo, err)
	}
	if _, err := chosen("", "5,x"); err == nil {
		t.Error("x calls are measured")
	}
}
