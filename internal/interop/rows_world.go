package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func identities() []row {
	const area = "identity"
	from := func(name, wantNumber string, headers ...string) row {
		return row{area: area, name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
			if err := sipp(ctx, s, dir, play(number, invite(sdp(1, pcma), headers...), answered(), ack(""), pause(200), bye()), "-t", "u1"); err != nil {
				return err
			}
			var page struct {
				Calls []struct {
					From string `json:"from"`
				} `json:"calls"`
			}
			return eventually(ctx, "the record has the call", func() (bool, error) {
				if err := s.get(ctx, "/api/v1/calls?limit=1", &page); err != nil {
					return false, err
				}
				if len(page.Calls) == 1 && page.Calls[0].From == wantNumber {
					return true, nil
				}
				return false, nil
			})
		}}
	}
	return []row{
		from("P-Asserted-Identity as +E.164", "+442079460958", "P-Asserted-Identity: \"Bob\" <sip:+442079460958@carrier.example;user=phone>"),
		from("P-Asserted-Identity as a tel URI", "+442079460959", "P-Asserted-Identity: <tel:+442079460959>"),
		from("Diversion beside it", "+442079460960", "P-Asserted-Identity: <sip:+442079460960@carrier.example>", "Diversion: <sip:+442079460000@carrier.example>;reason=unconditional;counter=1"),
		from("History-Info beside it", "+442079460961", "P-Asserted-Identity: <sip:+442079460961@carrier.example>", "History-Info: <sip:+442079460000@carrier.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:1000@carrier.example>;index=1.1"),
	}
}

func routes() []row {
	const area = "routes and connections"
	return []row{
		sippRow(area, "came through a proxy that stays in the way (Record-Route)", play(number, func(s *scenario) {
			s.cseq, s.branch, s.invite, s.inviteNo = 1, 1, 1, 1
			s.request("INVITE", 1, 1, message{body: sdp(1, pcma), headers: []string{"Record-Route: <sip:[local_ip]:[local_port];lr;transport=[transport]>"}}, true)
			s.opened = true
		}, answered(header("Record-Route: *<sip:127")), ack(""), pause(200), bye())),
		sippRow(area, "sends an INVITE of 2000 bytes", usualWith("X-Padding: "+strings.Repeat("x", 2000))),
		sippRow(area, "names itself by a private address: we answer to where it came from", play(number, func(s *scenario) {
			s.cseq, s.branch, s.invite, s.inviteNo = 1, 1, 1, 1
			s.send(message{
				first: "INVITE sip:" + number + "@[remote_ip]:[remote_port] SIP/2.0", body: sdp(1, pcma),
				headers: []string{
					"Via: SIP/2.0/[transport] 10.255.255.1:5060;branch=z9hG4bK-[call_id]-1;rport",
					"From: <sip:peer@10.255.255.1>;tag=[pid]peer[call_number]", "To: <sip:" + number + "@[remote_ip]>", "Call-ID: [call_id]",
					"CSeq: 1 INVITE", "Max-Forwards: 70", "Contact: <sip:peer@[local_ip]:[local_port];transport=[transport]>",
				},
			}, true)
			s.opened = true
		}, answered(header("rport=[0-9]+")), ack(""), pause(200), bye())),
	}
}

// descriptions are what stands in a session description beside plain audio.
func descriptions() []row {
	const area = "media in the description"
	return []row{
		sippRow(area, "offers a fax beside the audio: refused with port 0, audio kept", usualBody(sdp(1, pcma+"\nm=image [media_port] udptl t38"), body("m=image 0"))),
		sippRow(area, "switches to fax in mid-call: 488, audio goes on", play(number, through(pause(100),
			invite(sdp(2, "m=image [media_port] udptl t38\na=T38FaxVersion:0")), refused(488), pause(200), bye())...)),
		sippRow(area, "offers a video beside the audio: refused with port 0", usualBody(sdp(1, pcma+"\nm=video 40000 RTP/AVP 96\na=rtpmap:96 VP8/90000"), body("m=video 0"))),
		sippRow(area, "offers SRTP keys and no plain RTP (SDES)", play(number, invite(sdp(1,
			"m=audio [media_port] RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")),
			answered(body("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")), ack(""), pause(200), bye())),
		sippRow(area, "offers an SRTP line and a plain one: the encrypted one is taken", usualBody(sdp(1,
			"m=audio [media_port] RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\nm=audio [media_port+2] RTP/AVP 0\na=rtpmap:0 PCMU/8000"),
			body("m=audio [1-9][0-9]* RTP/SAVP"), body("m=audio 0 RTP/AVP"))),
		sippRow(area, "offers keys of a kind that nobody has: 488", play(number, invite(sdp(1,
			"m=audio [media_port] RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na=crypto:1 NO_SUCH_CIPHER inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")), refused(488))),
		sippRow(area, "offers an IPv6 place for audio", usualBody("v=0\no=peer 1 1 IN IP6 ::1\ns=-\nc=IN IP6 ::1\nt=0 0\nm=audio [media_port] RTP/AVP 0", body("m=audio [1-9]"))),
	}
}

// strangers are who has no business here, and a trunk that must say its password.
func strangers() []row {
	const area = "strangers and passwords"
	stranger := func(name, scenario string, options ...string) row {
		return row{area: area, name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
			return sippFrom(ctx, s, dir, "127.0.0.3", scenario, options...)
		}}
	}
	return []row{
		stranger("calls from an address that no trunk has: 403, without a word of who we are", play(number, invite(sdp(1, pcma)), refused(403, header("!WWW-Authenticate")))),
		stranger("asks for OPTIONS from such an address: 403", play(number, request("OPTIONS", "", ""), expect(403))),
		{area: area, name: "scans with 300 INVITEs in a second: the rest is dropped, a trunk's call goes through", peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
			var before, after string
			if err := s.get(ctx, "/metrics", &before); err != nil {
				return err
			}
			_ = sippFrom(ctx, s, filepath.Join(dir, "scan"), "127.0.0.3", play(number, invite(sdp(1, pcma)), raw(`<recv response="403" timeout="1000"/>`)), "-m", "300", "-r", "300", "-l", "300", "-timeout", "5s")
			if err := sipp(ctx, s, filepath.Join(dir, "trunk"), usual(pause(100)), "-t", "u1"); err != nil {
				return fmt.Errorf("the trunk's call: %w", err)
			}
			if err := s.get(ctx, "/metrics", &after); err != nil {
				return err
			}
			const dropped = "headroom_sip_strangers_dropped_total"
			if value(before, dropped) == value(after, dropped) {
				return fmt.Errorf("%s stayed at %s", dropped, value(after, dropped))
			}
			return nil
		}},
		{area: area, name: "a trunk answers our challenge (digest), and is put through", peer: "headroom-load", try: digest(trunkPassword, "")},
		{area: area, name: "a trunk answers it with another password: refused", peer: "headroom-load", try: digest("another one", "401")},
	}
}

// sippFrom plays a scenario from another address of loopback.
func sippFrom(ctx context.Context, s *system, dir, address, scenario string, options ...string) error {
	return playSIPp(ctx, dir, scenario, append([]string{fmt.Sprintf("127.0.0.1:%d", s.udp), "-i", address, "-t", "u1"}, options...)...)
}

// digest calls from the address of the trunk that is known by its password.
func digest(secret, wantError string) func(context.Context, *system, string) error {
	return func(ctx context.Context, s *system, _ string) error {
		cmd := exec.CommandContext(ctx, loadProgram, "--target", fmt.Sprintf("sip:%s@127.0.0.1:%d", number, s.udp), "--duration", "1s",
			"--local", "127.0.0.2", "--user", trunkUser)
		cmd.Env = append(os.Environ(), "HEADROOM_LOAD_PASSWORD="+secret)
		return judged(cmd, wantError)
	}
}

// placed are calls that we place.
func placed() []row {
	ring := []step{await("INVITE"), respond(100, "Trying", ""), respond(180, "Ringing", "")}
	talk := []step{respond(200, "OK", sdp(1, pcmuOnly)), await("ACK"), await("BYE"), respond(200, "OK", "")}
	list := func(parts ...[]step) string {
		var all []step
		for _, p := range parts {
			all = append(all, p...)
		}
		return play(number, all...)
	}
	return []row{
		calleeRow("rings, answers", list(ring, talk), ""),
		calleeRow("sends early media in a 183, then rings, then answers", list(
			[]step{await("INVITE"), respond(183, "Session Progress", sdp(1, pcmuOnly)), respond(180, "Ringing", "")}, talk), ""),
		calleeRow("is busy: 486", list(ring, []step{respond(486, "Busy Here", ""), await("ACK")}), "486"),
		calleeRow("wants a longer session (422): it is asked again with what it wants", list(
			[]step{await("INVITE"), respond(422, "Session Interval Too Small", "", "Min-SE: 3600"), await("ACK"), await("INVITE", header("Session-Expires: *3600")), respond(200, "OK", sdp(1, pcmuOnly), "Require: timer", "Session-Expires: 3600;refresher=uas"), await("ACK"), await("BYE"), respond(200, "OK", "")}), ""),
		calleeRow("hangs up itself", play(number, raw(`<recv request="INVITE" rrs="true"><action>
<ereg regexp="&lt;.*" search_in="hdr" header="From:" check_it="true" assign_to="1"/>
<ereg regexp="&lt;.*" search_in="hdr" header="To:" check_it="true" assign_to="2"/>
</action></recv>`), func(s *scenario) { s.variable = 2 }, respond(200, "OK", sdp(1, pcmuOnly)), await("ACK"), pause(300), func(s *scenario) {
			s.send(message{first: "BYE [next_url] SIP/2.0"}, true,
				"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]", "From: [$2];tag=[pid]peer[call_number]", "To: [$1]",
				"[last_Call-ID:]", "CSeq: 1 BYE", "Max-Forwards: 70")
		}, raw(`<recv response="200" timeout="15000"/>`)), ""),
	}
}
