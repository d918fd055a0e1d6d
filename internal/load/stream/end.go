//go:build linux

package stream

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"golang.org/x/sys/unix"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/media"
)

// Script is what an end says: packets of 20 ms, over and over.
type Script struct {
	Codec       media.Codec
	PayloadType uint8
	Packets     [][]byte
}

// marked says that its packets carry marks in their bytes.
func (s *Script) marked() bool { return s.Codec == media.PCMU || s.Codec == media.PCMA }

func (s *Script) step() uint32 { return uint32(s.Codec.ClockRate() / 50) }

// Keys are one direction's SRTP keys.
type Keys struct {
	Key, Salt []byte
	Profile   srtp.ProtectionProfile
}

func (k *Keys) context() (*srtp.Context, error) {
	c, err := srtp.CreateContext(k.Key, k.Salt, k.Profile)
	if err != nil {
		return nil, fmt.Errorf("stream: keys: %w", err)
	}
	return c, nil
}

// End is one end of a call: a socket, what it says and what it hears. Its methods may be called
// from any goroutine.
type End struct {
	loop  *Loop
	fd    atomic.Int64 // -1 once it is closed
	local netip.AddrPort
	other func(data []byte) // STUN, DTLS and the like; data is only lent
	slot  int

	// Guarded by Loop.mu from here on.
	script  *Script
	stream  uint16 // written into its marks
	talking bool
	at      int // the next packet of the script
	sent    uint32
	header  rtp.Header
	seal    *srtp.Context
	open    *srtp.Context
	hears   rtp.Header
	ear     ear
	said    []Said // the latest packets, by sequence
}

// history is how many of the latest packets are remembered: 80 s.
const history = 4096

// Local is the socket's address.
func (e *End) Local() netip.AddrPort { return e.local }

// Connect says where packets go and come from.
func (e *End) Connect(to netip.AddrPort) error { return connectUDP(int(e.fd.Load()), to) }

// Write sends a datagram as it is.
func (e *End) Write(data []byte) { transmit(int(e.fd.Load()), data) }

// Secure encrypts what is sent and decrypts what is heard.
func (e *End) Secure(send, receive Keys) error {
	seal, err := send.context()
	if err != nil {
		return err
	}
	open, err := receive.context()
	if err != nil {
		return err
	}
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	e.seal, e.open = seal, open
	return nil
}

// Talk begins to say the script. Its marks bear the number stream.
func (e *End) Talk(s *Script, stream uint16) {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	if e.script != s {
		e.at = 0
	}
	e.script, e.stream, e.talking = s, stream, true
	e.header.PayloadType = s.PayloadType
	e.header.Marker = true
	if e.said == nil {
		e.said = make([]Said, history)
	}
}

// Hush stops saying anything; what is heard still counts.
func (e *End) Hush() {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	e.talking = false
}

// Close gives the socket back.
func (e *End) Close() {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	fd := int(e.fd.Swap(-1))
	if fd < 0 {
		return
	}
	e.talking = false
	e.loop.forget(e, fd)
	_ = unix.Close(fd)
}

// speak sends the next packet. Needs Loop.mu.
func (e *End) speak(buf *[largest]byte) {
	e.header.SequenceNumber++
	e.header.Timestamp += e.script.step()
	n, err := e.header.MarshalTo(buf[:])
	if err != nil {
		return
	}
	e.header.Marker = false
	payload := buf[n : n+copy(buf[n:], e.script.Packets[e.at])]
	now := time.Now().UnixNano()
	if e.script.marked() {
		mark.Write(payload, mark.Mark{Stream: e.stream, Seq: e.sent, SentNS: now})
	}
	e.said[e.sent%history] = Said{now, int32(e.at)}
	e.sent++
	if e.at++; e.at == len(e.script.Packets) {
		e.at = 0
	}
	packet := buf[:n+len(payload)]
	if e.seal != nil {
		if packet, err = e.seal.EncryptRTP(buf[:], packet, &e.header); err != nil {
			return
		}
	}
	transmit(int(e.fd.Load()), packet)
}

// hear takes what came to the socket. Needs Loop.mu.
func (e *End) hear(data []byte, at time.Time, plain *[largest]byte) {
	if len(data) < 12 || data[0]>>6 != 2 { // RFC 7983: STUN below 4, DTLS from 20 to 63, RTP from 128
		if e.other != nil && len(data) > 0 {
			e.other(data)
		}
		return
	}
	if kind := data[1]; kind >= 192 && kind <= 223 { // RFC 5761 section 4
		e.ear.reports++
		return
	}
	n, err := e.hears.Unmarshal(data)
	if err != nil {
		e.ear.broken++
		return
	}
	if e.open != nil {
		if data, err = e.open.DecryptRTP(plain[:], data, &e.hears); err != nil {
			e.ear.broken++
			return
		}
	}
	if e.hears.Padding && len(data) > n {
		data = data[:max(n, len(data)-int(data[len(data)-1]))]
	}
	e.ear.take(&e.hears, data[n:], at.UnixNano())
}

func newHeader() rtp.Header {
	return rtp.Header{Version: 2, SSRC: rand.Uint32(), SequenceNumber: uint16(rand.Uint32() >> 17), Timestamp: rand.Uint32()}
}

// SSRC is what the end's packets bear.
func (e *End) SSRC() uint32 { return e.header.SSRC }
