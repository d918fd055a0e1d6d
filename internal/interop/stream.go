package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// What is said and heard in rows about audio: a caller and an agent who are a tone each.
const (
	toneAgent  = "tones"
	toneNumber = "3000"
	agentHz    = 1000.0
	callerHz   = 700.0
	toneDBov   = -26.0
	toneWindow = 100 * time.Millisecond // what hears asks of is cut into these
	toneWithin = 1.5                    // decibels that a window's level may be off
)

// shot is one packet of a caller and when it goes out, counted from the first.
type shot struct {
	at     time.Duration
	socket int // of a stream's
	packet rtp.Packet
}

// speech is a tone in packets, as a well-behaved caller sends it.
func speech(c media.Codec, ptime, length time.Duration) ([]shot, error) {
	rate := codec.EncodeRate(c)
	encoder, err := codec.NewEncoder(c, rate)
	if err != nil {
		return nil, err
	}
	size := int(ptime * time.Duration(rate) / time.Second)
	pcm := mediatest.Tone(rate, callerHz, toneDBov, int(length/ptime)*size)
	var out []shot
	for i := 0; (i+1)*size <= len(pcm); i++ {
		payload := make([]byte, 1500)
		n, err := encoder.Encode(pcm[i*size:(i+1)*size], payload)
		if err != nil {
			return nil, err
		}
		out = append(out, shot{at: time.Duration(i) * ptime, packet: rtp.Packet{Payload: payload[:n], Header: rtp.Header{
			Version: 2, PayloadType: payloadTypes[c], SequenceNumber: uint16(1000 + i),
			Timestamp: uint32(5000 + i*size*c.ClockRate()/rate), SSRC: 0x11223344,
		}}})
	}
	return out, nil
}

// payloadTypes are the static ones (RFC 3551), and what the offers here say of Opus.
var payloadTypes = map[media.Codec]uint8{media.PCMU: 0, media.PCMA: 8, media.G722: 9, media.Opus: 111}

// stream is a caller's audio out of plain sockets.
type stream struct {
	conns  [2]*net.UDPConn // the party's own, and another
	mu     sync.Mutex
	heard  []rtp.Packet
	reader sync.WaitGroup
}

// newStream opens the party's sockets, and begins to listen.
func newStream() (*stream, error) {
	s := &stream{}
	for i := range s.conns {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			s.close()
			return nil, err
		}
		s.conns[i] = conn
		s.reader.Go(func() { s.listen(conn, i) })
	}
	return s, nil
}

// listen keeps what comes to a socket. Its number stands in the first CSRC's place.
func (s *stream) listen(conn *net.UDPConn, number int) {
	buf := make([]byte, 2048)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(slices.Clone(buf[:n])) != nil {
			continue
		}
		p.CSRC = []uint32{uint32(number)}
		s.mu.Lock()
		s.heard = append(s.heard, p)
		s.mu.Unlock()
	}
}

// close ends it; what was heard stays.
func (s *stream) close() {
	for _, c := range s.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	s.reader.Wait()
}

func (s *stream) port(socket int) int { return s.conns[socket].LocalAddr().(*net.UDPAddr).Port }

// say sends shots at their times.
func (s *stream) say(ctx context.Context, to *net.UDPAddr, shots []shot) error {
	began := time.Now()
	for _, shot := range shots {
		data, err := shot.packet.Marshal()
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(began.Add(shot.at))); err != nil {
			return err
		}
		if _, err := s.conns[shot.socket].WriteToUDP(data, to); err != nil {
			return err
		}
	}
	return nil
}

// packets are those that came to a socket.
func (s *stream) packets(socket int) []rtp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []rtp.Packet
	for _, p := range s.heard {
		if p.CSRC[0] == uint32(socket) {
			out = append(out, p)
		}
	}
	return out
}

// listened decodes what came to a socket in the codec of a payload type: the others are left
// out, and there must be no hole.
func listened(packets []rtp.Packet, c media.Codec, payloadType uint8) ([]float32, int, error) {
	rate := codec.EncodeRate(c)
	decoder, err := codec.NewDecoder(c, rate)
	if err != nil {
		return nil, 0, err
	}
	var pcm []float32
	frame := make([]float32, codec.MaxFrame*rate/1000)
	for i, p := range packets {
		if i > 0 && p.SequenceNumber != packets[i-1].SequenceNumber+1 {
			return nil, 0, fmt.Errorf("packet %d of what the caller heard follows %d", p.SequenceNumber, packets[i-1].SequenceNumber)
		}
		if p.PayloadType != payloadType {
			continue
		}
		n, err := decoder.Decode(p.Payload, frame)
		if err != nil {
			return nil, 0, err
		}
		pcm = append(pcm, frame[:n]...)
	}
	return pcm, rate, nil
}

// windows counts those of pcm in which the tone stands at its level.
func windows(pcm []float32, rate int, hz float64) (right, all int) {
	size := int(toneWindow * time.Duration(rate) / time.Second)
	for part := range slices.Chunk(pcm, size) {
		if len(part) < size {
			break
		}
		all++
		if level := mediatest.ToneDBov(part, rate, hz); level > toneDBov-toneWithin && level < toneDBov+toneWithin {
			right++
		}
	}
	return right, all
}

// earFile is where the agent who is a tone writes what it hears.
func (s *system) earFile() string { return filepath.Join(s.dir, toneAgent+"-ear.wav") }

// ear is what that agent has heard so far.
func (s *system) ear() ([]float32, int, error) {
	clip, err := wavfile.Open(s.earFile())
	if err != nil {
		return nil, 0, err
	}
	return clip.Mono(), clip.Rate, nil
}

var audioPort = regexp.MustCompile(`m=audio (\d+) RTP/AVP ([\d ]+)`)

// mediaAddress is where an answer wants audio.
func mediaAddress(answer string) (*net.UDPAddr, error) {
	m := audioPort.FindStringSubmatch(answer)
	if m == nil {
		return nil, errors.New("the answer has no plain audio: " + strings.TrimSpace(answer))
	}
	port, err := strconv.Atoi(m[1])
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, err
}
