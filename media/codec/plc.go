package codec

import "math"

// Sizes of ITU-T G.711 Appendix I, in samples at 8 kHz; at 16 kHz they are twice as many.
const (
	pitchMin    = 40              // 200 Hz
	pitchMax    = 120             // 66.7 Hz
	corrLen     = 160             // 20 ms of similarity
	historyLen  = 3*pitchMax + 30 // 48.75 ms
	plcFrame    = 80              // 10 ms: the step of fading and of adding pitch periods
	plcFadeStep = 0.2             // per 10 ms, from the second 10 ms on
	mergeMax    = 80              // longest overlap at the end of a loss
)

// concealer makes up speech after ITU-T G.711 Appendix I: it repeats the last pitch
// period (after 20 ms the last two, after 30 ms the last three), fades it by a fifth
// every 10 ms from the second on, and blends it into what arrives next. Unlike the Appendix
// it adds no delay: the seam at the start of a loss is smoothed inside the repeated waveform.
// And it counts from packets of 20 ms, where the Appendix has frames of 10: what takes the
// place of one of them comes nearer to the voice so (docs/media.md).
type concealer struct {
	k       int       // samples per sample at 8 kHz
	history []float32 // the latest samples heard or made up, newest last
	cycle   []float32 // the waveform being repeated, newest last
	end     []float32 // the last quarter pitch as it was heard
	pitch   int       // samples
	length  int       // of the part of cycle being repeated: 1 to 3 pitches
	at      int       // next sample within that part
	erased  int       // samples made up in this loss
}

// newConcealer is for 8000 or 16000 Hz.
func newConcealer(rate int) concealer {
	k := rate / 8000
	all := make([]float32, k*(2*historyLen+pitchMax/4))
	return concealer{k: k, history: all[: k*historyLen : k*historyLen], cycle: all[k*historyLen : 2*k*historyLen : 2*k*historyLen], end: all[2*k*historyLen:]}
}

// good takes note of samples that arrived and, after a loss, blends their start with
// the waveform the loss was filled with.
func (c *concealer) good(pcm []float32) {
	if c.erased > 0 {
		// 1/4 pitch, and 4 ms more per 10 ms lost beyond 20 (Appendix I.2.6 counts from 10, which
		// is one frame of its; the packets here are of 20 ms, and what has arrived is worth more).
		n := min(c.pitch/4+32*c.k*max((c.erased-1)/(c.k*plcFrame)-1, 0), c.k*mergeMax, len(pcm))
		for i := range n {
			w := float32(i+1) / float32(n+1)
			pcm[i] = (1-w)*c.next() + w*pcm[i]
		}
		c.erased = 0
	}
	c.remember(pcm)
}

// lost fills pcm.
func (c *concealer) lost(pcm []float32) {
	if c.erased == 0 {
		c.start()
	}
	for i := range pcm {
		pcm[i] = c.next()
	}
	c.remember(pcm)
}

func (c *concealer) remember(pcm []float32) {
	if len(pcm) >= len(c.history) {
		copy(c.history, pcm[len(pcm)-len(c.history):])
		return
	}
	copy(c.history, c.history[len(pcm):])
	copy(c.history[len(c.history)-len(pcm):], pcm)
}

// start freezes the history and prepares its last pitch period.
func (c *concealer) start() {
	copy(c.cycle, c.history)
	c.pitch = c.findPitch()
	copy(c.end, c.cycle[len(c.cycle)-c.pitch/4:])
	c.repeat(1)
	c.at = 0
}

// repeat makes the last k pitch periods the ones to repeat, and blends their last
// quarter pitch with what came before their first sample, so that the loop has no seam.
func (c *concealer) repeat(k int) {
	c.length = k * c.pitch
	quarter := c.pitch / 4
	before := c.cycle[len(c.cycle)-c.length-quarter : len(c.cycle)-c.length]
	for i := range quarter {
		w := float32(i+1) / float32(quarter+1)
		c.cycle[len(c.cycle)-quarter+i] = (1-w)*c.end[i] + w*before[i]
	}
}

// next gives one more sample of the repeated, fading waveform.
func (c *concealer) next() float32 {
	frame := c.k * plcFrame
	if c.erased == 2*frame || c.erased == 3*frame {
		c.repeat(c.erased / frame)
		c.at += c.pitch // stays on the very same sample: the part grows at its old end
	}
	x := c.cycle[len(c.cycle)-c.length+c.at]
	if c.at++; c.at == c.length {
		c.at = 0
	}
	gain := float32(1)
	if c.erased >= frame {
		gain = max(0, 1-plcFadeStep*float32(c.erased-frame)/float32(frame))
	}
	c.erased++
	return x * gain
}

// findPitch is the lag at which the last 20 ms look most like what came before them:
// coarse over every second sample at 8 kHz, then fine around the winner (Appendix I.2.1).
func (c *concealer) findPitch() int {
	best := c.search(c.k*pitchMin, c.k*pitchMax, 2*c.k)
	return c.search(max(c.k*pitchMin, best-2*c.k+1), min(c.k*pitchMax, best+2*c.k-1), 1)
}

func (c *concealer) search(from, to, step int) int {
	recent := c.cycle[len(c.cycle)-c.k*corrLen:]
	best, bestScore := from, math.Inf(-1)
	for lag := from; lag <= to; lag += step {
		past := c.cycle[len(c.cycle)-c.k*corrLen-lag:]
		var product, energy float32
		for i := 0; i < c.k*corrLen; i += step {
			product += recent[i] * past[i]
			energy += past[i] * past[i]
		}
		if score := float64(product) / math.Sqrt(float64(energy)+1e-6); score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}
