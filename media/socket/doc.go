// Package socket is UDP for many calls at once: a few goroutines, the shards of a Poller,
// read every socket of the service, where a goroutine a socket would cost a wake-up for
// each packet. What a packet leads to happens on the shard's goroutine, so nothing there
// may wait. Sending is a system call of the caller's.
//
// On Linux a shard is an epoll and reads with recvmmsg; the sockets are not known to Go's
// own poller. Elsewhere each socket has a goroutine that reads it.
package socket
