package bridge_test

import (
	"math"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// narrowLeg is an agent whose network has room for little, from a moment on.
type narrowLeg struct {
	*mediatest.Leg
	narrow bool
}

func (l *narrowLeg) Accepts(c media.Codec) bool {
	return c == media.Opus || !l.narrow && l.Leg.Accepts(c)
}

func (l *narrowLeg) Preferred() media.Codec {
	if l.narrow {
		return media.Opus
	}
	return l.Leg.Preferred()
}

func (l *narrowLeg) PacketTime() time.Duration {
	if l.narrow {
		return 60 * ms
	}
	return l.Leg.PacketTime()
}

func (l *narrowLeg) BitRate() int {
	if l.narrow {
		return 12000
	}
	return 0
}

func TestAnAgentWhoseNetworkGetsNarrowHearsTheCallerInFewerBits(t *testing.T) {
	trunk := mediatest.NewLeg(20*ms, media.PCMU)
	agent := &narrowLeg{Leg: mediatest.NewLeg(20*ms, media.PCMU, media.Opus)}
	b, err := bridge.Join(trunk, agent, bridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	packets := voice(t, media.PCMU, 20*ms, 440, -20, 450)
	for i := range packets {
		agent.narrow = i >= 100 && i < 400
		trunk.Say(&packets[i])
	}
	var opus []media.Packet
	bits, wide := 0, 0
	for _, p := range agent.Heard() {
		if p.Codec != media.Opus {
			wide++
			continue
		}
		opus = append(opus, p)
		bits += 8 * len(p.Payload)
		if codec.Samples(p.Codec, p.Payload) != 60*48 {
			t.Fatalf("a packet of %d samples", codec.Samples(p.Codec, p.Payload))
		}
	}
	if wide != 150 {
		t.Errorf("%d packets of the trunk's as they were, wanted 150", wide)
	}
	if seconds := float64(len(opus)) * 0.06; seconds < 5.8 || float64(bits)/seconds > 13000 {
		t.Errorf("%.1f s at %.0f bit/s", seconds, float64(bits)/seconds)
	}
	heard := decode(t, opus, 16000)
	if hz, dbov := mediatest.FindTone(heard[16000:], 16000); math.Abs(hz-440) > 2 || math.Abs(dbov+20) > 1 {
		t.Errorf("heard %.1f Hz at %.1f dBov", hz, dbov)
	}
}
