// Package testdata holds speech that the project synthesised for itself, embedded so
// that tests, the load generator and the demo need no files beside the program. The
// README in this folder says how each recording was made.
package testdata
