package sip

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// maxFrame bounds a message of a stream, as sipgo's parser does.
const maxFrame = 65535

// frames cuts a trunk's stream into messages before sipgo reads it. Around sipgo 1.7: its
// parser closes the connection over a message that it cannot read, and with it every dialog
// that uses it; RFC 4475 section 3.1.2 has such a message refused (400), and where it ends is
// known by its Content-Length (RFC 3261 section 18.3). It belongs to the goroutine that reads
// the connection.
type frames struct {
	held []byte // the beginning of a message
	lost bool   // where one ends is not known: sipgo shall have it as it is
}

// cut takes what was read. It gives the messages that are whole and can be read, one behind
// the other, and calls bad with each that cannot.
func (f *frames) cut(data []byte, bad func(message []byte)) []byte {
	if f.lost {
		return data
	}
	if len(f.held) == 0 && len(bytes.Trim(data, "\r\n")) == 0 {
		return data // a keep-alive
	}
	f.held = append(f.held, data...)
	var whole []byte
	for {
		begin := len(f.held) - len(bytes.TrimLeft(f.held, "\r\n"))
		head := bytes.Index(f.held[begin:], []byte("\r\n\r\n"))
		if head < 0 {
			if len(f.held) > maxFrame {
				f.lost = true
			}
			break
		}
		length, ok := lengthIn(string(f.held[begin : begin+head]))
		if !ok {
			f.lost = true
			break
		}
		end := begin + head + 4 + length
		if end > len(f.held) {
			break
		}
		message := f.held[begin:end]
		if _, err := sip.ParseMessage(message); err != nil {
			bad(message)
		} else {
			whole = append(whole, message...)
		}
		f.held = f.held[end:]
	}
	if f.lost {
		whole, f.held = append(whole, f.held...), nil
	}
	if len(bytes.Trim(f.held, "\r\n")) == 0 {
		f.held = nil
	}
	return whole
}

// lengthIn is the Content-Length of a head, false if it is not there once and in order.
func lengthIn(head string) (length int, ok bool) {
	for _, field := range unfold(strings.ReplaceAll(head, "\r\n", "\n")) {
		name, value, _ := strings.Cut(field, ":")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "l") {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err != nil || n > maxFrame || ok {
			return 0, false
		}
		length, ok = int(n), true
	}
	return length, ok
}

// framed is what of a trunk's stream goes on to sipgo.
func (f *firewall) framed(info sip.TransportReadProps, data []byte) []byte {
	c, ok := f.streams.Load(addrPort(info.RemoteAddr))
	if !ok { // one that was made from here, or by who was a stranger then
		return data
	}
	return c.(*frames).cut(data, func(message []byte) { f.garbled(info, message) })
}

// frame has the stream of a trunk that connects cut into messages, until forget.
func (f *firewall) frame(from netip.AddrPort) { f.streams.Store(from, &frames{}) }
