//go:build !amd64

package resample

// dot multiplies two slices of one length, a multiple of four.
func dot(x, h []float32) float32 { return dotGo(x, h) }
