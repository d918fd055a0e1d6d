package bridge

import (
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// sewTime is how long the old codec fades into the new one. A decoder that has just begun knows
// nothing of what was said before, and every codec has a delay of its own: without a seam the
// voice would break off and begin again some milliseconds apart.
const sewTime = 5 * time.Millisecond

// sew lets the first samples of a new decoder, pcm, begin as the old one would have gone on.
func sew(pcm []float32, rate int, before codec.Decoder) {
	n := min(int(sewTime*time.Duration(rate)/time.Second), len(pcm))
	old := make([]float32, (n*before.Rate()+rate-1)/rate+1)
	before.Conceal(old)
	for i := range pcm[:n] {
		at, part := i*before.Rate()/rate, float32(i*before.Rate()%rate)/float32(rate)
		x := old[at] + part*(old[min(at+1, len(old)-1)]-old[at])
		w := float32(i) / float32(n)
		pcm[i] = x + w*(pcm[i]-x)
	}
}

// decoded notes which codec a piece of the stream was decoded from, and sews the seam where that
// changed.
func (f *flow) decoded(pcm []float32, from media.Codec) {
	before := f.seam
	f.seam = from
	if before == from || before == media.NoCodec || f.decoders[before] == nil {
		return
	}
	sew(pcm, f.decoders[from].Rate(), f.decoders[before])
	f.decoders[before] = nil // what it knows is over
}

// seamless says whether a packet may pass as it is. The first that might after others were decoded
// is decoded, too, so that the voice does not jump.
func (f *flow) seamless(p *media.Packet, direct bool) bool {
	coded := f.coded
	if codec.EncodeRate(p.Codec) == 0 {
		return direct // no voice
	}
	f.coded = !direct
	return direct && (f.held || !coded)
}

// rest is for a stream that passes as it is and that nobody decodes: what was decoded of it
// before knows nothing of what comes then.
func (f *flow) rest() { f.sequencer, f.seam = nil, media.NoCodec }
