// Package rtp moves audio between a party on the network and media's packets: RTP and
// RTCP (RFC 3550, RFC 3551) over UDP, and the telephone-events among them (RFC 4733).
//
// Receiver and Sender are the two halves every leg needs, whatever carries it. Session
// is a whole SIP-side leg. Sequencer and JitterBuffer put a stream back in order: the
// first as packets arrive, for what decodes and sends on; the second at the pace of a
// sound card. Nothing on a packet's path allocates, logs or waits for anything but its
// own leg.
package rtp
