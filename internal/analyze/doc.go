// Package analyze is the logic of `headroom analyze`: it reads WAV files, runs the
// headset meter over the first channel of each and prints what it found, as JSON or for
// a person.
package analyze
