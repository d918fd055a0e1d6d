// Package stream is RTP by the hundred streams, out of one thread: the ends of calls, whose
// cost has to be small beside that of what carries the calls.
//
// A [Loop] waits for all of its sockets and for a clock of one millisecond at once. Each
// millisecond has its share of the streams, so that packets leave as evenly as those of
// people. What arrives is dated by the kernel (SO_TIMESTAMPNS): how late the loop comes to
// read it counts for nothing. It needs Linux.
package stream
