// Package dsptest makes headset faults: pure functions that put noise, overdrive or
// gain on speech, for tests, the load generator and the demo. Samples are mono, full
// scale ±1; every function returns a new slice and leaves its input alone.
package dsptest
