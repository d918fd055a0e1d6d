package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// torture are messages that no SIP stack would write, out of a plain socket. What matters is
// that each gets the answer it should, or none, and that the next caller is served.
func torture() []row {
	const area = "messages out of order"
	valid := func(change func(string) string) string { return change(plainOptions) }
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	tests := []struct{ name, message, want string }{
		{"a request that is in order: 200", plainOptions, "SIP/2.0 200"},
		{"white space wherever it is allowed, headers folded and in short form", "OPTIONS sip:1000@127.0.0.1 SIP/2.0\r\nTO :\r\n sip:1000@127.0.0.1 ;   a\r\nfrom   : \"quoted \\\\\\\" name\"\r\n  <sip:peer@127.0.0.1>;tag=1\r\nMaX-fOrWaRdS: 0068\r\ni: ws.$CALL\r\ncseq: 0009\r\n  OPTIONS\r\nv:  SIP  / 2.0\r\n /UDP\r\n    127.0.0.1:$PORT;branch=z9hG4bK-ws-$CALL\r\nl: 0\r\n\r\n", "SIP/2.0 200"},
		{"another version of SIP: 505", valid(replace("sip:1000@127.0.0.1 SIP/2.0", "sip:1000@127.0.0.1 SIP/7.0")), "SIP/2.0 505"},
		{"a scheme that nobody has: 416", valid(replace("OPTIONS sip:1000@127.0.0.1 ", "OPTIONS nobodyKnows:1000 ")), "SIP/2.0 416"},
		{"no To: 400", valid(replace("To: <sip:1000@127.0.0.1>\r\n", "")), "SIP/2.0 400"},
		{"no From: 400", valid(replace("From: <sip:peer@127.0.0.1>;tag=1\r\n", "")), "SIP/2.0 400"},
		{"no Call-ID: 400", valid(replace("Call-ID: $CALL\r\n", "")), "SIP/2.0 400"},
		{"no CSeq: 400", valid(replace("CSeq: 1 OPTIONS\r\n", "")), "SIP/2.0 400"},
		{"CSeq of another method: 400", valid(replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE")), "SIP/2.0 400"},
		{"CSeq beyond 32 bits: 400", valid(replace("CSeq: 1 OPTIONS", "CSeq: 36893488147419103232 OPTIONS")), "SIP/2.0 400"},
		{"two From headers: 400", valid(replace("CSeq:", "From: <sip:other@127.0.0.1>;tag=2\r\nCSeq:")), "SIP/2.0 400"},
		{"a Content-Length beyond the datagram: 400 or silence", valid(replace("Content-Length: 0", "Content-Length: 9999")), "400|"},
		{"a negative Content-Length: 400 or silence", valid(replace("Content-Length: 0", "Content-Length: -999")), "400|"},
		{"a start line without end: silence", strings.Repeat("x", 4000), ""},
		{"a response to nothing: silence", "SIP/2.0 200 OK\r\n" + strings.SplitN(plainOptions, "\r\n", 2)[1], ""},
		{"a response with status 4294967301: silence", "SIP/2.0 4294967301 better\r\n" + strings.SplitN(plainOptions, "\r\n", 2)[1], ""},
		{"nothing but line ends (a keep-alive): silence", "\r\n\r\n", ""},
		{"bytes of no text: silence", "\x00\xff\xfe\x01\x02", ""},
		{"names and values of 1000 bytes: 200", valid(replace("CSeq:", strings.Repeat("x", 1000)+": "+strings.Repeat("y", 1000)+"\r\nCSeq:")), "SIP/2.0 200"},
		{"300 headers: 200 or 400", valid(replace("CSeq:", strings.Repeat("Unknown: x\r\n", 300)+"CSeq:")), "200|400"},
		{"a user with escapes and a zero byte: 200", valid(replace("OPTIONS sip:1000@", "OPTIONS sip:%00%2e1000@")), "SIP/2.0 200"},
		{"Max-Forwards of 0: 200, for it is for us", valid(replace("Max-Forwards: 70", "Max-Forwards: 0")), "SIP/2.0 200"},
		{"an extension that nobody has is required: 420", valid(replace("CSeq:", "Require: nothingSupportsThis\r\nCSeq:")), "SIP/2.0 420"},
		{"a Via that leads to nowhere: answered to where it came from", valid(replace("SIP/2.0/UDP 127.0.0.1:$PORT;", "SIP/2.0/UDP 192.0.2.1:9;rport;")), "SIP/2.0 200"},
		{"an IPv6 address as host: 200", valid(replace("OPTIONS sip:1000@127.0.0.1 ", "OPTIONS sip:1000@[2001:db8::10] ")), "SIP/2.0 200"},
		{"an IPv6 address without brackets: 400 or 200, not silence", valid(replace("OPTIONS sip:1000@127.0.0.1 ", "OPTIONS sip:1000@2001:db8::10 ")), "200|400"},
	}
	var rows []row
	for i, test := range tests {
		rows = append(rows, row{area: area, name: test.name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
			if err := s.datagram(ctx, i, test.message, test.want); err != nil {
				return err
			}
			return s.datagram(ctx, 1000+i, plainOptions, "SIP/2.0 200") // it is still there
		}})
	}
	return rows
}

const plainOptions = "OPTIONS sip:1000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:$PORT;branch=z9hG4bK-$CALL\r\nMax-Forwards: 70\r\nTo: <sip:1000@127.0.0.1>\r\n" +
	"From: <sip:peer@127.0.0.1>;tag=1\r\nCall-ID: $CALL\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// silence is how long nothing must come, where nothing should.
const silence = 700 * time.Millisecond

// datagram sends a message and looks at the answer: it begins as wanted, or has one of
// several statuses ("200|400"), of which an empty one is silence.
func (s *system) datagram(ctx context.Context, id int, text, want string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", s.udp))
	if err != nil {
		return err
	}
	defer conn.Close()
	port := strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
	text = strings.NewReplacer("$PORT", port, "$CALL", fmt.Sprintf("torture-%d-%s", id, port)).Replace(text)
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	mayBeSilent := want == "" || strings.HasSuffix(want, "|")
	limit := patience
	if mayBeSilent {
		limit = silence
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	answer := make([]byte, 65536)
	n, err := conn.Read(answer)
	if err != nil {
		if mayBeSilent {
			return nil
		}
		return fmt.Errorf("no answer: %w", err)
	}
	first := firstLine(string(answer[:n]))
	for _, w := range strings.Split(want, "|") {
		if w != "" && strings.Contains(first, w) {
			return nil
		}
	}
	return fmt.Errorf("the answer is %q, wanted %q", strings.TrimSpace(first), want)
}
