// Package wavfile reads and writes speech as WAV files: the one place that knows the
// format, for the load generator, the analyzer, the agent's client and the tests.
//
// The samples themselves are decoded and encoded by github.com/go-audio/wav. What stands
// around them in a file is found here, because files come from anywhere: go-audio believes
// the sizes that a file states, and seeks back by them.
package wavfile
