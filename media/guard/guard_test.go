package guard_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/loudness"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/testdata"
)

const ptime = 20 * time.Millisecond

var all = guard.Rules{Limit: true, Level: true}

// speech is a recording at a codec's rate, with a gain in dB.
func speech(t testing.TB, name string, c media.Codec, gain float64) []float32 {
	t.Helper()
	x, from, err := testdata.Samples(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resample.New(from, codec.EncodeRate(c))
	if err != nil {
		t.Fatal(err)
	}
	return dsptest.Overdrive(r.Process(nil, x), gain, 1)
}

// packets encodes samples in packets of 20 ms.
func packets(t testing.TB, c media.Codec, x []float32) []media.Packet {
	t.Helper()
	rate := codec.EncodeRate(c)
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	var out []media.Packet
	for n := rate / 50; len(x) >= n; x = x[n:] {
		payload := make([]byte, 1500)
		size, err := enc.Encode(x[:n], payload)
		if err != nil {
			t.Fatal(err)
		}
		i := uint64(len(out))
		out = append(out, media.Packet{
			Source: 5, Seq: 1<<17 + i, Timestamp: 1<<33 + i*uint64(c.ClockRate()/50), Codec: c, Marker: i == 0, Payload: payload[:size],
		})
	}
	return out
}

// pass sends packets to a guarded leg and gives what arrived.
func pass(t testing.TB, g *guard.Guard, said []media.Packet) ([]media.Packet, *guard.Leg) {
	t.Helper()
	party := mediatest.NewLeg(ptime, media.PCMU, media.PCMA, media.G722, media.Opus)
	leg := g.Wrap(party)
	for i := range said {
		leg.Send(&said[i])
	}
	heard := party.Heard()
	if len(heard) != len(said) {
		t.Fatalf("%d of %d packets arrived", len(heard), len(said))
	}
	for i := range said {
		a, b := said[i], heard[i]
		a.Payload, b.Payload = nil, nil
		if a.Source != b.Source || a.Seq != b.Seq || a.Timestamp != b.Timestamp || a.Codec != b.Codec || a.Marker != b.Marker {
			t.Fatalf("packet %d: %+v became %+v", i, a, b)
		}
	}
	return heard, leg
}

// changed counts packets whose payload is another.
func changed(said, heard []media.Packet) (n, last int) {
	for i := range said {
		if !bytes.Equal(said[i].Payload, heard[i].Payload) {
			n, last = n+1, i
		}
	}
	return n, last
}

func decode(t testing.TB, heard []media.Packet) []float32 {
	t.Helper()
	c := heard[0].Codec
	dec, err := codec.NewDecoder(c, codec.EncodeRate(c))
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	frame := make([]float32, codec.MaxFrame*dec.Rate()/1000)
	for _, p := range heard {
		n, err := dec.Decode(p.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame[:n]...)
	}
	return out
}

func loudest(x []float32, size int) float64 {
	most := 0.0
	for ; len(x) >= size; x = x[size:] {
		sum := 0.0
		for _, v := range x[:size] {
			sum += float64(v) * float64(v)
		}
		most = max(most, sum/float64(size))
	}
	return dsp.PowerDBov(most)
}

func TestSpeechArrivesBitForBit(t *testing.T) {
	names := testdata.Names()
	if testing.Short() {
		names = names[:1]
	}
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus} {
		for _, name := range names {
			g := guard.New(all)
			said := packets(t, c, speech(t, name, c, -2))
			heard, leg := pass(t, g, said)
			if n, _ := changed(said, heard); n != 0 || g.Stats() != (guard.Stats{}) {
				t.Errorf("%v, %s: %d of %d packets changed, %+v", c, name, n, len(said), g.Stats())
			}
			if shocks, _ := leg.Shocks(); len(shocks) != 0 {
				t.Errorf("%v, %s: %v", c, name, shocks)
			}
		}
	}
}

func TestABurstIsLimitedInEveryCodec(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus} {
		rate := codec.EncodeRate(c)
		x := speech(t, "caller-1", c, 0)[:10*rate]
		at := 5*rate + 33
		for i, v := range dsptest.Noise(rate/2, 0, 1) {
			x[at+i] = max(-1, min(1, v))
		}
		g := guard.New(all)
		said := packets(t, c, x)
		heard, leg := pass(t, g, said)
		before, after := decode(t, said), decode(t, heard)
		// The talker's level is known to a decibel or two, and rises a little by the burst itself.
		if got := loudest(after[at+rate/10:at+rate/2], rate/200); got > -22+shock.LastingOverDB+4.5 {
			t.Errorf("%v: %.1f dBov is left of %.1f", c, got, loudest(before, rate/200))
		}
		if got, want := loudest(after, rate/200), -22+shock.BurstOverDB+4.5; got > want {
			t.Errorf("%v: 5 ms of %.1f dBov, the limit is %.1f", c, got, want)
		}
		shocks, missed := leg.Shocks()
		if len(shocks) != 1 || shocks[0].Kind != shock.Burst || time.Since(shocks[0].At) > time.Minute || missed != 0 {
			t.Errorf("%v: the shocks are %v and %d more", c, shocks, missed)
		}
		if again, _ := leg.Shocks(); again != nil {
			t.Errorf("%v: %v is told twice", c, again)
		}
		if s := g.Stats(); s.Began[shock.Burst] == 0 || s.Repacked == 0 || s.Dropped != 0 {
			t.Errorf("%v: counted %+v", c, s)
		}
		if _, last := changed(said, heard); last > len(said)-50 {
			t.Errorf("%v: packet %d of %d is still encoded again", c, last, len(said))
		}
	}
}

// TestNoClickWhereThePacketsChange has a loud voice lowered that becomes softer. Where the guard
// begins to send its own packets, and where it ends, the voice is no rougher than around there.
func TestNoClickWhereThePacketsChange(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.G722} {
		rate := codec.EncodeRate(c)
		voice := speech(t, "agent-3", c, 0)
		x := append(dsptest.Overdrive(voice, 9, 1), voice...)
		g := guard.New(guard.Rules{Level: true})
		said := packets(t, c, x)
		heard, _ := pass(t, g, said)
		before, after := decode(t, said), decode(t, heard)
		size, switches := rate/50, 0
		for i := 1; i < len(said)-10; i++ {
			now, earlier := bytes.Equal(said[i].Payload, heard[i].Payload), bytes.Equal(said[i-1].Payload, heard[i-1].Payload)
			if now == earlier || i < 10 {
				continue
			}
			switches++
			at := i * size
			there, around := roughest(after[at-size/2:at+size/2]), roughest(before[at-5*size:at+5*size])
			if there > 1.1*around+0.002 {
				t.Errorf("%v: at packet %d of %d the voice is rough by %.4f, around there by %.4f", c, i, len(said), there, around)
			}
		}
		if _, last := changed(said, heard); switches < 2 || last > len(said)-50 {
			t.Errorf("%v: %d changes, the last packet changed is %d of %d", c, switches, last, len(said))
		}
	}
}

// roughest is the largest second difference, which a click has much of.
func roughest(x []float32) float64 {
	most := 0.0
	for i := 2; i < len(x); i++ {
		most = max(most, math.Abs(float64(x[i]-2*x[i-1]+x[i-2])))
	}
	return most
}

func TestAQuietCallerIsRaisedAndCounted(t *testing.T) {
	g := guard.New(all)
	x := speech(t, "caller-1", media.PCMU, -17)
	said := packets(t, media.PCMU, append(slices.Clone(x), x...))
	heard, _ := pass(t, g, said)
	if n, _ := changed(said, heard); n == 0 || g.Stats().Levelled < 5 {
		t.Errorf("%d packets changed, %.1f s are counted", n, g.Stats().Levelled)
	}
	if before, after := loudest(decode(t, said), 8000), loudest(decode(t, heard), 8000); after < before+6 {
		t.Errorf("the loudest second was %.1f dBov and is %.1f", before, after)
	}
	if want := loudness.MostDB; want != 12 {
		t.Errorf("raised by up to %v dB", want)
	}
}

// TestWhatTheServicePlaysPasses sends music, and the ringing tone, as the pacer does.
func TestWhatTheServicePlaysPasses(t *testing.T) {
	for name, src := range map[string]prompt.Source{"music": prompt.HoldMusic(), "ringing": prompt.Ringback()} {
		x := make([]float32, 20*8000)
		src.Render(x, 0, 8000)
		said := packets(t, media.PCMU, x)
		heard, _ := pass(t, guard.New(all), said)
		if n, _ := changed(said, heard); n != 0 {
			t.Errorf("%s: %d packets changed", name, n)
		}
	}
}

func TestAFaxIsTurnedDownAndToldOnce(t *testing.T) {
	g := guard.New(all)
	said := packets(t, media.PCMA, dsptest.Tone(3*8000, 8000, 2100, -15))
	heard, leg := pass(t, g, said)
	if _, level := mediatest.FindTone(decode(t, heard[25:]), 8000); level > shock.ToneDBov+1 {
		t.Errorf("the tone is at %.1f dBov", level)
	}
	shocks, _ := leg.Shocks()
	if len(shocks) != 1 || shocks[0].Kind != shock.FaxAnswer || g.Stats().Began[shock.FaxAnswer] != 1 {
		t.Errorf("told of %v, counted %v", shocks, g.Stats().Began)
	}
}

func TestBothCanBeSwitchedOffInMidCall(t *testing.T) {
	g := guard.New(all)
	tone := packets(t, media.PCMU, dsptest.Tone(8000, 8000, 2100, -10))
	if n, _ := func() (int, int) { h, _ := pass(t, g, tone); return changed(tone, h) }(); n == 0 {
		t.Error("nothing was done while it was on")
	}
	g.Set(guard.Rules{Level: true})
	if n, _ := func() (int, int) { h, _ := pass(t, g, tone[:20]); return changed(tone[:20], h) }(); n != 0 {
		t.Errorf("%d packets changed with the limiter off", n)
	}
	g.Set(guard.Rules{})
	quiet := packets(t, media.PCMU, speech(t, "agent-1", media.PCMU, -20))
	if n, _ := func() (int, int) { h, _ := pass(t, g, quiet); return changed(quiet, h) }(); n != 0 {
		t.Errorf("%d packets changed with both off", n)
	}
}

func TestManyShocksAreBounded(t *testing.T) {
	g := guard.New(all)
	var x []float32
	for range 40 {
		x = append(append(x, dsptest.Tone(2400, 8000, 1800, -10)...), make([]float32, 8000)...)
	}
	_, leg := pass(t, g, packets(t, media.PCMU, x))
	if shocks, missed := leg.Shocks(); len(shocks) != 16 || missed != 24 {
		t.Errorf("%d shocks and %d more, there were 40", len(shocks), missed)
	}
}

func TestComfortNoiseIsNoRoar(t *testing.T) {
	party := mediatest.NewLeg(ptime, media.PCMU, media.CN)
	leg := guard.New(all).Wrap(party)
	for _, payload := range [][]byte{{0, 7}, {29}, {30, 1}, {127}, {}} {
		leg.Send(&media.Packet{Codec: media.CN, Payload: payload})
	}
	want := [][]byte{{30, 7}, {30}, {30, 1}, {127}, {}}
	for i, p := range party.Heard() {
		if !bytes.Equal(p.Payload, want[i]) {
			t.Errorf("comfort noise %d arrived as %v, want %v", i, p.Payload, want[i])
		}
	}
}

func TestTheLegItselfIsThereToo(t *testing.T) {
	party := mediatest.NewLeg(ptime, media.PCMA)
	leg := guard.New(all).Wrap(party)
	if leg.Unwrap() != media.Leg(party) || leg.Preferred() != media.PCMA || leg.Accepts(media.Opus) {
		t.Error("the leg behind the guard is another")
	}
	leg.Send(&media.Packet{Codec: media.Opus, Payload: []byte{1}})
	if leg.Stats().Refused != 1 {
		t.Error("a codec that is not accepted was not refused by the leg")
	}
}

func TestAPacketAllocatesNothing(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.G722} {
		party := mediatest.NewLeg(ptime, c)
		party.Forget()
		leg := guard.New(all).Wrap(party)
		calm, loud := packets(t, c, speech(t, "agent-1", c, -2)), packets(t, c, dsptest.Noise(codec.EncodeRate(c), -3, 1))
		leg.Send(&loud[0])
		i := 0
		if n := testing.AllocsPerRun(200, func() { leg.Send(&calm[i]); leg.Send(&loud[i%50]); i++ }); n != 0 {
			t.Errorf("%v: %v allocations a packet", c, n)
		}
	}
}

func FuzzSend(f *testing.F) {
	f.Add(uint8(1), []byte{0xff, 0x7f, 0, 0x80}, uint8(3))
	f.Add(uint8(3), []byte{0x4b, 1, 2, 3}, uint8(1))
	f.Fuzz(func(t *testing.T, c uint8, payload []byte, times uint8) {
		party := mediatest.NewLeg(ptime, media.PCMU, media.PCMA, media.G722, media.Opus)
		g := guard.New(all)
		leg := g.Wrap(party)
		original := slices.Clone(payload)
		for i := range times%8 + 1 {
			leg.Send(&media.Packet{Source: uint32(i / 4), Seq: uint64(i), Codec: media.Codec(c), Payload: payload})
		}
		if !bytes.Equal(original, payload) {
			t.Fatal("the sender's payload was changed")
		}
		for _, p := range party.Heard() {
			if g711 := p.Codec == media.PCMU || p.Codec == media.PCMA; g711 && len(p.Payload) != len(payload) {
				t.Fatalf("%d bytes became %d", len(payload), len(p.Payload))
			}
		}
	})
}

func benchmark(b *testing.B, c media.Codec, x []float32) {
	party := mediatest.NewLeg(ptime, c)
	party.Forget()
	leg := guard.New(all).Wrap(party)
	said := packets(b, c, x)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 1) % len(said) {
		leg.Send(&said[i])
	}
}

func BenchmarkPCMU(b *testing.B)     { benchmark(b, media.PCMU, speech(b, "caller-1", media.PCMU, 0)) }
func BenchmarkPCMULoud(b *testing.B) { benchmark(b, media.PCMU, dsptest.Noise(8000, -3, 1)) }
func BenchmarkPCMUQuiet(b *testing.B) {
	benchmark(b, media.PCMU, speech(b, "caller-1", media.PCMU, -18))
}
func BenchmarkG722(b *testing.B) { benchmark(b, media.G722, speech(b, "agent-1", media.G722, 0)) }
func BenchmarkOpus(b *testing.B) { benchmark(b, media.Opus, speech(b, "agent-1", media.Opus, 0)) }
