// Command interop is `make interop`: it starts the real service and a real agent, has other
// people's SIP stacks call them in every way that carriers and phones do, and writes what
// came of it to docs/interop.md and build/interop.json.
//
// SIPp plays what a peer of any make may send, message by message (scenario.go writes its
// XML files from the rows_*.go tables and leaves them in build/interop for a look or a run by
// hand). baresip and linphonec are phones as people use them (phones.go, linphone.go).
// Messages that no SIP stack would write go out of a plain socket (torture.go).
//
// A row has passed when its peer saw what it had to see, and the service has no call left
// afterwards that should be over.
package main
