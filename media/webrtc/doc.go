// Package webrtc is the agent's leg: one WebRTC connection that stands from sign-in
// to sign-out and carries audio both ways. It is the only package that knows Pion.
//
// Gateway is the service's side. It answers offers from the desktop client or a
// browser as an ICE-lite endpoint (RFC 8445) behind one UDP port for all peers, and one
// TCP port for those whom no UDP reaches. Offer is the client's side of the same connection.
// Both give a Peer, which is a media.Leg.
//
// A Peer negotiates Opus, PCMU and PCMA on one audio section and may send any of them
// at any moment: the payload type of the packet says which, and no renegotiation is
// needed. So a trunk's G.711 goes to the agent as it came.
//
// Pion does SDP, ICE and DTLS. On the service's side packets go past it: the gateway's
// door takes them from the socket and hands them to the peer's link, which encrypts and
// decrypts with the keys that DTLS gave. A connection has no goroutine of ours, and Pion's
// do not wake up for a packet.
//
// Pion's interceptors (NACK, reports, TWCC, statistics) are left out: they cost more
// than everything else together. Reports (RFC 3550 section 6.4) are made here.
package webrtc
