// Package dtmf presses keys towards a party: as telephone-events (RFC 4733), or as the tones of
// ITU-T Q.23 where none were agreed on. One loop keeps time for all who are sent keys, and rests
// while nobody is.
package dtmf
