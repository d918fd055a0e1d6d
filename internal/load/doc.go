// Package load is callers by the hundred: real SIP calls over real sockets, with speech in
// G.711, that measure what they hear.
//
//   - [Phone] is one SIP address with as many lines as there are ports. [Phone.Dial] places
//     a call and gives a [Call] that plays a source and keeps what it hears; [Dial] does the
//     same for a single call with a phone of its own. The end-to-end tests use these.
//   - [Run] is the load generator behind cmd/headroom-load: so many lines, started at such a
//     rate, each calling once or over and over, one [Result] a call.
package load
