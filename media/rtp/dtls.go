package rtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/packetio"
)

// Why no keys were agreed on: Run returns one of them.
var (
	ErrHandshake   = errors.New("rtp: DTLS handshake")
	ErrFingerprint = errors.New("rtp: the certificate is not the one in the session description")
)

const (
	handshakeTime = 20 * time.Second // for all of it; the description may take a while to arrive
	attemptTime   = 5 * time.Second  // for one address that is not the announced one
	maxRefused    = 8                // addresses whose handshake failed, that are remembered
	dtlsQueue     = 32               // datagrams that wait for the handshake; more are dropped
)

// DTLS agrees on SRTP keys with the party itself, over the RTP port (RFC 5763, RFC 5764).
type DTLS struct {
	Certificate  tls.Certificate
	Active       bool          // this side begins (a=setup:active)
	Fingerprints []Fingerprint // of the party's certificate; it must have one of them
	ID           string        // a=tls-id, if said: another one is another association (RFC 8842)
}

// same says that an association made for d serves for other, too (RFC 5763 section 5).
func (d *DTLS) same(other *DTLS) bool {
	return d.Active == other.Active && d.ID == other.ID && slices.Equal(d.Fingerprints, other.Fingerprints) &&
		len(d.Certificate.Certificate) > 0 && len(other.Certificate.Certificate) > 0 &&
		slices.Equal(d.Certificate.Certificate[0], other.Certificate.Certificate[0])
}

// profiles are the ciphers of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714), the cheapest first.
var profiles = []struct {
	profile dtls.SRTPProtectionProfile
	suite   Suite
}{
	{dtls.SRTP_AEAD_AES_128_GCM, AEADAES128GCM},
	{dtls.SRTP_AEAD_AES_256_GCM, AEADAES256GCM},
	{dtls.SRTP_AES128_CM_HMAC_SHA1_80, AESCM128HMACSHA1Tag80},
	{dtls.SRTP_AES128_CM_HMAC_SHA1_32, AESCM128HMACSHA1Tag32},
}

// association is one DTLS association of a session. The reader goroutine hands it its
// datagrams; run owns the rest.
type association struct {
	s         *Session
	cfg       *DTLS
	announced netip.AddrPort
	stop      context.CancelFunc

	mu      sync.Mutex
	peer    netip.AddrPort // who we talk to; not valid while nobody began
	cut     context.CancelFunc
	in      *packetio.Buffer // from peer
	began   chan struct{}    // closed when peer is known
	refused []netip.AddrPort
	settled bool // the handshake is done: peer stays
}

func newAssociation(s *Session, cfg *DTLS, announced netip.AddrPort) *association {
	return &association{s: s, cfg: cfg, announced: announced, began: make(chan struct{})}
}

// isDTLS tells DTLS from RTP on one port (RFC 7983 section 7).
func isDTLS(data []byte) bool { return len(data) > 0 && data[0] >= 20 && data[0] <= 63 }

// isClientHello says that a datagram begins a handshake (RFC 6347 sections 4.1 and 4.2.2).
func isClientHello(data []byte) bool { return len(data) > 13 && data[0] == 22 && data[13] == 1 }

// deliver takes a datagram; on the reader goroutine. Who begins from elsewhere is heard as
// well, as NAT would have it, and has to prove itself by its certificate; but the announced
// host comes first.
func (d *association) deliver(data []byte, from netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.peer == from:
	case d.settled || slices.Contains(d.refused, from):
		return
	case d.peer.IsValid():
		if from.Addr() != d.announced.Addr() || d.peer.Addr() == d.announced.Addr() && !d.cfg.Active {
			return
		}
		if d.cfg.Active { // the host answers from another port
			d.peer = from
			break
		}
		if !isClientHello(data) {
			return
		}
		d.cut() // a stranger was first; run goes on with from
		d.open(from)
	case d.cfg.Active || !isClientHello(data):
		return // ours is the first word, or this is none
	default:
		d.open(from)
	}
	if d.in != nil {
		_, _ = d.in.Write(data) // full: lost like any other
	}
}

// open begins with a peer. Called with mu held.
func (d *association) open(peer netip.AddrPort) {
	d.peer, d.in = peer, packetio.NewBuffer()
	d.in.SetLimitCount(dtlsQueue)
	d.cut = func() {}
	select {
	case <-d.began:
	default:
		close(d.began)
	}
}

// attempt is a handshake with one peer.
type attempt struct {
	ctx  context.Context
	cut  context.CancelFunc
	peer netip.AddrPort
	in   *packetio.Buffer
}

// next waits for somebody to talk to.
func (d *association) next(ctx context.Context) (attempt, error) {
	d.mu.Lock()
	if d.cfg.Active && !d.peer.IsValid() {
		d.open(d.announced)
	}
	began := d.began
	d.mu.Unlock()
	select {
	case <-began:
	case <-ctx.Done():
		return attempt{}, context.Cause(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := attemptTime
	if d.peer.Addr() == d.announced.Addr() {
		limit = d.s.shakeTime
	}
	a := attempt{peer: d.peer, in: d.in}
	a.ctx, a.cut = context.WithTimeout(ctx, limit)
	d.cut = a.cut
	return a, nil
}

// moved takes note that the party has described another place.
func (d *association) moved(announced netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Active && !d.settled && d.peer == d.announced && d.in != nil {
		d.peer = announced
	}
	d.announced = announced
}

// forget lets somebody else try after peer has failed.
func (d *association) forget(peer netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer != peer {
		return // somebody better has taken its place already
	}
	d.peer, d.in, d.began = netip.AddrPort{}, nil, make(chan struct{})
	if len(d.refused) < maxRefused {
		d.refused = append(d.refused, peer)
	}
}

// run makes the handshake and gives the session its keys, within handshakeTime; then it
// answers what still comes until ctx ends.
func (d *association) run(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, d.s.shakeTime, fmt.Errorf("%w: not within %v", ErrHandshake, d.s.shakeTime))
	defer cancel()
	for {
		a, err := d.next(limited)
		if err != nil {
			return ended(ctx, err)
		}
		conn, err := d.handshake(&a)
		if err == nil {
			return d.settle(ctx, conn, a.peer)
		}
		switch {
		case limited.Err() != nil:
			return ended(ctx, context.Cause(limited))
		case a.peer == d.announced && errors.Is(err, ErrFingerprint):
			return err
		case d.cfg.Active: // nobody else to talk to
			return fmt.Errorf("%w: %w", ErrHandshake, err)
		}
		d.forget(a.peer)
	}
}

// ended is err, but nil when the session itself has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// settle gives the session its keys and stays until ctx ends, for pion to answer handshake
// messages that are repeated.
func (d *association) settle(ctx context.Context, conn *dtls.Conn, peer netip.AddrPort) error {
	defer func() { _ = conn.Close() }()
	if err := d.agree(conn, peer); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var buf [2048]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			<-ctx.Done() // the party closed it; its keys go on (RFC 5764 section 3)
			return nil
		}
	}
}

// handshake is one attempt with one peer.
func (d *association) handshake(a *attempt) (*dtls.Conn, error) {
	defer a.cut()
	srtpProfiles := make([]dtls.SRTPProtectionProfile, len(profiles))
	for i, p := range profiles {
		srtpProfiles[i] = p.profile
	}
	var stranger atomic.Bool
	options := []dtls.Option{
		dtls.WithCertificates(d.cfg.Certificate),
		dtls.WithSRTPProtectionProfiles(srtpProfiles...),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithInsecureSkipVerify(true), // nobody vouches for the certificate but its fingerprint
		dtls.WithVerifyPeerCertificate(func(certs [][]byte, _ [][]*x509.Certificate) error {
			if len(certs) == 0 || !matchesAny(d.cfg.Fingerprints, certs[0]) {
				stranger.Store(true)
				return ErrFingerprint
			}
			return nil
		}),
		dtls.WithFlightInterval(500 * time.Millisecond),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard}),
	}
	conn, err := d.begin(&wire{d: d, in: a.in}, options)
	if err != nil {
		return nil, err
	}
	if err = conn.HandshakeContext(a.ctx); err == nil {
		return conn, nil
	}
	_ = conn.Close()
	_ = a.in.Close()
	if stranger.Load() {
		return nil, ErrFingerprint
	}
	return nil, err
}

func (d *association) begin(w *wire, options []dtls.Option) (*dtls.Conn, error) {
	if d.cfg.Active {
		var client []dtls.ClientOption
		for _, o := range options {
			client = append(client, o)
		}
		return dtls.ClientWithOptions(w, w.RemoteAddr(), client...)
	}
	server := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range options {
		server = append(server, o)
	}
	return dtls.ServerWithOptions(w, w.RemoteAddr(), server...)
}

// agree takes the keys from the association.
func (d *association) agree(conn *dtls.Conn, peer netip.AddrPort) error {
	state, ok := conn.ConnectionState()
	if !ok {
		return fmt.Errorf("%w: no state", ErrHandshake)
	}
	chosen, _ := conn.SelectedSRTPProtectionProfile()
	client, server, err := DTLSKeys(chosen, func(label string, length int) ([]byte, error) {
		return state.ExportKeyingMaterial(label, nil, length)
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.settled = true
	if d.peer.IsValid() {
		peer = d.peer
	}
	d.mu.Unlock()
	if d.cfg.Active {
		return d.s.keyed(d, client, server, peer)
	}
	return d.s.keyed(d, server, client, peer)
}

// wire is the packet connection that pion's DTLS reads and writes: the association's
// datagrams in, the session's RTP port out.
type wire struct {
	d  *association
	in *packetio.Buffer
}

func (w *wire) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := w.in.Read(p)
	return n, w.RemoteAddr(), err
}

func (w *wire) WriteTo(p []byte, _ net.Addr) (int, error) {
	w.d.mu.Lock()
	peer := w.d.peer
	if w.d.in != w.in {
		peer = netip.AddrPort{} // somebody else has taken the place
	}
	w.d.mu.Unlock()
	if !peer.IsValid() || peer.Addr().IsUnspecified() || peer.Port() == 0 {
		return len(p), nil // nobody to send to, yet
	}
	return len(p), w.d.s.rtpConn.WriteTo(p, peer)
}

func (w *wire) Close() error                       { return w.in.Close() }
func (w *wire) LocalAddr() net.Addr                { return net.UDPAddrFromAddrPort(w.d.s.rtpConn.LocalAddr()) }
func (w *wire) RemoteAddr() net.Addr               { return &net.UDPAddr{} } // one name for whoever it is
func (w *wire) SetDeadline(t time.Time) error      { return w.in.SetReadDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.in.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(_ time.Time) error { return nil }
