// Package wavfile reads and writes speech as WAV files: the one place that knows the
// format, for the load generator, the analyzer, the agent's client and the tests.
//
// Samples are encoded by github.com/go-audio/wav, and integers of 8, 24 and 32 bits decoded
// by it; 16 bits are decoded here for speed, floats and G.711 because it does not know
// them. What stands around the samples in a file is found here too, because files come from
// anywhere: go-audio believes the sizes that a file states, and seeks back by them.
package wavfile
