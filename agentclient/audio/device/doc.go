// Package device is the sound card: PortAudio microphones and earphones as
// audio.Source and audio.Sink.
//
// PortAudio calls back on a thread of the sound system that must never wait. The
// callback only copies between the card's buffer and a lock-free ring and wakes the
// goroutine that does the rest.
//
// On Linux, ALSA's library prints complaints about unused plug-ins to standard error
// while PortAudio looks for devices. They are harmless and not ours to silence.
package device
