// Package media holds the contracts between a call's legs: what a packet of audio
// is, what a leg does with it, and who may listen. It knows nothing of SIP, WebRTC
// or any codec's arithmetic; those live below it and meet only here.
//
// Audio is push-driven. A leg's reader goroutine hands each packet, in the order it
// arrived, to the leg's Sink; whatever the sink does happens on that goroutine and
// must neither wait nor keep the payload. What needs a clock of its own (music, a
// prompt) is driven by the one Pacer of media/prompt.
package media
