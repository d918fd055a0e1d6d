package resample

// dot multiplies two slices of one length, a multiple of four. In SSE, which every amd64
// has: it is most of what a resampler does, and four times what Go makes of it.
func dot(x, h []float32) float32 {
	if len(x) == 0 || len(h) < len(x) {
		return 0
	}
	return dot4(&x[0], &h[0], len(x)&^3)
}

//go:noescape
func dot4(x, h *float32, n int) float32
