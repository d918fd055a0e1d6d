package rtp

import (
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
)

// JitterConfig sets up a JitterBuffer. Zero fields take the defaults.
type JitterConfig struct {
	Rate int           // of what is pulled, Hz: 8000, 16000 or 48000 (default)
	Max  time.Duration // most delay it will grow to; 500 ms by default
}

// JitterBuffer turns packets that arrive unevenly into samples pulled evenly.
type JitterBuffer struct {
}

// NewJitterBuffer makes an empty buffer.
func NewJitterBuffer(cfg JitterConfig) (*JitterBuffer, error) { return &JitterBuffer{}, nil }

// Push takes a packet and copies it. Any codec may come; a new Source starts anew.
func (j *JitterBuffer) Push(p *media.Packet, arrival time.Time) {}

// Pull fills pcm with what is to be heard next, at the configured rate, and says of what
// kind it is: any frame with lost or stretched samples in it carries the mark.
func (j *JitterBuffer) Pull(pcm []float32) dsp.Mark { return 0 }

// Delay is how long a packet that arrives now will wait before it is heard.
func (j *JitterBuffer) Delay() time.Duration { return 0 }
