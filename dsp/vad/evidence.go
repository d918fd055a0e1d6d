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
	var part [4]float32
	x, y, z, w := block[:n], block[n:2*n], block[2*n:3*n], block[3*n:4*n]
	for i, v := range x {
		part[0] += v * v
		part[1] += y[i] * y[i]
		part[2] += z[i] * z[i]
		part[3] += w[i] * w[i]
	}
	sum := part[0] + part[1] + part[2] + part[3]
	if !(sum < dsp.MaxSample*dsp.MaxSample) { // else no sample can be broken
		sum = 0
		for k := range part {
			part[k] = 0
			for _, s := range block[k*n : (k+1)*n] {
				v := dsp.Sample(s)
				part[k] += v * v
			}
			sum += part[k]
		}
	}
	return shape{
		power: float64(sum) / float64(max(1, 4*n)),
		click: max(part[0], part[1], part[2], part[3]) > clickly*sum,
		even:  min(part[0], part[1], part[2], part[3]) > evenly*sum,
	}
}
