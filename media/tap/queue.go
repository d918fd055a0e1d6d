package tap

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
)

const (
	frameLen   = 320   // samples of a queued frame at the most: 20 ms at 16 kHz
	ringLen    = 16384 // samples queued at the most: about 0.8 s of the near party at 16 kHz and 0.4 s of the far
	maxFrames  = 256   // and frames
	farSheds   = 400   // ms queued, from which on the far party is shed
	millis     = 1000
	maxShift   = 15
	parties    = 2
	nearParty  = 0
	farParty   = 1
	fullScale  = 32768
	roundAbove = fullScale + 0.5
)

// frame is what is known of samples in the ring.
type frame struct {
	far   bool
	mark  dsp.Mark
	from  media.Codec
	shift uint8 // the samples are 2^shift times as large as they were
	n     uint16
	rate  int32
	at    int32 // of the ring
	shed  int32 // samples shed of this party just before it
}

// party is the index of who said it.
func (f *frame) party() int {
	if f.far {
		return farParty
	}
	return nearParty
}

// gap is a number of samples at a rate.
type gap struct{ samples, rate int }

// add counts samples that are missing; at another rate it begins anew.
func (g *gap) add(samples, rate int) {
	if g.rate != rate {
		*g = gap{rate: rate}
	}
	g.samples += samples
}

// queue holds what a meter has yet to hear, as 16-bit samples: a frame's own are doubled until
// they fill that, so that what G.711 or G.722 decoded to is kept as it is and of the faintest
// noise 15 bits are left. Nobody waits for it, and it never grows.
type queue struct {
	frames [maxFrames]frame
	first  int
	count  int
	ring   [ringLen]int16
	used   int            // samples of the ring, from the first frame's on
	queued [parties]int64 // microseconds
	before [parties]gap   // shed before the first frame
	behind [parties]gap   // shed after the last frame
	shed   [parties]uint64
}

// age is how much of the slower party's time is queued, in milliseconds: what is offered comes
// as fast as it is spoken, so it is how long the oldest has waited.
func (q *queue) age() int { return int(max(q.queued[0], q.queued[1]) / millis) }

func micros(samples int, rate int32) int64 { return int64(samples) * 1e6 / int64(max(1, rate)) }

// put queues at most frameLen samples.
func (q *queue) put(f frame, pcm []float32) {
	if f.far && q.age() >= farSheds {
		q.behind[farParty].add(len(pcm), int(f.rate))
		q.shed[farParty]++
		return
	}
	for q.count == maxFrames || q.used+len(pcm) > ringLen {
		q.shedOldest()
	}
	f.n, f.at = uint16(len(pcm)), int32(q.end())
	if g := &q.behind[f.party()]; g.samples > 0 {
		f.shed = int32(int64(g.samples) * int64(f.rate) / int64(g.rate))
		*g = gap{}
	}
	f.shift = q.write(int(f.at), pcm)
	q.frames[(q.first+q.count)%maxFrames] = f
	q.count++
	q.used += len(pcm)
	q.queued[f.party()] += micros(len(pcm), f.rate)
}

// end is where the next sample goes.
func (q *queue) end() int {
	if q.count == 0 {
		return 0
	}
	return (int(q.frames[q.first].at) + q.used) % ringLen
}

// shedOldest makes room. Both parties' time goes on: what is shed of the near one will be
// measured as lost, of the far one as silence.
func (q *queue) shedOldest() {
	f := q.drop()
	q.before[f.party()].add(int(f.shed)+int(f.n), int(f.rate))
	q.shed[f.party()]++
}

// drop takes the first frame off the queue.
func (q *queue) drop() frame {
	f := q.frames[q.first]
	q.first = (q.first + 1) % maxFrames
	q.count--
	q.used -= int(f.n)
	q.queued[f.party()] -= micros(int(f.n), f.rate)
	return f
}

// take copies the first frame's samples to pcm and says what was shed before it.
func (q *queue) take(pcm []float32) (f frame, shed gap, ok bool) {
	if q.count == 0 {
		return frame{}, gap{}, false
	}
	f = q.drop()
	q.read(pcm[:f.n], int(f.at), f.shift)
	g := &q.before[f.party()]
	shed, *g = *g, gap{}
	if f.shed > 0 {
		shed.add(int(f.shed), int(f.rate))
	}
	return f, shed, true
}

// write puts samples into the ring.
func (q *queue) write(at int, pcm []float32) (shift uint8) {
	top := loudest(pcm)
	scale := float32(fullScale) // times a power of two: exact
	for top > 0 && top < 0.5 && shift < maxShift {
		top, scale, shift = 2*top, 2*scale, shift+1
	}
	first := min(len(pcm), ringLen-at)
	squeeze(q.ring[at:at+first], pcm[:first], scale)
	squeeze(q.ring[:], pcm[first:], scale)
	return shift
}

// loudest is the largest amplitude; something above 1 if there is what is not a number.
func loudest(pcm []float32) float32 {
	const amplitude = 1<<31 - 1 // all bits but the sign; as numbers they are in order
	var a, b uint32
	for len(pcm) >= 2 {
		x := (*[2]float32)(pcm)
		a = max(a, math.Float32bits(x[0])&amplitude)
		b = max(b, math.Float32bits(x[1])&amplitude)
		pcm = pcm[2:]
	}
	for _, x := range pcm {
		a = max(a, math.Float32bits(x)&amplitude)
	}
	return math.Float32frombits(max(a, b))
}

// squeeze makes 16-bit samples. What is beyond is limited, what is not a number is 0.
func squeeze(dst []int16, pcm []float32, scale float32) {
	dst = dst[:len(pcm)]
	for i, x := range pcm {
		v := x * scale
		if !(v >= -fullScale && v < fullScale-1) {
			switch {
			case v > 0:
				v = fullScale - 1
			case v < 0:
				v = -fullScale
			default:
				v = 0
			}
		}
		dst[i] = int16(int32(v+roundAbove) - fullScale)
	}
}

// read takes samples out of the ring.
func (q *queue) read(pcm []float32, at int, shift uint8) {
	scale := 1 / float32(int32(fullScale)<<shift)
	first := min(len(pcm), ringLen-at)
	for i, x := range q.ring[at : at+first] {
		pcm[i] = float32(x) * scale
	}
	for i, x := range q.ring[:len(pcm)-first] {
		pcm[first+i] = float32(x) * scale
	}
}
