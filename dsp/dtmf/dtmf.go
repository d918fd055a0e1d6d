// Package dtmf hears the digits of a telephone keypad in speech (ITU-T Q.23), for parties who
// send them as sound: by the limits of Q.24, and not fooled by voices.
//
// Every 5 ms the signal is compared with the eight frequencies over the last 20 ms. A digit is
// there when two tones, one of each group, hold nearly all there is to hear, within their
// levels and twist, each at its own frequency: how the phase differs between the halves of the
// window says that to a few hertz, and what so short a window blurs is put right. It counts once it
// has been so for 30 ms. Voices come near it for a moment; they do not stand still.
package dtmf

import (
	"fmt"
	"math"
	"math/cmplx"
)

// The frequencies, low group and high group, in Hz, and the keys where they meet (Q.23).
var (
	frequencies = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}
	keys        = [4]string{"123A", "456B", "789C", "*0#D"}
)

// What counts (Q.24, table A-1; where administrations differ, the wider).
const (
	stray      = 0.022 // of the frequency: ±1.5 % must be taken, ±3.5 % must not
	maxReverse = 10.0  // dB that the low group may be above the high one; 8 and some room for noise
	maxTwist   = 6.0   // dB that the high group may be above the low one; 4 and some room
	faintest   = -35.5 // dBov of either tone: -29 dBm0, which nobody need take
	purity     = 0.82  // of the energy in the two tones; 15 dB over noise is 0.969
	pieceTime  = 0.005 // s
	pieces     = 4     // of the window
	begins     = 3     // windows in a row
	ends       = 7     // windows without it: a break of 10 ms and the length of a window
)

// Digit is one press of a key.
type Digit struct {
	Key     byte    // '0' to '9', '*', '#', 'A' to 'D'
	At      float64 // s from the start, when it began
	Seconds float64 // how long it lasted
}

// Detector listens to one signal. It is not safe for concurrent use.
type Detector struct {
	rate   float64
	size   int
	table  [8][]complex64 // e^-jwn over a piece
	turn   [8]complex128  // e^-jw·piece
	sums   [8]complex64   // of the piece under way
	energy float32
	fill   int

	floor, twist, reverse float64 // the limits as shares of power

	past [pieces]piece // the newest last
	seen int           // pieces

	candidate byte
	runs      int // windows in a row with the candidate
	on        byte
	quiet     int // windows in a row without on
	began     int // piece
}

type piece struct {
	x      [8]complex128
	energy float64
}

// New makes a Detector for a rate of 8000 to 48000 Hz, a whole number of samples in 5 ms.
func New(rate int) (*Detector, error) {
	size := int(float64(rate) * pieceTime)
	if rate < 8000 || rate > 48000 || size*200 != rate {
		return nil, fmt.Errorf("dtmf: sample rate %d", rate)
	}
	d := &Detector{rate: float64(rate), size: size, floor: power(faintest), twist: power(maxTwist), reverse: power(maxReverse)}
	for k, f := range frequencies {
		w := 2 * math.Pi * f / float64(rate)
		d.table[k] = make([]complex64, size)
		for n := range d.table[k] {
			d.table[k][n] = complex64(cmplx.Rect(1, -w*float64(n)))
		}
		d.turn[k] = cmplx.Rect(1, -w*float64(size))
	}
	return d, nil
}

func power(dB float64) float64 { return math.Pow(10, dB/10) }

// Process takes samples, any number at a time, and appends to dst the digits that ended in them.
func (d *Detector) Process(dst []Digit, pcm []float32) []Digit {
	for len(pcm) > 0 {
		n := min(len(pcm), d.size-d.fill)
		for k := range d.table {
			var re, im float32
			for i, c := range d.table[k][d.fill : d.fill+n] {
				re += pcm[i] * real(c)
				im += pcm[i] * imag(c)
			}
			d.sums[k] += complex(re, im)
		}
		for _, x := range pcm[:n] {
			d.energy += x * x
		}
		pcm = pcm[n:]
		if d.fill += n; d.fill == d.size {
			dst = d.window(dst)
		}
	}
	return dst
}

// Flush appends the digit under way, if there is one.
func (d *Detector) Flush(dst []Digit) []Digit {
	if d.on != 0 {
		dst = append(dst, d.digit())
		d.on = 0
	}
	return dst
}

// Down is the key that is held now, or 0: known 30 to 35 ms after it began.
func (d *Detector) Down() byte { return d.on }

// window looks at the last 20 ms.
func (d *Detector) window(dst []Digit) []Digit {
	copy(d.past[:], d.past[1:])
	now := &d.past[pieces-1]
	for k, x := range d.sums {
		now.x[k] = complex128(x)
	}
	now.energy = float64(d.energy)
	d.sums, d.energy, d.fill = [8]complex64{}, 0, 0
	d.seen++
	key := d.key()
	if key == d.candidate {
		d.runs++
	} else {
		d.candidate, d.runs = key, 1
	}
	if d.on != 0 {
		if key == d.on {
			d.quiet = 0
			return dst
		}
		d.quiet++
		if d.quiet < ends && (key == 0 || d.runs < begins) {
			return dst
		}
		dst = append(dst, d.digit())
		d.on = 0
	}
	if key != 0 && d.runs >= begins {
		d.on, d.quiet, d.began = key, 0, d.seen-pieces-begins+1
	}
	return dst
}

func (d *Detector) digit() Digit {
	end := d.seen - d.quiet
	return Digit{Key: d.on, At: float64(d.began) * pieceTime, Seconds: float64(end-d.began) * pieceTime}
}

// tone is what the window has at one frequency.
type tone struct {
	k      int
	x      complex128
	off    float64 // Hz beside its own
	energy float64 // of a whole tone at the frequency it really has
}

// key is the digit of the window, or 0.
func (d *Detector) key() byte {
	var all float64
	for _, p := range d.past {
		all += p.energy
	}
	var halves [2][8]complex128 // of the window, both as seen from its start
	for k, turn := range d.turn {
		phase := complex128(1)
		for i := range d.past {
			halves[2*i/pieces][k] += d.past[i].x[k] * phase
			phase *= turn
		}
	}
	floor := d.floor * float64(pieces*d.size)
	if !(all > 2*floor) {
		return 0
	}
	low, high := loudest(&halves, 0), loudest(&halves, 4)
	d.part(&low, &high)
	pure := (low.energy + high.energy) / all
	switch {
	case low.energy < floor || high.energy < floor || pure < purity || pure > 2-purity:
		return 0
	case high.energy > d.twist*low.energy || low.energy > d.reverse*high.energy:
		return 0
	case math.Abs(low.off) > stray*frequencies[low.k] || math.Abs(high.off) > stray*frequencies[high.k]:
		return 0
	}
	return keys[low.k][high.k-4]
}

// loudest is the strongest tone of a group.
func loudest(halves *[2][8]complex128, from int) tone {
	t, most := tone{k: from}, 0.0
	for k := from; k < from+4; k++ {
		x := halves[0][k] + halves[1][k]
		if e := real(x)*real(x) + imag(x)*imag(x); e > most {
			t.k, t.x, most = k, x, e
		}
	}
	// A tone at its own frequency has the same phase in both halves; by how much it differs is
	// how far the tone is beside it, up to 50 Hz.
	turned := cmplx.Phase(halves[1][t.k] * cmplx.Conj(halves[0][t.k]))
	t.off = turned / (2 * math.Pi * pieceTime * pieces / 2)
	return t
}

// part takes out of each tone what the other, seen through so short a window, adds to it, and
// finds their energies.
func (d *Detector) part(low, high *tone) {
	n := float64(pieces * d.size)
	response := func(of, at *tone) complex128 { // of a tone of amplitude 1, where another one is measured
		w := 2 * math.Pi * (frequencies[of.k] + of.off - frequencies[at.k]) / d.rate
		if math.Abs(w) < 1e-9 {
			return complex(n, 0)
		}
		return cmplx.Rect(math.Sin(n*w/2)/math.Sin(w/2), w*(n-1)/2)
	}
	ownLow, ownHigh := response(low, low), response(high, high)
	if cmplx.Abs(ownLow) > n/2 && cmplx.Abs(ownHigh) > n/2 {
		a, b := low.x/ownLow, high.x/ownHigh
		a, b = (low.x-b*response(high, low))/ownLow, (high.x-a*response(low, high))/ownHigh
		low.x, high.x = a*complex(n, 0), b*complex(n, 0)
	}
	for _, t := range []*tone{low, high} {
		t.energy = 2 * (real(t.x)*real(t.x) + imag(t.x)*imag(t.x)) / n
	}
}
