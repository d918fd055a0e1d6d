package dtmf

import (
	"time"

	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// volume is the power that an event gives for its tones, in -dBm0, as most telephones do.
const volume = 10

type key struct {
	code  uint8
	sound bool
}

// line is one party and the keys that wait for it.
type line struct {
	leg    media.Keypad
	source uint32
	keys   []key
	down   bool          // the first of keys is being sent
	at     time.Duration // since it began
	tones  *tones        // it is sound
	enough time.Duration // of it, counting the pause
}

// turn sends what is due; false when no key is left.
func (l *line) turn(now time.Time) bool {
	if !l.down {
		if len(l.keys) == 0 {
			l.leg.Reserve(0, time.Time{})
			return false
		}
		l.begin()
	}
	l.leg.Reserve(l.source, now.Add(keepOut))
	if l.tones != nil {
		l.tones.turn(l.leg, l.keys[0].code, l.at)
	} else {
		l.event()
	}
	if l.at += tick; l.at < l.enough {
		return true
	}
	l.keys = l.keys[:copy(l.keys, l.keys[1:])]
	l.down = false
	return true
}

// begin decides how the next key is sent.
func (l *line) begin() {
	first := l.keys[0]
	l.down, l.at, l.enough = true, 0, pressTime+gapTime
	sound := first.sound || !l.leg.TakesEvents()
	switch {
	case !sound:
		l.tones = nil
	case l.tones == nil || !l.tones.fits(l.leg):
		l.tones = newTones(l.leg, l.source)
	}
	switch {
	case len(l.keys) == 1 && sound:
		l.enough = pressTime + tonePause
	case len(l.keys) == 1:
		l.enough = pressTime + 3*endEvery
	}
	if sound { // in whole packets, or the stream would run ahead of the time
		l.enough = (l.enough + l.tones.ptime - 1) / l.tones.ptime * l.tones.ptime
	}
}

// event sends the packets of a telephone-event: one at its beginning, one every 50 ms, and three
// at its end, which all say the same (RFC 4733 section 2.5.1.4).
func (l *line) event() {
	e := media.Event{Code: l.keys[0].code, Volume: volume}
	switch end := l.at - pressTime; {
	case l.at == 0:
		e.Begin, e.Elapsed = true, firstTime
	case end >= 0 && end < 3*endEvery && end%endEvery == 0:
		e.End, e.Elapsed = true, pressTime
	case end < 0 && l.at%update == 0:
		e.Elapsed = l.at
	default:
		return
	}
	l.leg.SendEvent(e)
}

// tones are keys as sound, encoded for a party.
type tones struct {
	codec   media.Codec
	ptime   time.Duration
	encoder codec.Encoder
	packet  media.Packet
	pcm     []float32
	payload [1500]byte
	at      time.Duration // in the key, of the next packet
}

// newTones makes what a party's codec needs. One that can be sent nothing yet hears nothing.
func newTones(leg media.Keypad, source uint32) *tones {
	c := leg.Preferred()
	t := &tones{codec: c, ptime: codec.PacketTime(c, leg.PacketTime())}
	rate := codec.EncodeRate(c)
	encoder, err := codec.NewEncoder(c, rate)
	if err != nil {
		return t
	}
	t.encoder, t.pcm = encoder, make([]float32, int(t.ptime*time.Duration(rate)/time.Second))
	t.packet = media.Packet{Source: source, Codec: c, Marker: true}
	return t
}

func (t *tones) fits(leg media.Keypad) bool {
	return t.encoder != nil && t.codec == leg.Preferred() && t.ptime == codec.PacketTime(t.codec, leg.PacketTime())
}

// turn sends the packet that begins by now, if one does.
func (t *tones) turn(leg media.Keypad, code uint8, now time.Duration) {
	if now == 0 {
		t.at = 0
	}
	if t.encoder == nil || now < t.at {
		return
	}
	rate := t.encoder.Rate()
	samples := func(d time.Duration) int { return int(d * time.Duration(rate) / time.Second) }
	name, _ := media.KeyName(code)
	dtmf.Tone(t.pcm, byte(name), samples(t.at), samples(pressTime), rate)
	t.at += t.ptime
	n, err := t.encoder.Encode(t.pcm, t.payload[:])
	if err == nil {
		t.packet.Payload = t.payload[:n]
		leg.Send(&t.packet)
		t.packet.Seq++
		t.packet.Marker = false
	}
	t.packet.Timestamp += uint64(len(t.pcm) * t.codec.ClockRate() / rate)
}
