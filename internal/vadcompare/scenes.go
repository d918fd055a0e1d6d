package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

const (
	usualLevel = -26.0 // dBov, active
	floorLevel = -80.0 // dBov: of the room behind the clean recordings
	warmUp     = 3 * rate
)

// scene is one thing to listen to.
type scene struct {
	condition string // a row of the table
	x         []float32
	what      []truth
	file      string // the same as a WAV file, 16 bit, for the others
}

// maker makes scenes out of the corpus.
type maker struct {
	all   []voice
	music []float32
}

// conversation is one voice with pauses: share is about how much of it is speech.
func (m *maker) conversation(v voice, share float64, seed uint64) ([]float32, []truth) {
	r := rand.New(rand.NewPCG(seed, 15))
	x := make([]float32, warmUp)
	for _, said := range v.said {
		x = append(x, said...)
		// The prompts themselves are about nine tenths speech.
		mean := max(0.05, float64(len(said))*(0.9/share-1))
		x = append(x, make([]float32, int(mean*(0.5+r.Float64())))...)
	}
	x = x[:len(x)/block*block]
	return x, label(x)
}

// scenes calls do with every scene, one voice after the other.
func (m *maker) scenes(keep func(scene) error) error {
	var failed error
	do := func(s scene) {
		if failed == nil {
			failed = keep(s)
		}
	}
	for i, v := range m.all {
		seed := uint64(i + 1)
		half, halfIs := m.conversation(v, 0.5, seed)
		n := len(half)
		with := func(condition string, noise []float32, snr float64) {
			do(scene{condition: condition, x: mix(half, usualLevel, noise, usualLevel-snr, seed), what: halfIs})
		}
		do(scene{condition: "clean", x: mix(half, usualLevel, nil, 0, seed), what: halfIs})
		do(scene{condition: "clean, digital silence in the pauses", x: gain(half, usualLevel), what: halfIs})
		do(scene{condition: "quiet: -50 dBov", x: mix(half, -50, nil, 0, seed), what: halfIs})
		do(scene{condition: "loud: -8 dBov", x: limit(mix(half, -8, nil, 0, seed)), what: halfIs})
		for _, share := range []float64{0.2, 0.9} {
			x, is := m.conversation(v, share, seed)
			do(scene{condition: fmt.Sprintf("%.0f %% speech, pink noise, 25 dB", 100*share), x: mix(x, usualLevel, pink(len(x), seed), usualLevel-25, seed), what: is})
		}
		for _, snr := range []float64{20, 10, 5, 0} {
			with(fmt.Sprintf("white noise, %.0f dB", snr), white(n, seed), snr)
			with(fmt.Sprintf("pink noise, %.0f dB", snr), pink(n, seed), snr)
		}
		crowd := babble(m.all, v.name, n)
		for _, snr := range []float64{30, 20, 15, 10, 5} {
			with(fmt.Sprintf("babble, %.0f dB", snr), crowd, snr)
		}
		neighbour := talk(m.all[(i+1)%len(m.all)], n, seed)
		clear(neighbour[:warmUp])
		for _, snr := range []float64{30, 20} {
			with(fmt.Sprintf("one neighbour, %.0f dB", snr), neighbour, snr)
		}
		for _, snr := range []float64{20, 10} {
			with(fmt.Sprintf("music, %.0f dB", snr), cut(m.music, i, n), snr)
		}
		with("keyboard, 20 dB", keyboard(n, seed), 20)
		with("hum, 20 dB", hum(n), 20)
		with("noise steps up by 20 dB, to 15 dB", step(pink(n, seed), 20), 15)
		do(scene{condition: "offset of 2 % of full scale", x: offset(mix(half, usualLevel, nil, 0, seed), 0.02), what: halfIs})
		noisy := mix(half, usualLevel, pink(n, seed), usualLevel-20, seed)
		coded, err := opusAndBack(noisy)
		if err != nil {
			return err
		}
		do(scene{condition: "pink noise, 20 dB, Opus", x: coded, what: halfIs})
		if coded, err = g711AndBack(noisy); err != nil {
			return err
		}
		do(scene{condition: "pink noise, 20 dB, G.711", x: coded, what: halfIs})
	}
	m.nobody(do)
	return failed
}

// nobody makes the scenes without any speech.
func (m *maker) nobody(do func(scene)) {
	const n = 60 * rate
	only := func(condition string, x []float32, dBov float64) {
		is := make([]truth, n/block)
		for i := range is {
			if i*block >= warmUp {
				is[i] = pause
			}
		}
		do(scene{condition: condition, x: mix(nil, 0, x, dBov, 9), what: is})
	}
	only("nobody: white noise at -30 dBov", white(n, 21), -30)
	only("nobody: pink noise at -40 dBov", pink(n, 22), -40)
	only("nobody: hum at -30 dBov", hum(n), -30)
	only("nobody: buzz in bursts at -35 dBov", buzz(n), -35)
	only("nobody: keyboard at -40 dBov", keyboard(n, 23), -40)
	only("nobody: keypad tones at -15 dBov", dtmf(n), -15)
	only("nobody: ringing tone at -20 dBov", ringing(n), -20)
	only("nobody: music at -20 dBov", cut(m.music, 0, n), -20)
	only("nobody: noise steps by 20 dB to -35 dBov", step(pink(n, 24), 20), -35)
	only("nobody: a fan that comes and goes, at -40 dBov", bursts(pink(n, 25)), -40)
	only("nobody: babble at -45 dBov", babble(m.all, "", n), -45)
}

// mix puts speech (0 dBov) and a background (0 dBov) at their levels over the floor.
func mix(clean []float32, level float64, noise []float32, noiseLevel float64, seed uint64) []float32 {
	x := gain(white(max(len(clean), len(noise)), 99+seed), floorLevel)
	for i, s := range gain(clean, level) {
		x[i] += s
	}
	for i, s := range gain(noise, noiseLevel) {
		x[i] += s
	}
	return x
}

// step lowers the first fifth of every 25 s.
func step(x []float32, db float64) []float32 {
	g := float32(math.Pow(10, -db/20))
	for i := range x {
		if i%(25*rate) < 10*rate {
			x[i] *= g
		}
	}
	return x
}

// bursts silences four seconds of every ten.
func bursts(x []float32) []float32 {
	for i := range x {
		if i%(10*rate) < 4*rate {
			x[i] = 0
		}
	}
	return x
}

func offset(x []float32, by float32) []float32 {
	for i := range x {
		x[i] += by
	}
	return x
}

func limit(x []float32) []float32 {
	for i := range x {
		x[i] = max(-1, min(1, x[i]))
	}
	return x
}

func cut(x []float32, i, n int) []float32 {
	out := make([]float32, n)
	for k := range out {
		out[k] = x[(i*20*rate+k)%len(x)]
	}
	return out
}

// throughCodec encodes and decodes in packets of 20 ms.
func throughCodec(c media.Codec, rate int, x []float32) ([]float32, error) {
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		return nil, err
	}
	dec, err := codec.NewDecoder(c, rate)
	if err != nil {
		return nil, err
	}
	packet, pcm := make([]byte, 1500), make([]float32, rate*codec.MaxFrame/1000)
	out := make([]float32, 0, len(x))
	for size := rate / 50; len(x) >= size; x = x[size:] {
		n, err := enc.Encode(x[:size], packet)
		if err != nil {
			return nil, err
		}
		if n, err = dec.Decode(packet[:n], pcm); err != nil {
			return nil, err
		}
		out = append(out, pcm[:n]...)
	}
	return out, nil
}

func opusAndBack(x []float32) ([]float32, error) {
	const delay = 104 // samples, of the encoder at 16 kHz (6.5 ms)
	y, err := throughCodec(media.Opus, rate, x)
	return append(y[min(delay, len(y)):], make([]float32, delay)...), err
}

func g711AndBack(x []float32) ([]float32, error) {
	down, err := resample.New(rate, 8000)
	if err != nil {
		return nil, err
	}
	up, err := resample.New(8000, rate)
	if err != nil {
		return nil, err
	}
	y, err := throughCodec(media.PCMA, 8000, down.Process(nil, append(x, make([]float32, rate)...)))
	if err != nil {
		return nil, err
	}
	delay := int(down.Delay()*2 + up.Delay())
	return up.Process(nil, y)[delay:][:len(x)], nil
}
