// Package desk is an agent's client that costs next to nothing: it signs in, answers every
// call at once and leaves the audio to a [stream.Loop]. Of WebRTC it does what the service
// needs to see and no more: connectivity checks with a nomination (RFC 8445), their repetition
// as consent (RFC 7675), DTLS with SRTP keys (RFC 5764). It speaks the agent protocol
// (docs/agent-protocol.md).
package desk
