// Package analyze is the logic of `headroom analyze`: it streams WAV files through the
// headset meter and prints what it found for a person or as JSON, with a picture for the
// ticket if asked.
//
// A file of any length is read in bounded memory. Each channel would hide the faults of
// the others if they were mixed, so one is measured: the first unless told otherwise. The
// far end, if there is a recording of it, runs beside it sample for sample.
//
// Which metrics a person sees is the table in metrics.go: one line each.
package analyze
