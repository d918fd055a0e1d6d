package rtp_test

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

const ms = time.Millisecond

// line is a sender, a network and a sound card in synthetic time: a tone of 400 Hz at
// -20 dBov in packets of 20 ms goes in, and is pulled 10 ms at a time.
type line struct {
	codec   media.Codec
	rate    int
	packets int
	network func(i int) (delay time.Duration, lost bool)
	drift   float64 // of the sound card's clock, parts of one
}

// heard is what came out of a line.
type heard struct {
	pcm    []float32
	marks  []dsp.Mark      // of every 10 ms
	delays []time.Duration // after every 10 ms
}

type arrival struct {
	at time.Duration
	p  media.Packet
}

func (l line) arrivals(t *testing.T) []arrival {
	t.Helper()
	encodeRate := codec.EncodeRate(l.codec)
	enc, err := codec.NewEncoder(l.codec, encodeRate)
	if err != nil {
		t.Fatal(err)
	}
	tone := mediatest.Tone(encodeRate, 400, -20, l.packets*encodeRate/50)
	var all []arrival
	for i := range l.packets {
		payload := make([]byte, 1500)
		n, err := enc.Encode(tone[i*encodeRate/50:(i+1)*encodeRate/50], payload)
		if err != nil {
			t.Fatal(err)
		}
		delay, lost := l.network(i)
		if lost {
			continue
		}
		all = append(all, arrival{time.Duration(i)*20*ms + delay, media.Packet{
			Source: 1, Seq: 5000 + uint64(i), Timestamp: 1<<32 + uint64(i*l.codec.ClockRate()/50), Codec: l.codec, Payload: payload[:n],
		}})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at < all[j].at })
	return all
}

func (l line) run(t *testing.T) heard {
	t.Helper()
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: l.rate})
	if err != nil {
		t.Fatal(err)
	}
	var out heard
	arrivals := l.arrivals(t)
	frame := make([]float32, l.rate/100)
	for k := 0; ; k++ {
		now := time.Duration(float64(k) * float64(10*ms) * (1 + l.drift))
		if now > time.Duration(l.packets)*20*ms {
			return out
		}
		for len(arrivals) > 0 && arrivals[0].at <= now {
			j.Push(&arrivals[0].p, start.Add(arrivals[0].at))
			arrivals = arrivals[1:]
		}
		out.marks = append(out.marks, j.Pull(frame))
		out.pcm = append(out.pcm, frame...)
		out.delays = append(out.delays, j.Delay())
	}
}

// share is the part of the frames from 10 ms number from on that carry the mark.
func (h heard) share(from int, mark dsp.Mark) float64 {
	n := 0
	for _, m := range h.marks[from:] {
		if m&mark != 0 {
			n++
		}
	}
	return float64(n) / float64(len(h.marks)-from)
}

// level is the power in dBov of the second that starts at the given second.
func (h heard) level(second, rate int) float64 {
	var sum float64
	for _, x := range h.pcm[second*rate : (second+1)*rate] {
		sum += float64(x) * float64(x)
	}
	return dsp.PowerDBov(sum / float64(rate))
}

func TestOnAQuietNetworkEverythingIsHeardAsItWas(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		rate  int
	}{{media.PCMU, 8000}, {media.PCMA, 48000}, {media.Opus, 16000}, {media.Opus, 48000}} {
		h := line{codec: c.codec, rate: c.rate, packets: 150, network: func(int) (time.Duration, bool) { return 5 * ms, false }}.run(t)
		if n := h.share(20, 0xff); n != 0 {
			t.Errorf("%v at %d Hz: %.1f %% of the frames are marked", c.codec, c.rate, 100*n)
		}
		hz, level := mediatest.FindTone(h.pcm[c.rate:2*c.rate], c.rate)
		if math.Abs(hz-400) > 0.5 || math.Abs(level+20) > 0.5 {
			t.Errorf("%v at %d Hz: heard %.1f Hz at %.2f dBov", c.codec, c.rate, hz, level)
		}
		if d := h.delays[200]; d > 45*ms {
			t.Errorf("%v at %d Hz: delay %v on a network without jitter", c.codec, c.rate, d)
		}
	}
}

func TestReorderedAndDoubledPacketsAreNotHeardAsLoss(t *testing.T) {
	h := line{codec: media.PCMU, rate: 8000, packets: 500, network: func(i int) (time.Duration, bool) {
		if i%7 == 0 {
			return 45 * ms, false // arrives after the next two
		}
		return 0, false
	}}.run(t)
	if n := h.share(300, dsp.Lost); n > 0.01 {
		t.Errorf("%.1f %% of the frames are lost although all packets came", 100*n)
	}
}

func TestLossIsConcealedAndMarked(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		h := line{codec: c, rate: 16000, packets: 1000, network: func(int) (time.Duration, bool) { return 0, random.IntN(100) < 30 }}.run(t)
		if n := h.share(100, dsp.Lost); n < 0.25 || n > 0.45 {
			t.Errorf("%v: with 30 %% loss %.1f %% of the frames are marked lost", c, 100*n)
		}
		if got := h.level(10, 16000); got < -23.5 || got > -18 {
			t.Errorf("%v: the level sank to %.1f dBov, want about -20", c, got)
		}
		if d := h.delays[len(h.delays)-1]; d > 60*ms {
			t.Errorf("%v: loss alone grew the delay to %v", c, d)
		}
	}
}

func TestTheDelayGrowsInABurstAndShrinksAgain(t *testing.T) {
	h := line{codec: media.PCMU, rate: 8000, packets: 2000, network: func(i int) (time.Duration, bool) {
		if at := i % 25; i >= 250 && i < 500 && at < 10 {
			return time.Duration(10-at) * 20 * ms, false // stalls of 200 ms, twice a second
		}
		return 0, false
	}}.run(t)
	before, during, after := h.delays[450], h.delays[950], h.delays[len(h.delays)-1]
	if before > 45*ms || during < 180*ms || during > 320*ms || after > 60*ms {
		t.Errorf("delay %v before, %v in, and %v 30 s after a burst of 200 ms stalls", before, during, after)
	}
	late := 0
	for _, m := range h.marks[700:1000] {
		if m&dsp.Lost != 0 {
			late++
		}
	}
	if late > 3 {
		t.Errorf("%d of 300 frames are lost once the delay has grown", late)
	}
	if got := h.level(38, 8000); math.Abs(got+20) > 0.5 {
		t.Errorf("the tone came out of it at %.1f dBov", got)
	}
}

func TestTwoSecondsOfLossAreSilenceAndThenTheVoiceIsBack(t *testing.T) {
	h := line{codec: media.PCMU, rate: 8000, packets: 500, network: func(i int) (time.Duration, bool) { return 0, i >= 200 && i < 300 }}.run(t)
	if got := h.level(5, 8000); got != dsp.SilenceDBov {
		t.Errorf("in the middle of the loss %.1f dBov are heard", got)
	}
	if got := h.level(7, 8000); math.Abs(got+20) > 0.5 {
		t.Errorf("after it the level is %.1f dBov", got)
	}
	if d := h.delays[len(h.delays)-1]; d > 100*ms {
		t.Errorf("the delay stayed at %v", d)
	}
	if n := h.share(680, 0xff); n > 0.1 {
		t.Errorf("%.0f %% of the frames are marked a second after the loss", 100*n)
	}
}

func TestClockDriftIsFollowedWithoutLossOrGrowth(t *testing.T) {
	for _, ppm := range []float64{-200, 200, 1000} {
		h := line{codec: media.PCMU, rate: 8000, packets: 6000, drift: ppm * 1e-6, network: func(i int) (time.Duration, bool) { return time.Duration(i%3) * 2 * ms, false }}.run(t)
		if n := h.share(500, dsp.Lost); n > 0.002 {
			t.Errorf("%v ppm: %.2f %% of the frames are lost", ppm, 100*n)
		}
		if d := h.delays[len(h.delays)-1]; d > 80*ms || d < 15*ms {
			t.Errorf("%v ppm: the delay is %v after two minutes", ppm, d)
		}
		hz, level := mediatest.FindTone(h.pcm[100*8000:100*8000+2000], 8000)
		if math.Abs(hz-400) > 3 || math.Abs(level+20) > 0.7 {
			t.Errorf("%v ppm: heard %.1f Hz at %.2f dBov", ppm, hz, level)
		}
	}
}

func TestAPauseInWhichNothingIsSentIsSilence(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, 80)
	if got := j.Pull(frame); got != dsp.ComfortNoise {
		t.Errorf("before the first packet the mark is %b", got)
	}
	// Talk of 200 ms, a pause of 800 ms, talk again: sequence numbers go on (RFC 3551 section 4.1).
	var lost, played int
	voice := make([]byte, 160)
	for k := range 400 {
		now := time.Duration(k) * 10 * ms
		if second, at := k/100, k%100; at < 20 && at%2 == 0 {
			j.Push(&media.Packet{Source: 1, Seq: uint64(100 + second*10 + at/2), Timestamp: uint64(80 * k), Codec: media.PCMU, Payload: voice}, start.Add(now))
		}
		mark := j.Pull(frame)
		if mark&dsp.Lost != 0 {
			lost++
		}
		if frame[40] != 0 {
			played++
		}
	}
	if played < 4*19 || played > 4*34 {
		t.Errorf("%d frames were played, 80 were sent", played)
	}
	if lost > 4*11 {
		t.Errorf("%d frames of the pauses were taken for loss", lost)
	}
}

func TestAfterALongPauseClockDriftIsNoJitter(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, 160)
	const hour = 3600 * time.Second
	for talk := range 2 {
		for i := range 100 {
			n := uint64(talk*100 + i)
			sent := time.Duration(talk)*hour + time.Duration(i)*20*ms
			j.Push(&media.Packet{Source: 1, Seq: 9 + n, Timestamp: uint64(sent/ms) * 8, Codec: media.PCMU, Payload: payload20},
				start.Add(sent+time.Duration(talk)*hour/5000)) // 200 ppm
			j.Pull(frame)
		}
		for range 50 {
			j.Pull(frame) // the pause begins
		}
		if d := j.Delay(); d > 60*ms {
			t.Errorf("talk %d: delay %v on a network without jitter", talk, d)
		}
	}
}

func TestANewSourceIsHeardWhatItsNumbers(t *testing.T) {
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, 160)
	voice := make([]byte, 160)
	silent := 0
	for k := range 600 {
		source, n := uint64(1+k/200), uint64(k%200/2)
		if k%2 == 0 {
			j.Push(&media.Packet{
				Source: uint32(source), Seq: 1<<40/source + n, Timestamp: 1<<50/source + 160*n,
				Codec: media.Codec(1 + source%2), Payload: voice,
			}, start.Add(time.Duration(k)*10*ms))
		}
		if j.Pull(frame); frame[80] == 0 {
			silent++
		}
	}
	if silent > 3*5 {
		t.Errorf("three sources were heard with %d ms of silence", silent*10)
	}
}

func TestPushAndPullAllocateNothing(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		arrivals := line{codec: c, packets: 400, network: func(i int) (time.Duration, bool) { return time.Duration(i%4) * 7 * ms, i%9 == 0 }}.arrivals(t)
		j, err := rtp.NewJitterBuffer(rtp.JitterConfig{})
		if err != nil {
			t.Fatal(err)
		}
		frame := make([]float32, 960)
		i := 0
		if n := testing.AllocsPerRun(len(arrivals)-2, func() {
			j.Push(&arrivals[i].p, start.Add(arrivals[i].at))
			j.Pull(frame)
			i++
		}); n != 0 {
			t.Errorf("%v: %v allocations a packet", c, n)
		}
	}
}

// FuzzJitterBuffer: whatever numbers and payloads come, Pull fills its frame with finite
// samples and ends, and a clean stream after that is heard.
func FuzzJitterBuffer(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0, 0x80, 9})
	f.Add([]byte{1, 2, 20, 0x31, 5, 6, 1, 2, 20, 0x35, 45, 200, 1, 60, 250, 0x71, 5, 6}) // voice, comfort noise, another source
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		frame := make([]float32, 80)
		var seq, ts uint64 = 1 << 16, 1 << 32
		var now time.Duration
		for ; len(data) >= 6; data = data[6:] {
			seq += uint64(int64(int8(data[0])))
			ts += uint64(int64(int8(data[1])) * 80)
			now += time.Duration(data[2]) * ms
			p := media.Packet{Source: uint32(data[3] >> 6), Seq: seq, Timestamp: ts, Codec: media.Codec(data[3] % 8), Payload: data[4:6]}
			j.Push(&p, start.Add(now))
			for range data[3] >> 4 & 3 {
				j.Pull(frame)
				for i, x := range frame {
					if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 10 {
						t.Fatalf("sample %d is %v", i, x)
					}
				}
			}
			if d := j.Delay(); d < -100*ms || d > time.Minute {
				t.Fatalf("a delay of %v", d)
			}
		}
		frame = make([]float32, 160)
		// Whatever came before: a voice of its own is heard within two seconds, whole.
		voice := make([]byte, 160)
		for i := range 150 {
			j.Push(&media.Packet{Source: 99, Seq: 7 + uint64(i), Timestamp: uint64(160 * i), Codec: media.PCMU, Payload: voice}, start.Add(now+time.Duration(i)*20*ms))
			if mark := j.Pull(frame[:160]); i > 100 && mark&(dsp.Lost|dsp.ComfortNoise) != 0 {
				t.Fatalf("packet %d of a clean stream is marked %b", i, mark)
			}
		}
	})
}
