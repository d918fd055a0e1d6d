package echo_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gopkg.in/hraban/opus.v2"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/echo"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// pair is a meter with what stands before it.
type pair struct {
	*echo.Meter
	near, far             *spectrum.Analyzer
	nearSpeech, farSpeech *vad.Detector
	at, farAt             int
}

func newPair(t testing.TB, rate int) *pair {
	t.Helper()
	p := &pair{}
	var errs [5]error
	p.Meter, errs[0] = echo.New(rate)
	p.near, errs[1] = spectrum.New(rate)
	p.far, errs[2] = spectrum.New(rate)
	p.nearSpeech, errs[3] = vad.New(rate)
	p.farSpeech, errs[4] = vad.New(rate)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) hearFar(block []float32) {
	f := p.far.Next(block)
	p.Far(p.farAt, block, f, p.farSpeech.Process(f, block))
	p.farAt++
}

func (p *pair) hearNear(block []float32) {
	f := p.near.Next(block)
	p.Process(p.at, block, f, p.nearSpeech.Process(f, block))
	p.at++
}

func measure(t testing.TB, rate int, near, far []float32) echo.Result {
	t.Helper()
	p := newPair(t, rate)
	for n := p.near.Hop(); len(near) >= n && len(far) >= n; near, far = near[n:], far[n:] {
		p.hearFar(far[:n])
		p.hearNear(near[:n])
	}
	return p.Result()
}

// path is a way from earphone to microphone.
type path struct {
	loss, delayMS, tailMS float64
	seed                  uint64
}

// through gives what comes back: the direct sound and, as strong together, reflections
// that fall by 60 dB in the tail.
func (p path) through(rate int, x []float32) []float32 {
	rng := rand.New(rand.NewPCG(p.seed, 1))
	type ray struct {
		at   int
		gain float64
	}
	rays := []ray{{int(p.delayMS * float64(rate) / 1000), 1}}
	energy := 0.0
	if p.tailMS > 0 {
		for i := range 16 {
			at := p.tailMS * (float64(i) + rng.Float64()) / 16
			g := rng.NormFloat64() * math.Pow(10, -3*at/p.tailMS)
			energy += g * g
			rays = append(rays, ray{rays[0].at + int(at*float64(rate)/1000), g})
		}
		rays[0].gain = math.Sqrt(energy)
	}
	scale := math.Pow(10, -p.loss/20) / math.Sqrt(energy+rays[0].gain*rays[0].gain)
	y := make([]float32, len(x))
	for _, r := range rays {
		g := float32(r.gain * scale)
		for i, v := range x[:len(x)-r.at] {
			y[i+r.at] += g * v
		}
	}
	return y
}

// loss is what the meter should find: of the band it looks at.
func loss(t testing.TB, rate int, far, back []float32) float64 {
	t.Helper()
	band := func(x []float32) float64 {
		s, err := spectrum.New(rate)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for ; len(x) >= s.Hop(); x = x[s.Hop():] {
			if f := s.Next(x[:s.Hop()]); f != nil {
				sum += f.Sum(f.Band(125, 3400))
			}
		}
		return sum
	}
	return 10 * math.Log10(band(far)/band(back))
}

func check(t *testing.T, r echo.Result, want, delayMS float64) {
	t.Helper()
	if !(math.Abs(float64(r.LossDB)-want) <= 4) {
		t.Errorf("echo loss %.1f dB, want %.1f: %+v", r.LossDB, want, r)
	}
	if !(math.Abs(float64(r.DelayMS)-delayMS) <= 15) {
		t.Errorf("delay %.0f ms, want %.0f", r.DelayMS, delayMS)
	}
}

func TestEchoIsFoundWithItsLossAndDelay(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for i, c := range []struct {
		rate int
		path
		noise float64
	}{
		{16000, path{10, 5, 0, 1}, -60},
		{16000, path{20, 50, 20, 2}, -55},
		{16000, path{30, 130, 50, 3}, -60},
		{16000, path{40, 300, 40, 4}, -60},
		{16000, path{26, 210, 100, 5}, -45},
		{8000, path{15, 300, 60, 6}, -50},
		{8000, path{35, 90, 20, 7}, -60},
		{44100, path{25, 29, 30, 8}, -55},
		{48000, path{30, 170, 0, 9}, -60},
	} {
		t.Run(fmt.Sprintf("%d Hz %+v", c.rate, c.path), func(t *testing.T) {
			far := metertest.Speech(t, []string{"agent-1", "agent-2", "agent-3"}[i%3], c.rate, 13)
			back := c.through(c.rate, far)
			near := dsptest.AddNoise(back, c.noise, 9)
			check(t, measure(t, c.rate, near, far), loss(t, c.rate, far, back), c.delayMS)
		})
	}
}

// skewed plays x too fast by some parts in a million.
func skewed(x []float32, ppm float64) []float32 {
	y := make([]float32, len(x)-1)
	for i := range y {
		at := float64(i) * (1 + ppm*1e-6)
		k := min(len(x)-2, int(at))
		y[i] = x[k] + float32(at-float64(k))*(x[k+1]-x[k])
	}
	return y
}

func TestClocksThatDriftApartDoNoHarm(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	far := append(metertest.Speech(t, "agent-2", 16000, 15), metertest.Speech(t, "agent-1", 16000, 15)...)
	way := path{28, 80, 30, 2}
	for _, ppm := range []float64{-50, 50} {
		back := way.through(16000, far)
		near := dsptest.AddNoise(skewed(back, ppm), -60, 1)
		check(t, measure(t, 16000, near, far), loss(t, 16000, far, back), 80)
	}
}

func TestFarBlocksMayComeEarlyOrLate(t *testing.T) {
	t.Parallel()
	far := metertest.Speech(t, "agent-3", 16000, 13)
	way := path{25, 60, 30, 2}
	back := way.through(16000, far)
	want := loss(t, 16000, far, back)
	near := dsptest.AddNoise(back, -60, 1)
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 2))
		p := newPair(t, 16000)
		sent := 0
		for at := range len(near) / 320 {
			for upTo := at + rng.IntN(5) - 1; sent < upTo && sent < len(far)/320; sent++ {
				p.hearFar(far[sent*320:][:320])
			}
			p.hearNear(near[at*320:][:320])
		}
		r := p.Result()
		if !(math.Abs(float64(r.LossDB)-want) <= 4) || !(math.Abs(float64(r.DelayMS)-60) <= 60) {
			t.Errorf("%+v", r)
		}
	}
}

func TestEchoIsFoundBehindOpus(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	far := metertest.Speech(t, "agent-1", 16000, 14)
	for _, way := range []path{{15, 40, 20, 3}, {35, 120, 30, 4}} {
		back := way.through(16000, far)
		near := opus24(t, dsptest.AddNoise(back, -62, 1))
		// The codec's own noise hides 1 to 3 dB of the echo; its delay is 6.5 ms.
		check(t, measure(t, 16000, near, far), loss(t, 16000, far, back)+1.5, way.delayMS+6.5)
	}
}

func opus24(t *testing.T, x []float32) []float32 {
	t.Helper()
	enc, err := opus.NewEncoder(16000, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := opus.NewDecoder(16000, 1)
	if err := errors.Join(err, enc.SetBitrate(24000)); err != nil {
		t.Fatal(err)
	}
	packet, pcm := make([]byte, 1500), make([]float32, 320)
	var y []float32
	for ; len(x) >= 320; x = x[320:] {
		n, err := enc.EncodeFloat32(x[:320], packet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = dec.DecodeFloat32(packet[:n], pcm); err != nil {
			t.Fatal(err)
		}
		y = append(y, pcm...)
	}
	return y
}

func TestWithoutAnEchoThereIsOnlyABound(t *testing.T) {
	t.Parallel()
	far := metertest.Speech(t, "agent-1", 16000, 20)
	talk := metertest.Speech(t, "agent-2", 16000, 20)
	answer := make([]float32, len(talk))
	copy(answer[12*16000:], talk[:6*16000])
	for name, near := range map[string][]float32{
		"noise":       dsptest.Noise(len(far), -55, 1),
		"an answer":   dsptest.AddNoise(answer, -60, 2),
		"double talk": talk,
	} {
		r := measure(t, 16000, near, far)
		if r.LossDB.Valid() || r.DelayMS.Valid() || r.SpeechToEchoDB.Valid() {
			t.Errorf("%s: %+v", name, r)
		}
		if name != "double talk" && !(r.AtLeastDB > 35) {
			t.Errorf("%s: at least %.1f dB", name, r.AtLeastDB)
		}
	}
}

func TestDoubleTalkDoesNotHideOrMakeAnEcho(t *testing.T) {
	t.Parallel()
	far := metertest.Speech(t, "agent-1", 16000, 20)
	way := path{25, 60, 20, 2}
	back := way.through(16000, far)
	near := dsptest.AddNoise(back, -60, 1)
	near = dsptest.Mix(near, dsptest.Gain(metertest.Speech(t, "agent-3", 16000, 20), -2)[:10*16000])
	check(t, measure(t, 16000, near, far), loss(t, 16000, far, back), 60)
}

func TestNearVoiceThatTheFarEndSendsBackIsNoEcho(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	near := metertest.Speech(t, "agent-2", 16000, 20)
	caller := metertest.Speech(t, "agent-1", 16000, 20)[4*16000:]
	for _, delay := range []float64{0, 20, 150} {
		far := path{25, delay, 20, 2}.through(16000, near)
		copy(far[8*16000:14*16000], caller)
		if r := measure(t, 16000, near, far); r.LossDB.Valid() {
			t.Errorf("%v ms: %+v", delay, r)
		}
	}
}

func TestSpeechToEcho(t *testing.T) {
	t.Parallel()
	const rate = 16000
	far := dsptest.AddNoise(metertest.Speech(t, "agent-1", rate, 20), -75, 1)
	clear(far[10*rate:])
	back := path{20, 60, 20, 2}.through(rate, far)
	near := dsptest.Mix(back, dsptest.Noise(len(far), -60, 1))
	near = dsptest.Mix(near[:11*rate], append(make([]float32, 11*rate), metertest.Speech(t, "agent-2", rate, 9)...))
	r := measure(t, rate, near, far)
	if want := loss(t, rate, far, back); !(math.Abs(float64(r.SpeechToEchoDB)-want) <= 4) { // both speak at -22 dBov
		t.Errorf("%+v", r)
	}
}

func TestLittleFarTalkTellsNothing(t *testing.T) {
	t.Parallel()
	far := make([]float32, 20*16000)
	copy(far[16000:], metertest.Speech(t, "agent-1", 16000, 2))
	near := dsptest.AddNoise(path{20, 60, 20, 2}.through(16000, far), -60, 1)
	if r := measure(t, 16000, near, far); r.LossDB.Valid() || r.AtLeastDB.Valid() {
		t.Errorf("%+v", r)
	}
	p := newPair(t, 16000)
	for range 500 {
		p.hearNear(near[:320])
	}
	if r := p.Result(); r.LossDB.Valid() || r.AtLeastDB.Valid() || r.FarOnlySeconds != 0 {
		t.Errorf("nobody at the far end: %+v", r)
	}
}

func TestBlocksLeftOutPassTheTime(t *testing.T) {
	t.Parallel()
	far := metertest.Speech(t, "agent-2", 16000, 20)
	way := path{22, 100, 20, 3}
	back := way.through(16000, far)
	near := dsptest.AddNoise(back, -60, 1)
	p := newPair(t, 16000)
	for at := range len(near) / 320 {
		p.hearFar(far[at*320:][:320])
		p.at = at
		if at%150 < 20 {
			p.Gap()
			p.near.Gap()
			continue
		}
		p.hearNear(near[at*320:][:320])
	}
	check(t, p.Result(), loss(t, 16000, far, back), 100)
}

func TestResetEqualsNewAndNothingIsAllocated(t *testing.T) {
	far := metertest.Speech(t, "agent-1", 16000, 8)
	near := dsptest.AddNoise(path{20, 60, 20, 2}.through(16000, far), -60, 1)
	p := newPair(t, 16000)
	run := func() echo.Result {
		p.near.Reset()
		p.far.Reset()
		p.nearSpeech.Reset()
		p.farSpeech.Reset()
		p.at, p.farAt = 0, 0
		for at := range len(near) / 320 {
			p.hearFar(far[at*320:][:320])
			p.hearNear(near[at*320:][:320])
		}
		return p.Result()
	}
	first := run()
	p.Reset()
	if again := run(); fmt.Sprint(again) != fmt.Sprint(first) || !first.LossDB.Valid() {
		t.Errorf("%+v, then %+v", first, again)
	}
	if n := testing.AllocsPerRun(1, func() { run() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBrokenSpectraPoisonNothing(t *testing.T) {
	t.Parallel()
	far := metertest.Speech(t, "agent-1", 16000, 20)
	back := path{20, 60, 20, 2}.through(16000, far)
	want := loss(t, 16000, far, back)
	near := dsptest.AddNoise(back, -60, 1)
	far[70000], near[90000] = float32(math.NaN()), float32(math.Inf(1))
	check(t, measure(t, 16000, near, far), want, 60)
	loud := make([]float32, len(near))
	for i := range loud {
		loud[i] = dsp.MaxSample * float32(1-i%2*2)
	}
	if r := measure(t, 16000, loud, far); r.LossDB.Valid() || math.IsInf(float64(r.AtLeastDB), 0) {
		t.Errorf("%+v", r)
	}
}

func TestRefusesImpossibleRates(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, -8000, 7999, 1 << 20} {
		if _, err := echo.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

// BenchmarkMeter is half far-only talk: an echo, then silence at the far end.
func BenchmarkMeter(b *testing.B) {
	far := metertest.Speech(b, "agent-1", 16000, 1)
	near := dsptest.AddNoise(path{20, 60, 20, 2}.through(16000, far), -60, 1)
	p := newPair(b, 16000)
	var x, y [50]spectrum.Frame
	keep := func(f *spectrum.Frame) spectrum.Frame {
		return spectrum.Frame{BinHz: f.BinHz, Re: append([]float32(nil), f.Re...), Im: append([]float32(nil), f.Im...), Power: append([]float32(nil), f.Power...)}
	}
	p.far.Next(far[:320])
	p.near.Next(near[:320])
	for i := range x {
		at := i * 320
		x[i], y[i] = keep(p.far.Next(far[at:at+320])), keep(p.near.Next(near[at:at+320]))
	}
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		i := at % 50
		p.Far(at, nil, &x[i], vad.Frame{Speech: at%200 < 80})
		p.Process(at, nil, &y[i], vad.Frame{})
		at++
	}
}
