package main

// through is what every call begins with: it is put through.
func through(between ...step) []step {
	return append([]step{invite(sdp(1, pcma)), answered(), ack("")}, between...)
}

// ignoring lets SIPp pass over what comes at another moment than the scenario has it.
var ignoring = []string{"-default_behaviors", "all,-abortunexp"}

// races are RFC 5407's crossings, as far as one peer can make them.
func races() []row {
	const area = "races and lost messages"
	offer := sdp(1, pcma)
	return []row{
		sippRow(area, "gives up as we answer: 487, or 481 and BYE", play(number, once(invite(offer), raw(`<recv response="100" timeout="15000"/>`), cancel()),
			raw(`<recv response="180" optional="true"/>
<recv response="487" optional="true" next="given-up"/>
<recv response="481" optional="true" next="too-late"/>
<recv response="200" rrs="true" timeout="15000"/>
<recv response="487" optional="true" next="given-up"/>
<recv response="481" optional="true" next="too-late"/>
<recv response="200" timeout="15000"/>
<label id="too-late"/>`), ack(""), bye(), raw(`<nop next="end"/>
<label id="given-up"/>`), outside(), ackRefusal(), raw(`<label id="end"/>`)), ignoring...),
		sippRow(area, "repeats its INVITE after our 200", play(number, once(invite(offer), answered(), inviteAgain(offer)), pause(100), ack(""), pause(200), bye())),
		sippRow(area, "never acknowledges: we repeat the 200 for 32 s, then BYE", play(number, invite(offer), answered(),
			raw(`<label id="again"/>
<recv response="200" optional="true" next="again"/>
<recv request="BYE" timeout="50000"/>`), respond(200, "OK", ""))),
		sippRow(area, "hangs up before it acknowledges", play(number, invite(offer), answered(), bye())),
		sippRow(area, "hangs up twice: the second BYE gets 481", play(number, through(bye(), request("BYE", "", ""), expect(481))...)),
		sippRow(area, "hangs up while its re-INVITE is open", play(number, through(pause(100),
			once(invite(sdp(2, pcma)), request("BYE", "", "")), expect(200), pause(1000))...), ignoring...),
		sippRow(area, "sends BYE for a call that never was: 481", play(number, request("BYE", "", ""), expect(481))),
	}
}

// timers are RFC 4028's.
func timers() []row {
	const area = "session timers"
	return []row{
		sippRow(area, "supports them and lets us choose", play(number, invite(sdp(1, pcma), "Supported: timer"), answered(), ack(""), pause(200), bye())),
		sippRow(area, "asks for 90 s and refreshes itself by re-INVITE", play(number, invite(sdp(1, pcma), "Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90"),
			answered(header("Session-Expires: *90")), ack(""), pause(200),
			invite(sdp(1, pcma), "Supported: timer", "Session-Expires: 90;refresher=uac"), answered(header("Session-Expires: *90")), ack(""), bye())),
		sippRow(area, "refreshes by UPDATE", play(number, invite(sdp(1, pcma), "Supported: timer", "Session-Expires: 1800;refresher=uac"),
			answered(header("Session-Expires: *1800")), ack(""), pause(200),
			request("UPDATE", "", "", "Supported: timer", "Session-Expires: 1800;refresher=uac"), expect(200, header("Session-Expires: *1800")), bye())),
		sippRow(area, "asks for less than we allow: 422 with Min-SE", play(number, invite(sdp(1, pcma), "Supported: timer", "Session-Expires: 30;refresher=uac"),
			refused(422, header("Min-SE: *[0-9]+")))),
		sippRow(area, "asks us to refresh: we do before half the time is over", play(number, invite(sdp(1, pcma), "Supported: timer", "Session-Expires: 90;refresher=uas", "Min-SE: 90", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"),
			answered(header("refresher=uas")), ack(""), raw(`<recv request="UPDATE" timeout="60000"/>`),
			respond(200, "OK", "", "Require: timer", "Session-Expires: 90;refresher=uac"), pause(200), bye())),
	}
}

func methods() []row {
	const area = "other methods"
	return []row{
		sippRow(area, "OPTIONS outside a call: 200 with Allow", play(number, request("OPTIONS", "", ""), expect(200, header("Allow:.*INVITE")))),
		sippRow(area, "OPTIONS in a call: 200", play(number, through(request("OPTIONS", "", ""), expect(200), bye())...)),
		sippRow(area, "an empty INFO: 200", play(number, through(request("INFO", "", ""), expect(200), bye())...)),
		sippRow(area, "an INFO with something in it that we do not know: 415", play(number, through(request("INFO", "x", "application/no-such-thing"), expect(415), bye())...)),
		sippRow(area, "UPDATE without a description: 200", play(number, through(request("UPDATE", "", ""), expect(200), bye())...)),
		sippRow(area, "REGISTER without a password: 401", play(number, request("REGISTER", "", ""), expect(401, header("WWW-Authenticate: *Digest")))),
		sippRow(area, "SUBSCRIBE: 405 or 489", play(number, request("SUBSCRIBE", "", "", "Event: presence", "Expires: 60"), either(489, 405))),
		sippRow(area, "MESSAGE: 405", play(number, request("MESSAGE", "hello", "text/plain"), expect(405))),
		sippRow(area, "a method that nobody knows: 501 or 405, with Allow", play(number, request("FROBNICATE", "", ""), either(405, 501))),
		sippRow(area, "NOTIFY in a call that asked for none: 481 or 405", play(number, through(request("NOTIFY", "", "", "Event: refer", "Subscription-State: active"), either(489, 405, 481), bye())...)),
	}
}

func transfers() []row {
	const area = "transfer"
	return []row{
		sippRow(area, "asks us to call somebody else (REFER): refused, the call goes on", play(number, through(
			request("REFER", "", "", "Refer-To: <sip:elsewhere@[local_ip]>"), either(405, 603, 403), pause(200),
			request("OPTIONS", "", ""), expect(200), bye())...)),
		sippRow(area, "wants to replace a call that is not here: 481", play(number,
			invite(sdp(1, pcma), "Replaces: no-such-call;to-tag=a;from-tag=b", "Require: replaces"), maybe(100), either(420, 481), ackRefusal())),
	}
}
