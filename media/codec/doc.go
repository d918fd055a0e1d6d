// Package codec turns packets' payloads into samples and back: G.711 (ITU-T G.711,
// with concealment after Appendix I) and G.722 in Go, and Opus (RFC 6716) on libopus.
//
// Samples are mono float32 with full scale at ±1. Nothing here allocates after
// construction, knows a clock or keeps a payload. A Decoder or Encoder belongs to one
// goroutine at a time.
package codec
