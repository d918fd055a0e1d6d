package sip

import (
	"net/netip"
	"strconv"

	"github.com/emiago/sipgo/sip"
)

// dialog is the state of RFC 3261 section 12: enough to build the next request.
type dialog struct {
	callID    string
	from      sip.FromHeader // this side, with its tag
	to        sip.ToHeader   // the other, with its tag once known
	localSeq  uint32
	remoteSeq uint32
	target    sip.Uri   // the other side's Contact
	routes    []sip.Uri // nearest hop first
	transport string    // "UDP", "TCP" or "TLS"
	server    string    // what the peer's certificate must be for, over TLS, if we found it by name
	peer      netip.AddrPort
	via       netip.AddrPort // this side's address for Via and Contact
}

// uasDialog is the callee's side of an INVITE (section 12.1.1).
func uasDialog(req *sip.Request, via netip.AddrPort) dialog {
	d := dialog{
		callID: text(req.CallID()), from: req.To().AsFrom(), to: req.From().AsTo(),
		remoteSeq: req.CSeq().SeqNo,
		transport: sip.NetworkToUpper(req.Transport()), peer: source(req), via: via,
		routes: recordRoute(req), target: req.From().Address,
	}
	d.retarget(req)
	return d
}

// accepted completes the caller's side from a 2xx (section 12.1.2).
func (d *dialog) accepted(res *sip.Response) {
	to := res.To().AsFrom()
	d.to = to.AsTo()
	d.routes = recordRoute(res)
	for i, j := 0, len(d.routes)-1; i < j; i, j = i+1, j-1 {
		d.routes[i], d.routes[j] = d.routes[j], d.routes[i]
	}
	d.retarget(res)
}

// retarget takes the remote target from a message's Contact, if it has one.
func (d *dialog) retarget(m sip.Message) {
	var contact []string
	if contact = values(m, "Contact"); len(contact) == 0 {
		return
	}
	var uri sip.Uri
	if _, err := sip.ParseAddressValue(contact[0], &uri, nil); err == nil && !uri.Wildcard {
		uri.Headers = nil
		d.target = uri
	}
}

// recordRoute reads the route set in the order of the message.
func recordRoute(m sip.Message) []sip.Uri {
	var routes []sip.Uri
	for _, v := range values(m, "Record-Route") {
		var uri sip.Uri
		if _, err := sip.ParseAddressValue(v, &uri, nil); err == nil && len(routes) < 32 {
			routes = append(routes, uri)
		}
	}
	return routes
}

func (d *dialog) id() dialogID {
	return dialogID{d.callID, tagOf(&d.from), tagOf(&d.to)}
}

// request builds a request within the dialog (section 12.2.1.1). ACK and CANCEL take the
// sequence number of their INVITE; for any other method pass next().
func (d *dialog) request(method sip.RequestMethod, seq uint32) *sip.Request {
	recipient, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router of RFC 2543
		recipient = routes[0]
		routes = append(append([]sip.Uri{}, routes[1:]...), d.target)
	}
	req := sip.NewRequest(method, recipient)
	req.AppendHeader(d.newVia())
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	from, to := d.from, d.to
	req.AppendHeader(&from)
	req.AppendHeader(&to)
	callID := sip.CallIDHeader(d.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	req.SetBody(nil)
	req.SetTransport(d.transport)
	return req
}

// next counts up the sequence number of this side's requests.
func (d *dialog) next() uint32 {
	d.localSeq++
	return d.localSeq
}

func (d *dialog) newVia() *sip.ViaHeader {
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: d.transport,
		Host: d.via.Addr().String(), Port: int(d.via.Port()),
	}
	via.Params.Add("branch", sip.RFC3261BranchMagicCookie+token(10))
	via.Params.Add("rport", "")
	return via
}

// contact is where the other side reaches this one.
func (d *dialog) contact() sip.Header {
	host := d.via.String()
	if d.transport != "UDP" {
		host += ";transport=" + sip.NetworkToLower(d.transport)
	}
	return sip.NewHeader("Contact", "<sip:headroom@"+host+">")
}

// route sets where a request of this dialog goes: over the connection that the INVITE came
// by while it stands; else to the first route or the Contact, if that is a plain address
// this side may send to; else back to where the INVITE came from, which is what gets
// through a NAT. No name is looked up on the other side's word.
func (e *endpoint) route(d *dialog, req *sip.Request) {
	dest := d.peer
	if d.transport == "UDP" {
		// Pinned to the listening socket: sipgo would open another.
		local := addrPort(e.udp.LocalAddr())
		req.Laddr = sip.Addr{IP: e.udpIP(), Port: int(local.Port())}
	}
	if d.transport == "TLS" {
		req.Laddr = sip.Addr{Hostname: d.server} // see endpoint.reach
	}
	if d.transport == "UDP" || !e.connected(d.transport, d.peer) && d.server == "" {
		hop := d.target
		if len(d.routes) > 0 {
			hop = d.routes[0]
		}
		if ap, ok := literal(&hop); ok && e.mayReach(ap.Addr()) {
			dest = ap
		}
	}
	req.SetDestination(dest.String())
}

// udpIP is the listening socket's address just as sipgo spells it in its table.
func (e *endpoint) udpIP() []byte {
	ap, _ := netip.ParseAddrPort(e.udp.LocalAddr().String())
	return ap.Addr().AsSlice()
}

// connected says that the TCP or TLS connection from or to peer still stands.
func (e *endpoint) connected(transport string, peer netip.AddrPort) bool {
	c := e.tp.Pool(transport).Get(peer.String())
	if c == nil {
		return false
	}
	_, _ = c.TryClose()
	return true
}

// literal is the address of a URI that names one by number.
func literal(uri *sip.Uri) (netip.AddrPort, bool) {
	host := uri.Host
	if n := len(host); n > 2 && host[0] == '[' {
		host = host[1 : n-1]
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.AddrPort{}, false
	}
	port := uri.Port
	if port == 0 {
		port = 5060
	}
	if _, err := strconv.ParseUint(strconv.Itoa(port), 10, 16); err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}
