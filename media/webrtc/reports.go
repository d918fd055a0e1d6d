package webrtc

import (
	"math/rand/v2"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// reportInterval between RTCP reports (RFC 3550 section 6.2: 5 s is the recommended minimum).
const reportInterval = 5 * time.Second

// firstReport comes early and spreads the connections over time (RFC 3550 section 6.3.1).
func firstReport() time.Duration {
	return reportInterval/5 + rand.N(reportInterval/2)
}

// report sends one compound packet and sets the clock for the next. It runs on a
// timer's goroutine; there is none that waits.
func (p *Peer) report() {
	packets := p.makeReport(time.Now())
	switch l := p.cfg.link; {
	case packets == nil:
	case l != nil:
		l.writeReport(packets)
	default:
		_ = p.pc.WriteRTCP(packets) // an error means the connection is going; Done tells
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		wait := reportInterval/2 + rand.N(reportInterval)
		if lossy(packets) {
			wait = hasty
		}
		p.nextReport.Reset(wait)
	}
}

// makeReport gives an SR if we have sent since the last one, else an RR once we have heard, else nothing.
func (p *Peer) makeReport(now time.Time) []rtcp.Packet {
	var blocks []rtcp.ReceptionReport
	if block, ok := p.in.receiver.ReceptionReport(now); ok {
		blocks = []rtcp.ReceptionReport{block}
	}
	sender := p.out.numbering()
	if sender == nil {
		return nil
	}
	if report, ok := sender.Report(now); ok {
		report.Reports = blocks
		return []rtcp.Packet{&report}
	}
	if blocks == nil {
		return nil
	}
	return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: sender.SSRC(), Reports: blocks}}
}

// readReports takes RTCP from one of Pion's two readers until it ends.
func (p *Peer) readReports(read func([]byte) (int, interceptor.Attributes, error)) {
	buf := make([]byte, maxPacket)
	for {
		n, _, err := read(buf)
		if err != nil {
			return
		}
		p.tookReport(buf[:n], time.Now())
	}
}

// tookReport reads a compound packet that was decrypted.
func (p *Peer) tookReport(data []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		return
	}
	for _, packet := range packets {
		switch r := packet.(type) {
		case *rtcp.SenderReport:
			p.in.receiver.SawSenderReport(r, now)
			p.sawReceptions(r.Reports, now)
		case *rtcp.ReceiverReport:
			p.sawReceptions(r.Reports, now)
		}
	}
}

func (p *Peer) sawReceptions(reports []rtcp.ReceptionReport, now time.Time) {
	sender := p.out.numbering()
	if sender == nil {
		return
	}
	for i := range reports {
		sender.SawReceptionReport(&reports[i], now)
		if reports[i].SSRC == sender.SSRC() {
			p.strain.saw(&reports[i], sender.RoundTrip(), now)
		}
	}
}
