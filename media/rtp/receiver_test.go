package rtp_test

import (
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

var payload20 = make([]byte, 160)

// feed gives a Receiver packets of 20 ms PCMU that arrive on time.
type feed struct {
	t *testing.T
	r rtp.Receiver
	p media.Packet
}

var start = time.Unix(1000, 0)

func (f *feed) codec(ssrc uint32, seq uint16, ts uint32, at time.Duration, c media.Codec) bool {
	return f.r.Accept(&pionrtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts, SSRC: ssrc}, payload20, start.Add(at), c, &f.p)
}

func (f *feed) packet(ssrc uint32, seq uint16, ts uint32) bool {
	return f.codec(ssrc, seq, ts, 0, media.PCMU)
}

func TestNumbersGoOnAcrossTheirWraps(t *testing.T) {
	f := &feed{t: t}
	var firstSeq, firstTS uint64
	for i := range uint64(200_000) {
		ts := uint32(0xffff0000 + 160*i)
		if !f.packet(7, uint16(65000+i), ts) {
			t.Fatalf("packet %d refused", i)
		}
		if i == 0 {
			firstSeq, firstTS = f.p.Seq, f.p.Timestamp
		}
		if f.p.Seq != firstSeq+i || f.p.Timestamp != firstTS+160*i {
			t.Fatalf("packet %d numbered %d at %d, want %d at %d", i, f.p.Seq, f.p.Timestamp, firstSeq+i, firstTS+160*i)
		}
	}
	if s := f.r.Stats(); s.Lost != 0 || s.PacketsIn != 200_000 {
		t.Errorf("stats %+v", s)
	}
	if rr, _ := f.r.ReceptionReport(start); rr.LastSequenceNumber != uint32(65000+199_999) {
		t.Errorf("extended highest %d, want %d", rr.LastSequenceNumber, 65000+199_999)
	}
}

func TestReorderedPacketsKeepTheirPlaceAndTwinsAreDropped(t *testing.T) {
	f := &feed{t: t}
	f.packet(7, 0, 0)
	base := f.p.Seq
	for _, c := range []struct {
		seq  uint16
		want bool
	}{{1, true}, {4, true}, {3, true}, {3, false}, {4, false}, {2, true}, {65535, true}, {65535, false}, {5, true}} {
		got := f.packet(7, c.seq, uint32(int32(int16(c.seq)))*160)
		if got != c.want {
			t.Errorf("seq %d: accepted %v, want %v", c.seq, got, c.want)
		}
		if want := base + uint64(int64(int16(c.seq))); got && (f.p.Seq != want) {
			t.Errorf("seq %d extended to base%+d", c.seq, int64(f.p.Seq-base))
		}
	}
	if s := f.r.Stats(); s.Lost != 0 || s.Duplicate != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestLossIsCountedAndReported(t *testing.T) {
	f := &feed{t: t}
	for i := range 100 {
		if i%10 != 9 || i == 99 {
			f.packet(7, uint16(i), uint32(i*160))
		}
	}
	if s := f.r.Stats(); s.Lost != 9 {
		t.Errorf("lost %d, want 9", s.Lost)
	}
	rr, ok := f.r.ReceptionReport(start)
	if !ok || rr.TotalLost != 9 || rr.FractionLost != 9*256/100 || rr.SSRC != 7 {
		t.Errorf("report %+v", rr)
	}
	f.packet(7, 100, 16000)
	if rr, _ = f.r.ReceptionReport(start); rr.FractionLost != 0 || rr.TotalLost != 9 {
		t.Errorf("second report %+v", rr)
	}
}

func TestNewSSRCIsANewSourceAtOnce(t *testing.T) {
	f := &feed{t: t}
	f.packet(7, 100, 1000)
	first := f.p.Source
	if !f.packet(8, 40000, 99) || f.p.Source == first {
		t.Errorf("the new SSRC's first packet was not a new source")
	}
	second := f.p.Source
	if f.packet(7, 101, 1160) {
		t.Errorf("a straggler of the old SSRC was accepted")
	}
	if !f.packet(8, 40001, 259) || f.p.Source != second {
		t.Errorf("the new source did not go on")
	}
	if s := f.r.Stats(); s.Lost != 0 {
		t.Errorf("lost %d", s.Lost)
	}
}

func TestALeapIsARestartOnlyWhenItGoesOn(t *testing.T) {
	f := &feed{t: t}
	f.packet(7, 100, 1000)
	first := f.p.Source
	if f.packet(7, 30000, 5) {
		t.Errorf("a single wild packet was accepted")
	}
	if !f.packet(7, 101, 1160) || f.p.Source != first {
		t.Errorf("the stream did not go on after a wild packet")
	}
	f.packet(7, 50000, 5)
	if !f.packet(7, 50001, 165) || f.p.Source == first {
		t.Errorf("a restart was not taken for one")
	}
}

func TestKeyPressesLeaveNoHoleInTheVoice(t *testing.T) {
	f := &feed{t: t}
	f.packet(7, 10, 0)
	base := f.p.Seq
	for seq := uint16(11); seq < 60; seq++ {
		f.codec(7, seq, 160, 0, media.NoCodec)
	}
	f.packet(7, 60, 8000)
	if f.p.Seq != base+1 {
		t.Errorf("the packet after 49 telephone-events is %d after the one before them, want 1", f.p.Seq-base)
	}
	f.codec(7, 62, 8160, 0, media.NoCodec)
	f.packet(7, 63, 8320)
	if f.p.Seq != base+3 {
		t.Errorf("with 61 missing the next is %d, want 3", f.p.Seq-base)
	}
	f.packet(7, 61, 8160)
	if f.p.Seq != base+2 {
		t.Errorf("61, overtaken by an event and by 63, is %d, want 2", f.p.Seq-base)
	}
}

func TestJitterFollowsRFC3550(t *testing.T) {
	f := &feed{t: t}
	for i := range 2000 {
		at := time.Duration(i) * 20 * time.Millisecond
		if i%2 == 1 {
			at += 8 * time.Millisecond // every difference of transit is 8 ms
		}
		f.codec(7, uint16(i), uint32(i*160), at, media.PCMU)
	}
	if got := f.r.Stats().Jitter; math.Abs(got.Seconds()-0.008) > 0.0002 {
		t.Errorf("jitter %v, want 8 ms", got)
	}
}

func TestCodecOfAnotherClockIsAnotherSource(t *testing.T) {
	f := &feed{t: t}
	f.packet(7, 1, 160)
	first := f.p.Source
	f.codec(7, 2, 320, 0, media.PCMA)
	if f.p.Source != first || f.p.Codec != media.PCMA {
		t.Errorf("PCMU to PCMA changed the source")
	}
	f.codec(7, 3, 1920, 0, media.Opus)
	if f.p.Source == first {
		t.Errorf("8 kHz and 48 kHz timestamps went on as one source")
	}
}

func TestRoundTripIsMeasuredFromReports(t *testing.T) {
	s := rtp.NewSender(5)
	s.NextAt(&media.Packet{Codec: media.PCMU, Payload: payload20}, start)
	sr, ok := s.Report(start)
	if !ok || sr.PacketCount != 1 || sr.OctetCount != 160 {
		t.Fatalf("report %+v", sr)
	}
	if _, ok := s.Report(start); ok {
		t.Error("a second sender report without a packet sent")
	}
	f := &feed{t: t}
	f.packet(5, 1, 1)
	f.r.SawSenderReport(&sr, start.Add(30*time.Millisecond))
	rr, _ := f.r.ReceptionReport(start.Add(1030 * time.Millisecond))
	s.SawReceptionReport(&rr, start.Add(1070*time.Millisecond))
	if got := s.RoundTrip(); got < 69*time.Millisecond || got > 71*time.Millisecond {
		t.Errorf("round trip %v, want 70 ms", got)
	}
	s.SawReceptionReport(&rtcp.ReceptionReport{SSRC: 6, LastSenderReport: 1}, start)
	if got := s.RoundTrip(); got < 69*time.Millisecond {
		t.Errorf("a report about another stream made it %v", got)
	}
}
