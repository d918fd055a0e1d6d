// Package record writes what is said in calls: two channels, the caller left and the agent right,
// true to the wall clock, encrypted (media/record/seal), as PCM or Opus.
//
// A Recording has a media.Tap for each side. Offer copies into a ring of two seconds and returns;
// a few writers shared by all recordings empty the rings four times a second. What a writer takes lies
// at least 200 ms back: by then it is known whether a gap was jitter or silence (track). A disk
// that is slow or full costs recording, which is counted and told, and never the call.
//
// Whatever stood in a file before the process was killed can be played: the tracks are at most
// 200 ms + 250 ms behind, and each quarter of a second is sealed by itself.
package record
