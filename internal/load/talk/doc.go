// Package talk has callers and agents talk to each other through a service, and says what came
// of it: how much was lost, by how much it was late, and whether what arrived is what was said.
//
// Where packets pass as they are, each carries its number and the time it was sent in its own
// bytes ([mark.Write]). Where a codec comes in between, speech has a chirp every second, and its
// delay is that of the chirp less what the codec takes by itself, which is measured with the
// same packets and no service.
package talk
