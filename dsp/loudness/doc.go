// Package loudness follows how loud somebody speaks and brings callers who are too quiet or
// too loud to hear comfortably to a level that is, gently: whoever speaks within the usual
// range is passed as they are, to the last bit.
//
// The level is the mean power of what is speech, after ITU-T P.56: blocks of 10 ms that stand
// out of the noise and are not more than the margin of 15.9 dB (P.56 clause 5) below the level
// itself. It forgets, with a time constant of two seconds of speech, since a telephone is
// passed on; and one loud block counts for 6 dB over the level at the most, so that a bang
// is not taken for a loud talker.
package loudness
