// Package seal keeps a file encrypted that grows while it is written, so that what was written
// is there after the process was killed, up to the last whole chunk.
//
// A file is a head and then chunks. The head holds the file's own key, wrapped for whoever may
// read it (age, X25519). Each chunk is sealed by itself with AES-256-GCM under that key, with a
// nonce of its own and bound to its file and place: chunks of another file, in another order or
// with one missing between them do not open. age's own stream is not used for the body, because
// it authenticates 64 KiB at a time and calls a file without its last piece forged.
//
// All numbers are big-endian:
//
//	head:  magic (8 bytes), file id (16), key id (8), length of the wrapped key (2), the wrapped key
//	chunk: length of what follows (4), nonce (12), sealed kind (1) and data, tag (16)
//
// What is authenticated beside a chunk is the file id and the chunk's number (8 bytes).
package seal
