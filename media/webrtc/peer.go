package webrtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	rtpwire "github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
)

// closeTimeout bounds the wait for Pion to free a connection.
const closeTimeout = 5 * time.Second

type peerConfig struct {
	preferred      []media.Codec // what to encode, best first
	packetTime     time.Duration
	connectTimeout time.Duration
	log            *slog.Logger
	relays         []Relay // of the client
	onFreed        func(*Peer)

	// Of a Gateway's peers.
	link        *link // the packets' own way; nil: they go through Pion
	certificate *pion.Certificate
}

// Peer is one WebRTC connection, and a media.Leg. It is made by Gateway.Accept or
// Offer and ends by Close, by its far side closing, or when the network is lost.
type Peer struct {
	cfg peerConfig
	pc  *pion.PeerConnection
	out voice
	in  ears

	keypad keypad
	strain strain // of the network that we send into

	connected chan struct{}
	done      chan struct{} // no audio flows any more
	freed     chan struct{} // and nothing of it is left

	mu         sync.Mutex
	agreed     bool // the codecs are known
	secured    bool // ICE and DTLS are done
	cause      error
	closeErr   error
	readers    sync.WaitGroup
	patience   *time.Timer
	nextReport *time.Timer
}

var _ media.Leg = (*Peer)(nil)

// newPeer makes a connection with one audio section that sends and receives. The
// set-up clock starts now.
func newPeer(api *pion.API, cfg peerConfig) (*Peer, error) {
	config := pion.Configuration{BundlePolicy: pion.BundlePolicyMaxBundle, ICEServers: iceServers(cfg.relays)}
	if cfg.certificate != nil {
		config.Certificates = []pion.Certificate{*cfg.certificate}
	}
	pc, err := api.NewPeerConnection(config)
	if err != nil {
		return nil, fmt.Errorf("peer connection: %w", err)
	}
	p := &Peer{cfg: cfg, pc: pc, connected: make(chan struct{}), done: make(chan struct{}), freed: make(chan struct{})}
	if l := cfg.link; l != nil {
		l.peer, p.out.own = p, l
	} else {
		pc.OnTrack(p.hear)
	}
	pc.OnConnectionStateChange(p.connectionChanged)
	p.keypad.keys, p.in.keys = make(chan rune, maxKeys), &p.keypad
	p.mu.Lock()
	p.patience = time.AfterFunc(cfg.connectTimeout, func() { p.end(ErrConnectTimeout) })
	p.mu.Unlock()
	return p, nil
}

// answer takes the offer and gives the whole answer, candidates included.
func (p *Peer) answer(ctx context.Context, offerSDP string) (string, error) {
	if err := p.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: offerSDP}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if err := p.attach(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	gathered := pion.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	select {
	case <-gathered:
	case <-p.done:
		return "", p.Err()
	case <-ctx.Done():
		return "", fmt.Errorf("answer: %w", context.Cause(ctx))
	}
	return p.pc.LocalDescription().SDP, p.negotiated()
}

// attach puts our voice on the audio section, Opus first in the answer: a browser
// sends the first codec named there.
func (p *Peer) attach() error {
	sender, err := p.pc.AddTrack(&p.out)
	if err != nil {
		return err
	}
	for _, t := range p.pc.GetTransceivers() {
		if err := t.SetCodecPreferences(preferred(t.Receiver().GetParameters().Codecs)); err != nil {
			return err
		}
	}
	if l := p.cfg.link; l != nil {
		l.follow(sender.Transport())
	} else {
		p.read(func() { p.readReports(sender.Read) })
	}
	return nil
}

// negotiated learns which payload type stands for which codec, once both descriptions are set.
func (p *Peer) negotiated() error {
	var codecs [128]media.Codec
	for _, t := range p.pc.GetTransceivers() {
		for _, c := range t.Receiver().GetParameters().Codecs {
			p.keypad.offer(c)
			if codec := codecOf(c); codec != media.NoCodec && c.PayloadType < 128 {
				codecs[c.PayloadType] = codec
				p.out.offer(codec, uint8(c.PayloadType))
			}
		}
	}
	if p.Preferred() == media.NoCodec {
		return fmt.Errorf("%w: none of opus, PCMU and PCMA in common", ErrOffer)
	}
	p.in.codecs.Store(&codecs)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agreed = true
	p.comeUp()
	return nil
}

// comeUp lets audio flow once everything is there. The client's connection may be
// secured before it has read the answer to its end. Needs p.mu.
func (p *Peer) comeUp() {
	if !p.agreed || !p.secured || p.cause != nil {
		return
	}
	p.patience.Stop()
	p.out.open()
	p.nextReport = time.AfterFunc(firstReport(), p.report)
	close(p.connected)
}

func (p *Peer) connectionChanged(s pion.PeerConnectionState) {
	switch s {
	case pion.PeerConnectionStateConnected:
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.secured { // it may come again after a disconnection
			p.secured = true
			p.comeUp()
		}
	case pion.PeerConnectionStateFailed:
		p.end(p.failure(ErrLost))
	case pion.PeerConnectionStateClosed:
		p.end(p.failure(ErrClosed)) // the far side closed DTLS; after our own end this changes nothing
	}
}

// Connected is closed once ICE and DTLS are done and audio can flow.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Done is closed when the connection has ended for any reason; Err says which.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Err is nil while the connection stands or is being set up, then ErrConnectTimeout,
// ErrFingerprint, ErrLost or ErrClosed.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// Close ends the connection and waits until its sockets and goroutines are gone. It
// may be called more than once, from any goroutine but the Sink's.
func (p *Peer) Close() error {
	p.end(ErrClosed)
	select {
	case <-p.freed:
	case <-time.After(closeTimeout):
		return fmt.Errorf("peer connection still closing after %v", closeTimeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closeErr
}

// end is the one way out. Pion's callbacks come here too, and Pion must not be closed
// from one of its own callbacks, so the closing runs beside.
func (p *Peer) end(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause != nil {
		return
	}
	p.cause = cause
	p.patience.Stop()
	if p.nextReport != nil {
		p.nextReport.Stop()
	}
	p.out.shut()
	close(p.done)
	go p.free(cause)
}

func (p *Peer) free(cause error) {
	err := p.pc.GracefulClose()
	p.readers.Wait()
	if l := p.cfg.link; l != nil {
		l.close()
	}
	if !errors.Is(cause, ErrClosed) {
		p.cfg.log.Info("media connection ended", "cause", cause)
	}
	p.mu.Lock()
	p.closeErr = err
	p.mu.Unlock()
	if p.cfg.onFreed != nil {
		p.cfg.onFreed(p)
	}
	close(p.freed)
}

// read runs one of the connection's readers until Pion ends it.
func (p *Peer) read(loop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause != nil {
		return
	}
	p.readers.Go(loop)
}

// Accepts reports whether the far side takes this codec, and the network has room for it.
func (p *Peer) Accepts(c media.Codec) bool {
	return p.out.accepts(c) && (c == media.Opus || !p.squeezed())
}

// Preferred is the codec to encode for the far side: the service's choice is G.711,
// the client's Opus, and so is everybody's where the network has room for little. NoCodec before the negotiation is done.
func (p *Peer) Preferred() media.Codec {
	if p.squeezed() {
		return media.Opus
	}
	for _, c := range p.cfg.preferred {
		if p.out.accepts(c) {
			return c
		}
	}
	return media.NoCodec
}

// PacketTime is what the offer asked for, 20 ms if nothing; 60 ms where the network has room
// for little.
func (p *Peer) PacketTime() time.Duration {
	if p.strain.narrow.Load() {
		return max(p.cfg.packetTime, narrowPacketTime)
	}
	return p.cfg.packetTime
}

// Send writes one packet with the payload type of its codec. Before the connection
// stands, packets are dropped.
func (p *Peer) Send(pkt *media.Packet) { p.out.send(pkt) }

// SetSink routes what the far side says; nil discards it.
func (p *Peer) SetSink(s media.Sink) { p.in.route(s) }

// Stats is a snapshot of both directions.
func (p *Peer) Stats() media.Stats {
	s := p.in.receiver.Stats()
	p.out.count(&s)
	if l := p.cfg.link; l != nil {
		l.refused(&s)
	}
	return s
}

// hear is the reader of the far side's voice, on Pion's goroutine for the track.
func (p *Peer) hear(track *pion.TrackRemote, receiver *pion.RTPReceiver) {
	p.read(func() { p.readReports(receiver.Read) })
	p.read(func() { p.readVoice(track) })
}

func (p *Peer) readVoice(track *pion.TrackRemote) {
	buf := make([]byte, maxPacket)
	var wire rtpwire.Packet
	var pkt media.Packet
	for {
		n, _, err := track.Read(buf)
		if err != nil && n == 0 {
			return
		}
		// An error with data is a payload type that was not negotiated: ears drops it below.
		if wire.Unmarshal(buf[:n]) == nil {
			p.in.packet(&wire, &pkt, time.Now())
		}
	}
}
