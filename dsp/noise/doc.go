// Package noise measures the noise that lies under someone's speech: the level of the
// quiet tenth of the time.
//
// The estimator: 20 ms frames of the high-passed signal are sorted by level; the 10th
// percentile finds the quiet frames, and the floor is the mean power of all frames up to
// 2.5 dB above it. The percentile alone would read a steady noise 0.4 to 0.7 dB low,
// depending on the sample rate; the mean reads it true.
package noise
