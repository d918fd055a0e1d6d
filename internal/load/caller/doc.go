// Package caller is a SIP client that costs next to nothing: many calls over one UDP socket,
// with the audio left to a [stream.Loop]. It does what a call needs (RFC 3261 sections 13, 15
// and 17: INVITE, ACK, CANCEL, BYE, repetitions) and answers what a service may ask
// within a dialog. It is for loads on services that are known; a telephone is internal/load.Phone.
package caller
