package codec

import "math"

// Sizes of ITU-T G.711 Appendix I, in samples at 8 kHz.
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
// period (after 10 ms the last two, after 20 ms the last three), fades it by a fifth
// every 10 ms, and blends it into what arrives next. Unlike the Appendix it adds no
// delay: the seam at the start of a loss is smoothed inside the repeated waveform.
type concealer struct {
	history [historyLen]float32   // the latest samples heard or made up, newest last
	cycle   [historyLen]float32   // the waveform being repeated, newest last
	end     [pitchMax / 4]float32 // the last quarter pitch as it was heard
	pitch   int                   // samples
	length  int                   // of the part of cycle being repeated: 1 to 3 pitches
	at      int                   // next sample within that part
	erased  int                   // samples made up in this loss
}

// good takes note of samples that arrived and, after a loss, blends their start with
// the waveform the loss was filled with.
func (c *concealer) good(pcm []float32) {
	if c.erased > 0 {
		// 1/4 pitch and 4 ms more per 10 ms lost (Appendix I.2.6).
		n := min(c.pitch/4+32*((c.erased-1)/plcFrame), mergeMax, len(pcm))
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
	if len(pcm) >= historyLen {
		copy(c.history[:], pcm[len(pcm)-historyLen:])
		return
	}
	copy(c.history[:], c.history[len(pcm):])
	copy(c.history[historyLen-len(pcm):], pcm)
}

// start freezes the history and prepares its last pitch period.
func (c *concealer) start() {
	c.cycle = c.history
	c.pitch = c.findPitch()
	copy(c.end[:], c.cycle[historyLen-c.pitch/4:])
	c.repeat(1)
	c.at = 0
}

// repeat makes the last k pitch periods the ones to repeat, and blends their last
// quarter pitch with what came before their first sample, so that the loop has no seam.
func (c *concealer) repeat(k int) {
	c.length = k * c.pitch
	quarter := c.pitch / 4
	before := c.cycle[historyLen-c.length-quarter : historyLen-c.length]
	for i := range quarter {
		w := float32(i+1) / float32(quarter+1)
		c.cycle[historyLen-quarter+i] = (1-w)*c.end[i] + w*before[i]
	}
}

// next gives one more sample of the repeated, fading waveform.
func (c *concealer) next() float32 {
	if c.erased == plcFrame || c.erased == 2*plcFrame {
		c.repeat(1 + c.erased/plcFrame)
		c.at += c.pitch // stays on the very same sample: the part grows at its old end
	}
	x := c.cycle[historyLen-c.length+c.at]
	if c.at++; c.at == c.length {
		c.at = 0
	}
	gain := float32(1)
	if c.erased >= plcFrame {
		gain = max(0, 1-plcFadeStep*float32(c.erased-plcFrame)/plcFrame)
	}
	c.erased++
	return x * gain
}

// findPitch is the lag at which the last 20 ms look most like what came before them:
// coarse over every second sample, then fine around the winner (Appendix I.2.1).
func (c *concealer) findPitch() int {
	best := c.search(pitchMin, pitchMax, 2)
	return c.search(max(pitchMin, best-1), min(pitchMax, best+1), 1)
}

func (c *concealer) search(from, to, step int) int {
	recent := c.cycle[historyLen-corrLen:]
	best, bestScore := from, math.Inf(-1)
	for lag := from; lag <= to; lag += step {
		past := c.cycle[historyLen-corrLen-lag:]
		var product, energy float32
		for i := 0; i < corrLen; i += step {
			product += recent[i] * past[i]
			energy += past[i] * past[i]
		}
		if score := float64(product) / math.Sqrt(float64(energy)+1e-6); score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}
