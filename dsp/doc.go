// Package dsp holds what every meter shares: the decibel scale, frame marks and
// a number type that survives JSON when there is nothing to report.
//
// Everything below dsp is arithmetic on samples. It knows no clock, no file, no
// goroutine and no log: time is the number of samples seen.
package dsp
