package bridge_test

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

// kinds are the codecs that a party goes through, by re-INVITE.
var kinds = []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus, media.PCMU}

var payloadTypes = map[media.Codec]uint8{media.PCMU: 0, media.PCMA: 8, media.G722: 9, media.Opus: 111}

const (
	stretch = 25 // packets of each codec
	toneHz  = 440
	toneAmp = 0.2
)

// party is somebody on a trunk who says one tone that never breaks off, and keeps what comes.
type party struct {
	*trunk
	encoders map[media.Codec]codec.Encoder
	at       float64 // s
	seq      uint16
	ts       uint32
}

func newParty(t *testing.T, ports *rtp.Ports) *party {
	return &party{trunk: newTrunk(t, ports, media.PCMU, 20*ms), encoders: map[media.Codec]codec.Encoder{}}
}

// agree changes the party's codec as a re-INVITE does.
func (p *party) agree(c media.Codec) {
	p.t.Helper()
	if err := p.Configure(rtp.Params{
		Remote: p.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: []media.Codec{c}, PayloadTypes: payloadTypes, PTime: 20 * ms,
	}); err != nil {
		p.t.Fatal(err)
	}
}

// speak sends the next packet of the tone and waits until the bridge has had it.
func (p *party) speak(c media.Codec) {
	p.t.Helper()
	rate := codec.EncodeRate(c)
	if p.encoders[c] == nil {
		e, err := codec.NewEncoder(c, rate)
		if err != nil {
			p.t.Fatal(err)
		}
		p.encoders[c] = e
	}
	pcm, payload := make([]float32, rate/50), make([]byte, 1500)
	for i := range pcm {
		pcm[i] = toneAmp * float32(math.Sin(2*math.Pi*toneHz*(p.at+float64(i)/float64(rate))))
	}
	p.at += 0.02
	n, err := p.encoders[c].Encode(pcm, payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.seq++
	p.ts += uint32(c.ClockRate() / 50)
	data, err := (&pionrtp.Packet{Payload: payload[:n], Header: pionrtp.Header{
		Version: 2, PayloadType: payloadTypes[c], SequenceNumber: p.seq, Timestamp: p.ts, SSRC: 77,
	}}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	before := p.Stats().PacketsIn
	if _, err := p.conn.WriteTo(data, net.UDPAddrFromAddrPort(p.LocalAddr())); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); p.Stats().PacketsIn == before; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("a packet did not arrive")
		}
	}
}

// heard decodes at 8 kHz what has come so far, and checks that it is one stream: numbered without
// a hole, and in each codec's own clock no packet apart by more than one and no time run backwards.
func (p *party) heard(want int) (pcm []float32, switches []int) {
	p.t.Helper()
	decoders := map[media.Codec]codec.Decoder{}
	var last pionrtp.Packet
	was := media.NoCodec
	buf, frame := make([]byte, 2000), make([]float32, codec.MaxFrame*16)
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := 0; i < want; i++ {
		n, err := p.conn.Read(buf)
		if err != nil {
			p.t.Fatalf("%d of %d packets: %v", i, want, err)
		}
		var packet pionrtp.Packet
		if err := packet.Unmarshal(append([]byte(nil), buf[:n]...)); err != nil {
			p.t.Fatal(err)
		}
		c := map[uint8]media.Codec{0: media.PCMU, 8: media.PCMA, 9: media.G722, 111: media.Opus}[packet.PayloadType]
		if decoders[c] == nil {
			rate := 8000
			if c == media.G722 {
				rate = 16000
			}
			if decoders[c], err = codec.NewDecoder(c, rate); err != nil {
				p.t.Fatal(err)
			}
		}
		if step := packet.Timestamp - last.Timestamp; i > 0 {
			length := uint32(c.ClockRate() / 50)
			if packet.SSRC != last.SSRC || packet.SequenceNumber != last.SequenceNumber+1 || step < length || c == was && step != length || step > 2*length {
				p.t.Errorf("packet %d in %v, %d at %d, follows %d at %d in %v", i, c, packet.SequenceNumber, packet.Timestamp, last.SequenceNumber, last.Timestamp, was)
			}
		}
		if c != was && i > 0 {
			switches = append(switches, len(pcm))
			if !packet.Marker {
				p.t.Errorf("packet %d, the first in %v, has no marker", i, c)
			}
		}
		last, was = packet, c
		if n, err = decoders[c].Decode(packet.Payload, frame); err != nil {
			p.t.Fatal(err)
		}
		for j := 0; j < n; j += decoders[c].Rate() / 8000 {
			pcm = append(pcm, frame[j])
		}
	}
	return pcm, switches
}

// click is the strongest second difference of a stretch: a step stands out in it, a tone does not.
func click(pcm []float32) float64 {
	most := 0.0
	for i := 2; i < len(pcm); i++ {
		most = max(most, math.Abs(float64(pcm[i]-2*pcm[i-1]+pcm[i-2])))
	}
	return most
}

func TestACodecThatChangesInMidCallIsSilent(t *testing.T) {
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 24500, 24599, 0)
	if err != nil {
		t.Fatal(err)
	}
	caller, other := newParty(t, ports), newParty(t, ports)
	br, err := bridge.Join(caller, other, bridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer br.Close()
	for _, c := range kinds {
		caller.agree(c)
		for range stretch {
			caller.speak(c)
			other.speak(media.PCMU)
		}
	}
	// A tone is the worst case: a codec's delay turns its phase. Without a seam the hardest of these
	// was 0.2, a step as high as the tone; who decodes a stream that begins anew has to sew that itself.
	for _, side := range []struct {
		name  string
		party *party
		click float64
	}{{"who keeps the codec", other, 0.11}, {"who changes it", caller, 0.25}} {
		pcm, at := side.party.heard(len(kinds)*stretch - 2)
		if (side.party == caller) != (len(at) == len(kinds)-1) {
			t.Errorf("%s: switches at %v", side.name, at)
		}
		for i := 4000; i+2000 < len(pcm); i += 4000 {
			if got := click(pcm[i-400 : i+800]); got > side.click {
				t.Errorf("%s: at %d: a click of %.3f", side.name, i, got)
			}
			if i < 8000 && click(pcm[i-400:i+800]) > 0.035 { // PCMU to PCMA has no delay
				t.Errorf("%s: a click from PCMU to PCMA", side.name)
			}
			for j := i - 400; j < i+800; j += 80 {
				if level := dsp.PowerDBov(power(pcm[j : j+160])); level < -24 { // the tone has -17
					t.Errorf("%s: a hole of %.1f dBov at %d", side.name, level, j)
				}
			}
		}
	}
}

// TestASwitchInAPauseIsHeardByNobody has two agents consult in Opus while nobody speaks, and one
// of them go back to the caller in G.711.
func TestASwitchInAPauseIsHeardByNobody(t *testing.T) {
	caller := mediatest.NewLeg(20*ms, media.PCMU)
	agent, colleague := mediatest.NewLeg(20*ms, media.PCMU, media.Opus), mediatest.NewLeg(20*ms, media.PCMU, media.Opus)
	quiet := map[media.Codec][]media.Packet{}
	for _, c := range []media.Codec{media.PCMU, media.Opus} {
		quiet[c] = voice(t, c, 20*ms, 440, -200, 40)
	}
	for i, pair := range [][2]*mediatest.Leg{{caller, agent}, {agent, colleague}, {caller, agent}} {
		var tap ear
		br := join(t, pair[0], pair[1], bridge.Options{FromB: []media.Tap{&tap}})
		for n := range 40 {
			for _, leg := range pair {
				p := quiet[media.Opus][n]
				if leg == caller {
					p = quiet[media.PCMU][n]
				}
				p.Source, p.Seq = uint32(10*i)+p.Source, p.Seq+uint64(1000*i)
				leg.Say(&p)
			}
		}
		br.Close()
	}
	for name, leg := range map[string]*mediatest.Leg{"the caller": caller, "the agent": agent} {
		decoders := map[media.Codec]codec.Decoder{}
		for i, p := range leg.Heard() {
			if decoders[p.Codec] == nil {
				d, err := codec.NewDecoder(p.Codec, 8000)
				if err != nil {
					t.Fatal(err)
				}
				decoders[p.Codec] = d
			}
			pcm := make([]float32, 960)
			n, err := decoders[p.Codec].Decode(p.Payload, pcm)
			if err != nil {
				t.Fatal(err)
			}
			if level := dsp.PowerDBov(power(pcm[:n])); level > -70 {
				t.Errorf("%s hears %.1f dBov in packet %d, in %v", name, level, i, p.Codec)
			}
		}
		if n := len(leg.Heard()); n < 75 {
			t.Errorf("%s heard %d packets", name, n)
		}
	}
}

func power(pcm []float32) float64 {
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return sum / float64(len(pcm))
}
