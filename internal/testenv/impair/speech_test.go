package impair_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/internal/testenv/impair"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/testdata"
)

// speech is every recording of testdata, one after the other, in packets of 20 ms; of which
// there are fewer under the race detector, which takes twelve times as long.
func speech(t *testing.T, c media.Codec) (packets []media.Packet) {
	t.Helper()
	rate := codec.EncodeRate(c)
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	names := testdata.Names()
	if raced {
		names = names[:1]
	}
	for _, name := range names {
		pcm, from, err := testdata.Samples(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := resample.New(from, rate)
		if err != nil {
			t.Fatal(err)
		}
		for pcm = r.Process(nil, pcm); len(pcm) >= rate/50; pcm = pcm[rate/50:] {
			payload := make([]byte, 1500)
			n, err := enc.Encode(pcm[:rate/50], payload)
			if err != nil {
				t.Fatal(err)
			}
			i := uint64(len(packets))
			packets = append(packets, media.Packet{Source: 1, Seq: i, Timestamp: i * uint64(c.ClockRate()/50), Codec: c, Payload: payload[:n]})
		}
	}
	return packets
}

// played is what a jitter buffer of 16 kHz makes of packets that a line brought, and the share
// of it that was made up.
func played(t *testing.T, packets []media.Packet, link impair.Link, seed uint64) (pcm []float32, made float64, most time.Duration) {
	t.Helper()
	line, err := impair.NewLine(link, seed)
	if err != nil {
		t.Fatal(err)
	}
	type arrival struct {
		at time.Duration
		p  *media.Packet
	}
	var arrivals []arrival
	for i := range packets {
		at, n := line.Pass(time.Duration(i)*20*ms, len(packets[i].Payload)+12)
		for _, at := range at[:n] {
			arrivals = append(arrivals, arrival{at, &packets[i]})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.at - b.at) })
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	epoch := time.Unix(1e9, 0)
	frame := make([]float32, 160)
	marked := 0
	for k := range 2 * len(packets) {
		now := time.Duration(k) * 10 * ms
		for len(arrivals) > 0 && arrivals[0].at <= now {
			j.Push(arrivals[0].p, epoch.Add(arrivals[0].at))
			arrivals = arrivals[1:]
		}
		if j.Pull(frame)&dsp.Lost != 0 {
			marked++
		}
		pcm = append(pcm, frame...)
		most = max(most, j.Delay())
	}
	return pcm, float64(marked) / float64(2*len(packets)), most
}

func activeLevel(t *testing.T, pcm []float32) float64 {
	t.Helper()
	m, err := level.New(16000)
	if err != nil {
		t.Fatal(err)
	}
	m.Process(pcm)
	return float64(m.Result().Active)
}

// TestSpeechThroughLoss plays 90 s of speech as it came through a network that loses packets,
// and compares it with the same speech through one that loses none: the table of docs/media.md.
func TestSpeechThroughLoss(t *testing.T) {
	var table strings.Builder
	table.WriteString("\n| codec | loss | in a row | frames of 10 ms with something made up | segmental SNR | level |\n|---|---|---|---|---|---|\n")
	// The least that is promised, in dB of segmental SNR, and how far the level may be off.
	promise := map[int]struct{ snr, level float64 }{1: {33, 0.1}, 3: {29, 0.3}, 5: {27, 0.4}, 10: {20, 0.8}}
	for _, c := range []media.Codec{media.PCMU, media.G722, media.Opus} {
		packets := speech(t, c)
		clean, _, _ := played(t, packets, impair.Link{}, 1)
		bursts := []float64{1, 3}
		if raced {
			bursts = bursts[:1]
		}
		for _, burst := range bursts {
			for _, percent := range []int{1, 3, 5, 10} {
				got, made, _ := played(t, packets, impair.Link{Loss: float64(percent) / 100, Burst: burst}, uint64(percent))
				snr, _ := mediatest.SegmentalSNR(clean, got, 16000, nil)
				off := activeLevel(t, got) - activeLevel(t, clean)
				ratio := fmt.Sprintf("%.1f dB", snr)
				if burst > 1 { // a loss of 100 ms is a pause, after which a voice need not come on the sample
					snr, ratio = math.Inf(1), ""
				}
				fmt.Fprintf(&table, "| %v | %d %% | %.0f | %.1f %% | %s | %+.2f dB |\n", c, percent, burst, 100*made, ratio, off)
				want := promise[percent]
				if raced { // a shorter text is further from its mean
					want.snr, want.level = want.snr-3, want.level+1
				}
				if snr < want.snr || math.Abs(off) > want.level {
					t.Errorf("%v, %d %% lost %v in a row: segmental SNR %.1f dB, level off by %+.2f dB; promised are %.0f and %.1f",
						c, percent, burst, snr, off, want.snr, want.level)
				}
			}
		}
	}
	t.Log(table.String())
}

// TestSpeechThroughJitterIsWhole: what only comes late, twice or out of order is not made up.
func TestSpeechThroughJitterIsWhole(t *testing.T) {
	packets := speech(t, media.PCMU)
	clean, _, _ := played(t, packets, impair.Link{}, 1)
	for _, c := range []struct {
		link impair.Link
		most time.Duration
	}{
		{impair.Link{Delay: 50 * ms, Jitter: 10 * ms}, 60 * ms},
		{impair.Link{Delay: 50 * ms, Jitter: 40 * ms}, 120 * ms},
		{impair.Link{Delay: 50 * ms, Jitter: 20 * ms, Reorder: 0.02, Duplicate: 0.02}, 140 * ms},
		{impair.Link{Delay: 200 * ms, DriftPPM: -200}, 60 * ms},
		{impair.Link{DriftPPM: 200, Jitter: 10 * ms}, 60 * ms},
	} {
		pcm, made, most := played(t, packets, c.link, 5)
		t.Logf("%+v: %.2f %% made up, at most %v late", c.link, 100*made, most)
		if made > 0.01 || most > c.most {
			t.Errorf("%+v: %.2f %% made up, at most %v late", c.link, 100*made, most)
		}
		if off := activeLevel(t, pcm) - activeLevel(t, clean); math.Abs(off) > 0.3 {
			t.Errorf("%+v: the level is off by %+.2f dB", c.link, off)
		}
	}
}
