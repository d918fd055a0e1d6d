package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
)

// Where a carrier's audio is, below the ports that the kernel gives to others.
const (
	carrierLow  = 12000
	carrierHigh = 19999
)

// Carrier is the other side of a trunk: it takes the service's calls, over UDP, and does with
// them what the test says. It writes its own messages, so that it can do what a callee may.
type Carrier struct {
	t     testing.TB
	conn  *net.UDPConn
	ports *rtp.Ports
	pacer *prompt.Pacer
	calls chan *Callee

	mu   sync.Mutex
	open map[string]*Callee // by Call-ID
}

// NewCarrier opens a carrier that ends with the test.
func NewCarrier(t testing.TB) *Carrier {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := rtp.NewPorts(netip.AddrFrom4([4]byte{127, 0, 0, 1}), carrierLow, carrierHigh, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &Carrier{t: t, conn: conn, ports: ports, pacer: prompt.NewPacer(), calls: make(chan *Callee, 16), open: map[string]*Callee{}}
	ctx, stop := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { _ = c.pacer.Run(ctx) })
	runs.Go(c.read)
	t.Cleanup(func() {
		_ = conn.Close()
		c.mu.Lock()
		for _, callee := range c.open {
			callee.stop()
		}
		c.mu.Unlock()
		stop()
		runs.Wait()
	})
	return c
}

// Outbound is the trunk's side of it, for every number.
func (c *Carrier) Outbound() model.TrunkOutbound {
	return model.TrunkOutbound{Targets: []model.TrunkTarget{{URI: "sip:" + c.conn.LocalAddr().String()}}, Prefixes: []string{""}}
}

// Next is the next call that comes in.
func (c *Carrier) Next() *Callee {
	c.t.Helper()
	select {
	case callee := <-c.calls:
		return callee
	case <-time.After(Patience):
		c.t.Fatalf("nobody called within %s", Patience)
		return nil
	}
}

func (c *Carrier) read() {
	buf := make([]byte, 65536)
	for {
		n, from, err := c.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			c.take(string(buf[:n]), from)
		}
	}
}

// take handles one message.
func (c *Carrier) take(msg string, from netip.AddrPort) {
	method, _, _ := strings.Cut(msg, " ")
	c.mu.Lock()
	callee := c.open[field(msg, "Call-ID")]
	c.mu.Unlock()
	switch {
	case method == "OPTIONS":
		c.answer(msg, from, "200 OK", "")
	case method == "INVITE" && callee == nil:
		callee = &Callee{c: c, invite: msg, from: from, codec: media.PCMU, answers: make(chan string, 8), Acked: make(chan struct{}), Cancelled: make(chan struct{}), Done: make(chan struct{})}
		c.mu.Lock()
		c.open[field(msg, "Call-ID")] = callee
		c.mu.Unlock()
		c.answer(msg, from, "100 Trying", "")
		c.calls <- callee
	case callee == nil:
	case method == "ACK":
		callee.acked.Do(func() { close(callee.Acked) })
	case method == "CANCEL":
		c.answer(msg, from, "200 OK", "callee")
		c.answer(callee.invite, from, "487 Request Terminated", "callee")
		callee.cancelled.Do(func() { close(callee.Cancelled) })
		callee.stop()
	case method == "BYE":
		c.answer(msg, from, "200 OK", "")
		callee.stop()
	case method == "SIP/2.0":
		if status, _, _ := strings.Cut(strings.TrimPrefix(msg, "SIP/2.0 "), " "); status != "100" {
			select {
			case callee.answers <- status:
			default: // nobody asked
			}
		}
	}
}

// answer sends a response to a request; lines follow its own headers, an SDP after a blank one.
func (c *Carrier) answer(req string, to netip.AddrPort, status, tag string, lines ...string) {
	out := []string{"SIP/2.0 " + status}
	for line := range strings.SplitSeq(req, "\r\n") {
		if k, _, _ := strings.Cut(line, ":"); strings.EqualFold(k, "Via") || strings.EqualFold(k, "Record-Route") {
			out = append(out, line)
		}
	}
	for _, h := range []string{"From", "To", "Call-ID", "CSeq"} {
		v := field(req, h)
		if h == "To" && tag != "" && !strings.Contains(v, ";tag=") {
			v += ";tag=" + tag
		}
		out = append(out, h+": "+v)
	}
	body := ""
	if n := len(lines); n > 0 && strings.HasPrefix(lines[n-1], "v=0") {
		body, lines = lines[n-1], append(lines[:n-1:n-1], "Content-Type: application/sdp")
	}
	out = append(append(out, lines...), fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	_, _ = c.conn.WriteToUDPAddrPort([]byte(strings.Join(out, "\r\n")), to) // the service may have gone
}

func field(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Callee is one call that came in at a Carrier.
type Callee struct {
	Acked     chan struct{} // closed when its final response was acknowledged
	Cancelled chan struct{} // closed when it was cancelled
	Done      chan struct{} // closed when it is over

	c      *Carrier
	invite string
	from   netip.AddrPort
	codec  media.Codec
	seq    int

	answers chan string // to what it asked

	acked, cancelled, ended sync.Once
	mu                      sync.Mutex
	session                 *rtp.Session
	quiet                   func() // ends what is played
	running                 func() // ends the session
	heard                   []float32
	decoder                 codec.Decoder
}

// Header is what the INVITE has.
func (e *Callee) Header(name string) string { return field(e.invite, name) }

// To is the number that was called.
func (e *Callee) To() string {
	_, rest, _ := strings.Cut(e.invite, "sip:")
	number, _, _ := strings.Cut(rest, "@")
	return number
}

// Takes says what codec the callee takes; PCMU if nothing is said.
func (e *Callee) Takes(c media.Codec) { e.codec = c }

// Rings says so.
func (e *Callee) Rings() { e.c.answer(e.invite, e.from, "180 Ringing", "callee", e.contact()) }

// Announces lets something be heard before the answer.
func (e *Callee) Announces(src prompt.Source) {
	e.c.answer(e.invite, e.from, "183 Session Progress", "callee", e.contact(), e.describe())
	e.play(src)
}

// Answers takes the call and says something in it.
func (e *Callee) Answers(src prompt.Source) {
	e.c.answer(e.invite, e.from, "200 OK", "callee", e.contact(), e.describe())
	e.play(src)
}

// Refuses it, with a status and its words.
func (e *Callee) Refuses(status string) {
	e.c.answer(e.invite, e.from, status, "callee")
	e.stop()
}

// HangsUp ends a call that was answered.
func (e *Callee) HangsUp() {
	e.request("BYE")
	e.stop()
}

// Asks sends a request within the call and gives the status of its answer.
func (e *Callee) Asks(method string, lines ...string) string {
	e.c.t.Helper()
	e.request(method, lines...)
	select {
	case status := <-e.answers:
		return status
	case <-time.After(Patience):
		e.c.t.Fatalf("%s was not answered within %s", method, Patience)
		return ""
	}
}

func (e *Callee) request(method string, lines ...string) {
	uri := regexp.MustCompile(`<(sip:[^>]+)>`).FindStringSubmatch(e.Header("Contact"))
	if uri == nil {
		e.c.t.Errorf("no contact in\n%s", e.invite)
		return
	}
	e.seq++
	msg := append([]string{method + " " + uri[1] + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%s%d%s", e.c.conn.LocalAddr(), method, e.seq, e.Header("Call-ID")), "Max-Forwards: 70",
		"From: " + e.Header("To") + ";tag=callee", "To: " + e.Header("From"), "Call-ID: " + e.Header("Call-ID"), fmt.Sprintf("CSeq: %d %s", e.seq, method), e.contact()}, lines...)
	_, _ = e.c.conn.WriteToUDPAddrPort([]byte(strings.Join(append(msg, "Content-Length: 0", "", ""), "\r\n")), e.from)
}

func (e *Callee) contact() string {
	return "Contact: <sip:callee@" + e.c.conn.LocalAddr().String() + ">"
}

// describe opens the audio, once, and gives its description.
func (e *Callee) describe() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session == nil {
		at := regexp.MustCompile(`(?s)c=IN IP4 (\S+).*m=audio (\d+) `).FindStringSubmatch(e.invite)
		if at == nil {
			e.c.t.Errorf("no audio in\n%s", e.invite)
			return ""
		}
		s, err := rtp.Open(e.c.ports)
		if err == nil {
			err = s.Configure(rtp.Params{Remote: netip.MustParseAddrPort(at[1] + ":" + at[2]), Codecs: []media.Codec{e.codec}})
		}
		if err != nil {
			e.c.t.Errorf("audio of the callee: %v", err)
			return ""
		}
		s.SetSink(e)
		ctx, stop := context.WithCancel(context.Background())
		ran := make(chan struct{})
		go func() { defer close(ran); _ = s.Run(ctx) }()
		e.session, e.running = s, func() { stop(); <-ran }
	}
	return strings.Join([]string{"v=0", "o=callee 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %d", e.session.LocalPort(), map[media.Codec]int{media.PCMU: 0, media.PCMA: 8}[e.codec]), ""}, "\r\n")
}

func (e *Callee) play(src prompt.Source) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.quiet != nil {
		e.quiet()
		e.quiet = nil
	}
	if e.session != nil && src != nil {
		e.quiet = e.c.pacer.Play(e.session, src)
	}
}

// Packet is part of media.Sink.
func (e *Callee) Packet(p *media.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.decoder == nil {
		d, err := codec.NewDecoder(p.Codec, CallerRate)
		if err != nil {
			return
		}
		e.decoder = d
	}
	var pcm [CallerRate / 10]float32
	if n, err := e.decoder.Decode(p.Payload, pcm[:]); err == nil {
		e.heard = append(e.heard, pcm[:n]...)
	}
}

// Last is the newest d of what the callee heard; less when there is less.
func (e *Callee) Last(d time.Duration) []float32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]float32(nil), e.heard[max(0, len(e.heard)-int(d.Seconds()*CallerRate)):]...)
}

// Packets is how many came, of either codec.
func (e *Callee) Packets() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session == nil {
		return 0
	}
	return e.session.Stats().PacketsIn
}

func (e *Callee) stop() {
	e.ended.Do(func() {
		e.play(nil)
		e.mu.Lock()
		running := e.running
		e.mu.Unlock()
		if running != nil {
			running()
		}
		close(e.Done)
	})
}

// Anybody may call anywhere: rules for tests.
type Anybody struct{}

// Permit is part of call.Dialling.
func (Anybody) Permit(_ context.Context, r model.DialRequest) (model.DialPermit, error) {
	if r.Number == "0900" {
		return model.DialPermit{}, &model.DialRefusal{Code: "class_closed", Text: "Premium numbers are closed."}
	}
	return model.DialPermit{Number: r.Number, Class: "any", Emergency: r.Number == "112"}, nil
}

// Unused is part of call.Dialling.
func (Anybody) Unused(context.Context, model.CallID, model.DialPermit) error { return nil }
