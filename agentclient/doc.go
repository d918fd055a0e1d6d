// Package agentclient is the agent's desk as a library: it signs in, keeps the
// conversation with the service alive, carries the voice both ways, and measures the
// microphone. A window, a terminal or nothing at all can stand on top of it.
//
// Client.Run owns everything. One goroutine holds the client's state and is the only
// one to change it; the WebSocket, the media connection and the sound devices run
// beside it and come back to it. The audio path shares nothing with it but a few
// atomics, so that no message, log or outage ever holds a frame up.
//
// What is kept when: the media connection outlives the WebSocket, so a call goes on
// while the client reconnects; a message with an id is sent again until it is answered,
// so a report survives an outage; and after a restart of the service the client signs
// in again and goes back to the state the agent wished for.
package agentclient
