package vad

import "github.com/headroom-voice/headroom/dsp"

const (
	memory  = 0.85 // weight of the block before in the SNR (decision-directed estimate)
	most    = 6    // evidence of one band, so that no band decides alone ...
	least   = -0.25
	clickly = 0.8  // share of a quarter of a block in the whole: a click or a start
	evenly  = 0.06 // share that the weakest quarter of a sustained sound has
)

// evidence is the mean over the n bands in use of the log likelihood ratio of speech
// against noise alone; clean holds the power of speech in the block before, and is
// replaced by that in this one.
func evidence(p, noise, clean *levels, n int) float32 {
	sum := float32(0)
	for b := range n {
		over := 1 / noise[b]
		post := p[b] * over
		prior := memory*clean[b]*over + (1-memory)*max(0, post-1)
		gain := prior / (1 + prior) // Wiener's
		clean[b] = gain * gain * p[b]
		const ln2 = 0.693147
		sum += max(least, min(most, post*gain-ln2*log2(1+prior)))
	}
	return sum / float32(n)
}

// shape is what a block looks like in time.
type shape struct {
	power float64 // mean square
	click bool    // nearly all of it lies in a quarter
	even  bool    // no quarter lies far below the others
}

func look(block []float32) shape {
	n := len(block) / 4
	x := block[:n]
	y, z, w := block[n:][:len(x)], block[2*n:][:len(x)], block[3*n:][:len(x)]
	var a, b, c, d float32
	for i, v := range x {
		a += v * v
		b += y[i] * y[i]
		c += z[i] * z[i]
		d += w[i] * w[i]
	}
	if !(a+b+c+d < dsp.MaxSample*dsp.MaxSample) { // else no sample can be broken
		a, b, c, d = power(x), power(y), power(z), power(w)
	}
	sum := a + b + c + d
	return shape{
		power: float64(sum) / float64(max(1, 4*n)),
		click: max(a, b, c, d) > clickly*sum,
		even:  min(a, b, c, d) > evenly*sum,
	}
}

// power is the sum of the squares, broken samples left out.
func power(x []float32) (sum float32) {
	for _, s := range x {
		v := dsp.Sample(s)
		sum += v * v
	}
	return sum
}
