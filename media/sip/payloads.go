package sip

import (
	"fmt"
	"strings"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// noisePayloadType is that of comfort noise at 8 kHz (RFC 3389 section 4).
const noisePayloadType = 13

// isNoise says that a payload type is comfort noise in the clock of the voices spoken here.
func isNoise(pt uint8, rtpmap string) bool {
	return rtpmap == "cn/8000" || rtpmap == "cn/8000/1" || rtpmap == "" && pt == noisePayloadType
}

// payloads puts the payload types that were agreed on into p besides those of the voices:
// comfort noise, and the numbers that we offered where the answer has others. Either side
// may send with its own (RFC 3264 section 5.1). Of an offer, the voices that were not chosen are heard all the same.
func (s *stream) payloads(isAnswer bool, p *rtp.Params) {
	if s.noise {
		p.Codecs = append(p.Codecs, media.CN)
		p.PayloadTypes[media.CN] = s.noiseType
	}
	if !isAnswer {
		p.Heard = make(map[uint8]media.Codec)
		for _, f := range s.formats[1:] {
			p.Heard[f.payloadType] = f.codec
		}
		return
	}
	p.Aliases = make(map[uint8]uint8)
	for _, f := range s.formats {
		p.Aliases[staticPayloadType(f.codec)] = f.payloadType
	}
	if s.event && s.eventClock == 8000 { // as ours is
		p.Aliases[eventPayloadType] = s.eventType
	}
}

// noiseFormat is comfort noise in an m-line, for a party that named it. It is not offered
// to one that did not: a trunk that sends its pauses whole is the better one.
func (s *stream) noiseFormat() string {
	if !s.noise {
		return ""
	}
	return fmt.Sprintf(" %d", s.noiseType)
}

// noiseMap is its line in an m-section.
func (s *stream) noiseMap() string {
	if !s.noise {
		return ""
	}
	return fmt.Sprintf("a=rtpmap:%d CN/8000\r\n", s.noiseType)
}

// takeNoise reports whether a payload type is comfort noise, and takes note of the first.
func (s *stream) takeNoise(pt uint8, rtpmap string) bool {
	if !isNoise(pt, strings.ToLower(rtpmap)) {
		return false
	}
	if !s.noise {
		s.noise, s.noiseType = true, pt
	}
	return true
}
