// Package digest is the challenge and answer by which a SIP peer shows that it knows a
// password (RFC 3261 section 22, RFC 7616), with MD5 and SHA-256 (RFC 8760) and qop "auth".
//
//   - [Challenge] and [Credentials] are what stands in WWW-Authenticate and Authorization.
//   - [Answer] is the client's side.
//   - An [Account] is what the server keeps of a password; a [Nonces] issues the server's
//     nonces, without memory, and remembers which answers have been used, within bounds.
//
// It does no I/O and does not log.
package digest
