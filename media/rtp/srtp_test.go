package rtp

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/headroom-voice/headroom/media"
)

// cryptPhone is a phone that speaks SRTP by pion's contexts, one a direction.
type cryptPhone struct {
	*phone
	out, in *srtp.Context
}

func keyFor(t testing.TB, suite Suite, mki ...byte) Key {
	t.Helper()
	k, err := RandomKey(suite, mki)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func contextFor(t testing.TB, k Key) *srtp.Context {
	t.Helper()
	c, err := k.context()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// encrypted is a session and a phone that have agreed on keys.
func encrypted(t *testing.T, low int, suite Suite, mki ...byte) (*running, *cryptPhone, Params) {
	t.Helper()
	s := runSession(t, low, low+99)
	p := &cryptPhone{phone: newPhone(t, s)}
	params := Params{Remote: p.addr(), Codecs: []media.Codec{media.PCMU}, DTMFPayloadType: 101,
		Send: keyFor(t, suite, mki...), Receive: keyFor(t, suite, mki...)}
	s.configure(params)
	p.out, p.in = contextFor(t, params.Receive), contextFor(t, params.Send)
	return s, p, params
}

func (p *cryptPhone) seal(h pionrtp.Header, payload []byte) []byte {
	p.t.Helper()
	h.Version = 2
	data, err := (&pionrtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if data, err = p.out.EncryptRTP(nil, data, nil); err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *cryptPhone) say(h pionrtp.Header, payload []byte) {
	p.t.Helper()
	p.write(p.seal(h, payload))
}

func (p *cryptPhone) write(data []byte) {
	p.t.Helper()
	if _, err := p.WriteTo(data, p.to); err != nil {
		p.t.Fatal(err)
	}
}

// hear reads one packet, which must be SRTP and must not be plain.
func (p *cryptPhone) hear(said []byte) pionrtp.Packet {
	p.t.Helper()
	var buf [2000]byte
	_ = p.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := p.Read(buf[:])
	if err != nil {
		p.t.Fatal(err)
	}
	if bytes.Contains(buf[:n], said) {
		p.t.Fatal("what was said stands in the packet for everybody to read")
	}
	data, err := p.in.DecryptRTP(nil, buf[:n], nil)
	if err != nil {
		p.t.Fatalf("what came is not SRTP under the agreed key: %v", err)
	}
	var packet pionrtp.Packet
	if err := packet.Unmarshal(data); err != nil {
		p.t.Fatal(err)
	}
	return packet
}

// until does something over and over, as a phone says packet after packet, until the session
// has heard a packet.
func (r *running) until(say func()) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); len(r.packets) == 0; <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("nothing was heard: %+v", r.Stats())
		}
		say()
	}
}

// settled waits until the session has counted.
func (r *running) settled(what string, ok func(media.Stats) bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !ok(r.Stats()); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %+v", what, r.Stats())
		}
	}
}

func TestEncryptedVoiceGoesBothWays(t *testing.T) {
	for i, suite := range Suites() {
		t.Run(suite.String(), func(t *testing.T) {
			var mki []byte
			if i%2 == 1 {
				mki = []byte{0, 0, 0, 7}
			}
			s, p, _ := encrypted(t, 25000+100*i, suite, mki...)
			if s.Suite() != suite {
				t.Errorf("the session says %v", s.Suite())
			}
			p.say(pionrtp.Header{SequenceNumber: 7, Timestamp: 99, SSRC: 5, Padding: true, PaddingSize: 4}, []byte("hello there"))
			if got := s.hear(); string(got.Payload) != "hello there" {
				t.Errorf("heard %q", got.Payload)
			}
			said := bytes.Repeat([]byte("quite secret"), 10)
			for n := range uint64(3) {
				s.Send(&media.Packet{Source: 1, Seq: n, Timestamp: 160 * n, Codec: media.PCMU, Payload: said})
				if got := p.hear(said); !bytes.Equal(got.Payload, said) {
					t.Errorf("the phone heard %q", got.Payload)
				}
			}
		})
	}
}

func TestWhatIsNotAuthenticIsNeitherHeardNorFollowed(t *testing.T) {
	s, p, _ := encrypted(t, 25700, AESCM128HMACSHA1Tag80)
	other := newPhone(t, s)
	// Before anything authentic came: plain packets from the announced address and from a
	// stranger, who would lock the source were they believed.
	for seq := range uint16(probation + 3) {
		p.phone.say(pionrtp.Header{SequenceNumber: seq, SSRC: 5}, []byte("plain"))
		other.say(pionrtp.Header{SequenceNumber: seq, SSRC: 6}, []byte("plain"))
	}
	altered := p.seal(pionrtp.Header{SequenceNumber: 30, SSRC: 5}, []byte("altered"))
	altered[14] ^= 1
	p.write(altered)
	s.settled("forgeries counted", func(st media.Stats) bool { return st.Forged == 2*(probation+3)+1 })
	twice := p.seal(pionrtp.Header{SequenceNumber: 31, SSRC: 5}, []byte("genuine"))
	p.write(twice)
	p.write(twice)
	if got := s.hear(); string(got.Payload) != "genuine" {
		t.Errorf("heard %q", got.Payload)
	}
	s.settled("the replay counted", func(st media.Stats) bool { return st.Duplicate == 1 && st.PacketsIn == 1 })
	s.Send(&media.Packet{Source: 1, Codec: media.PCMU, Payload: []byte("to the phone")})
	p.hear([]byte("to the phone"))
	if !s.LastHeard().After(time.Time{}) || len(s.packets) > 0 {
		t.Error("something else was heard")
	}
}

func TestNothingPlainLeavesBeforeThereAreKeys(t *testing.T) {
	s := still(t, 25800)
	to, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	remote := to.LocalAddr().(*net.UDPAddr).AddrPort()
	certificate, print, err := NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(Params{Remote: remote, RemoteRTCP: remote, Codecs: []media.Codec{media.PCMU},
		DTLS: &DTLS{Certificate: certificate, Fingerprints: []Fingerprint{print}}}); err != nil {
		t.Fatal(err)
	}
	s.Send(&media.Packet{Source: 1, Codec: media.PCMU, Payload: payload()})
	s.report("name", time.Now())
	if out, _ := s.sender.Counters(); out != 0 {
		t.Errorf("%d packets were counted as sent", out)
	}
	_ = s.Close()
	s.handshakes.Wait()
	if _, err := to.WriteTo([]byte("end"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	var buf [2000]byte
	if n, err := to.Read(buf[:]); err != nil || string(buf[:n]) != "end" {
		t.Errorf("%x was sent, %v", buf[:n], err)
	}
}

func TestAHoldOfFifteenMinutesDoesNotEndTheAudio(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, unseen int // the sequence number before the hold, and packets nobody delivered
	}{
		{"the sequence stood still", 1000, 0},
		{"the party went on counting", 1000, 45000},
		{"over a wrap", 60000, 45000},
		{"an hour", 60000, 180000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, p, params := encrypted(t, 25900, AEADAES128GCM)
			seq := c.first
			p.say(pionrtp.Header{SequenceNumber: uint16(seq), SSRC: 5}, []byte("before"))
			s.hear()
			held := params
			held.Quiet = true
			s.configure(held)
			for range c.unseen { // encrypted by the party, lost or not sent on the way
				seq++
				p.seal(pionrtp.Header{SequenceNumber: uint16(seq), SSRC: 5}, nil)
			}
			s.configure(params)
			// The session looks for the counter once nothing was heard for guessAfter.
			s.until(func() {
				seq++
				p.say(pionrtp.Header{SequenceNumber: uint16(seq), SSRC: 5}, []byte("after"))
			})
			if got := s.hear(); string(got.Payload) != "after" {
				t.Errorf("heard %q", got.Payload)
			}
		})
	}
}

func TestAStreamThatBeganUnheardIsFound(t *testing.T) {
	s, p, _ := encrypted(t, 26000, AESCM128HMACSHA1Tag80)
	for seq := 65500; seq < 65536; seq++ { // before our port was open, say
		p.seal(pionrtp.Header{SequenceNumber: uint16(seq), SSRC: 5}, nil)
	}
	p.say(pionrtp.Header{SequenceNumber: 3, SSRC: 5}, []byte("first"))
	if got := s.hear(); string(got.Payload) != "first" {
		t.Errorf("heard %q", got.Payload)
	}
	// A new SSRC under the same key starts at nought (RFC 3711 section 3.3.1).
	p.say(pionrtp.Header{SequenceNumber: 9, SSRC: 6}, []byte("another"))
	if got := s.hear(); string(got.Payload) != "another" {
		t.Errorf("heard %q", got.Payload)
	}
}

func TestTheSequenceNumberWrapsBothWays(t *testing.T) {
	s, p, _ := encrypted(t, 26100, AESCM128HMACSHA1Tag32)
	for i := range 70000 {
		if i%2500 != 0 {
			p.seal(pionrtp.Header{SequenceNumber: uint16(i), SSRC: 5}, nil)
			continue
		}
		p.say(pionrtp.Header{SequenceNumber: uint16(i), SSRC: 5}, []byte("in"))
		s.hear()
	}
	var got pionrtp.Packet
	for i := range uint64(70000) {
		s.Send(&media.Packet{Source: 1, Seq: i, Timestamp: 160 * i, Codec: media.PCMU, Payload: []byte("out of it")})
		got = p.hear([]byte("out of it"))
	}
	if roc, _ := p.in.ROC(got.SSRC); roc != 1 {
		t.Errorf("the phone counts %d wraps", roc)
	}
}

func TestAPhoneThatForgetsTheCountAtAHoldStillHears(t *testing.T) {
	s, p, params := encrypted(t, 26200, AESCM128HMACSHA1Tag80)
	for i := range uint64(66000) {
		s.Send(&media.Packet{Source: 1, Seq: i, Timestamp: 160 * i, Codec: media.PCMU, Payload: []byte("talking")})
		p.hear([]byte("talking"))
	}
	params.Quiet = true
	s.configure(params)
	params.Quiet = false
	s.configure(params)
	p.in = contextFor(t, params.Send) // as some phones do
	s.Send(&media.Packet{Source: 1, Seq: 66001, Timestamp: 160 * 66001, Codec: media.PCMU, Payload: []byte("and on")})
	if got := p.hear([]byte("and on")); string(got.Payload) != "and on" || !got.Marker {
		t.Errorf("heard %+v", got)
	}
	if out := s.Stats().PacketsOut; out != 66001 {
		t.Errorf("%d packets counted", out)
	}
}

func TestAKeyThatChangesIsFollowedWithoutNoise(t *testing.T) {
	s, p, params := encrypted(t, 26300, AESCM128HMACSHA1Tag80)
	p.say(pionrtp.Header{SequenceNumber: 1, SSRC: 5}, []byte("old"))
	s.hear()
	s.Send(&media.Packet{Source: 1, Seq: 0, Codec: media.PCMU, Payload: []byte("to the phone")})
	first := p.hear([]byte("to the phone"))
	params.Receive = keyFor(t, AESCM128HMACSHA1Tag80)
	s.configure(params)
	old := p.seal(pionrtp.Header{SequenceNumber: 2, SSRC: 5}, []byte("still old")) // it has not seen our answer yet
	p.write(old)
	if got := s.hear(); string(got.Payload) != "still old" {
		t.Errorf("heard %q", got.Payload)
	}
	p.out = contextFor(t, params.Receive)
	p.out.SetROC(5, 3) // some start again at nought, this one goes on (RFC 3711 section 3.3.1)
	seq := uint16(2)
	s.until(func() {
		seq++
		p.say(pionrtp.Header{SequenceNumber: seq, SSRC: 5}, []byte("new"))
	})
	if got := s.hear(); string(got.Payload) != "new" {
		t.Errorf("heard %q", got.Payload)
	}
	s.Send(&media.Packet{Source: 1, Seq: 1, Timestamp: 160, Codec: media.PCMU, Payload: []byte("to the phone")})
	if got := p.hear([]byte("to the phone")); got.SSRC != first.SSRC || got.SequenceNumber != first.SequenceNumber+1 {
		t.Error("our stream, whose key is the same, was begun anew")
	}
}

func TestReportsAreEncrypted(t *testing.T) {
	for _, mux := range []bool{false, true} {
		s, p, params := encrypted(t, 26400, AEADAES256GCM)
		params.Mux = mux
		rtcpPort := p.phone
		if !mux {
			rtcpPort = newPhone(t, s)
			rtcpPort.to = &net.UDPAddr{IP: loopback.AsSlice(), Port: s.LocalPort() + 1}
		}
		params.RemoteRTCP = rtcpPort.addr()
		s.configure(params)
		s.report("name", time.Now())
		var buf [2000]byte
		_ = rtcpPort.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := rtcpPort.Read(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := contextFor(t, params.Send).DecryptRTCP(nil, buf[:n], nil); err != nil {
			t.Errorf("mux %v: %v", mux, err)
		}
		rr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5}})
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := p.out.EncryptRTCP(nil, rr, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{rr, sealed, sealed} {
			if _, err := rtcpPort.WriteTo(data, rtcpPort.to); err != nil {
				t.Fatal(err)
			}
		}
		s.settled("a plain report and a repeated one are counted", func(st media.Stats) bool { return st.Forged == 1 && st.Duplicate == 1 })
		if s.LastHeard().IsZero() {
			t.Errorf("mux %v: an encrypted report is no sign of life", mux)
		}
	}
}

func TestPlainReportsOverTheRTPPort(t *testing.T) {
	s := runSession(t, 26500, 26599)
	p := newPhone(t, s)
	s.configure(Params{Remote: p.addr(), Mux: true})
	s.report("name", time.Now())
	var buf [2000]byte
	_ = p.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := p.Read(buf[:]); err != nil || !isMuxedRTCP(buf[:n]) {
		t.Fatalf("%x, %v", buf[:n], err)
	}
	rr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.WriteTo(rr, p.to); err != nil {
		t.Fatal(err)
	}
	s.settled("a sign of life", func(media.Stats) bool { return !s.LastHeard().IsZero() })
}

func TestAKeyForOneDirectionOnlyIsRefused(t *testing.T) {
	s := still(t, 26600)
	if err := s.Configure(Params{Codecs: []media.Codec{media.PCMU}, Send: keyFor(t, AEADAES128GCM)}); err == nil {
		t.Error("a session that would answer SRTP with plain RTP")
	}
}

// sealedStill is a session that is not running, with SRTP packets to feed it.
func sealedStill(t testing.TB, low int, suite Suite) (s *Session, next func() []byte) {
	t.Helper()
	s = still(t, low)
	params := Params{Remote: netip.AddrPortFrom(loopback, uint16(low+98)), Codecs: []media.Codec{media.PCMU},
		Send: keyFor(t, suite), Receive: keyFor(t, suite)}
	if err := s.Configure(params); err != nil {
		t.Fatal(err)
	}
	c := contextFor(t, params.Receive)
	plain, sealed, h := make([]byte, 12+160), make([]byte, 0, 300), new(pionrtp.Header)
	plain[0] = 0x80
	seq := 0
	return s, func() []byte {
		seq++
		plain[2], plain[3] = byte(seq>>8), byte(seq)
		out, err := c.EncryptRTP(sealed, plain, h)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestAnEncryptedPacketAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pion's SRTP has a sync.Pool, which forgets at random under the race detector")
	}
	for i, suite := range []Suite{AESCM128HMACSHA1Tag80, AEADAES128GCM} {
		s, next := sealedStill(t, 26700+200*i, suite)
		c := &counter{}
		s.SetSink(c)
		from := netip.AddrPortFrom(loopback, uint16(26700+200*i+98))
		p := media.Packet{Source: 1, Codec: media.PCMU, Payload: payload()}
		ours := testing.AllocsPerRun(500, func() { next() })
		if n := testing.AllocsPerRun(500, func() { s.incoming(next(), from, time.Now()) }); n > ours {
			t.Errorf("%v: a packet in takes %v allocations", suite, n-ours)
		}
		if n := testing.AllocsPerRun(500, func() {
			p.Seq++
			p.Timestamp += 160
			s.Send(&p)
		}); n != 0 {
			t.Errorf("%v: a packet out takes %v allocations", suite, n)
		}
		if s.Stats().PacketsIn < 500 || s.Stats().Forged > 0 {
			t.Errorf("%v: %+v", suite, s.Stats())
		}
	}
}

func BenchmarkEncryptedReceive(b *testing.B) {
	for i, suite := range []Suite{AESCM128HMACSHA1Tag80, AEADAES128GCM} {
		b.Run(suite.String(), func(b *testing.B) {
			s, next := sealedStill(b, 27100+100*i, suite)
			s.SetSink(&counter{})
			from := netip.AddrPortFrom(loopback, uint16(27100+100*i+98))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				data := next()
				b.StartTimer()
				s.incoming(data, from, time.Now())
			}
		})
	}
}

func BenchmarkEncryptedSend(b *testing.B) {
	for i, suite := range []Suite{AESCM128HMACSHA1Tag80, AEADAES128GCM} {
		b.Run(suite.String(), func(b *testing.B) {
			s, _ := sealedStill(b, 27300+100*i, suite)
			p := media.Packet{Source: 1, Codec: media.PCMU, Payload: payload()}
			b.ReportAllocs()
			for b.Loop() {
				p.Seq++
				p.Timestamp += 160
				s.Send(&p)
			}
		})
	}
}

// FuzzSRTP: whatever comes without the key is not heard, counted as received, nor followed,
// as RTP or as RTCP.
func FuzzSRTP(f *testing.F) {
	s, next := sealedStill(f, 27500, AEADAES128GCM)
	a := *s.agreed.Load()
	a.params.Mux = true
	s.agreed.Store(&a)
	f.Add(next()[:40])
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9})
	f.Add([]byte{0x81, 201, 0, 1, 0, 0, 0, 5})
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	s.SetSink(sinkFunc(func(p *media.Packet) { f.Errorf("heard %x", p.Payload) }))
	f.Fuzz(func(t *testing.T, data []byte) {
		s.incoming(data, netip.AddrPortFrom(loopback, 27598), time.Now())
		s.incomingRTCP(data, netip.AddrPortFrom(loopback, 27599), time.Now())
		if st := s.Stats(); st.PacketsIn != 0 || s.in.gate.locked || !s.LastHeard().IsZero() {
			t.Fatalf("%x was believed: %+v", data, st)
		}
	})
}
