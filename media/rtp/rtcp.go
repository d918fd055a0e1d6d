package rtp

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/pion/rtcp"
)

// rtcpInterval is the mean time between reports (RFC 3550 section 6.2); each is drawn
// from half to one and a half of it (section 6.3.1).
const rtcpInterval = 5 * time.Second

// runRTCP sends our reports until life ends.
func (s *Session) runRTCP(life <-chan struct{}) {
	// What identifies us says nothing of us (RFC 7022 section 4.2).
	name := strconv.FormatUint(rand.Uint64(), 36)
	timer := time.NewTimer(s.rtcpEvery / 2)
	defer timer.Stop()
	for {
		select {
		case <-life:
			return
		case now := <-timer.C:
			s.report(name, now)
			timer.Reset(s.rtcpEvery/2 + rand.N(s.rtcpEvery))
		}
	}
}

// isMuxedRTCP tells RTCP from RTP on one port (RFC 5761 section 4).
func isMuxedRTCP(data []byte) bool {
	return len(data) >= 8 && data[0]>>6 == 2 && data[1] >= 192 && data[1] <= 223
}

// incomingRTCP handles one datagram of RTCP. Only the party's host is heard.
func (s *Session) incomingRTCP(data []byte, from netip.AddrPort, now time.Time) {
	s.sendMu.Lock()
	known := s.dest.IsValid() && s.dest.Addr() == from.Addr()
	s.sendMu.Unlock()
	if !known {
		s.stranger.Add(1)
		return
	}
	if c := s.agreed.Load().crypt; c != nil {
		var v verdict
		if data, v = c.decryptReport(data, now); v != authentic {
			s.count(v)
			return
		}
	}
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		return
	}
	heard := false
	for _, packet := range packets {
		var reports []rtcp.ReceptionReport
		switch p := packet.(type) {
		case *rtcp.SenderReport:
			s.receiver.SawSenderReport(p, now)
			reports, heard = p.Reports, true
		case *rtcp.ReceiverReport:
			reports, heard = p.Reports, true
		case *rtcp.ExtendedReport:
			s.sawMetrics(p)
		}
		for i := range reports {
			s.sender.SawReceptionReport(&reports[i], now)
		}
	}
	if heard {
		s.reported.Store(now.UnixNano())
		s.sendMu.Lock()
		s.destRTCP = from // symmetric, as RTP
		s.sendMu.Unlock()
	}
}

// report sends a compound packet: SR or RR, then SDES with the CNAME (RFC 3550 section 6.1),
// then the VoIP metrics of what was heard (RFC 3611).
func (s *Session) report(name string, now time.Time) {
	s.sendMu.Lock()
	a, dest, conn := s.agreed.Load(), s.destRTCP, s.rtcpConn
	if a.params.Mux {
		dest, conn = s.dest, s.rtpConn
	}
	s.sendMu.Unlock()
	if a.crypt != nil && a.crypt.seal == nil { // no keys yet
		return
	}
	if !dest.IsValid() || dest.Addr().IsUnspecified() || dest.Port() == 0 {
		return
	}
	var reports []rtcp.ReceptionReport
	if r, ok := s.receiver.ReceptionReport(now); ok {
		reports = append(reports, r)
	}
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: s.sender.SSRC(), Reports: reports}
	if sr, ok := s.sender.Report(now); ok {
		sr.Reports = reports
		first = &sr
	}
	packets := []rtcp.Packet{first, &rtcp.SourceDescription{
		Chunks: []rtcp.SourceDescriptionChunk{{
			Source: s.sender.SSRC(),
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: name}},
		}},
	}}
	if xr, ok := s.metrics(); ok {
		packets = append(packets, xr)
	}
	data, err := rtcp.Marshal(packets)
	if err != nil {
		return
	}
	if a.crypt != nil {
		var ok bool
		if data, ok = a.crypt.seal.report(data); !ok {
			return
		}
	}
	_ = conn.WriteTo(data, dest)
}
