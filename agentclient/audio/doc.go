// Package audio is where an agent's voice comes from and where the caller's goes: a
// Source and a Sink of mono frames of 20 ms, ±1.0 full scale. WAV files and silence
// live here; package device below has the sound cards.
//
// The device is the clock. A Source hands out frames as they are recorded, a Sink asks
// for frames as it needs them; nobody else keeps time.
package audio
