// Package mark writes into speech who says it, when and in which order, and finds that again at
// the far end of whatever carried it.
//
//   - A G.711 packet of 20 ms has 160 bytes, and the least bit of each can be changed without
//     anybody hearing it. [Write] puts a stream's number, the packet's and the time of sending
//     there, with a checksum over those and over the speech itself; [Read] gives them back if
//     every byte is as it was sent.
//   - Where a codec comes in between, no byte survives. There the speech has a chirp in it every
//     second ([Speech]), and [Find] tells by correlation, to a sample, where it arrived.
package mark
