package main

// rows are all that peers do, by area.
func rows() []row {
	var all []row
	for _, area := range [][]row{
		calls(), holds(), offers(), provisional(), races(), crossings(), timers(), methods(), transfers(), identities(), routes(), descriptions(), onTheWire(), keyRows(), strangers(), {bansRow()},
		placed(), outbound(), phones(), linphones(), registrations(), desks(), torture(), tortures(), loads(),
	} {
		all = append(all, area...)
	}
	return all
}

// usual is a call that was put through and is hung up after the steps between.
func usual(between ...step) string {
	steps := append([]step{invite(sdp(1, pcma)), answered(), ack("")}, between...)
	return play(number, append(steps, bye())...)
}

func calls() []row {
	const area = "calls"
	return []row{
		sippRow(area, "calls, talks, hangs up", usual(pause(500))),
		sippRow(area, "calls a number that nobody has: 404", play("999999", invite(sdp(1, pcma)), refused(404))),
		sippRow(area, "offers no codec we speak: 488", play(number, invite(sdp(1, "m=audio [media_port] RTP/AVP 18\na=rtpmap:18 G729/8000")), refused(488))),
		sippRow(area, "offers only video: 488", play(number, invite(sdp(1, "m=video [media_port] RTP/AVP 96\na=rtpmap:96 H264/90000")), refused(488))),
		sippRow(area, "sends a body that is no SDP: 415", play(number, bodyOf("text/plain", "hello"), refused(415))),
		sippRow(area, "demands an extension that nobody has: 420", play(number, invite(sdp(1, pcma), "Require: no-such-thing"), refused(420, header("Unsupported: no-such-thing")))),
		sippRow(area, "allows only one more hop", usualWith("Max-Forwards: 1")),
	}
}

// usualWith has one more header in the INVITE.
func usualWith(headers ...string) string {
	return play(number, invite(sdp(1, pcma), headers...), answered(), ack(""), pause(200), bye())
}

func holds() []row {
	const area = "hold"
	hold := func(how, connection, media, want string) row {
		held := sdpAt(2, connection, media)
		return sippRow(area, how, usual(
			pause(200), invite(held), answered(body(want)), ack(""), pause(300),
			invite(sdp(3, pcma)), answered(body("!a=(recvonly|sendonly|inactive)")), ack(""), pause(200)))
	}
	return []row{
		hold("sendonly, and back", here, pcma+"\na=sendonly", "a=recvonly"),
		hold("inactive, and back", here, pcma+"\na=inactive", "a=inactive"),
		hold("recvonly, and back", here, pcma+"\na=recvonly", "a=sendonly"),
		hold("0.0.0.0 as in RFC 2543, and back", "c=IN IP4 0.0.0.0", pcma, "m=audio [1-9]"),
		hold("sendonly for the whole session", here, "a=sendonly\n"+pcma, "a=recvonly"),
		sippRow(area, "sendonly by UPDATE", usual(
			request("UPDATE", sdp(2, pcma+"\na=sendonly"), ""), expect(200, body("a=recvonly")),
			request("UPDATE", sdp(3, pcma), ""), expect(200, body("!a=recvonly")))),
	}
}

func offers() []row {
	const area = "offer and answer"
	return []row{
		sippRow(area, "leaves the offer to us, answers in the ACK", play(number, invite(""), answered(body("m=audio")), ack(sdp(1, pcmuOnly)), pause(300), bye())),
		sippRow(area, "leaves the offer to us and answers with nothing we said: BYE", play(number, invite(""), answered(body("m=audio")),
			ack(sdp(1, "m=audio [media_port] RTP/AVP 18\na=rtpmap:18 G729/8000")), await("BYE"), respond(200, "OK", ""))),
		sippRow(area, "leaves the offer to us and never answers it: BYE", play(number, invite(""), answered(body("m=audio")), ack(""), await("BYE"), respond(200, "OK", ""))),
		sippRow(area, "leaves the offer of a re-INVITE to us", usual(invite(""), answered(body("m=audio")), ack(sdp(2, pcma)), pause(200))),
		sippRow(area, "changes the codec in mid-call", usual(pause(200), invite(sdp(2, pcmuOnly)), answered(body("RTP/AVP 0")), ack(""), pause(200))),
		sippRow(area, "offers a codec we do not speak in mid-call: 488, and the call goes on", usual(
			pause(200), invite(sdp(2, "m=audio [media_port] RTP/AVP 18\na=rtpmap:18 G729/8000")), refused(488), pause(200))),
		sippRow(area, "ends its session description without a line end", usualBody("v=0\no=peer 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0")),
		sippRow(area, "puts its description into a multipart body", play(number, bodyOf("multipart/mixed;boundary=xyz",
			"--xyz\nContent-Type: application/sdp\n\n"+sdp(1, pcma)+"\n--xyz\nContent-Type: text/plain\n\nhello\n--xyz--"), answered(body("m=audio [1-9]")), ack(""), pause(200), bye())),
		sippRow(area, "asks for packets of 30 ms", usualBody(sdp(1, pcmuOnly+"\na=ptime:30"), body("a=ptime:30"))),
		sippRow(area, "renumbers the telephone events", usualBody(sdp(1, "m=audio [media_port] RTP/AVP 0 97\na=rtpmap:97 telephone-event/8000"), body("a=rtpmap:97 telephone-event"))),
	}
}

func usualBody(offer string, wants ...want) string {
	return play(number, invite(offer), answered(wants...), ack(""), pause(200), bye())
}

func provisional() []row {
	const area = "reliable provisional responses"
	return []row{
		sippRow(area, "supports 100rel", usualWith("Supported: 100rel")),
		sippRow(area, "requires 100rel", usualWith("Require: 100rel")),
	}
}
