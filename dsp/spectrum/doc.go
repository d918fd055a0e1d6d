// Package spectrum turns 20 ms blocks of audio into short-time spectra that many meters
// read: one transform a block, however many readers.
//
//	s, err := spectrum.New(16000)
//	...
//	if f := s.Next(block); f != nil { // block is s.Hop() samples long
//		speechBand := f.Sum(f.Band(300, 3400)) // mean square, full scale 1
//	}
//
// The window is a Hann window of about 32 ms (a power of two in samples) that ends with
// the newest sample. Powers are scaled so that they add up to the mean square of the
// windowed signal: 10·log10 of a sum over bins is a level in dBov.
package spectrum
