// Package metertest is what the tests of dsp's meters share: speech to measure, and the
// properties that every meter has.
package metertest
