// Package phone makes agents of users at SIP phones: each is a client of the switchboard like
// a desktop program, with the same messages, the same offers and the same states.
//
//   - [Lines] has one line for each user with a phone, one goroutine each. A line's session
//     begins when the first of the user's phones is registered and stands for as long as one
//     is. Ready and break come by feature codes, by API, or from the last time.
//   - An offer rings every phone that is registered and was not found dead, each by an INVITE
//     of its own; the first that answers has the call, the others are cancelled. That no
//     phone wants it is a decline; that none can be reached a break.
//   - The answered SIP call is the agent's audio for that call ([call.Agent.Bring]); its BYE is
//     a hang-up, its hold a hold, its REFER a transfer. A phone that dies in a call is not
//     a hang-up: the caller goes back to the queue.
//   - Phones are asked whether they are there (OPTIONS), so that one that was pulled out stops
//     being rung before its registration expires.
//
// A line never waits for the network: calls are placed and phones asked beside it, and what
// comes of it is posted to it. It does wait for its session, which never waits for anybody.
// Every wait has a deadline: a phone's first reply [Config.Patience], an offer the queue's, a
// session without a phone the switchboard's grace.
package phone
