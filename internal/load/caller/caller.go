//go:build linux

package caller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/headroom-voice/headroom/internal/load/stream"
)

// The timers of RFC 3261 section 17.1.1.1, and what is ours.
const (
	t1         = 500 * time.Millisecond
	t2         = 4 * time.Second
	byeTime    = 8 * time.Second
	maxMessage = 64 << 10
)

// ErrNobody means that nothing listens at the target.
var ErrNobody = errors.New("nobody listens there")

// ErrRefused is a call that was answered with a status of 300 or more.
var ErrRefused = errors.New("refused")

// Client places calls to one target. Open makes one, Run works it.
type Client struct {
	conn   *net.UDPConn
	local  netip.AddrPort
	target string // sip:number@host:port

	mu    sync.Mutex
	calls map[string]*Call // by Call-ID
}

// Open makes the socket that reaches target ("sip:number@host:port").
func Open(ctx context.Context, target string) (*Client, error) {
	rest, ok := strings.CutPrefix(target, "sip:")
	_, host, found := strings.Cut(rest, "@")
	if !ok || !found {
		return nil, fmt.Errorf("target %q: want sip:NUMBER@HOST:PORT", target)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "5060")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "udp4", host)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	conn := c.(*net.UDPConn)
	_ = conn.SetReadBuffer(4 << 20) // as much as there is
	return &Client{conn: conn, local: conn.LocalAddr().(*net.UDPAddr).AddrPort(), target: target, calls: make(map[string]*Call)}, nil
}

// Local is the address that reaches the target.
func (c *Client) Local() netip.Addr { return c.local.Addr() }

// Run reads until ctx ends; every call should be over by then.
func (c *Client) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	buf := make([]byte, maxMessage)
	for {
		n, err := c.conn.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("calls: %w", err)
		case errors.Is(err, syscall.ECONNREFUSED):
			c.nobody()
			continue
		case err != nil: // the calls' deadlines tell
			continue
		}
		m, ok := parse(string(buf[:n]))
		if !ok {
			continue
		}
		c.mu.Lock()
		call := c.calls[m.header("Call-ID")]
		c.mu.Unlock()
		if call == nil {
			c.unknown(m)
			continue
		}
		call.take(m)
	}
}

// nobody tells every call that waits for an answer that nobody is there to give it.
func (c *Client) nobody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.calls {
		select {
		case call.alone <- struct{}{}:
		default:
		}
	}
}

// unknown is a message of no call, or of one that was given up: the refusal of a cancelled INVITE
// gets its ACK (RFC 3261 section 17.1.1.3).
func (c *Client) unknown(m message) {
	number, method, _ := strings.Cut(m.cseq(), " ")
	switch {
	case m.status == 0 && m.method != "ACK":
		c.write(m.answer("481 Call/Transaction Does Not Exist", "", ""))
	case m.status >= 300 && method == "INVITE":
		c.write(fmt.Sprintf("ACK %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s ACK\r\nContent-Length: 0\r\n\r\n",
			c.target, m.header("Via"), m.header("From"), m.header("To"), m.header("Call-ID"), number))
	}
}

func (c *Client) write(text string) { _, _ = c.conn.Write([]byte(text)) } // lost ones are repeated

// Call is one call.
type Call struct {
	client  *Client
	id, tag string
	from    string // the caller's number
	end     *stream.End
	replies chan message
	alone   chan struct{} // what was sent met a closed port
	done    chan struct{} // the other side hung up
	once    sync.Once
	local   string // our description

	mu     sync.Mutex // the dialog's state
	to     string
	remote string // target of requests within the dialog
	cseq   int
	seq    int    // of the INVITE
	ack    string // to be said again
}

// Dial calls the target's number with the end's audio and returns when it was answered; the
// end is connected to where the answer says. from is the caller's number. When ctx ends before
// the answer the call is given up.
func (c *Client) Dial(ctx context.Context, from string, end *stream.End) (*Call, error) {
	call := &Call{client: c, id: rand.Text(), tag: rand.Text()[:8], from: from, end: end,
		replies: make(chan message, 32), alone: make(chan struct{}, 1), done: make(chan struct{}), to: "<" + c.target + ">", remote: c.target, local: describe(end.Local())}
	c.mu.Lock()
	c.calls[call.id] = call
	c.mu.Unlock()
	answer, err := call.invite(ctx)
	if err == nil {
		if err = call.connect(answer); err != nil {
			_ = call.Hangup(context.WithoutCancel(ctx))
		}
	}
	if err != nil {
		call.forget()
		return nil, err
	}
	return call, nil
}

func describe(at netip.AddrPort) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n", at.Addr(), at.Port())
}

// request writes one. The ACK and CANCEL of an INVITE have its number.
func (c *Call) request(method, branch string, cseq int, body string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := c.client.local
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n", method, c.remote, local, branch)
	fmt.Fprintf(&b, "From: <sip:%s@%s>;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", c.from, local.Addr(), c.tag, c.to, c.id, cseq, method)
	fmt.Fprintf(&b, "Contact: <sip:%s@%s>\r\nUser-Agent: headroom-load\r\n", c.from, local)
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

func branch() string { return "z9hG4bK" + rand.Text()[:16] }

// invite is the INVITE client transaction (RFC 3261 section 17.1.1), and gives the answer.
func (c *Call) invite(ctx context.Context) (message, error) {
	c.cseq++
	c.seq = c.cseq
	name := branch()
	text := c.request("INVITE", name, c.seq, c.local)
	c.client.write(text)
	again, heard := t1, false
	for total := time.Duration(0); ; {
		select {
		case m := <-c.replies:
			if m.cseq() != strconv.Itoa(c.seq)+" INVITE" {
				continue
			}
			heard = true
			switch {
			case m.status < 200:
			case m.status < 300:
				c.established(m)
				return m, nil
			default:
				c.mu.Lock()
				c.to = m.header("To")
				c.mu.Unlock()
				c.client.write(c.request("ACK", name, c.seq, ""))
				return m, fmt.Errorf("%w: %d %s", ErrRefused, m.status, m.reason)
			}
		case <-time.After(again):
			if heard {
				continue
			}
			if total += again; total > 64*t1 {
				return message{}, fmt.Errorf("no reply from %s within %v", c.client.target, 64*t1)
			}
			again *= 2
			c.client.write(text)
		case <-c.alone:
			return message{}, fmt.Errorf("call to %s: %w", c.client.target, ErrNobody)
		case <-ctx.Done():
			c.giveUp(ctx, name)
			return message{}, context.Cause(ctx)
		}
	}
}

// giveUp cancels the INVITE and sees to what comes of it: an answer that the CANCEL crossed is a
// call all the same, until it is hung up (RFC 3261 section 9.1).
func (c *Call) giveUp(ctx context.Context, name string) {
	c.client.write(c.request("CANCEL", name, c.seq, ""))
	late := time.NewTimer(byeTime)
	defer late.Stop()
	for {
		select {
		case m := <-c.replies:
			switch {
			case m.status < 200 || m.cseq() != strconv.Itoa(c.seq)+" INVITE":
				continue
			case m.status < 300:
				c.established(m)
				_ = c.Hangup(context.WithoutCancel(ctx)) // nobody is left to be told
			default:
				c.mu.Lock()
				c.to = m.header("To")
				c.mu.Unlock()
				c.client.write(c.request("ACK", name, c.seq, ""))
			}
			return
		case <-c.alone:
			return
		case <-late.C:
			return
		}
	}
}

// established takes the dialog's facts from the answer and acknowledges it.
func (c *Call) established(m message) {
	c.mu.Lock()
	c.to = m.header("To")
	if contact := m.header("Contact"); contact != "" {
		c.remote = uri(contact)
	}
	c.mu.Unlock()
	text := c.request("ACK", branch(), c.seq, "")
	c.mu.Lock()
	c.ack = text
	c.mu.Unlock()
	c.client.write(text)
}

// connect sends the audio where the answer says.
func (c *Call) connect(m message) error {
	var host, port string
	for line := range strings.Lines(m.body) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == "c=IN" {
			host = f[2]
		}
		if len(f) >= 2 && f[0] == "m=audio" {
			port = f[1]
		}
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("answer of %s: no audio in it: %w", c.client.target, err)
	}
	return c.end.Connect(at)
}

// take handles a message of this call, on the client's goroutine.
func (c *Call) take(m message) {
	if m.status != 0 {
		c.mu.Lock()
		ack := c.ack
		c.mu.Unlock()
		if ack != "" && m.status/100 == 2 && strings.HasSuffix(m.cseq(), " INVITE") {
			c.client.write(ack) // our ACK was lost
			return
		}
		select {
		case c.replies <- m:
		default:
		}
		return
	}
	switch m.method {
	case "BYE":
		c.client.write(m.answer("200 OK", "", ""))
		c.once.Do(func() { close(c.done) })
	case "INVITE", "UPDATE": // a refresh of the session, or another description of the same
		c.client.write(m.answer("200 OK", "<sip:"+c.from+"@"+c.client.local.String()+">", c.local))
	case "ACK":
	case "OPTIONS", "INFO":
		c.client.write(m.answer("200 OK", "", ""))
	default:
		c.client.write(m.answer("405 Method Not Allowed", "", ""))
	}
}

// Done is closed when the other side has hung up.
func (c *Call) Done() <-chan struct{} { return c.done }

// Hangup says BYE, unless the other side did, and returns when it is answered, or has not been for a while.
func (c *Call) Hangup(ctx context.Context) error {
	defer c.forget()
	select {
	case <-c.done:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeoutCause(ctx, byeTime, errors.New("no answer to BYE"))
	defer cancel()
	c.cseq++
	cseq := c.cseq
	select {
	case <-c.alone: // of before
	default:
	}
	text := c.request("BYE", branch(), cseq, "")
	for again := t1; ; again = min(2*again, t2) {
		c.client.write(text)
	wait:
		for {
			select {
			case m := <-c.replies:
				if m.cseq() == strconv.Itoa(cseq)+" BYE" && m.status >= 200 {
					return nil
				}
			case <-c.done: // both at once
				return nil
			case <-c.alone:
				return ErrNobody
			case <-time.After(again):
				break wait
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

func (c *Call) forget() {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	delete(c.client.calls, c.id)
}
