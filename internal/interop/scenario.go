package main

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// scenario is one call as SIPp plays it: a list of messages sent and awaited.
type scenario struct {
	xml      strings.Builder
	cseq     int    // of this side's last request but ACK and CANCEL
	branch   int    // of this side's last transaction
	invite   int    // branch of the last INVITE
	inviteNo int    // its CSeq
	variable int    // of regular expressions
	labels   int    // used
	number   string // called
	opened   bool   // the first INVITE is out
	answered bool   // a 2xx has come
}

// play writes the steps as a SIPp scenario.
func play(number string, steps ...step) string {
	s := &scenario{number: number}
	s.xml.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"headroom\">\n")
	for _, step := range steps {
		step(s)
	}
	if s.variable > 0 {
		s.xml.WriteString("<Reference variables=\"")
		for i := range s.variable {
			if i > 0 {
				s.xml.WriteString(",")
			}
			fmt.Fprint(&s.xml, i+1)
		}
		s.xml.WriteString("\"/>\n")
	}
	s.xml.WriteString("</scenario>\n")
	return s.xml.String()
}

// step adds one element to a scenario.
type step func(*scenario)

// Offers and answers of a peer that speaks G.711.
const (
	pcma     = "m=audio [media_port] RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15"
	pcmuOnly = "m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000"
)

// sdp makes a session description of media lines; version counts up with each new one.
func sdp(version int, media string) string {
	return sdpAt(version, here, media)
}

func sdpAt(version int, connection, media string) string {
	return fmt.Sprintf("v=0\no=peer 53655765 %d IN IP[local_ip_type] [local_ip]\ns=-\n%s\nt=0 0\n%s", version, connection, media)
}

// here is the peer's own address in a session description.
const here = "c=IN IP[media_ip_type] [media_ip]"

// message is a request or a response to send.
type message struct {
	first   string   // line
	headers []string // beyond those that all have, or in place of one of these
	body    string   // "" is none
	kind    string   // of the body; default application/sdp
}

func (s *scenario) send(m message, retransmit bool, common ...string) {
	var b strings.Builder
	b.WriteString(m.first + "\n")
	for _, h := range common {
		name, _, _ := strings.Cut(h, ":")
		if !slices.ContainsFunc(m.headers, func(own string) bool { return strings.HasPrefix(own, name+":") }) {
			b.WriteString(h + "\n")
		}
	}
	for _, h := range m.headers {
		b.WriteString(h + "\n")
	}
	if m.body != "" {
		kind := m.kind
		if kind == "" {
			kind = "application/sdp"
		}
		b.WriteString("Content-Type: " + kind + "\nContent-Length: [len]\n\n" + m.body + "\n")
	} else {
		b.WriteString("Content-Length: 0\n\n")
	}
	again := ""
	if retransmit {
		again = ` retrans="500"`
	}
	fmt.Fprintf(&s.xml, "<send%s><![CDATA[\n%s\n]]></send>\n", again, b.String())
}

// request sends one: the first is outside a dialog, the others within.
func (s *scenario) request(method string, branch, cseq int, m message, retransmit bool) {
	target, to := "sip:"+s.number+"@[remote_ip]:[remote_port]", ""
	if s.opened {
		to = "[peer_tag_param]"
		if s.answered {
			target = "[next_url]"
		}
	}
	m.first = method + " " + target + " SIP/2.0"
	common := []string{
		fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[call_id]-%d", branch),
		"From: \"Peer\" <sip:peer@[local_ip]:[local_port]>;tag=[pid]peer[call_number]",
		"To: <sip:" + s.number + "@[remote_ip]:[remote_port]>" + to,
		"Call-ID: [call_id]",
		fmt.Sprintf("CSeq: %d %s", cseq, method),
		"Max-Forwards: 70",
		"Contact: <sip:peer@[local_ip]:[local_port];transport=[transport]>",
	}
	if s.answered {
		common = append(common, "[routes]")
	}
	s.send(m, retransmit, common...)
}

// invite opens the call, or asks for a change in it. An empty body is a late offer.
func invite(body string, headers ...string) step {
	return func(s *scenario) {
		s.cseq++
		s.branch++
		s.invite, s.inviteNo = s.branch, s.cseq
		s.request("INVITE", s.branch, s.cseq, message{body: body, headers: headers}, true)
		s.opened = true
	}
}

// bodyOf opens the call with a body of another type.
func bodyOf(kind, body string) step {
	return func(s *scenario) {
		s.cseq, s.branch, s.invite, s.inviteNo = 1, 1, 1, 1
		s.request("INVITE", 1, 1, message{body: body, kind: kind}, true)
		s.opened = true
	}
}

// outside goes back to where no dialog is open: the last request was refused.
func outside() step { return func(s *scenario) { s.opened, s.answered = false, false } }

// raw adds what has no step of its own.
func raw(text string) step { return func(s *scenario) { s.xml.WriteString(text + "\n") } }

// either lets one of several responses pass, the last of which must come if no other did.
func either(statuses ...int) step {
	return func(s *scenario) {
		s.labels++
		label := fmt.Sprintf("either-%d", s.labels)
		for i, status := range statuses {
			if i < len(statuses)-1 {
				fmt.Fprintf(&s.xml, "<recv response=\"%d\" optional=\"true\" next=\"%s\"/>\n", status, label)
			} else {
				fmt.Fprintf(&s.xml, "<recv response=\"%d\" timeout=\"15000\"/>\n", status)
			}
		}
		fmt.Fprintf(&s.xml, "<label id=\"%s\"/>\n", label)
	}
}

// once turns off the repetition of a request: SIPp can repeat only one at a time.
func once(steps ...step) step {
	return func(s *scenario) {
		plain := *s
		plain.xml = strings.Builder{}
		for _, step := range steps {
			step(&plain)
		}
		text := strings.ReplaceAll(plain.xml.String(), ` retrans="500"`, "")
		before := s.xml.String()
		*s = plain
		s.xml = strings.Builder{}
		s.xml.WriteString(before + text)
	}
}

// request sends another method within the dialog, or outside if none is open.
func request(method, body, kind string, headers ...string) step {
	return func(s *scenario) {
		s.cseq++
		s.branch++
		s.request(method, s.branch, s.cseq, message{body: body, kind: kind, headers: headers}, true)
	}
}

// inviteAgain repeats the last INVITE as a network does that lost nothing.
func inviteAgain(body string, headers ...string) step {
	return func(s *scenario) {
		was := s.opened
		s.opened = was && s.inviteNo > 1
		s.request("INVITE", s.invite, s.inviteNo, message{body: body, headers: headers}, false)
		s.opened = was
	}
}

// ack acknowledges a 2xx; a body answers a late offer.
func ack(body string) step {
	return func(s *scenario) {
		s.branch++
		s.request("ACK", s.branch, s.inviteNo, message{body: body}, false)
	}
}

// ackRefusal acknowledges a final answer of 300 and more: part of the INVITE's transaction.
func ackRefusal() step {
	return func(s *scenario) {
		s.request("ACK", s.invite, s.inviteNo, message{}, false)
	}
}

// cancel gives up the last INVITE.
func cancel() step {
	return func(s *scenario) {
		tag := s.opened
		s.opened = false // without a tag, as the INVITE was
		s.request("CANCEL", s.invite, s.inviteNo, message{}, true)
		s.opened = tag
	}
}

// bye hangs up and waits for the answer.
func bye() step {
	return func(s *scenario) {
		request("BYE", "", "")(s)
		expect(200)(s)
	}
}

// want is something that a message must show.
type want struct{ where, pattern string }

// body and header ask for a regular expression in what is received; no asks for its absence.
func body(pattern string) want   { return want{`search_in="body"`, pattern} }
func header(pattern string) want { return want{`search_in="msg"`, pattern} }

func (s *scenario) receive(attributes string, wants []want) {
	fmt.Fprintf(&s.xml, "<recv %s timeout=\"15000\"", attributes)
	if len(wants) == 0 {
		s.xml.WriteString("/>\n")
		return
	}
	s.xml.WriteString("><action>\n")
	for _, w := range wants {
		s.variable++
		check := `check_it="true"`
		if pattern, absent := strings.CutPrefix(w.pattern, "!"); absent {
			w.pattern, check = pattern, `check_it_inverse="true"`
		}
		fmt.Fprintf(&s.xml, "<ereg regexp=\"%s\" %s %s assign_to=\"%d\"/>\n", escape(w.pattern), w.where, check, s.variable)
	}
	s.xml.WriteString("</action></recv>\n")
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// expect waits for a response.
func expect(status int, wants ...want) step {
	return func(s *scenario) {
		route := ""
		if status/100 == 2 && !s.answered {
			s.answered, route = true, ` rrs="true"`
		}
		s.receive(fmt.Sprintf(`response="%d"%s`, status, route), wants)
	}
}

// maybe lets a provisional response pass.
func maybe(status int) step {
	return func(s *scenario) { fmt.Fprintf(&s.xml, "<recv response=\"%d\" optional=\"true\"/>\n", status) }
}

// await waits for a request of the other side.
func await(method string, wants ...want) step {
	return func(s *scenario) { s.receive(fmt.Sprintf(`request="%s"`, method), wants) }
}

// respond answers the last request.
func respond(status int, reason, body string, headers ...string) step {
	return func(s *scenario) {
		tag := ""
		if s.cseq == 0 {
			tag = ";tag=[pid]peer[call_number]"
		}
		common := []string{"[last_Via:]", "[last_Record-Route:]", "[last_From:]", "[last_To:]" + tag, "[last_Call-ID:]", "[last_CSeq:]"}
		if status < 300 {
			common = append(common, "Contact: <sip:peer@[local_ip]:[local_port];transport=[transport]>")
		}
		s.send(message{first: fmt.Sprintf("SIP/2.0 %d %s", status, reason), body: body, headers: headers}, false, common...)
	}
}

// pause waits a number of milliseconds.
func pause(ms int) step {
	return func(s *scenario) { fmt.Fprintf(&s.xml, "<pause milliseconds=\"%d\"/>\n", ms) }
}

// answered is the usual way into a call: 100 and 180 may come, 200 must.
func answered(wants ...want) step {
	return func(s *scenario) {
		maybe(100)(s)
		maybe(180)(s)
		maybe(183)(s)
		expect(200, wants...)(s)
	}
}

// refused is the way out: 100 may come, then the refusal, which is acknowledged.
func refused(status int, wants ...want) step {
	return func(s *scenario) {
		maybe(100)(s)
		maybe(180)(s)
		expect(status, wants...)(s)
		ackRefusal()(s)
	}
}
