package rtp_test

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

// spoken is a tone of 400 Hz at -20 dBov in n packets of a codec.
func spoken(t *testing.T, c media.Codec, ptime time.Duration, n int) []media.Packet {
	t.Helper()
	rate := codec.EncodeRate(c)
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	size := int(ptime * time.Duration(rate) / time.Second)
	tone := mediatest.Tone(rate, 400, -20, n*size)
	out := make([]media.Packet, n)
	for i := range out {
		payload := make([]byte, 1500)
		k, err := enc.Encode(tone[i*size:(i+1)*size], payload)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = media.Packet{Source: 1, Seq: uint64(i), Timestamp: uint64(i * size * c.ClockRate() / rate), Codec: c, Payload: payload[:k]}
	}
	return out
}

func TestAnotherSourceOrCodecGoesOnWithoutAGap(t *testing.T) {
	for _, c := range []struct{ from, to media.Codec }{
		{media.PCMU, media.PCMU}, {media.PCMU, media.PCMA}, {media.PCMU, media.Opus}, {media.Opus, media.PCMU}, {media.G722, media.Opus},
	} {
		for _, rate := range []int{8000, 16000, 48000} {
			j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: rate})
			if err != nil {
				t.Fatal(err)
			}
			before, after := spoken(t, c.from, 20*ms, 50), spoken(t, c.to, 20*ms, 50)
			var pcm []float32
			frame := make([]float32, rate/50)
			var before20, most time.Duration
			lost := 0
			for i := range 100 {
				p := &before[i%50]
				if i >= 50 {
					p = &after[i-50]
					p.Source, p.Seq = 2, p.Seq+9_000_000
					p.Timestamp += 1 << 50
				}
				j.Push(p, start.Add(time.Duration(i)*20*ms))
				if mark := j.Pull(frame); i > 10 && mark&dsp.Lost != 0 {
					lost++
				}
				pcm = append(pcm, frame...)
				if i == 49 {
					before20 = j.Delay()
				}
				most = max(most, j.Delay())
			}
			if lost > 0 || most > before20+20*ms {
				t.Errorf("%v to %v at %d Hz: %d frames made up, delay %v, then %v", c.from, c.to, rate, lost, before20, most)
			}
			// Every 10 ms around the change have the tone's power.
			for at := 4 * rate / 5; at < 6*rate/5; at += rate / 100 {
				var sum float64
				for _, x := range pcm[at : at+rate/100] {
					sum += float64(x) * float64(x)
				}
				if got := dsp.PowerDBov(sum / float64(rate/100)); math.Abs(got+20) > 4 {
					t.Errorf("%v to %v at %d Hz: %.1f dBov at %d ms", c.from, c.to, rate, got, 1000*at/rate)
				}
			}
		}
	}
}

func TestAPauseSoundsAsThePartySays(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	talk := spoken(t, media.PCMU, 20*ms, 100)
	frame := make([]float32, 320)
	var pcm []float32
	var marks []dsp.Mark
	// A second of talk, a pause of two seconds with a description at its start and in its
	// middle, a second of talk.
	seq := uint64(7)
	for i := range 200 {
		p := media.Packet{Source: 1, Seq: seq, Timestamp: uint64(160 * i), Codec: media.PCMU}
		switch {
		case i < 50:
			p.Payload = talk[i].Payload
		case i == 50 || i == 100:
			p.Codec, p.Payload = media.CN, []byte{45}
		case i >= 150:
			p.Payload = talk[i-100].Payload
		}
		if p.Payload != nil {
			j.Push(&p, start.Add(time.Duration(i)*20*ms))
			seq++
		}
		marks = append(marks, j.Pull(frame))
		pcm = append(pcm, frame...)
	}
	level := func(from, to int) float64 {
		var sum float64
		for _, x := range pcm[from*320 : to*320] {
			sum += float64(x) * float64(x)
		}
		return dsp.PowerDBov(sum / float64((to-from)*320))
	}
	if got := level(58, 148); math.Abs(got+45) > 1.5 {
		t.Errorf("the pause is at %.1f dBov, want -45", got)
	}
	for i := 58; i < 148; i++ {
		if marks[i] != dsp.ComfortNoise {
			t.Fatalf("%d ms into the pause the mark is %b", 20*(i-50), marks[i])
		}
		if l := level(i, i+1); l < -50 {
			t.Errorf("%d ms into the pause it is silent (%.1f dBov)", 20*(i-50), l)
		}
	}
	if before, after := level(10, 49), level(158, 198); math.Abs(before+20) > 0.5 || math.Abs(after+20) > 0.5 {
		t.Errorf("the talk is at %.1f and %.1f dBov", before, after)
	}
	for i, m := range marks[160:] {
		if m&(dsp.Lost|dsp.ComfortNoise) != 0 {
			t.Errorf("frame %d of the talk is marked %b", i, m)
		}
	}
}

func TestEveryPacketTimeIsHeard(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.G722, media.Opus} {
		for _, ptime := range []time.Duration{10 * ms, 20 * ms, 30 * ms, 40 * ms, 60 * ms} {
			if codec.PacketTime(c, ptime) != ptime {
				continue
			}
			j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
			if err != nil {
				t.Fatal(err)
			}
			said := spoken(t, c, ptime, int(6*time.Second/ptime))
			frame := make([]float32, 160)
			var pcm []float32
			marked := 0
			for i := range 600 {
				for at := time.Duration(i) * 10 * ms; len(said) > 0 && time.Duration(said[0].Timestamp)*time.Second/time.Duration(c.ClockRate()) <= at; said = said[1:] {
					j.Push(&said[0], start.Add(at))
				}
				if m := j.Pull(frame); i > 200 && m != 0 { // by then the delay fits the packets
					marked++
				}
				pcm = append(pcm, frame...)
			}
			hz, level := mediatest.FindTone(pcm[8000:24000], 16000)
			if math.Abs(hz-400) > 0.5 || math.Abs(level+20) > 0.5 || marked > 0 {
				t.Errorf("%v in packets of %v: %.1f Hz at %.2f dBov, %d frames marked", c, ptime, hz, level, marked)
			}
		}
	}
}

func TestABufferOfNarrowBandSpeechIsSmall(t *testing.T) {
	const buffers = 50
	said := spoken(t, media.PCMU, 20*ms, 200)
	all := make([]*rtp.JitterBuffer, buffers)
	frame := make([]float32, 160)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for k := range all {
		j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range said {
			j.Push(&said[i], start.Add(time.Duration(i)*20*ms))
			j.Pull(frame)
		}
		all[k] = j
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / buffers
	t.Logf("%d bytes a buffer", each)
	if each > 40<<10 {
		t.Errorf("a buffer takes %d bytes", each)
	}
	runtime.KeepAlive(all)
}

// Once what a burst needs was allocated, nothing more is.
func TestABurstAllocatesOnlyOnce(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	said := spoken(t, media.PCMU, 20*ms, 10)
	frame := make([]float32, 1600)
	n := uint64(0)
	burst := func() {
		for range 10 {
			p := said[n%10]
			p.Seq, p.Timestamp = n, 160*n
			n++
			j.Push(&p, start.Add(time.Duration(n)*20*ms))
		}
		j.Pull(frame)
	}
	for range 5 {
		burst()
	}
	if allocs := testing.AllocsPerRun(50, burst); allocs != 0 {
		t.Errorf("%v allocations a burst", allocs)
	}
}

// Ten minutes of a sound card that is 200 ppm off: 120 ms come to be too many or too few, and
// are taken out or put in a pitch period at a time. Nothing is lost, and the delay stays.
func TestTenMinutesOfClockDriftNeitherSlipNorGrowTheDelay(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute under the race detector")
	}
	for _, ppm := range []float64{-200, 200} {
		h := line{codec: media.PCMU, rate: 8000, packets: 30_000, drift: ppm * 1e-6, network: func(i int) (time.Duration, bool) {
			return time.Duration(i*7%5) * 2 * ms, false
		}}.run(t)
		least, most := time.Hour, time.Duration(0)
		for _, d := range h.delays[500:] {
			least, most = min(least, d), max(most, d)
		}
		stretched, lost := h.share(500, dsp.Concealed), h.share(500, dsp.Lost)
		t.Logf("%+.0f ppm: delay %v to %v, %.2f %% of the frames stretched, %.2f %% lost", ppm, least, most, 100*stretched, 100*lost)
		if lost > 0 || least < 15*ms || most > 70*ms || stretched > 0.02 {
			t.Errorf("%+.0f ppm: delay %v to %v, %.2f %% stretched, %.2f %% lost", ppm, least, most, 100*stretched, 100*lost)
		}
		for _, second := range []int{60, 300, 590} {
			if got := h.level(second, 8000); math.Abs(got+20) > 0.3 {
				t.Errorf("%+.0f ppm: %.1f dBov after %d s", ppm, got, second)
			}
		}
	}
}

// A talk spurt of any length after two seconds without a packet is heard within one second,
// whole and undelayed.
func TestTwoSecondsWithoutAPacketAreOverWithinOne(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.Opus, media.G722} {
		h := line{codec: c, rate: 16000, packets: 500, network: func(i int) (time.Duration, bool) { return 0, i >= 200 && i < 300 }}.run(t)
		back := 0
		for i := 600; i < len(h.marks); i++ { // from when packets come again
			if h.marks[i] != 0 {
				back = i + 1
			}
		}
		if after := time.Duration(back-600) * 10 * ms; after > time.Second {
			t.Errorf("%v: %v after the gap something is still made up", c, after)
		}
		if got := h.level(7, 16000); math.Abs(got+20) > 0.5 {
			t.Errorf("%v: a second after the gap the tone is at %.1f dBov", c, got)
		}
		if before, after := h.delays[390], h.delays[700]; after > before+20*ms {
			t.Errorf("%v: the delay was %v and is %v", c, before, after)
		}
	}
}

// A stall of two seconds whose packets then come all at once: the voice is back at once, and
// not two seconds late.
func TestAStallIsNotPlayedOutInFull(t *testing.T) {
	h := line{codec: media.PCMU, rate: 8000, packets: 1500, network: func(i int) (time.Duration, bool) {
		if i >= 200 && i < 300 {
			return time.Duration(300-i) * 20 * ms, false
		}
		return 0, false
	}}.run(t)
	if got := h.level(6, 8000); math.Abs(got+20) > 1 {
		t.Errorf("as the packets come the tone is at %.1f dBov", got)
	}
	most := time.Duration(0)
	for _, d := range h.delays[610:] {
		most = max(most, d)
	}
	if most > 600*ms {
		t.Errorf("the delay grew to %v", most)
	}
	if d := h.delays[len(h.delays)-1]; d > 60*ms {
		t.Errorf("24 s later it is still %v", d)
	}
}

// A source whose timestamps leap does not keep the next one waiting.
func TestALeapOfTheTimestampIsNotWaitedOut(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	said := spoken(t, media.PCMU, 20*ms, 200)
	frame := make([]float32, 160)
	for i := range said {
		p := &said[i]
		if i >= 50 { // one is lost, and the clock leaps by a minute
			p.Seq++
			p.Timestamp += 60 * 8000
		}
		if i >= 100 {
			p.Source = 2
		}
		j.Push(p, start.Add(time.Duration(i)*20*ms))
		if m := j.Pull(frame); i > 150 && m&(dsp.Lost|dsp.ComfortNoise) != 0 {
			t.Errorf("frame %d is marked %b", i, m)
		}
	}
	if d := j.Delay(); d > 100*ms {
		t.Errorf("the delay is %v", d)
	}
}
