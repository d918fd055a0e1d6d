package agentclient

import (
	"errors"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/media/webrtc"
)

// mediaState is the media connection as the client's goroutine sees it. A new one is
// set up beside the old, which carries a call until the new one stands.
type mediaState struct {
	current *webrtc.Peer // audio flows
	next    *webrtc.Peer // offered or being connected
	round   int          // of offers; what belongs to an earlier one is late
	offerID string       // of the offer that waits for its answer
	failed  int          // rounds in a row
	timer   *time.Timer  // for the answer, or until the next round

	relays []webrtc.Relay // for the next offer, as the service gave them
}

func (c *Client) relaysGiven(servers []protocol.ICEServer) {
	c.media.relays = nil
	for _, s := range servers {
		c.media.relays = append(c.media.relays, webrtc.Relay{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
}

var errNoAnswer = errors.New("the service did not answer the media offer")

// offerMedia begins a round: make an offer beside, then send it.
func (c *Client) offerMedia() {
	c.dropNext()
	if c.leaving || c.link == nil {
		return // welcomed begins the next round
	}
	round, media := c.media.round, c.cfg.Media
	media.Relays = append(media.Relays, c.media.relays...)
	c.run(func() {
		peer, sdp, err := webrtc.Offer(media, c.log)
		c.do(func() { c.mediaOffered(round, peer, sdp, err) })
	})
}

func (c *Client) mediaOffered(round int, peer *webrtc.Peer, sdp string, err error) {
	if err != nil {
		c.mediaFailed(round, err)
		return
	}
	if round != c.media.round || c.leaving || c.link == nil {
		c.discard(peer)
		return
	}
	c.media.next, c.media.offerID = peer, c.outbox.id()
	c.write(c.media.offerID, protocol.SDPOffer{SDP: sdp})
	c.media.timer = c.after(c.cfg.Timeout, func() { c.mediaFailed(round, errNoAnswer) })
}

func (c *Client) mediaAnswered(id, sdp string) {
	if id == "" || id != c.media.offerID {
		return // to an offer that was replaced since
	}
	c.media.offerID = ""
	c.media.timer.Stop()
	round, peer := c.media.round, c.media.next
	c.run(func() {
		if err := peer.Answered(sdp); err != nil {
			c.do(func() { c.mediaFailed(round, err) })
			return
		}
		select {
		case <-peer.Connected():
			c.do(func() { c.mediaUp(round, peer) })
		case <-peer.Done():
			c.do(func() { c.mediaFailed(round, peer.Err()) })
		}
	})
}

// mediaUp lets the audio flow through the new connection.
func (c *Client) mediaUp(round int, peer *webrtc.Peer) {
	if round != c.media.round || peer != c.media.next {
		return // dropped since
	}
	old := c.media.current
	c.media.current, c.media.next, c.media.failed = peer, nil, 0
	c.voice.connect(peer)
	if old != nil {
		c.discard(old)
	}
	c.run(func() {
		<-peer.Done()
		c.do(func() { c.mediaLost(peer) })
	})
	c.log.Info("media connected")
	c.cfg.OnEvent(MediaUp{})
	if c.wish.ready && c.state.State == "break" && !c.outbox.holds(protocol.SetState{}) {
		c.ask()
	}
}

func (c *Client) mediaLost(peer *webrtc.Peer) {
	if peer != c.media.current {
		return
	}
	if c.leaving {
		c.dropCurrent() // the service closes it after SignOut
		return
	}
	c.log.Warn("media connection lost", "err", peer.Err())
	c.dropCurrent()
	c.cfg.OnEvent(MediaLost{peer.Err()})
	c.offerMedia()
}

// mediaGone takes the service's word that the media connection is lost there. This side
// may not notice for half a minute, in which a caller would hear nothing. While a round is
// going on or due, that decides.
func (c *Client) mediaGone(e protocol.Error) {
	if c.media.current == nil || c.media.next != nil || c.media.failed > 0 || c.leaving {
		return
	}
	c.log.Warn("media connection lost at the service", "message", e.Message)
	c.dropCurrent()
	c.cfg.OnEvent(MediaLost{refusal(e, false)})
	c.offerMedia()
}

// mediaFailed ends a round; the next one follows after a while.
func (c *Client) mediaFailed(round int, err error) {
	if round != c.media.round || c.leaving {
		return
	}
	c.log.Warn("media connection not set up", "err", err)
	c.dropNext()
	c.cfg.OnEvent(MediaLost{err})
	c.media.timer = c.after(c.cfg.Backoff.delay(c.media.failed), c.offerMedia)
	c.media.failed++
}

// dropNext gives up the round.
func (c *Client) dropNext() {
	c.media.round++
	c.media.offerID = ""
	if c.media.timer != nil {
		c.media.timer.Stop()
	}
	if c.media.next != nil {
		c.discard(c.media.next)
		c.media.next = nil
	}
}

func (c *Client) dropCurrent() {
	if c.media.current != nil {
		c.voice.connect(nil)
		c.discard(c.media.current)
		c.media.current = nil
	}
}

func (c *Client) dropMedia() {
	c.dropNext()
	c.dropCurrent()
}

// discard closes a connection beside: that can take a moment.
func (c *Client) discard(peer *webrtc.Peer) {
	c.run(func() {
		if err := peer.Close(); err != nil {
			c.log.Warn("media connection not freed", "err", err)
		}
	})
}
