package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/tap"
	"github.com/headroom-voice/headroom/media/webrtc"
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// house is the media half of the service, without its signalling.
type house struct {
	mode    string
	gateway *webrtc.Gateway
	ports   *rtp.Ports

	ctx    context.Context // of the legs and meters
	wg     sync.WaitGroup
	end    context.CancelFunc
	closed sync.Once
	peers  []*webrtc.Peer
	pool   *tap.Pool
	joins  []*bridge.Bridge
	guard  *guard.Guard
}

func newHouse(ctx context.Context, mode string) (*house, error) {
	g, err := webrtc.New(webrtc.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ports, err := rtp.NewPorts(loopback, 20000, 29999, 0)
	if err != nil {
		return nil, err
	}
	ports.ReadBy(g.Poller())
	h := &house{mode: mode, gateway: g, ports: ports, pool: tap.NewPool(0), guard: guard.New(guard.Rules{Limit: true, Level: true})}
	h.ctx, h.end = context.WithCancel(ctx)
	h.wg.Go(func() { _ = h.pool.Run(h.ctx) })
	return h, nil
}

// take brings a call up and joins its two legs.
func (h *house) take(p placed) (taken, error) {
	peer, answer, err := h.gateway.Accept(h.ctx, p.Offer)
	if err != nil {
		return taken{}, err
	}
	h.peers = append(h.peers, peer)
	caller, err := netip.ParseAddrPort(p.Caller)
	if err != nil {
		return taken{}, err
	}
	trunk, err := rtp.Open(h.ports)
	if err != nil {
		return taken{}, err
	}
	if err := trunk.Configure(rtp.Params{Remote: caller, Codecs: []media.Codec{media.PCMU}}); err != nil {
		return taken{}, err
	}
	h.wg.Go(func() { _ = trunk.Run(h.ctx) })
	var opt bridge.Options
	if h.mode == "metered" {
		m, err := tap.New(headset.Config{SampleRate: 16000, Tap: headset.TapWire}, nil)
		if err != nil {
			return taken{}, err
		}
		h.pool.Join(m)
		opt = bridge.Options{FromA: []media.Tap{m.Far()}, FromB: []media.Tap{m.Near()}}
	}
	b, err := bridge.Join(trunk, h.guard.Wrap(peer), opt)
	if err != nil {
		return taken{}, err
	}
	h.joins = append(h.joins, b)
	return taken{Answer: answer, Trunk: trunk.LocalAddr().String()}, nil
}

// connected waits until every agent is there.
func (h *house) connected() error {
	for i, p := range h.peers {
		select {
		case <-p.Connected():
		case <-p.Done():
			return fmt.Errorf("%w: agent %d: %w", errNotConnected, i, p.Err())
		case <-time.After(30 * time.Second):
			return fmt.Errorf("%w: agent %d", errNotConnected, i)
		}
	}
	return nil
}

// shed counts what the meters were too slow for.
func (h *house) shed() uint64 {
	s := h.pool.Stats()
	return s.ShedNear + s.ShedFar
}

func (h *house) close() {
	h.closed.Do(func() {
		for _, b := range h.joins {
			b.Close()
		}
		h.end()
		h.wg.Wait()
		_ = h.gateway.Close()
	})
}
