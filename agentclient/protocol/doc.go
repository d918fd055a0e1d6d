// Package protocol is the conversation between an agent's client and the service:
// every message, typed, for both sides. docs/agent-protocol.md explains the order in
// which they are sent; this package is the authority on their shape.
//
// A message travels as one WebSocket text frame, {"type":…,"id":…,"body":{…}}. A frame
// with an id is answered by exactly one ack or error with the same id; the client keeps
// such a message and sends it again after a reconnect until it has that answer, and the
// service does nothing twice for one id of one session.
package protocol
