// Command benchdsp is `make bench-dsp`: how long `headroom analyze` takes over an hour of
// speech beside ffmpeg's and sox's meters, in one run on one machine, and what the meters
// cost per block of 20 ms, in memory and in allocations. It writes docs/bench-dsp.md.
//
// The programs take turns, three times each, and the best time of each counts: what else
// the machine does can only make a run longer.
package main
