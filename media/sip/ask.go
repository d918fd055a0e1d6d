package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Header is one header field of a request. Neither may hold a line break.
type Header struct{ Name, Value string }

// Request is one outside of any dialog: OPTIONS, REGISTER.
type Request struct {
	Method  string
	URI     string        // of the request line
	Via     locate.Target // where to send it
	From    string        // URI; default this side's address
	To      string        // URI; default that of the request line
	CallID  string        // default a new one
	Seq     uint32        // default 1
	Contact string        // the user part of our address, to be found there; "" leaves Contact out
	Headers []Header
}

// Reply is the final response to a Request.
type Reply struct {
	Status  int
	Reason  string
	Took    time.Duration
	Contact string // the URI that the request gave as ours; "" if none
	res     *sip.Response
}

// Values are those of a header, of each of its fields and between its commas.
func (r *Reply) Values(name string) []string { return values(r.res, name) }

// Fields are a header's fields as they stand there; a challenge has commas of its own.
func (r *Reply) Fields(name string) []string {
	var out []string
	for _, h := range r.res.GetHeaders(name) {
		out = append(out, h.Value())
	}
	return out
}

// RetryAfter is how long the other side asks to be left alone; zero if it does not.
func (r *Reply) RetryAfter() time.Duration { return rejection(r.res).RetryAfter }

// ErrRequest means that a request cannot be put together from what is given.
var ErrRequest = errors.New("sip: not a request")

// Ask sends a request and waits for its final response, for as long as ctx lets it. That
// nobody listens at a UDP address is told as soon as the network says so (ErrNoReply). It ends
// with ErrEnded when Run does.
func (c *Client) Ask(ctx context.Context, r Request) (*Reply, error) {
	req, d, err := c.ep.compose(ctx, r)
	if err != nil {
		return nil, err
	}
	if !c.ep.enter() {
		return nil, ErrEnded
	}
	defer c.ep.wg.Done()
	defer c.ep.expect(d.peer.Addr())()
	if err := c.ep.reach(ctx, req); err != nil {
		return nil, unreachable(err)
	}
	start := time.Now()
	tx, err := c.ep.txl.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, undelivered(d, err)
	}
	defer tx.Terminate()
	if err := tx.Init(); err != nil {
		return nil, undelivered(d, err)
	}
	quiet := newSilence(c.ep.cfg.T1, time.Hour)
	defer quiet.end()
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				continue
			}
			reply := &Reply{Status: res.StatusCode, Reason: clip(res.Reason), Took: time.Since(start), res: res}
			if r.Contact != "" {
				reply.Contact = contactURI(d, r.Contact)
			}
			return reply, nil
		case <-tx.Done():
			return nil, undelivered(d, cmp.Or(tx.Err(), ErrEnded))
		case <-quiet.first.C:
			if d.transport == "UDP" {
				c.ep.wg.Go(func() { quiet.sound(d.peer) })
			}
		case err := <-quiet.fate:
			return nil, err
		case <-c.ep.stopping:
			return nil, ErrEnded
		case <-ctx.Done():
			return nil, fmt.Errorf("%w from %s over %s: %w", ErrNoReply, d.peer, d.transport, context.Cause(ctx))
		}
	}
}

// compose makes the message of a Request.
func (e *endpoint) compose(ctx context.Context, r Request) (*sip.Request, *dialog, error) {
	var uri, from, to sip.Uri
	for _, p := range []struct {
		text string
		uri  *sip.Uri
	}{{r.URI, &uri}, {cmp.Or(r.From, r.URI), &from}, {cmp.Or(r.To, r.URI), &to}} {
		if err := sip.ParseUri(p.text, p.uri); err != nil || p.uri.Host == "" {
			return nil, nil, fmt.Errorf("%w: %q is no address", ErrRequest, p.text)
		}
	}
	for _, h := range r.Headers {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
			return nil, nil, fmt.Errorf("%w: a line break in %s", ErrRequest, clip(h.Name))
		}
	}
	if !r.Via.Addr.IsValid() && r.Via.Transport != "" { // Client.Reach
		return nil, nil, unreachable(errNotConnected)
	}
	if !r.Via.Addr.IsValid() {
		return nil, nil, fmt.Errorf("%w: nowhere to send it", ErrRequest)
	}
	via, err := e.sentBy(ctx, r.Via)
	if err != nil {
		return nil, nil, err
	}
	if r.From == "" {
		from = sip.Uri{Scheme: "sip", User: "headroom", Host: via.Addr().String()}
	}
	d := &dialog{callID: cmp.Or(r.CallID, token(12)), transport: r.Via.Transport, peer: r.Via.Addr, server: r.Via.Host, via: via, target: uri,
		from: sip.FromHeader{Address: from}, to: sip.ToHeader{Address: to}}
	d.from.Params.Add("tag", token(6))
	req := d.request(sip.RequestMethod(r.Method), max(1, r.Seq))
	if r.Contact != "" {
		req.AppendHeader(sip.NewHeader("Contact", "<"+contactURI(d, r.Contact)+">"))
	}
	req.AppendHeader(sip.NewHeader("User-Agent", e.cfg.UserAgent))
	for _, h := range r.Headers {
		req.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
	e.route(d, req)
	req.SetDestination(d.peer.String())
	return req, d, nil
}

// contactURI is where the other side reaches this one as a user.
func contactURI(d *dialog, user string) string {
	uri := "sip:" + user + "@" + d.via.String()
	if d.transport != "UDP" {
		uri += ";transport=" + sip.NetworkToLower(d.transport)
	}
	return uri
}

// Connected says that a connection to a target stands; over UDP there is always one.
func (c *Client) Connected(to locate.Target) bool {
	return to.Transport == "UDP" || c.ep.connected(to.Transport, to.Addr)
}

// Speaks lists the transports that requests can be sent over, the plainest first.
func (c *Client) Speaks() []string {
	var out []string
	for _, t := range []string{"UDP", "TCP"} {
		if c.ep.listens(t) {
			out = append(out, t)
		}
	}
	return append(out, "TLS")
}

// enter counts in something that the endpoint's end waits for; false if it is ending. It is
// followed by wg.Done.
func (e *endpoint) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	e.wg.Add(1)
	return true
}

// expect lets through what an address has to say while something is asked of it.
func (e *endpoint) expect(a netip.Addr) (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.peers[a]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.released(a)
	}
}

// released takes back one reason to let an address through; e.mu is held.
func (e *endpoint) released(a netip.Addr) {
	if e.peers[a]--; e.peers[a] <= 0 {
		delete(e.peers, a)
	}
}
