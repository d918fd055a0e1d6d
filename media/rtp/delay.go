package rtp

import "time"

// How a jitter buffer judges the network.
const (
	floorWindow = 5 * time.Second // the least delay is sought over one to two of these
	peakHold    = 3.0             // seconds a peak of the delay stands before it fades
	peakMemory  = 5.0             // seconds in which it then fades to 1/e
)

// delayMeter measures how unevenly packets arrive. A packet's excess is how much later
// it came than the quickest of the last 5 to 10 s, which also follows a drift of the
// clocks. The peak of the excess is held, and fades.
type delayMeter struct {
	began     bool
	epoch     time.Time
	windowEnd time.Time
	floor     float64 // least delay of this window, seconds
	floorOld  float64 // of the window before
	peak      float64 // seconds
	hold      float64 // seconds the peak still stands
}

// arrived takes one packet: its timestamp and duration in seconds. It returns its excess.
func (d *delayMeter) arrived(at time.Time, timestamp, duration float64) float64 {
	if !d.began {
		*d = delayMeter{began: true, epoch: at, windowEnd: at.Add(floorWindow), peak: d.peak, hold: d.hold}
		d.floor = -timestamp
		d.floorOld = d.floor
	}
	delay := at.Sub(d.epoch).Seconds() - timestamp
	if !at.Before(d.windowEnd) {
		d.floor, d.floorOld = delay, d.floor
		d.windowEnd = at.Add(floorWindow)
	}
	d.floor = min(d.floor, delay)
	excess := delay - min(d.floor, d.floorOld)
	d.hold -= duration
	switch {
	case excess >= d.peak:
		d.peak, d.hold = excess, peakHold
	case excess > 0.8*d.peak: // as good as the peak again
		d.hold = peakHold
	case d.hold <= 0:
		d.peak -= (d.peak - excess) * min(duration/peakMemory, 1)
	}
	return excess
}

// restart begins a stream whose timestamps cannot be compared with those before. The
// network is the same, so the peak stays.
func (d *delayMeter) restart() { d.began = false }
