// Package carrier is the outbound side of SIP trunks: which trunk and which of its servers a
// call goes by, and whether they can be reached at all.
//
//   - [Carrier.Dial] places a call: trunks by the longest prefix of the number, then priority
//     and weight; servers of a trunk by priority, weight and the DNS; the next one when one
//     refuses for its own sake, is silent or cannot be reached, and never once it rings.
//   - Each trunk with a registration is kept registered (register.go), each with a keep-alive
//     is asked OPTIONS (health.go), on a goroutine of the trunk's own, while Run runs.
//   - [Carrier.States] is a snapshot of all that for screens and metrics.
//
// The other direction, calls that come in, is media/sip's Server.
package carrier
