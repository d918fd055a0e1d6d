// Package ng asks rtpengine for calls, by its ng protocol: a cookie and a bencoded dictionary in
// a datagram each way. Its page is docs/ng_control_protocol.md of github.com/sipwise/rtpengine.
package ng
