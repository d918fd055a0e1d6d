// Package bridge joins legs. Two hear each other directly: a packet the other side takes goes
// through as it is; anything else is put in order, decoded, resampled, encoded and cut to the
// other side's packet time. All of it happens on the reader goroutine of the leg that spoke.
//
// A bridge takes guests, up to eight legs in all: then everybody is mixed what all others say who
// are meant for them (N-1), on the goroutine of a Clock that is one for all conferences. Each
// party's voice comes out of a jitter buffer of its own; the sums are limited, never clipped; who
// hears the same in the same codec is encoded for once. What is measured of a bridge's own two
// legs is measured as before: the taps notice neither the mix nor the guests.
//
// # From the direct way to the mix and back
//
// The mix is 25 to 60 ms behind, as jitter buffers are, so that going over repeats that much and
// coming back leaves it out; a phoneme lasts longer. First the buffers fill beside the direct way,
// and a gate before each leg listens to what it is sent. At the change 10 ms are made up of what
// would have come next (by the codec's own concealment) and fade as the other way comes in, so that
// the waveform has no step. Packets of G.711 are changed for that; one of another codec cannot be
// alone, and passes as it is.
//
// The rate is 16 kHz where two parties are wide-band and somebody is sent it, else 8. The two legs
// stay in the codec they hear directly, so that no decoder is changed in mid-word; a guest, whose
// stream is new, is sent the widest it takes.
package bridge
