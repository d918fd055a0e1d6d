package rtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// running is a Session at work, with what its sink and its digits heard.
type running struct {
	*Session
	t       *testing.T
	packets chan media.Packet
	digits  chan rune
}

func runSession(t *testing.T, low, high int) *running {
	t.Helper()
	ports, err := NewPorts(loopback, low, high, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{s, t, make(chan media.Packet, 1000), make(chan rune, 100)}
	s.SetSink(r)
	s.OnDigit(func(d rune) { r.digits <- d })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if ports.InUse() != 0 {
			t.Error("the ports were not given back")
		}
	})
	return r
}

func (r *running) Packet(p *media.Packet) {
	kept := *p
	kept.Payload = append([]byte(nil), p.Payload...)
	r.packets <- kept
}

func (r *running) hear() media.Packet {
	r.t.Helper()
	select {
	case p := <-r.packets:
		return p
	case <-time.After(5 * time.Second):
		r.t.Fatal("nothing was heard")
		return media.Packet{}
	}
}

// phone is a bare UDP socket that speaks RTP.
type phone struct {
	*net.UDPConn
	t  *testing.T
	to *net.UDPAddr
}

func newPhone(t *testing.T, s *running) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &phone{conn, t, &net.UDPAddr{IP: loopback.AsSlice(), Port: s.LocalPort()}}
}

func (p *phone) addr() netip.AddrPort { return p.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *phone) say(h pionrtp.Header, payload []byte) {
	p.t.Helper()
	h.Version = 2
	data, err := (&pionrtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.WriteTo(data, p.to); err != nil {
		p.t.Fatal(err)
	}
}

func (p *phone) hear() pionrtp.Packet {
	p.t.Helper()
	var buf [2000]byte
	_ = p.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := p.Read(buf[:])
	if err != nil {
		p.t.Fatal(err)
	}
	var packet pionrtp.Packet
	if err := packet.Unmarshal(append([]byte(nil), buf[:n]...)); err != nil {
		p.t.Fatal(err)
	}
	return packet
}

func (r *running) configure(p Params) {
	r.t.Helper()
	if p.Codecs == nil {
		p.Codecs = []media.Codec{media.PCMU, media.PCMA}
	}
	if err := r.Configure(p); err != nil {
		r.t.Fatal(err)
	}
}

func TestVoiceGoesBothWays(t *testing.T) {
	s := runSession(t, 21000, 21099)
	p := newPhone(t, s)
	s.configure(Params{Remote: p.addr(), PTime: 30 * time.Millisecond})
	if s.PacketTime() != 30*time.Millisecond || s.Preferred() != media.PCMU || !s.Accepts(media.PCMA) || s.Accepts(media.Opus) {
		t.Error("the session is not what was agreed on")
	}
	p.say(pionrtp.Header{PayloadType: 8, SequenceNumber: 7, Timestamp: 99, SSRC: 5, Marker: true, Padding: true, PaddingSize: 4}, []byte("hello"))
	got := s.hear()
	if got.Codec != media.PCMA || string(got.Payload) != "hello" || !got.Marker {
		t.Errorf("heard %+v", got)
	}
	s.Send(&media.Packet{Source: 1, Codec: media.PCMU, Payload: []byte("there")})
	s.Send(&media.Packet{Source: 1, Codec: media.Opus, Payload: []byte("refused")})
	s.Send(&media.Packet{Source: 2, Codec: media.PCMA, Payload: []byte("again")})
	first, second := p.hear(), p.hear()
	if string(first.Payload) != "there" || first.PayloadType != 0 || !first.Marker || string(second.Payload) != "again" || second.PayloadType != 8 {
		t.Errorf("the phone heard %v and %v", first, second)
	}
	if second.SequenceNumber != first.SequenceNumber+1 || second.SSRC != first.SSRC {
		t.Error("a change of source was not seamless")
	}
	stats := s.Stats()
	if stats.PacketsIn != 1 || stats.PacketsOut != 2 || stats.Refused != 1 || stats.Codec != media.PCMA || stats.LastIn.IsZero() {
		t.Errorf("stats %+v", stats)
	}
}

func TestAStrangerIsNeverHeardNorSpokenTo(t *testing.T) {
	s := runSession(t, 21100, 21199)
	caller, stranger := newPhone(t, s), newPhone(t, s)
	s.configure(Params{Remote: caller.addr()})
	caller.say(pionrtp.Header{SequenceNumber: 1, SSRC: 5}, []byte("caller"))
	s.hear()
	for i := range uint16(50) {
		stranger.say(pionrtp.Header{SequenceNumber: 2 + i, SSRC: 5}, []byte("stranger"))
	}
	caller.say(pionrtp.Header{SequenceNumber: 2, SSRC: 5}, []byte("caller"))
	if got := s.hear(); string(got.Payload) != "caller" {
		t.Errorf("heard %q", got.Payload)
	}
	if got := s.Stats(); got.Stranger != 50 || got.PacketsIn != 2 {
		t.Errorf("stats %+v", got)
	}
	s.Send(&media.Packet{Codec: media.PCMU, Payload: []byte("reply")})
	if got := caller.hear(); string(got.Payload) != "reply" {
		t.Errorf("the caller heard %q", got.Payload)
	}
}

func TestACallerBehindNATIsAnsweredWhereItsPacketsComeFrom(t *testing.T) {
	s := runSession(t, 21200, 21299)
	p := newPhone(t, s)
	s.configure(Params{Remote: netip.MustParseAddrPort("127.0.0.1:9")})
	for i := range uint16(4) {
		p.say(pionrtp.Header{SequenceNumber: i, Timestamp: 160 * uint32(i), SSRC: 5}, []byte("hi"))
	}
	for range 4 - (probationNear - 1) {
		s.hear()
	}
	s.Send(&media.Packet{Codec: media.PCMU, Payload: []byte("reply")})
	if got := p.hear(); string(got.Payload) != "reply" {
		t.Errorf("heard %q", got.Payload)
	}
	// A new Remote in a re-INVITE starts the search again.
	other := newPhone(t, s)
	s.configure(Params{Remote: other.addr()})
	other.say(pionrtp.Header{SequenceNumber: 1, SSRC: 6}, []byte("moved"))
	if got := s.hear(); string(got.Payload) != "moved" {
		t.Errorf("after the move heard %q", got.Payload)
	}
}

func TestKeyPressesAreHeardAndNotPlayed(t *testing.T) {
	s := runSession(t, 21300, 21399)
	p := newPhone(t, s)
	s.configure(Params{Remote: p.addr(), DTMFPayloadType: 101})
	seq := uint16(65530)
	for k, key := range []byte{4, 4, 11} {
		p.say(pionrtp.Header{SequenceNumber: seq, Timestamp: uint32(k * 1600), SSRC: 5}, []byte("voice"))
		for i, flags := range []byte{10, 10, 0x8a, 0x8a, 0x8a} {
			p.say(pionrtp.Header{PayloadType: 101, SequenceNumber: seq + 1 + uint16(i), Timestamp: uint32(k*1600 + 160), SSRC: 5},
				[]byte{key, flags, 0, byte(40 * (i + 1))})
		}
		seq += 6
	}
	for _, want := range "44#" {
		select {
		case got := <-s.digits:
			if got != want {
				t.Errorf("heard key %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("key %q was not heard", want)
		}
	}
	base := s.hear().Seq
	for i := range uint64(2) {
		if got := s.hear(); got.Seq != base+1+i || string(got.Payload) != "voice" {
			t.Errorf("voice packet %d is %d after the first", i+1, got.Seq-base)
		}
	}
}

func TestReportsMeasureTheRoundTrip(t *testing.T) {
	s := runSession(t, 21400, 21499)
	p := newPhone(t, s)
	control := newPhone(t, s)
	control.to = &net.UDPAddr{IP: loopback.AsSlice(), Port: s.LocalPort() + 1}
	s.configure(Params{Remote: p.addr(), RemoteRTCP: control.addr()})
	p.say(pionrtp.Header{SequenceNumber: 1, SSRC: 5}, payload())
	s.hear()
	s.Send(&media.Packet{Codec: media.PCMU, Payload: payload()})
	p.hear()
	now := time.Now()
	s.report("name", now)
	var buf [1500]byte
	_ = control.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := control.Read(buf[:])
	if err != nil {
		t.Fatal(err)
	}
	packets, err := rtcp.Unmarshal(buf[:n])
	if err != nil || len(packets) != 3 {
		t.Fatalf("%v, %v", packets, err)
	}
	sr, ok := packets[0].(*rtcp.SenderReport)
	if !ok || sr.PacketCount != 1 || len(sr.Reports) != 1 || sr.Reports[0].SSRC != 5 {
		t.Fatalf("sent %v", packets[0])
	}
	rr := rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{SSRC: sr.SSRC, LastSenderReport: uint32(sr.NTPTime >> 16)}}}
	data, err := rr.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.incomingRTCP(data, netip.MustParseAddrPort("192.0.2.66:5000"), now.Add(time.Second))
	if got := s.Stats(); got.RoundTrip != 0 || got.Stranger != 1 {
		t.Errorf("a stranger's report was believed: %+v", got)
	}
	s.incomingRTCP(data, control.addr(), now.Add(100*time.Millisecond))
	if got := s.Stats().RoundTrip; got < 99*time.Millisecond || got > 101*time.Millisecond {
		t.Errorf("round trip %v, want 100 ms", got)
	}
}

func TestReportsAreSentAgainAndAgain(t *testing.T) {
	s := still(t, 22300)
	s.rtcpEvery = 10 * time.Millisecond
	control, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = control.Close() }()
	at := control.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := s.Configure(Params{Remote: netip.AddrPortFrom(loopback, 9), RemoteRTCP: at}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var buf [1500]byte
	_ = control.SetReadDeadline(time.Now().Add(5 * time.Second))
	for range 3 {
		n, err := control.Read(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if _, ok := packets[0].(*rtcp.ReceiverReport); err != nil || !ok {
			t.Errorf("heard %v, %v; want a receiver report, nothing was sent", packets, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func payload() []byte { return make([]byte, 160) }

func TestWrongParamsAreRefused(t *testing.T) {
	for _, p := range []Params{
		{Codecs: []media.Codec{media.Opus}},
		{Codecs: []media.Codec{media.PCMU}, PayloadTypes: map[media.Codec]uint8{media.PCMU: 200}},
		{Codecs: []media.Codec{media.PCMU, media.PCMA}, PayloadTypes: map[media.Codec]uint8{media.PCMU: 8}},
		{PTime: -1},
	} {
		if _, err := agree(p); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}

func TestPortsRestBeforeTheyAreUsedAgain(t *testing.T) {
	if _, err := NewPorts(loopback, 50, 50, 0); err == nil {
		t.Error("a range without a pair was accepted")
	}
	ports, err := NewPorts(loopback, 21501, 21505, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var sessions []*Session
	for range 2 {
		s, err := Open(ports)
		if err != nil {
			t.Fatal(err)
		}
		if s.LocalPort()%2 != 0 {
			t.Errorf("RTP on odd port %d", s.LocalPort())
		}
		sessions = append(sessions, s)
	}
	if _, err := Open(ports); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a third pair of two: %v", err)
	}
	for _, s := range sessions {
		_ = s.Close()
		_ = s.Close()
	}
	if _, err := Open(ports); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a port pair was used again at once: %v", err)
	}
	if n := ports.InUse(); n != 0 {
		t.Errorf("%d pairs in use", n)
	}
}

func TestPortsHeldByAnotherProgramArePassedOver(t *testing.T) {
	taken, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice(), Port: 21511})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	ports, err := NewPorts(loopback, 21510, 21513, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if s.LocalPort() != 21512 {
		t.Errorf("got port %d, want 21512", s.LocalPort())
	}
}

// counter is a sink that keeps nothing.
type counter struct{ n int }

func (c *counter) Packet(*media.Packet) { c.n++ }

// still is a Session that is open but not running, so that its reader's work can be
// done by the test.
func still(t testing.TB, low int) *Session {
	t.Helper()
	ports, err := NewPorts(loopback, low, low+99, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Configure(Params{
		Remote: netip.AddrPortFrom(loopback, uint16(low+98)), Codecs: []media.Codec{media.PCMU}, DTMFPayloadType: 101,
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPacketAllocatesNothing(t *testing.T) {
	s := still(t, 21600)
	c := &counter{}
	s.SetSink(c)
	from := netip.AddrPortFrom(loopback, 21698)
	data := make([]byte, 12+160)
	data[0] = 0x80
	seq := 0
	if n := testing.AllocsPerRun(500, func() {
		seq++
		data[2], data[3] = byte(seq>>8), byte(seq)
		s.incoming(data, from, time.Now())
	}); n != 0 {
		t.Errorf("%v allocations a packet received", n)
	}
	if c.n != seq {
		t.Errorf("%d of %d packets heard", c.n, seq)
	}
	p := media.Packet{Source: 1, Codec: media.PCMU, Payload: payload()}
	if n := testing.AllocsPerRun(500, func() {
		p.Seq++
		p.Timestamp += 160
		s.Send(&p)
	}); n != 0 {
		t.Errorf("%v allocations a packet sent", n)
	}
	if got := s.Stats().PacketsOut; got < 500 {
		t.Errorf("%d packets sent", got)
	}
}

func TestConcurrentUseIsSafe(t *testing.T) {
	s := runSession(t, 21700, 21799)
	p := newPhone(t, s)
	s.configure(Params{Remote: p.addr()})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range uint64(100) {
				s.Send(&media.Packet{Source: uint32(g), Seq: i, Timestamp: i * 160, Codec: media.PCMU, Payload: payload()})
				s.configure(Params{Remote: p.addr()})
				s.SetSink(&counter{})
				s.Stats()
			}
		})
	}
	for i := range uint16(100) {
		p.say(pionrtp.Header{SequenceNumber: i, SSRC: 5}, payload())
	}
	wg.Wait()
}

func TestAHoldLeavesNoGapThatWouldBeTakenForLoss(t *testing.T) {
	s := runSession(t, 21900, 21999)
	p := newPhone(t, s)
	agreed := Params{Remote: p.addr(), Codecs: []media.Codec{media.PCMU}}
	s.configure(agreed)
	say := func(seq uint64) {
		s.Send(&media.Packet{Source: 7, Seq: seq, Timestamp: 160 * seq, Codec: media.PCMU, Payload: make([]byte, 160)})
	}
	say(1)
	before := p.hear()
	agreed.Quiet = true
	s.configure(agreed)
	for seq := range uint64(100) {
		say(2 + seq)
	}
	agreed.Quiet = false
	s.configure(agreed)
	say(102)
	say(103)
	after, next := p.hear(), p.hear()
	if after.SequenceNumber != before.SequenceNumber+1 || after.SSRC != before.SSRC || !after.Marker || after.Timestamp-before.Timestamp < 160 {
		t.Errorf("after the hold %v, before it %v", after.Header, before.Header)
	}
	if next.SequenceNumber != after.SequenceNumber+1 || next.Timestamp != after.Timestamp+160 || next.Marker {
		t.Errorf("then %v", next.Header)
	}
}

func TestReportsAreASignOfLife(t *testing.T) {
	s := runSession(t, 22000, 22099)
	p := newPhone(t, s)
	s.configure(Params{Remote: p.addr()})
	if !s.LastHeard().IsZero() {
		t.Error("heard from the party before it said anything")
	}
	data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := p.WriteTo(data, &net.UDPAddr{IP: loopback.AsSlice(), Port: s.LocalPort() + 1}); err != nil {
		t.Fatal(err)
	}
	for deadline := began.Add(5 * time.Second); s.LastHeard().Before(began); {
		if time.Now().After(deadline) {
			t.Fatal("the report went unnoticed")
		}
		runtime.Gosched()
	}
}
