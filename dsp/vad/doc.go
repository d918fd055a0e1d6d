// Package vad tells speech from pauses, noise and tones, 20 ms at a time: a frame is
// speech when it stands clear of the noise beneath, which is tracked as the minimum of
// the last seconds, and is not a tone. It is meant for measuring, not for gating audio:
// it may decide a frame late, and counts a short hangover as speech as P.56 does.
package vad
