// Package sip answers and places calls over SIP trunks.
//
// sipgo carries the messages and runs the transactions (RFC 3261 section 17);
// dialogs, offers and answers are this package's own, and no sipgo type leaves it.
//
//   - A [Server] knows its trunks by their source address, their password, or both. A
//     stranger's packet is refused, or asked for a password, before it reaches a
//     transaction (firewall.go); a trunk's stream is cut into messages there, so that one that
//     cannot be read costs no connection (frames.go); passwords are judged in gate.go; who keeps on is not
//     listened to for a time (bans.go).
//   - A [Call] is one dialog, inbound or outbound. One goroutine owns it (call.go):
//     every request, response, timer and command reaches it as an event, it never
//     waits for the network, and there is one way out with one cause.
//   - A [Client] places calls; [Client.Dial] gives the same Call.
//   - What each request gets in each state of a call is a table with the clause of each
//     entry (states.go). Our own requests within a call wait in line and go out one at a
//     time (exchange.go): session refreshes (timer.go), hold and other changes
//     (reinvite.go), transfers (refer.go). A challenge is answered anywhere (auth.go).
//   - Before the answer: reliable 18x as callee (prack.go) and as caller, early media, the
//     phones of a forked call (early.go).
//   - Users' phones register (phones.go, package registrar), and call with their password.
//     Calls to them go to where they registered from.
//   - A handler that implements [TransferHandler] decides about REFER and has calls taken
//     over by INVITEs with Replaces (transfer.go).
//
// Audio is encrypted as the trunk's [MediaKeys] say (keys.go): by SDES (package sdes) or by
// DTLS, which media/rtp does. What was said in a call is in its [Call.Ladder], the secrets
// left out (trace.go, package ladder). Why a description is refused is one table's to say
// (refusal.go).
//
// When a call is over, Done closes at once and its ports go back; the goroutine
// stays only for what the signalling still owes: a 200 that waits for its ACK, a
// BYE that waits for its answer.
//
// Around sipgo 1.7: the 200 to an INVITE is repeated here, on T1..T2 until the ACK
// or 64*T1 (RFC 3261 section 13.3.1.4), and ends in BYE; the To tag is chosen before
// the transaction exists, so that even a 487 that sipgo makes for a CANCEL carries it;
// TLS connections are made and shaken hands on in streams.go, held to the server's name;
// an in-dialog request goes over the connection the INVITE came by; messages longer
// than 1300 bytes are sent over UDP where the INVITE used it. The whole list, with a test of
// each, is in faults_test.go.
package sip
