// Package call is the switchboard: it owns every call and every agent's session, drives
// their legs, and keeps each call's story. It asks internal/acd who gets the next call
// and does what acd answers; nothing else in the service starts, joins or ends a call.
//
// # Who owns what
//
//   - The floor, one goroutine of the [Switchboard], owns the acd.State. It takes events
//     from calls and agents, applies them in order, and turns the actions into messages to
//     those concerned. It also owns the tables of calls and agents and the drain.
//   - A call, one goroutine per caller or callee, owns the trunk legs, the music, the bridges,
//     all legs' records and the story. It alone ends the call, and writes one cause for the
//     call and for each of its legs.
//   - An [Agent], one goroutine per signed-in person, owns the link to the client (the
//     WebSocket, here a [Link]), the media peer, the outage deadline, the headset and the
//     last readings at the microphone.
//   - Somebody at a SIP phone has the same Agent: internal/phone is its Link, and brings the
//     audio with each call (agent_phone.go).
//   - A wire meter hears the agent's voice during one leg and belongs to that leg.
//   - A journal, one per call, writes what the call and its meters tell it, in order.
//
// # How they speak
//
// Every owner has a mailbox that never makes the sender wait; a message is delivered, or
// the sender learns that the owner has ended. Nobody waits for the network, the store or
// another owner: answering a call, taking an SDP offer, hanging up, storing and judging a
// report run on goroutines beside the owner and come back as messages. Screens read
// published values ([Switchboard.Snapshot], [Switchboard.Live], [Switchboard.Calls]) and
// the bus; they never ask an owner.
//
// # Deadlines
//
// Everything that waits has one. Answering: Config.AnswerTimeout. Waiting in a queue:
// Config.MaxWait, or Config.ClosedWait once the site no longer has the queue. An offer and a wrap-up: the queue's, kept by acd. Joining an accepted
// call: Config.ConnectTimeout. A number that is called, by an agent or to pass a caller on:
// Config.DialTimeout; how long the call may last from then on: its permit. Finding out whether
// it may be called: Config.PermitTimeout. A client that is gone: Config.OutageGrace. A lost media
// connection: Config.MediaGrace. A new media connection: Config.MediaSetup. Hanging up:
// Config.HangupTimeout. Talking waits for nobody: the caller's silence ends it (the trunk
// leg's media time-out), and so does the loss of the agent's client.
//
// # The story
//
// Each line is a model.CallEvent, on the bus (EventCall) as it happens and in the record:
//
//	arrived          trunk, to, sip_call_id
//	queued           queue
//	offered          agent; headset, verdict, last_resort: what was known when it was offered
//	offer_expired    agent (ring, no answer)
//	offer_withdrawn  agent; why
//	declined         agent
//	accepted         agent
//	connected        agent; headset
//	rejoined         agent; why (media_replaced, new_headset), headset
//	requeued         agent; why
//	dialled          agent; to, class; queue, emergency
//	progress         state; sip_status, transfer
//	answered         trunk, sip_call_id, sip_status: the callee did
//	failed           to, cause, text; sip_status, error: the callee did not
//	held, resumed    agent
//	transfer         agent; to, class: the caller is being passed on to a number
//	transferred      to, trunk, sip_call_id, sip_status; or agent and queue
//	transfer_failed  to, cause, text; sip_status, error
//	parted           agent; why: left the call while the caller is being passed on
//	supervised       agent (the supervisor); mode, agent: joined the call, or changed how
//	supervision_ended agent (the supervisor); why: left, own_call, media_lost, supervisor_gone, or the cause of the agent's leg
//	taken_over       agent (the supervisor); from, headset: the call is theirs now
//	dtmf             count: how many keys, never which, since they may be a card's; of a secret not even that: secret
//	dtmf_sent        agent; count: keys pressed towards the caller, or callee
//	secret_began     agent; seconds: a secret is keyed in, of which nothing is kept
//	secret_ended     agent; why (asked, time, call_over)
//	ended            cause; sip_status of a refusal
//
// Beside it the record has the call's SIP ladder, taken from the trunk once the last message
// of the dialog has gone, which may be half a minute after the end (signalling.go).
//
// # Calls out
//
// An agent who dials is on a call of their own from the moment that acd agrees: their leg
// comes, then the number is called beside the call, and the two are joined at the answer.
// Before it the agent hears the callee's early media, or a ringing tone, and is not heard.
// Who ends it: the agent or the loss of their client (CANCEL), the callee's side, the
// deadline. Whether a number may be called is asked of [Dialling] and never decided here;
// without one nobody calls anywhere.
//
// A caller who is passed on to a queue leaves the agent at once. One who is passed on to a
// number hears music until that answers, and the agent stays; should the agent hang up or be
// lost, the transfer goes on alone. The caller always has a next step: who was called, the
// agent, or the head of the queue they came from. Only one who came from no queue, a callee,
// is let go then. Once the two are joined nobody at a desk is part of the call, which ends as
// either of them hangs up.
//
// # Waiting
//
// Callers who wait hear music and, where their queue has announcements, a welcome and every so often
// their place, from the floor's published picture (lobby.go).
//
// # Supervisors
//
// A supervisor who is signed in with a client can listen to a call, whisper to its agent, be heard
// by all, or take it over. Their session asks the floor, which has acd take them out of the line,
// then the call, which adds their media connection to the bridge of caller and agent as a guest
// (media/bridge): neither of those notices but by what is said. They are there for the agent: the
// supervision ends with the agent's part of the call, whatever ended that, and follows it over a new media
// connection or headset. In a take-over the agent's leg ends and the supervisor's begins, with a meter of its own.
//
// # Keys
//
// Party.Digits gives the caller's keys, however they came. Those of an agent, by message or on a
// Peer that is [Keyed], go to the party ([Dialpad]), and a caller's to whom they were passed on
// to. While a secret is keyed in ([Switchboard.KeepSecret], at most MaxSecretTime) they are
// written nowhere and a caller whose keys are tones is not heard by the agent; [Discretion] is told.
//
// # Durability
//
// The journal is asynchronous, so that a slow store never delays a person. A line that
// the store refuses is tried again with back-off for as long as the process lives, and
// the lines of one call are never reordered. The memory this takes is bounded at the only
// source there is: when more than Config.MaxBacklog lines wait for the store, new callers
// are turned away (503 with Retry-After) until it recovers; readings, the only bulk, are
// limited to Config.MaxChunks a call, oldest shed first and counted, and of the SIP ladders
// those of new calls are while Config.MaxLadders wait. A line that keeps
// failing while the store takes everybody else's is set aside, logged and counted, so that
// it does not hold up what follows. What a person did is different: the acknowledgement of
// a microphone's report is sent only after the store returned.
package call
