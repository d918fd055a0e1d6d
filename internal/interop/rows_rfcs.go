package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	rfcs "github.com/headroom-voice/headroom/media/sip/torture"
)

// Addresses of loopback where nobody else has ports: the first is of a trunk, the second a
// stranger's.
const torturers = "127.87.0.0/16"

var (
	torturer = net.IPv4(127, 87, byte(rand.IntN(256)), byte(1+rand.IntN(254)))
	unknown  = net.IPv4(127, 88, byte(rand.IntN(256)), byte(1+rand.IntN(254)))
)

// tortures are the messages of RFC 4475 and RFC 5118, each from a trunk and all from a
// stranger.
func tortures() []row {
	var rows []row
	for _, m := range rfcs.Messages() {
		name := fmt.Sprintf("%s %s, %s: %s", m.Section, m.Name, m.What, outcomeWords(m.Want))
		if m.Miss != "" {
			name += " (a known miss: " + m.Miss + ")"
		}
		rows = append(rows, row{area: fmt.Sprintf("messages of RFC %d", m.RFC), name: name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
			return s.tortured(ctx, m)
		}})
	}
	return append(rows, row{area: "messages of RFC 5118", name: "all of these and RFC 4475's from a stranger: 403, silence, or 401 to a REGISTER", peer: "a plain socket", try: fromAStranger})
}

func outcomeWords(want string) string {
	words := strings.Split(want, "|")
	for i, w := range words {
		switch w {
		case "":
			words[i] = "silence"
		case "closed":
			words[i] = "the connection is closed"
		}
	}
	return strings.Join(words, " or ")
}

// tortured sends a message from the trunk's address and sees what comes of it, and that the
// next is served.
func (s *system) tortured(ctx context.Context, m rfcs.Message) error {
	transport, port := m.Transport()
	var local net.Addr = &net.UDPAddr{IP: torturer, Port: port}
	if transport == "TCP" {
		local = &net.TCPAddr{IP: torturer}
	}
	conn, err := (&net.Dialer{LocalAddr: local}).DialContext(ctx, strings.ToLower(transport), fmt.Sprintf("127.0.0.1:%d", s.udp))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(m.Bytes()); err != nil {
		return err
	}
	got, err := finalStatus(conn, m)
	if err != nil {
		return err
	}
	if !slices.Contains(m.Wanted(), got) {
		return fmt.Errorf("there came %q, wanted %q", got, m.Want)
	}
	return s.datagram(ctx, 2000, plainOptions, "SIP/2.0 200")
}

// finalStatus reads until a final response, the end, or, where nothing is to come, for a
// while. An INVITE's is acknowledged.
func finalStatus(conn net.Conn, m rfcs.Message) (string, error) {
	limit, mayBeSilent := patience, slices.Contains(m.Wanted(), "")
	if mayBeSilent {
		limit = silence
	}
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 65536)
	for {
		n, err := conn.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && mayBeSilent:
			return "", nil
		case errors.Is(err, io.EOF):
			return "closed", nil
		case err != nil && strings.Contains(err.Error(), "reset"):
			return "closed", nil
		case err != nil:
			return "", err
		}
		text := string(buf[:n])
		status := strings.Fields(text + " - -")[1]
		id := field(text, "Call-ID")
		if strings.HasPrefix(status, "1") || !bytes.Contains(m.Bytes(), []byte(id)) || id == "" && bytes.Contains(m.Bytes(), []byte("Call-ID")) {
			continue // or it is another's, repeated
		}
		if strings.HasSuffix(field(text, "CSeq"), "INVITE") && status >= "300" {
			ack := []string{"ACK sip:a@b SIP/2.0", "Via: " + field(text, "Via"), "From: " + field(text, "From"), "To: " + field(text, "To"), "Call-ID: " + field(text, "Call-ID"),
				"CSeq: " + strings.Fields(field(text, "CSeq"))[0] + " ACK", "Content-Length: 0", "", ""}
			_, _ = conn.Write([]byte(strings.Join(ack, "\r\n")))
		}
		return status, nil
	}
}

// fromAStranger sends them all from where nobody is known.
func fromAStranger(ctx context.Context, s *system, _ string) error {
	conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: unknown, Port: 5060}}).DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", s.udp))
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, m := range rfcs.Messages() {
		if _, err := conn.Write(m.Bytes()); err != nil {
			return err
		}
	}
	buf := make([]byte, 65536)
	_ = conn.SetReadDeadline(time.Now().Add(silence))
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return s.datagram(ctx, 2001, plainOptions, "SIP/2.0 200")
		} else if err != nil {
			return err
		}
		answer := string(buf[:n])
		first := firstLine(answer)
		toPhone := strings.HasPrefix(first, "SIP/2.0 401") && strings.Contains(strings.ToUpper(answer), "REGISTER") // it may be a user's
		if !strings.HasPrefix(first, "SIP/2.0 403") && !toPhone {
			return fmt.Errorf("a stranger is told %q", strings.TrimSpace(first))
		}
	}
}

// bansRow is a stranger who keeps on, and what IT sees of it.
func bansRow() row {
	return row{area: "strangers and passwords", name: "keeps on scanning: banned and listed, a trunk's call goes through, and the ban can be lifted", peer: "a plain socket", try: func(ctx context.Context, s *system, dir string) error {
		for i := range 150 { // over TCP: where phones register from anywhere, a datagram proves nothing of its sender
			conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.79")}}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.udp))
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(conn, "REGISTER sip:%d@127.0.0.1 SIP/2.0\r\n\r\n", i) // once it is banned the connection is gone
			_ = conn.Close()
		}
		var list struct {
			Bans []struct{ Source, Cause string }
		}
		listed := func() bool {
			return slices.ContainsFunc(list.Bans, func(b struct{ Source, Cause string }) bool { return b.Source == "127.0.0.79/32" })
		}
		if err := eventually(ctx, "the scanner is banned", func() (bool, error) {
			err := s.get(ctx, "/api/v1/sip/bans", &list)
			return listed(), err
		}); err != nil {
			return err
		}
		if err := sipp(ctx, s, dir, usual(pause(100)), "-t", "u1"); err != nil {
			return fmt.Errorf("the trunk's call: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.url("/api/v1/sip/bans?source=127.0.0.79"), nil)
		if err != nil {
			return err
		}
		resp, err := s.client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New("DELETE /api/v1/sip/bans: " + strconv.Itoa(resp.StatusCode))
		}
		if err := s.get(ctx, "/api/v1/sip/bans", &list); err != nil {
			return err
		}
		if listed() {
			return errors.New("the ban was not lifted")
		}
		return nil
	}}
}
