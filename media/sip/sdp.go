package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	"github.com/headroom-voice/headroom/media"
)

// Bounds on a session description from the network.
const (
	maxSDPBytes   = 16 << 10
	maxSDPStreams = 16
	maxSDPFormats = 64
	maxSDPLines   = 512
)

// The packet times this side speaks (ptime, RFC 4566 section 6).
const (
	minPacketTime     = 10 * time.Millisecond
	maxPacketTime     = 60 * time.Millisecond
	defaultPacketTime = 20 * time.Millisecond
)

// audioProtos are the transports of audio: RFC 3551, RFC 4585, RFC 3711, RFC 5124, RFC 5764.
var audioProtos = []string{"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"}

// eventPayloadType is the payload type that offers of ours give to telephone-event.
const eventPayloadType = 101

// direction is who may speak, from the describing party's point of view
// (RFC 3264 section 5.1).
type direction uint8

const (
	sendRecv direction = iota
	sendOnly
	recvOnly
	inactive
)

func (d direction) String() string {
	return [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}[d]
}

// reverse is the answer to an offer by one who holds nobody (RFC 3264 section 6.1).
func (d direction) reverse() direction {
	switch d {
	case sendOnly:
		return recvOnly
	case recvOnly:
		return sendOnly
	default:
		return d
	}
}

// stream is the audio one party described: where it listens and in what.
type stream struct {
	index       int     // of its m-line
	mlines      []mline // every m-line of the description, to mirror in the answer
	remote      netip.AddrPort
	rtcp        netip.AddrPort // where it listens for RTCP (RFC 3605); not valid if not said
	mux         bool           // RTCP may come to the RTP port (RFC 5761)
	secrecy     secrecy
	formats     []format // voice codecs in common, the describing party's order; at least one
	event       bool     // telephone-event was described
	eventType   uint8
	eventClock  int           // of it, in Hz: 8000, or 48000 where it is all there is
	packetTime  time.Duration // what to send to this party
	dir         direction
	zeroAddress bool // c=0.0.0.0, the hold of RFC 2543
	noise       bool // comfort noise was described (RFC 3389)
	noiseType   uint8
}

type format struct {
	codec       media.Codec
	payloadType uint8
}

type mline struct {
	media, proto, format string // the first format
}

// held says that the party put this side on hold: it does not listen.
func (s *stream) held() bool {
	return s.dir == sendOnly || s.dir == inactive || s.zeroAddress
}

// speaks says that the party is expected to send: neither holding us nor only listening.
func (s *stream) speaks() bool { return s.dir == sendRecv && !s.zeroAddress }

// terms are what a description is measured by.
type terms struct {
	codecs []media.Codec
	keys   *keyring
	answer bool // the description answers an offer of ours

	soundOnly bool // telephone-events are not for this party
}

// parseStream reads a description and picks its first audio stream that the terms allow, an
// encrypted one before a plain one. The describing party's order of codecs decides. The
// error is one of those in refusals.
func parseStream(body []byte, t terms) (*stream, error) {
	if len(body) == 0 || len(body) > maxSDPBytes {
		return nil, fmt.Errorf("%w: %d bytes", errSDP, len(body))
	}
	audio, all, indexes, err := splitMedia(string(body))
	if err != nil {
		return nil, err
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(audio); err != nil {
		return nil, errSDP // the parser's own error quotes the text
	}
	if len(d.MediaDescriptions) != len(indexes) {
		return nil, errSDP
	}
	var first *stream
	firstErr := errNoAudio
	for i, m := range d.MediaDescriptions {
		s, err := audioStream(&d, m, t, all[indexes[i]].proto)
		if err != nil {
			if errors.Is(firstErr, errNoAudio) || errors.Is(firstErr, errNoCodec) {
				firstErr = err
			}
			continue
		}
		s.index, s.mlines = indexes[i], all
		if s.secrecy.by != plain {
			return s, nil
		}
		if first == nil {
			first = s
		}
	}
	if first == nil {
		return nil, firstErr
	}
	return first, nil
}

// splitMedia lists every media line and leaves only the session part and the audio over RTP
// in the text: the parser knows neither T.38 nor whatever comes next, and the answer
// refuses it by its m-line alone. indexes are the places of the audio lines among all.
func splitMedia(body string) (audio string, all []mline, indexes []int, err error) {
	var b strings.Builder
	keep, attrs := true, 0
	for line := range strings.Lines(strings.TrimRight(body, "\r\n\x00 ")) { // some leave the last line without its newline
		line = strings.TrimRight(line, "\r\n")
		if text, ok := strings.CutPrefix(line, "m="); ok {
			f := strings.Fields(text)
			if len(f) < 4 || len(f) > 3+maxSDPFormats || len(all) == maxSDPStreams {
				return "", nil, nil, fmt.Errorf("%w: media line", errSDP)
			}
			m := mline{media: f[0], proto: f[2], format: f[3]}
			if keep = m.media == "audio" && slices.Contains(audioProtos, m.proto); keep {
				indexes = append(indexes, len(all))
			}
			all = append(all, m)
		}
		if attrs++; attrs > maxSDPLines {
			return "", nil, nil, fmt.Errorf("%w: too many lines", errSDP)
		}
		if keep {
			b.WriteString(line)
			b.WriteString("\r\n")
		}
	}
	if len(all) == 0 {
		return "", nil, nil, fmt.Errorf("%w: no media line", errSDP)
	}
	return b.String(), all, indexes, nil
}

func audioStream(d *sdp.SessionDescription, m *sdp.MediaDescription, t terms, proto string) (*stream, error) {
	if m.MediaName.Port.Value == 0 {
		return nil, errNoAudio
	}
	s := &stream{dir: streamDirection(d, m), packetTime: streamPacketTime(m), secrecy: parseSecrecy(d, m)}
	addr, err := streamAddress(d, m)
	if err != nil {
		return nil, err
	}
	port := m.MediaName.Port.Value
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("%w: port %d", errSDP, port)
	}
	s.remote, s.zeroAddress = netip.AddrPortFrom(addr, uint16(port)), addr.IsUnspecified()
	_, s.mux = m.Attribute("rtcp-mux")
	s.rtcp = rtcpAddress(m, addr)
	s.addFormats(m, t.codecs)
	s.event = s.event && !t.soundOnly
	if len(s.formats) == 0 {
		return nil, errNoCodec
	}
	if t.answer {
		return s, t.keys.judgeAnswer(proto, &s.secrecy)
	}
	return s, t.keys.judge(proto, &s.secrecy)
}

// rtcpAddress reads a=rtcp (RFC 3605): a port, and an address if it is another.
func rtcpAddress(m *sdp.MediaDescription, addr netip.Addr) netip.AddrPort {
	text, _ := m.Attribute("rtcp")
	f := strings.Fields(text)
	if len(f) != 1 && len(f) != 4 {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if len(f) == 4 && err == nil {
		addr, err = netip.ParseAddr(f[3])
	}
	if err != nil || port == 0 || addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// addFormats takes the codecs in common, and telephone-event.
func (s *stream) addFormats(m *sdp.MediaDescription, allowed []media.Codec) {
	maps := make(map[uint8]string)
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		pt, encoding, ok := strings.Cut(strings.TrimSpace(a.Value), " ")
		if n, err := strconv.ParseUint(pt, 10, 7); ok && err == nil {
			maps[uint8(n)] = strings.ToLower(strings.TrimSpace(encoding))
		}
	}
	for _, f := range m.MediaName.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		if clock := eventClock(maps[pt]); clock != 0 {
			if !s.event || clock < s.eventClock {
				s.event, s.eventType, s.eventClock = true, pt, clock
			}
			continue
		}
		if s.takeNoise(pt, maps[pt]) {
			continue
		}
		c := codecOf(pt, maps[pt])
		again := slices.ContainsFunc(s.formats, func(f format) bool { return f.codec == c || f.payloadType == pt })
		if contains(allowed, c) && !again {
			s.formats = append(s.formats, format{c, pt})
		}
	}
}

// eventClock is the clock of a telephone-event; 0 for another encoding. That of 8 kHz belongs to
// the codecs spoken here; phones that speak Opus may offer it at 48 kHz alone.
func eventClock(rtpmap string) int {
	switch strings.TrimSuffix(rtpmap, "/1") {
	case "telephone-event/8000":
		return 8000
	case "telephone-event/48000":
		return 48000
	}
	return 0
}

// codecOf names what a payload type carries; 0, 8 and 9 need no rtpmap (RFC 3551).
func codecOf(pt uint8, rtpmap string) media.Codec {
	switch {
	case rtpmap == "pcmu/8000" || rtpmap == "pcmu/8000/1" || (rtpmap == "" && pt == 0):
		return media.PCMU
	case rtpmap == "pcma/8000" || rtpmap == "pcma/8000/1" || (rtpmap == "" && pt == 8):
		return media.PCMA
	case rtpmap == "g722/8000" || rtpmap == "g722/8000/1" || rtpmap == "g722/16000" || (rtpmap == "" && pt == 9):
		return media.G722 // 16000 is what some write who have not read RFC 3551 section 4.5.2
	default:
		return media.NoCodec
	}
}

func contains(allowed []media.Codec, c media.Codec) bool {
	for _, a := range allowed {
		if a == c && c != media.NoCodec {
			return true
		}
	}
	return false
}

func streamAddress(d *sdp.SessionDescription, m *sdp.MediaDescription) (netip.Addr, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = d.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.Addr{}, fmt.Errorf("%w: no connection address", errSDP)
	}
	// A multicast TTL ("/127") and a name are not what a trunk sends, and no name is
	// ever looked up on a stranger's word.
	addr, err := netip.ParseAddr(c.Address.Address)
	if err != nil || addr.IsMulticast() || addr.Zone() != "" {
		return netip.Addr{}, errAddress
	}
	return addr.Unmap(), nil
}

func streamDirection(d *sdp.SessionDescription, m *sdp.MediaDescription) direction {
	for _, attrs := range [][]sdp.Attribute{m.Attributes, d.Attributes} {
		for _, a := range attrs {
			for _, dir := range []direction{sendRecv, sendOnly, recvOnly, inactive} {
				if a.Key == dir.String() {
					return dir
				}
			}
		}
	}
	return sendRecv
}

// streamPacketTime is the party's ptime within 10..60 ms and its maxptime, in whole
// tens of milliseconds.
func streamPacketTime(m *sdp.MediaDescription) time.Duration {
	ptime, limit := defaultPacketTime, maxPacketTime
	if v, ok := millis(m, "maxptime"); ok && v < limit {
		limit = v
	}
	if v, ok := millis(m, "ptime"); ok {
		ptime = v
	}
	ptime = min(ptime, limit).Truncate(10 * time.Millisecond)
	return max(minPacketTime, min(ptime, maxPacketTime))
}

func millis(m *sdp.MediaDescription, key string) (time.Duration, bool) {
	text, ok := m.Attribute(key)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64) // some send 20.0
	if err != nil || !(v > 0 && v < 10000) {
		return 0, false
	}
	return time.Duration(v * float64(time.Millisecond)), true
}

// local is what this side describes: its identity in the o-line, and where it listens.
type local struct {
	session uint64
	version uint64
	addr    netip.Addr
	port    int
	last    string    // the description last sent, without its version
	dir     direction // what this side wants: sendRecv, or sendOnly while it holds the other
	keys    *keyring
	mux     bool // RTCP shares the RTP port

	soundOnly bool // no telephone-events are offered
}

// answer describes this side's half of a stream the other party offered: one voice codec,
// telephone-event if it was offered, every other m-line refused (RFC 3264 section 6).
func (l *local) answer(s *stream) []byte {
	dir := s.dir.reverse()
	if s.zeroAddress && dir == sendRecv {
		dir = recvOnly
	}
	dir = dir.under(l.dir)
	var b strings.Builder
	for i, m := range s.mlines {
		if i != s.index {
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.media, m.proto, m.format)
			continue
		}
		voice := s.formats[0]
		fmt.Fprintf(&b, "m=audio %d %s %d%s", l.port, m.proto, voice.payloadType, s.noiseFormat())
		if s.event {
			fmt.Fprintf(&b, " %d", s.eventType)
		}
		fmt.Fprintf(&b, "\r\na=rtpmap:%d %s/8000\r\n", voice.payloadType, voice.codec)
		if s.event {
			fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/%d\r\na=fmtp:%d 0-15\r\n", s.eventType, s.eventClock, s.eventType)
		}
		b.WriteString(s.noiseMap())
		fmt.Fprintf(&b, "a=ptime:%d\r\na=%s\r\n", s.packetTime.Milliseconds(), dir)
		if s.mux {
			b.WriteString("a=rtcp-mux\r\n")
		}
		b.WriteString(l.keys.answerLines())
	}
	return l.describe(b.String())
}

// offer describes this side to a party that has said nothing yet.
func (l *local) offer(codecs []media.Codec, ptime time.Duration) []byte {
	var b strings.Builder
	proto, more := l.secure()
	fmt.Fprintf(&b, "m=audio %d %s", l.port, proto)
	for _, c := range codecs {
		fmt.Fprintf(&b, " %d", staticPayloadType(c))
	}
	if !l.soundOnly {
		fmt.Fprintf(&b, " %d", eventPayloadType)
	}
	b.WriteString("\r\n")
	for _, c := range codecs {
		fmt.Fprintf(&b, "a=rtpmap:%d %s/8000\r\n", staticPayloadType(c), c)
	}
	if !l.soundOnly {
		fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", eventPayloadType, eventPayloadType)
	}
	fmt.Fprintf(&b, "a=ptime:%d\r\na=sendrecv\r\n", ptime.Milliseconds())
	b.WriteString(more)
	return l.describe(b.String())
}

// secure gives the transport of an offer of ours, and the attributes that belong to it.
func (l *local) secure() (proto, more string) {
	proto, more = l.keys.offerLines()
	if l.mux {
		more = "a=rtcp-mux\r\n" + more
	}
	return proto, more
}

// describe puts the session part before the m-lines. The version in the o-line goes up
// exactly when something else changed (RFC 3264 section 8).
func (l *local) describe(mlines string) []byte {
	if l.last != "" && l.last != mlines {
		l.version++
	}
	l.last = mlines
	family := "IP4"
	if l.addr.Is6() {
		family = "IP6"
	}
	return fmt.Appendf(nil, "v=0\r\no=headroom %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n%s",
		l.session, l.version, family, l.addr, family, l.addr, mlines)
}

// staticPayloadType is the payload type of RFC 3551.
func staticPayloadType(c media.Codec) uint8 {
	switch c {
	case media.PCMA:
		return 8
	case media.G722:
		return 9
	default:
		return 0
	}
}
