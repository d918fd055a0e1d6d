package analyze_test

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/headroom-voice/headroom/internal/analyze"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

// BenchmarkMinute is the whole command over a minute of speech, file and report included.
func BenchmarkMinute(b *testing.B) {
	x, rate, err := testdata.Samples("agent-1")
	if err != nil {
		b.Fatal(err)
	}
	for len(x) < 60*rate {
		x = append(x, x...)
	}
	path := filepath.Join(b.TempDir(), "x.wav")
	if err := wavfile.Write(path, rate, x[:60*rate]); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if status := analyze.Run(context.Background(), analyze.Options{Files: []string{path}}, io.Discard, io.Discard); status != 0 {
			b.Fatal(status)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/3000, "µs/block")
}
