package media

// Narrow is a Leg whose network may have room for little. What is encoded for it keeps to
// BitRate, in bit/s of payload; 0 is whatever is usual. It may change at any moment, as
// Preferred, Accepts and PacketTime may.
type Narrow interface {
	BitRate() int
}

// BitRateOf is that of a Leg, 0 for one that knows of none.
func BitRateOf(l Leg) int {
	if n, ok := l.(Narrow); ok {
		return n.BitRate()
	}
	return 0
}
