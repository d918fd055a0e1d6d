package bridge_test

import (
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

const ms = time.Millisecond

// voice is a tone in packets of a codec.
func voice(t testing.TB, c media.Codec, ptime time.Duration, hz, dbov float64, packets int) []media.Packet {
	t.Helper()
	rate := codec.EncodeRate(c)
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	size := int(ptime * time.Duration(rate) / time.Second)
	tone := mediatest.Tone(rate, hz, dbov, packets*size)
	out := make([]media.Packet, packets)
	for i := range out {
		payload := make([]byte, 1500)
		n, err := enc.Encode(tone[i*size:(i+1)*size], payload)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = media.Packet{
			Source: 77, Seq: 1<<16 + uint64(i), Timestamp: 1<<32 + uint64(i*size*c.ClockRate()/rate), Codec: c, Payload: payload[:n],
		}
	}
	return out
}

// decode plays packets that must be without gaps in sequence and timestamp.
func decode(t testing.TB, packets []media.Packet, rate int) []float32 {
	t.Helper()
	var out []float32
	frame := make([]float32, codec.MaxFrame*rate/1000)
	var dec codec.Decoder
	for i, p := range packets {
		if dec == nil {
			var err error
			if dec, err = codec.NewDecoder(p.Codec, rate); err != nil {
				t.Fatal(err)
			}
		}
		if i > 0 {
			last := packets[i-1]
			if p.Seq != last.Seq+1 || p.Source != last.Source || p.Timestamp != last.Timestamp+uint64(codec.Samples(last.Codec, last.Payload)) {
				t.Fatalf("packet %d (%d at %d) does not follow %d at %d", i, p.Seq, p.Timestamp, last.Seq, last.Timestamp)
			}
		}
		n, err := dec.Decode(p.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame[:n]...)
	}
	return out
}

func join(t testing.TB, a, b media.Leg, opt bridge.Options) *bridge.Bridge {
	t.Helper()
	br, err := bridge.Join(a, b, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Close)
	return br
}

// ear is a tap that keeps what it hears.
type ear struct {
	pcm   []float32
	rate  int
	from  media.Codec
	marks map[dsp.Mark]int // samples
}

func (e *ear) Offer(pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	if e.marks == nil {
		e.marks = map[dsp.Mark]int{}
	}
	e.pcm, e.rate, e.from = append(e.pcm, pcm...), rate, from
	e.marks[mark] += len(pcm)
}

func TestWhatTheOtherSideTakesPassesAsItIs(t *testing.T) {
	trunk, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.Opus, media.PCMU)
	join(t, trunk, agent, bridge.Options{})
	said := voice(t, media.PCMU, 20*ms, 1000, -20, 5)
	said[3].Seq, said[4].Seq = said[4].Seq, said[3].Seq // also the order of arrival
	for i := range said {
		trunk.Say(&said[i])
	}
	heard := agent.Heard()
	if len(heard) != len(said) {
		t.Fatalf("%d of %d packets heard", len(heard), len(said))
	}
	for i := range said {
		if h := heard[i]; h.Seq != said[i].Seq || h.Source != 77 || h.Codec != media.PCMU || string(h.Payload) != string(said[i].Payload) {
			t.Errorf("packet %d was changed", i)
		}
	}
}

func TestAToneCrossesTheBridgeAtItsLevel(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to media.Codec
		in, out  time.Duration
		tapped   bool
	}{
		{"agent to trunk", media.Opus, media.PCMU, 20 * ms, 20 * ms, false},
		{"agent to trunk, metered", media.Opus, media.PCMA, 20 * ms, 20 * ms, true},
		{"agent to a trunk of 30 ms", media.Opus, media.PCMU, 20 * ms, 30 * ms, true},
		{"agent to a trunk of 10 ms", media.Opus, media.PCMU, 60 * ms, 10 * ms, false},
		{"agent to a trunk of 60 ms", media.Opus, media.PCMU, 20 * ms, 60 * ms, false},
		{"A-law to mu-law", media.PCMA, media.PCMU, 30 * ms, 20 * ms, true},
		{"trunk to an agent of Opus alone", media.PCMU, media.Opus, 30 * ms, 20 * ms, true},
	} {
		a, b := mediatest.NewLeg(20*ms, c.from), mediatest.NewLeg(c.out, c.to)
		var tap ear
		opt := bridge.Options{}
		if c.tapped {
			opt.FromA = []media.Tap{&tap}
		}
		join(t, a, b, opt)
		said := voice(t, c.from, c.in, 1000, -20, int(time.Second/c.in))
		for i := range said {
			a.Say(&said[i])
		}
		heard := b.Heard()
		if got := codec.Samples(c.to, heard[0].Payload); got != int(c.out*time.Duration(c.to.ClockRate())/time.Second) {
			t.Errorf("%s: packets of %d ticks, want %v", c.name, got, c.out)
		}
		if missing := time.Duration(len(said))*c.in - time.Duration(len(heard))*c.out; missing > c.out {
			t.Errorf("%s: %v are missing", c.name, missing)
		}
		rate := codec.EncodeRate(c.to)
		pcm := decode(t, heard, rate)
		hz, level := mediatest.FindTone(pcm[rate/4:], rate)
		if math.Abs(hz-1000) > 0.5 || math.Abs(level+20) > 0.5 {
			t.Errorf("%s: heard %.2f Hz at %.2f dBov, want 1000 Hz at -20", c.name, hz, level)
		}
		if !c.tapped {
			continue
		}
		hz, level = mediatest.FindTone(tap.pcm[tap.rate/4:], tap.rate)
		if math.Abs(hz-1000) > 0.5 || math.Abs(level+20) > 0.5 || tap.marks[0] < tap.rate*9/10 {
			t.Errorf("%s: the tap heard %.2f Hz at %.2f dBov, %v", c.name, hz, level, tap.marks)
		}
		if c.from == media.Opus && tap.rate != 16000 || tap.from != c.from {
			t.Errorf("%s: the tap hears %d Hz from %v", c.name, tap.rate, tap.from)
		}
	}
}

func TestATapHearsWhatPassesAsItIs(t *testing.T) {
	trunk, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
	var fromTrunk, fromAgent ear
	join(t, trunk, agent, bridge.Options{FromA: []media.Tap{&fromTrunk}, FromB: []media.Tap{&fromAgent}})
	said := voice(t, media.PCMU, 20*ms, 700, -25, 50)
	for i := range said {
		trunk.Say(&said[i])
	}
	if hz, level := mediatest.FindTone(fromTrunk.pcm, 8000); math.Abs(hz-700) > 0.5 || math.Abs(level+25) > 0.5 {
		t.Errorf("the trunk's tap heard %.1f Hz at %.2f dBov", hz, level)
	}
	if len(fromAgent.pcm) != 0 {
		t.Error("the agent's tap heard the trunk")
	}
	if len(agent.Heard()) != 50 {
		t.Errorf("%d of 50 packets passed", len(agent.Heard()))
	}
}

func TestLossIsConcealedForTheOtherSideAndMarkedForTheMeter(t *testing.T) {
	agent, trunk := mediatest.NewLeg(20*ms, media.Opus), mediatest.NewLeg(20*ms, media.PCMU)
	var tap ear
	join(t, agent, trunk, bridge.Options{FromA: []media.Tap{&tap}})
	said := voice(t, media.Opus, 20*ms, 1000, -20, 200)
	for i := range said {
		if i%20 != 10 {
			agent.Say(&said[i])
		}
	}
	heard := trunk.Heard()
	if len(heard) != 200 {
		t.Errorf("%d packets for 200", len(heard))
	}
	pcm := decode(t, heard, 8000)
	if _, level := mediatest.FindTone(pcm, 8000); math.Abs(level+20) > 1 {
		t.Errorf("with every 20th packet lost the tone is at %.2f dBov", level)
	}
	if got := tap.marks[dsp.Lost|dsp.Concealed]; got != 10*320 {
		t.Errorf("%d samples are marked as made up, want %d", got, 10*320)
	}
}

func TestAPauseIsALeapOfTheTimestamp(t *testing.T) {
	agent, trunk := mediatest.NewLeg(20*ms, media.Opus), mediatest.NewLeg(30*ms, media.PCMU)
	var tap ear
	join(t, agent, trunk, bridge.Options{FromA: []media.Tap{&tap}})
	said := voice(t, media.Opus, 20*ms, 1000, -20, 20)
	for i := range said {
		if i >= 10 {
			said[i].Timestamp += 48000 // a second in which nothing was sent
		}
		agent.Say(&said[i])
	}
	heard := trunk.Heard()
	last := heard[len(heard)-1]
	// 200 ms, a second, 200 ms: what was begun before the pause is completed by it.
	if got := last.Timestamp + 240 - heard[0].Timestamp; got != 1410*8 && got != 1380*8 {
		t.Errorf("the stream is %d ms long, want about 1400", got/8)
	}
	if len(heard) > 14 {
		t.Errorf("%d packets for 400 ms of voice", len(heard))
	}
	for i := 1; i < len(heard); i++ {
		if leap := heard[i].Timestamp - heard[i-1].Timestamp; (leap > 240) != heard[i].Marker || leap < 240 {
			t.Errorf("packet %d: %d ticks on, marker %v", i, leap, heard[i].Marker)
		}
	}
	if tap.marks[dsp.ComfortNoise] != 16000 {
		t.Errorf("the meter was told of %d samples of pause, want 16000", tap.marks[dsp.ComfortNoise])
	}
}

func TestANewSourceStartsANewOne(t *testing.T) {
	agent, trunk := mediatest.NewLeg(20*ms, media.Opus), mediatest.NewLeg(20*ms, media.PCMU)
	join(t, agent, trunk, bridge.Options{})
	said := voice(t, media.Opus, 20*ms, 1000, -20, 20)
	for i := range said {
		if i >= 10 {
			said[i].Source = 78
			said[i].Seq += 5000
		}
		agent.Say(&said[i])
	}
	heard := trunk.Heard()
	if len(heard) != 20 || heard[9].Source == heard[10].Source || !heard[10].Marker {
		t.Errorf("%d packets; sources %d and %d", len(heard), heard[9].Source, heard[10].Source)
	}
}

func TestAClosedBridgeIsSilent(t *testing.T) {
	trunk, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
	br := join(t, trunk, agent, bridge.Options{})
	said := voice(t, media.PCMU, 20*ms, 1000, -20, 2)
	trunk.Say(&said[0])
	br.Close()
	br.Close()
	trunk.Say(&said[1])
	if got := len(agent.Heard()); got != 1 {
		t.Errorf("%d packets heard, want the one before Close", got)
	}
	if _, err := bridge.Join(trunk, trunk, bridge.Options{}); err == nil {
		t.Error("a leg was joined to itself")
	}
	if _, err := bridge.Join(nil, trunk, bridge.Options{}); err == nil {
		t.Error("nothing was joined to a leg")
	}
}

// deaf is a tap that takes everything.
type deaf struct{}

func (deaf) Offer([]float32, int, media.Codec, dsp.Mark) {}

// steady is a bridge in use, and a step that says one more packet.
func steady(t testing.TB, from, to media.Codec, taps ...media.Tap) (step func()) {
	t.Helper()
	a, b := mediatest.NewLeg(20*ms, from), mediatest.NewLeg(20*ms, to)
	b.Forget()
	join(t, a, b, bridge.Options{FromA: taps})
	said := voice(t, from, 20*ms, 1000, -20, 100)
	var n uint64
	return func() {
		p := &said[n%100]
		p.Seq, p.Timestamp = n, n*uint64(from.ClockRate()/50)
		if n++; n%10 != 0 { // with some loss
			a.Say(p)
		}
	}
}

func TestAPacketAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		from, to media.Codec
		taps     []media.Tap
	}{
		{media.PCMU, media.PCMU, nil}, {media.PCMU, media.PCMU, []media.Tap{deaf{}}},
		{media.Opus, media.PCMU, nil}, {media.Opus, media.PCMA, []media.Tap{deaf{}}}, {media.PCMU, media.Opus, nil},
	} {
		step := steady(t, c.from, c.to, c.taps...)
		for range 20 {
			step() // makes the decoders and encoders
		}
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("%v to %v, %d taps: %v allocations a packet", c.from, c.to, len(c.taps), n)
		}
	}
}

func benchmark(b *testing.B, from, to media.Codec, taps ...media.Tap) {
	step := steady(b, from, to, taps...)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

func BenchmarkPassThrough(b *testing.B)         { benchmark(b, media.PCMU, media.PCMU) }
func BenchmarkPassThroughTapped(b *testing.B)   { benchmark(b, media.PCMU, media.PCMU, deaf{}) }
func BenchmarkOpusToPCMU(b *testing.B)          { benchmark(b, media.Opus, media.PCMU) }
func BenchmarkOpusToPCMUWithMeter(b *testing.B) { benchmark(b, media.Opus, media.PCMU, deaf{}) }
func BenchmarkPCMUToOpus(b *testing.B)          { benchmark(b, media.PCMU, media.Opus) }
