package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/locate"
)

// sayable says that nothing in a call to be placed would break out of its header.
func (to *Outgoing) sayable() error {
	for _, h := range append([]Header{{"From", to.From + to.FromName + to.Domain}, {"To", to.Target}}, to.Headers...) {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
			return fmt.Errorf("%w: a line break in %s", ErrRequest, clip(h.Name))
		}
	}
	if strings.ContainsAny(to.From+to.Domain, "<>@\" ") {
		return fmt.Errorf("%w: %q at %q is no address of a caller", ErrRequest, clip(to.From), clip(to.Domain))
	}
	return nil
}

// launch starts a call that is placed, within its trunk's limits.
func (e *endpoint) launch(c *Call) error {
	var limits Limits
	if e.limits != nil && !c.out.urgent {
		limits = e.limits(c.trunk)
	}
	if l, ok := e.admitCall(c, limits); !ok {
		row := limitTable[l]
		return &LimitError{Trunk: c.trunk, Words: row.words, RetryAfter: refusals[rowOf(row.why)].after}
	}
	e.mu.Lock()
	e.peers[c.dlg.peer.Addr()]++
	c.expecting = true
	e.mu.Unlock()
	if !e.begin(c) {
		e.forget(c)
		return ErrEnded
	}
	return nil
}

// hop is where to send a request to a target that the operator named: as located, or else to
// the first address of its host.
func (e *endpoint) hop(ctx context.Context, uri *sip.Uri, located locate.Target) (locate.Target, error) {
	if located.Addr.IsValid() {
		return located, nil
	}
	if located.Transport != "" { // Client.Reach
		return located, unreachable(errNotConnected)
	}
	transport := strings.ToUpper(uri.UriParams.GetOr("transport", "udp"))
	if uri.Scheme == "sips" {
		transport = "TLS"
	}
	peer, err := resolve(ctx, uri, transport)
	return locate.Target{Transport: transport, Addr: peer, Host: strings.Trim(uri.Host, "[]")}, err
}

// sentBy is this side's address towards a hop. For TLS the connection is made here, before
// there is a goroutine that must not wait for it.
func (e *endpoint) sentBy(ctx context.Context, hop locate.Target) (netip.AddrPort, error) {
	switch {
	case hop.Transport == "TLS":
		if err := e.streams.connect(ctx, hop.Addr, hop.Host); err != nil {
			return netip.AddrPort{}, unreachable(err)
		}
	case !e.listens(hop.Transport):
		return netip.AddrPort{}, unreachable(fmt.Errorf("not listening on %s", hop.Transport))
	}
	return e.facing(hop.Transport, hop.Addr), nil
}
