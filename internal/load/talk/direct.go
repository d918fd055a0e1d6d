//go:build linux

package talk

import (
	"net/netip"
	"time"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
)

// Direct has so many pairs talk to each other in PCMU with nothing in between. The loop must run.
func Direct(loop *stream.Loop, pairs int) ([]*Pair, error) {
	packets, err := mark.Speech(callerVoice, media.PCMU)
	if err != nil {
		return nil, err
	}
	say := &stream.Script{Codec: media.PCMU, Packets: packets}
	var out []*Pair
	for i := range pairs {
		p := &Pair{Since: time.Now()}
		for _, end := range []**stream.End{&p.Caller, &p.Agent} {
			if *end, err = loop.Open(netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil); err != nil {
				return nil, err
			}
		}
		if err := p.Caller.Connect(p.Agent.Local()); err != nil {
			return nil, err
		}
		if err := p.Agent.Connect(p.Caller.Local()); err != nil {
			return nil, err
		}
		p.Caller.Expect(firstAgent + i)
		p.Agent.Expect(i)
		p.Caller.Talk(say, uint16(i))
		p.Agent.Talk(say, uint16(firstAgent+i))
		out = append(out, p)
	}
	return out, nil
}
