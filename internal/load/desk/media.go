//go:build linux

package desk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4/packetio"

	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
)

const (
	checkEvery    = 200 * time.Millisecond
	consentEvery  = 5 * time.Second // RFC 7675 section 5.1
	mediaPatience = 15 * time.Second
	priority      = 126<<24 | 65535<<8 | 255 // RFC 8445 section 5.1.2.1, of a host candidate
)

// identity is the certificate of all desks of a process.
var identity = sync.OnceValues(func() (tls.Certificate, error) { return selfsign.GenerateSelfSigned() })

// line is one desk's media connection.
type line struct {
	end     *stream.End
	ufrag   string
	pwd     string
	remote  description
	checks  chan []byte      // answers to our checks
	records *packetio.Buffer // DTLS
	conn    *dtls.Conn
}

// description is what the service's answer says.
type description struct {
	at          netip.AddrPort
	ufrag, pwd  string
	fingerprint string
	types       map[media.Codec]uint8
}

func newLine(loop *stream.Loop, local netip.Addr) (*line, error) {
	l := &line{ufrag: token(4), pwd: token(24), checks: make(chan []byte, 16), records: packetio.NewBuffer()}
	end, err := loop.Open(local, l.other)
	if err != nil {
		return nil, err
	}
	l.end = end
	return l, nil
}

func token(n int) string { return rand.Text()[:n] }

// other takes what is no audio, on the loop's goroutine. What nobody fetches is lost.
func (l *line) other(data []byte) {
	switch {
	case data[0] < 4:
		select {
		case l.checks <- append([]byte(nil), data...):
		default:
		}
	case data[0] >= 20 && data[0] <= 63:
		_, _ = l.records.Write(data) // full or closed: it is lost
	}
}

// offer is the description of one audio section that offers the codecs.
func (l *line) offer(codecs []media.Codec) (string, error) {
	cert, err := identity()
	if err != nil {
		return "", fmt.Errorf("desk: certificate: %w", err)
	}
	var formats, maps strings.Builder
	for _, c := range codecs {
		switch c {
		case media.Opus:
			formats.WriteString(" 111")
			maps.WriteString("a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n")
		case media.PCMU:
			formats.WriteString(" 0")
			maps.WriteString("a=rtpmap:0 PCMU/8000\r\n")
		default:
			return "", fmt.Errorf("desk: %v cannot be offered", c)
		}
	}
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS *\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF" + formats.String() + "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n" +
		"a=ice-ufrag:" + l.ufrag + "\r\na=ice-pwd:" + l.pwd + "\r\na=fingerprint:sha-256 " + fingerprint(cert.Certificate[0]) + "\r\na=setup:actpass\r\n" +
		maps.String() + "a=ptime:20\r\na=msid:desk voice\r\n" + fmt.Sprintf("a=ssrc:%d cname:desk\r\n", l.end.SSRC()), nil
}

func fingerprint(cert []byte) string {
	sum := sha256.Sum256(cert)
	return strings.ToUpper(strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintf("% x ", sum), " ", ":"), ":"))
}

// readAnswer finds what is needed in an answer.
func readAnswer(text string) (d description, err error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return d, fmt.Errorf("desk: answer: %w", err)
	}
	if len(s.MediaDescriptions) != 1 {
		return d, fmt.Errorf("desk: answer: %d sections, one was offered", len(s.MediaDescriptions))
	}
	m := s.MediaDescriptions[0]
	value := func(key string) string {
		v, ok := m.Attribute(key)
		if !ok {
			v, _ = s.Attribute(key)
		}
		return v
	}
	d.ufrag, d.pwd = value("ice-ufrag"), value("ice-pwd")
	_, d.fingerprint, _ = strings.Cut(value("fingerprint"), " ")
	d.types = make(map[media.Codec]uint8)
	for _, a := range m.Attributes {
		switch a.Key {
		case "candidate":
			if f := strings.Fields(a.Value); len(f) >= 8 && strings.EqualFold(f[2], "udp") && !d.at.IsValid() {
				if at, err := netip.ParseAddrPort(net.JoinHostPort(f[4], f[5])); err == nil && at.Addr().Is4() {
					d.at = at
				}
			}
		case "rtpmap":
			var pt uint8
			var name string
			if _, err := fmt.Sscanf(a.Value, "%d %s", &pt, &name); err != nil {
				continue
			}
			switch name, _, _ = strings.Cut(strings.ToLower(name), "/"); name {
			case "opus":
				d.types[media.Opus] = pt
			case "pcmu":
				d.types[media.PCMU] = pt
			}
		}
	}
	if !d.at.IsValid() || d.ufrag == "" || d.pwd == "" || d.fingerprint == "" {
		return d, errors.New("desk: answer: it lacks an IPv4 candidate, ICE credentials or a fingerprint")
	}
	return d, nil
}

// connect brings the connection up: a check that nominates, DTLS, keys.
func (l *line) connect(ctx context.Context, answer string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, mediaPatience, fmt.Errorf("desk: media not connected within %v", mediaPatience))
	defer cancel()
	var err error
	if l.remote, err = readAnswer(answer); err != nil {
		return err
	}
	if err := l.end.Connect(l.remote.at); err != nil {
		return err
	}
	if err := l.checked(ctx); err != nil {
		return err
	}
	return l.secure(ctx)
}

// check sends one that nominates.
func (l *line) check() error {
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(l.remote.ufrag+":"+l.ufrag),
		ice.AttrControlling(1), ice.PriorityAttr(priority), ice.UseCandidate(), stun.NewShortTermIntegrity(l.remote.pwd), stun.Fingerprint)
	if err != nil {
		return fmt.Errorf("desk: check: %w", err)
	}
	l.end.Write(m.Raw)
	return nil
}

// checked repeats checks until one is answered.
func (l *line) checked(ctx context.Context) error {
	again := time.NewTicker(checkEvery)
	defer again.Stop()
	for {
		if err := l.check(); err != nil {
			return err
		}
	wait:
		for {
			select {
			case data := <-l.checks:
				m := &stun.Message{Raw: data}
				if m.Decode() == nil && m.Type == stun.BindingSuccess && stun.NewShortTermIntegrity(l.remote.pwd).Check(m) == nil {
					return nil
				}
			case <-again.C:
				break wait
			case <-ctx.Done():
				return fmt.Errorf("desk: connectivity checks to %v: %w", l.remote.at, context.Cause(ctx))
			}
		}
	}
}

// secure agrees on keys, as the client of DTLS.
func (l *line) secure(ctx context.Context) error {
	cert, err := identity()
	if err != nil {
		return err
	}
	l.conn, err = dtls.ClientWithOptions(wire{l}, l.service(), dtls.WithCertificates(cert),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret), dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(func(certs [][]byte, _ [][]*x509.Certificate) error {
			if len(certs) == 0 || !strings.EqualFold(fingerprint(certs[0]), l.remote.fingerprint) {
				return errors.New("desk: the service has another certificate than its answer says")
			}
			return nil
		}), dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard}))
	if err != nil {
		return fmt.Errorf("desk: DTLS: %w", err)
	}
	if err := l.conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("desk: DTLS: %w", err)
	}
	chosen, _ := l.conn.SelectedSRTPProtectionProfile()
	state, ok := l.conn.ConnectionState()
	if !ok {
		return errors.New("desk: DTLS: no state")
	}
	profile, k, s := srtp.ProtectionProfileAeadAes128Gcm, 16, 12
	if chosen == dtls.SRTP_AES128_CM_HMAC_SHA1_80 {
		profile, k, s = srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14
	}
	b, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(k+s)) // RFC 5764 section 4.2
	if err != nil {
		return fmt.Errorf("desk: DTLS: %w", err)
	}
	return l.end.Secure(stream.Keys{Key: b[:k], Salt: b[2*k : 2*k+s], Profile: profile},
		stream.Keys{Key: b[k : 2*k], Salt: b[2*k+s:], Profile: profile})
}

// keep repeats consent until ctx ends, or the service closes the connection.
func (l *line) keep(ctx context.Context) error {
	gone := make(chan struct{})
	var cause error // once gone is closed
	go func() {
		defer close(gone)
		var buf [2048]byte
		for cause == nil {
			_, cause = l.conn.Read(buf[:])
		}
	}()
	defer func() {
		_ = l.conn.Close()
		<-gone
	}()
	again := time.NewTicker(consentEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-gone:
			return fmt.Errorf("desk: the service closed the media connection: %w", cause)
		case <-l.checks: // an answer, which says that it is still there
		case <-again.C:
			if err := l.check(); err != nil {
				return err
			}
		}
	}
}

// service is where the service's media port is.
func (l *line) service() net.Addr { return net.UDPAddrFromAddrPort(l.remote.at) }

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.end.Close()
}

// wire is the net.PacketConn under DTLS.
type wire struct{ l *line }

// ReadFrom is part of net.PacketConn.
func (w wire) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := w.l.records.Read(p)
	return n, w.l.service(), err
}

// WriteTo is part of net.PacketConn.
func (w wire) WriteTo(p []byte, _ net.Addr) (int, error) {
	w.l.end.Write(p)
	return len(p), nil
}

// Close is part of net.PacketConn.
func (w wire) Close() error { return w.l.records.Close() }

// LocalAddr is part of net.PacketConn.
func (w wire) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(w.l.end.Local()) }

// SetDeadline is part of net.PacketConn.
func (w wire) SetDeadline(t time.Time) error { return w.l.records.SetReadDeadline(t) }

// SetReadDeadline is part of net.PacketConn.
func (w wire) SetReadDeadline(t time.Time) error { return w.l.records.SetReadDeadline(t) }

// SetWriteDeadline is part of net.PacketConn: a write never waits.
func (w wire) SetWriteDeadline(time.Time) error { return nil }
