package codec

import "math"

const (
	noiseRate   = 8000
	noiseFrame  = 160   // samples that one packet counts as
	noiseOrder  = 12    // reflection coefficients taken; more are left out (RFC 3389 section 3.2)
	noiseSmooth = 0.002 // a sample: how fast the level follows a new packet, 63 % in 62 ms
)

// noise makes the comfort noise of RFC 3389: white noise at the level of the last packet
// (section 3.1), coloured by its reflection coefficients if it has any (section 3.2). The
// level glides from one packet to the next.
type noise struct {
	seed   uint32
	began  bool
	gain   float32             // of the excitation
	target float32             // where the gain goes
	most   float32             // peak: a filter on the edge of stability rings far louder than the level says
	filter [noiseOrder]float32 // A(z) - 1
	order  int
	past   [noiseOrder]float32 // the latest output, newest first
}

func newNoise() *noise { return &noise{seed: 0x9e3779b9} }

func (d *noise) Rate() int { return noiseRate }

// Decode takes a packet and makes the first 20 ms of its noise.
func (d *noise) Decode(payload []byte, pcm []float32) (int, error) {
	if len(payload) == 0 {
		return 0, ErrMalformed
	}
	if len(pcm) < noiseFrame {
		return 0, ErrShortBuffer
	}
	d.describe(payload)
	return d.Conceal(pcm[:noiseFrame]), nil
}

// describe reads a payload: the level in -dBov (the top bit is reserved), then the
// reflection coefficients k, each as 127 + k*32768/258.
func (d *noise) describe(payload []byte) {
	const uniform = 1.7320508 // peak of a uniform distribution of mean square 1
	power := math.Pow(10, -float64(payload[0]&0x7f)/10)
	d.most = float32(min(4*math.Sqrt(power), 1))
	d.order = min(len(payload)-1, noiseOrder)
	var a, b [noiseOrder]float64
	for i := range d.order {
		k := min(max(258*(float64(payload[1+i])-127)/32768, -0.99), 0.99)
		power *= 1 - k*k   // what the filter adds is taken off the excitation
		for j := range i { // Levinson's step up
			b[j] = a[j] + k*a[i-1-j]
		}
		b[i] = k
		a = b
	}
	for i := range d.order {
		d.filter[i] = float32(a[i])
	}
	d.target = float32(uniform * math.Sqrt(power))
	if !d.began {
		d.began, d.gain = true, d.target
	}
}

// Conceal goes on with the noise.
func (d *noise) Conceal(pcm []float32) int {
	for i := range pcm {
		d.gain += noiseSmooth * (d.target - d.gain)
		d.seed = d.seed*1664525 + 1013904223
		x := d.gain * (float32(int32(d.seed)) / (1 << 31))
		for j := range d.order {
			x -= d.filter[j] * d.past[j]
		}
		x = min(max(x, -d.most), d.most)
		copy(d.past[1:], d.past[:noiseOrder-1])
		d.past[0] = x
		pcm[i] = x
	}
	return len(pcm)
}
