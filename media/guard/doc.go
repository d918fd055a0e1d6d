// Package guard protects an agent's ears: it wraps the agent's leg, hears everything that is
// sent to it, whoever sends it (a bridge, a conference, music, a ringing tone, an
// announcement), and where that would hurt or cannot be heard comfortably, sends something
// else in its place.
//
// A packet is decoded, heard by dsp/loudness and dsp/shock, and passed on as it is, bit for
// bit, unless one of the two changed it; only then it is encoded again, with the same source,
// number and time. G.711 costs next to nothing to decode. G.722 and Opus are decoded as well:
// towards an agent they pass only between two agents, and from callers whose trunk has G.722,
// and a voice that cannot be looked at cannot be limited. No delay is added.
//
// Meters listen to what comes from the legs, before this: they never hear what is done here.
package guard
