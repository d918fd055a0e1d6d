package vad

import "math"

const (
	cells    = 48    // of the histogram of block levels ...
	cellDB   = 2.0   // ... this wide ...
	bottomDB = -92.0 // ... from here up, dBov
	study    = 25    // blocks between two looks at it
	forget   = 0.98  // of what it holds, at each: a memory of 25 s
	enough   = 100   // blocks, to say anything
)

// loudness sorts blocks by level into those with somebody near the microphone and those
// without, by the threshold that parts a histogram best (N. Otsu 1979, A threshold
// selection method from gray-level histograms).
type loudness struct {
	count, evidence [cells]float32 // blocks of each level; the sum of their evidence
	in              int            // blocks since the last look

	known   bool    // enough was heard
	between float64 // power that parts the two sorts
	apart   float64 // dB between their means
	unrest  float32 // mean evidence of the lower sort
}

func (l *loudness) next(levelDBov float64, evidence float32) {
	c := max(0, min(cells-1, int((levelDBov-bottomDB)/cellDB)))
	l.count[c]++
	l.evidence[c] += evidence
	if l.in++; l.in == study {
		l.in = 0
		l.study()
	}
}

func (l *loudness) study() {
	var total, moment float32 // the moment about cell 0
	for c := range l.count {
		l.count[c] *= forget
		l.evidence[c] *= forget
		total += l.count[c]
		moment += l.count[c] * float32(c)
	}
	l.known = total > enough
	var lower, lowerMoment, evidence, best float32
	at := 0
	for c := range l.count[:cells-1] {
		lower += l.count[c]
		lowerMoment += l.count[c] * float32(c)
		evidence += l.evidence[c]
		upper := total - lower
		if lower < 1 || upper < 1 {
			continue
		}
		apart := (moment-lowerMoment)/upper - lowerMoment/lower
		if v := lower * upper * apart * apart; v > best {
			best, at = v, c+1
			l.apart = float64(apart) * cellDB
			l.unrest = evidence / lower
		}
	}
	l.between = math.Pow(10, (bottomDB+float64(at)*cellDB)/10)
}
