// Package pulsetest gives tests sound cards on a machine that has none: a private
// PulseAudio server with virtual headsets, reached through ALSA as PortAudio does it.
//
// A headset NAME is two null sinks and a source:
//
//	what the test plays to NAME-voice  →  NAME-mic  →  what NAME records
//	what NAME plays                    →  NAME-ear  →  what the test records from NAME-ear.monitor
//
// ALSA knows it as NAME (the wearer's side) and NAME-world (the test's side: plays to
// NAME-voice, records NAME-ear.monitor); [Server.Speak] and [Server.Hear] are the
// test's side without ALSA. Needed from the system: PulseAudio, its tools and ALSA's pulse
// plug-in (Debian: pulseaudio pulseaudio-utils libasound2-plugins).
package pulsetest
