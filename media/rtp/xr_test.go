package rtp

import (
	"math"
	"net"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
)

// patterned is a stream in which lost says what does not arrive, of n packets of 20 ms.
func patterned(n int, lost func(i int) bool) Quality {
	var r Receiver
	var p media.Packet
	for i := range n {
		if i == 0 || i == n-1 || !lost(i) {
			h := pionrtp.Header{SequenceNumber: uint16(65000 + i), Timestamp: uint32(160 * i), SSRC: 1}
			r.Accept(&h, payload(), time.Unix(0, int64(i)*int64(20*time.Millisecond)), media.PCMU, &p)
		}
	}
	return r.Quality()
}

func TestBurstsAndGapsAreToldApart(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.002 {
			t.Errorf("%s: %.4f, want %.4f", what, got, want)
		}
	}
	q := patterned(2000, func(int) bool { return false })
	near("a clean line's loss", q.LossRate+q.BurstDensity+q.GapDensity, 0)
	near("its MOS", q.MOSLQ, 4.409)
	if q.GapDuration != 40*time.Second || q.BurstDuration != 0 || q.EndDelay != 20*time.Millisecond {
		t.Errorf("%+v", q)
	}
	// Every 50th packet: never a burst.
	q = patterned(2000, func(i int) bool { return i%50 == 25 })
	near("loss", q.LossRate, 0.02)
	near("in gaps", q.GapDensity, 0.02)
	near("in bursts", q.BurstDensity, 0)
	// Twice in 2000 packets, 20 of which every other one is lost: bursts of 19 packets.
	q = patterned(2000, func(i int) bool { return i%1000 >= 500 && i%1000 < 520 && i%2 == 0 })
	near("loss", q.LossRate, 0.01)
	near("in bursts", q.BurstDensity, 10.0/19)
	near("in gaps", q.GapDensity, 0)
	if q.BurstDuration != 380*time.Millisecond || q.GapDuration != 20*time.Millisecond*(2000-38)/3 {
		t.Errorf("bursts of %v, gaps of %v", q.BurstDuration, q.GapDuration)
	}
}

func TestLossInARowIsRatedWorseThanRandomLoss(t *testing.T) {
	last := 4.5
	for _, percent := range []int{0, 1, 3, 5, 10, 30} {
		q := patterned(10_000, func(i int) bool { return i*7919%100 < percent })
		if q.MOSLQ >= last || q.MOSLQ < 1 {
			t.Errorf("%d %%: MOS %.2f after %.2f", percent, q.MOSLQ, last)
		}
		last = q.MOSLQ
	}
	single := patterned(10_000, func(i int) bool { return i%20 == 10 })
	inRow := patterned(10_000, func(i int) bool { return i%200 >= 100 && i%200 < 110 })
	if math.Abs(single.LossRate-inRow.LossRate) > 0.001 || inRow.MOSLQ > single.MOSLQ-0.05 {
		t.Errorf("5 %% one by one: %.2f, ten at a time: %.2f", single.MOSLQ, inRow.MOSLQ)
	}
}

func TestReorderedPacketsAreNoLossInTheReport(t *testing.T) {
	var r Receiver
	var p media.Packet
	for i := range 1000 {
		k := i ^ 1
		h := pionrtp.Header{SequenceNumber: uint16(k), Timestamp: uint32(160 * k), SSRC: 1}
		r.Accept(&h, payload(), time.Unix(0, 0), media.PCMU, &p)
	}
	if q := r.Quality(); q.LossRate != 0 {
		t.Errorf("%+v", q)
	}
}

func TestVoIPMetricsAreSentAndRead(t *testing.T) {
	s := runSession(t, 22500, 22599)
	p := newPhone(t, s)
	control := newPhone(t, s)
	control.to = &net.UDPAddr{IP: loopback.AsSlice(), Port: s.LocalPort() + 1}
	s.configure(Params{Remote: p.addr(), RemoteRTCP: control.addr()})
	for i := range uint16(40) {
		if i%10 != 5 {
			p.say(pionrtp.Header{SequenceNumber: i, Timestamp: 160 * uint32(i), SSRC: 5}, payload())
			s.hear()
		}
	}
	if _, _, ok := s.Quality(); ok {
		t.Error("the party said nothing of our voice yet")
	}
	s.report("name", time.Now())
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
	xr, ok := packets[2].(*rtcp.ExtendedReport)
	if !ok || len(xr.Reports) != 1 {
		t.Fatalf("%v", packets[2])
	}
	b := xr.Reports[0].(*rtcp.VoIPMetricsReportBlock)
	if b.SSRC != 5 || b.LossRate != 25 || b.Gmin != 16 || b.MOSLQ < 10 || b.MOSLQ > 44 || b.RFactor > 93 || b.SignalLevel != 127 || b.EndSystemDelay != 20 {
		t.Errorf("%+v", b)
	}
	// The party reports the same of our voice, and a stranger's voice, which is nothing to us.
	b.SSRC = s.sender.SSRC()
	b.LossRate, b.MOSLQ, b.MOSCQ, b.BurstDuration = 64, 31, 127, 700
	other := *b
	other.SSRC, other.MOSLQ = 99, 11
	data, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 5},
		&rtcp.ExtendedReport{SenderSSRC: 5, Reports: []rtcp.ReportBlock{b, &other}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.incomingRTCP(data, control.addr(), time.Now())
	heard, theirs, ok := s.Quality()
	if !ok || theirs.LossRate != 0.25 || theirs.MOSLQ != 3.1 || theirs.MOSCQ != 0 || theirs.BurstDuration != 700*time.Millisecond {
		t.Errorf("the party said %+v, %v", theirs, ok)
	}
	if heard.LossRate != 0.1 || heard.MOSLQ == 0 || s.Stats().MOS != heard.MOSLQ {
		t.Errorf("heard %+v, in the statistics %v", heard, s.Stats().MOS)
	}
}

func TestDelayCountsForConversationOnly(t *testing.T) {
	q := patterned(1000, func(int) bool { return false })
	q.converse(600 * time.Millisecond)
	if q.MOSCQ >= q.MOSLQ-0.3 || q.MOSLQ < 4.4 || q.R > 75 {
		t.Errorf("%+v", q)
	}
}
