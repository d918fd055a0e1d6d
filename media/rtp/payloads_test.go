package rtp

import (
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
)

func TestPayloadTypesMayDifferByDirectionAndChangeInMidCall(t *testing.T) {
	s := runSession(t, 22400, 22499)
	p := newPhone(t, s)
	agreed := Params{
		Remote: p.addr(), Codecs: []media.Codec{media.PCMU, media.PCMA}, DTMFPayloadType: 96,
		PayloadTypes: map[media.Codec]uint8{media.PCMU: 110, media.PCMA: 111},
		Aliases:      map[uint8]uint8{0: 110, 8: 111, 101: 96, 110: 111}, // the last is taken already
	}
	s.configure(agreed)
	seq := uint16(0)
	say := func(pt uint8, payload ...byte) {
		seq++
		p.say(pionrtp.Header{PayloadType: pt, SequenceNumber: seq, Timestamp: 160 * uint32(seq), SSRC: 5}, payload)
	}
	heard := func(want media.Codec) {
		t.Helper()
		if got := s.hear(); got.Codec != want {
			t.Errorf("packet %d was heard as %v, want %v", seq, got.Codec, want)
		}
	}
	key := func(want rune) {
		t.Helper()
		select {
		case got := <-s.digits:
			if got != want {
				t.Errorf("heard key %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("key %q was not heard", want)
		}
	}
	for _, c := range []struct {
		pt   uint8
		want media.Codec
	}{{110, media.PCMU}, {0, media.PCMU}, {111, media.PCMA}, {8, media.PCMA}} {
		say(c.pt, 1, 2, 3)
		heard(c.want)
	}
	say(101, 5, 10, 0, 160)
	key('5')
	say(96, 6, 10, 0, 160)
	key('6')
	s.Send(&media.Packet{Source: 1, Codec: media.PCMA, Payload: payload()})
	if got := p.hear(); got.PayloadType != 111 {
		t.Errorf("A-law is sent as %d, want the party's 111", got.PayloadType)
	}
	// A re-INVITE gives other numbers: the old ones still mean what they did, while packets
	// with them are under way.
	agreed.PayloadTypes = map[media.Codec]uint8{media.PCMU: 0, media.PCMA: 97}
	agreed.DTMFPayloadType, agreed.Aliases = 98, nil
	s.configure(agreed)
	for _, c := range []struct {
		pt   uint8
		want media.Codec
	}{{110, media.PCMU}, {0, media.PCMU}, {111, media.PCMA}, {97, media.PCMA}} {
		say(c.pt, 1, 2, 3)
		heard(c.want)
	}
	say(96, 7, 10, 0, 160)
	key('7')
	say(98, 8, 10, 0, 160)
	key('8')
	// What is not agreed on any more is not heard under its old number either.
	agreed.Codecs = []media.Codec{media.PCMA}
	s.configure(agreed)
	say(110, 1, 2, 3)
	say(97, 1, 2, 3)
	heard(media.PCMA)
	agreed.Heard = map[uint8]media.Codec{0: media.PCMU, 97: media.PCMU} // of which the latter is in use
	s.configure(agreed)
	say(0, 1, 2, 3)
	heard(media.PCMU)
	say(97, 1, 2, 3)
	heard(media.PCMA)
	if s.Accepts(media.PCMU) {
		t.Error("what is only heard would be sent")
	}
	if _, err := agree(Params{Codecs: []media.Codec{media.PCMU}, Aliases: map[uint8]uint8{200: 0}}); err == nil {
		t.Error("payload type 200 was taken")
	}
}

func TestComfortNoiseIsNumberedWithTheVoice(t *testing.T) {
	var r Receiver
	var p media.Packet
	at := time.Unix(0, 0)
	feed := func(seq uint16, c media.Codec, n int) bool {
		at = at.Add(20 * time.Millisecond)
		return r.Accept(&pionrtp.Header{SequenceNumber: seq, Timestamp: uint32(seq) * 160, SSRC: 1}, make([]byte, n), at, c, &p)
	}
	feed(1, media.PCMU, 160)
	first := p
	if !feed(2, media.CN, 1) || p.Codec != media.CN || p.Seq != first.Seq+1 || p.Timestamp != first.Timestamp+160 || p.Source != first.Source {
		t.Errorf("after %+v came %+v", first, p)
	}
	if got := r.Stats(); got.Codec != media.PCMU || got.Lost != 0 {
		t.Errorf("%+v", got)
	}
	feed(3, media.Opus, 50)
	opus := p
	if feed(4, media.CN, 1) {
		t.Error("comfort noise was taken beside Opus, whose clock is another")
	}
	if feed(5, media.Opus, 50); p.Seq != opus.Seq+1 || p.Source != opus.Source {
		t.Errorf("after %+v came %+v", opus, p)
	}
}
