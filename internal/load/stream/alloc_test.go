//go:build linux && !race

package stream

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/headroom-voice/headroom/media"
)

// TestSpeakingAndHearingAllocatesNothing keeps the load's own cost out of what it measures.
func TestSpeakingAndHearingAllocatesNothing(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.shut()
	var ends [2]*End
	for i := range ends {
		if ends[i], err = l.Open(netip.MustParseAddr("127.0.0.1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	keys := Keys{Key: make([]byte, 16), Salt: make([]byte, 12), Profile: srtp.ProtectionProfileAeadAes128Gcm}
	for i, e := range ends {
		if err := e.Connect(ends[1-i].Local()); err != nil {
			t.Fatal(err)
		}
		if err := e.Secure(keys, keys); err != nil {
			t.Fatal(err)
		}
	}
	ends[0].Talk(&Script{Codec: media.PCMU, Packets: [][]byte{make([]byte, 160)}}, 1)
	ends[1].Measure(&Delays{})
	fd := int(ends[1].fd.Load())
	var packet, plain [largest]byte
	once := func() {
		ends[0].speak(&packet)
		for range 1000 {
			if data, at, ok := l.in.receive(fd); ok {
				ends[1].hear(data, at, &plain)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	once()
	if n := testing.AllocsPerRun(100, once); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if c := ends[1].Count(); c.Marked < 100 || c.Broken != 0 {
		t.Errorf("%+v", c)
	}
}
