// Package registrar keeps where users' phones are to be found (RFC 3261 section 10): each
// user is an address-of-record, each registration of a phone a [Binding] of it.
//
//   - [Registrar.Register] takes what a REGISTER says, checked by the clauses of section 10.3:
//     several contacts, q-values, how long (423 for too short), the order of requests, "*",
//     and questions that change nothing.
//   - Bindings end when they expire ([Registrar.Run]), and are bounded per user. A [Store]
//     keeps them over a restart.
//   - Requests to a phone go to where its REGISTER came from, whatever its Contact says: that
//     is what gets through a NAT, and over TCP and TLS it is the connection that stands.
//   - A binding is that of the login that made it, of which a keyed hash is kept:
//     [Registrar.Keep] ends those whose user has another by now.
//
// Who may register is not decided here, and nothing here sends or receives.
package registrar
