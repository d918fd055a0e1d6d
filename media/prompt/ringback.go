package prompt

// The ringing tone: 425 Hz, a second on and four off (ITU-T E.180, the one recommended and
// the one of most of Europe).
const (
	ringbackHz    = 425
	ringbackDBov  = -26
	ringbackOn    = 1 // second
	ringbackCycle = 5 // seconds
)

// Ringback is the tone that says that a callee's phone rings.
func Ringback() Source { return cadence{Tone(ringbackHz, ringbackDBov)} }

type cadence struct{ tone Source }

// Render is part of Source.
func (c cadence) Render(pcm []float32, at int64, rate int) {
	c.tone.Render(pcm, at, rate)
	for i := range pcm {
		if (at+int64(i))%int64(ringbackCycle*rate) >= int64(ringbackOn*rate) {
			pcm[i] = 0
		}
	}
}
