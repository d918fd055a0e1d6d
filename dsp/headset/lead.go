package headset

// leadBlocks is the time over which the two ends are held against each other: 20 s. Two clocks
// that differ by 100 ppm drift apart by a block in 200 s, which is then taken back. [A]
const leadBlocks = 1000

// lead follows by how many blocks the far end is ahead of the near one.
type lead struct {
	blocks int // of the stretch under way
	sum    int // of their leads
	usual  int // the same of the first stretch
	known  bool
	off    int // blocks that are to be taken back
}

// add takes the lead at a far block.
func (l *lead) add(blocks int) {
	if blocks < -farSlack { // after a pause of the line
		return
	}
	l.sum += blocks
	if l.blocks++; l.blocks < leadBlocks {
		return
	}
	if !l.known {
		l.usual, l.known = l.sum, true
	} else {
		l.off = (l.sum - l.usual) / leadBlocks
	}
	l.blocks, l.sum = 0, 0
}

// drift gives what is to be taken back, once.
func (l *lead) drift() int {
	off := l.off
	l.off = 0
	return off
}
