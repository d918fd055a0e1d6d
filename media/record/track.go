package record

import (
	"math"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/dsp/resample"
)

const (
	hold    = 200 * time.Millisecond // how long a block waits for what comes after it
	gap     = 60 * time.Millisecond  // later than this is a pause, not drift
	slack   = 5 * time.Millisecond   // off by less is left alone
	tooFar  = 200 * time.Millisecond // ahead by more, something is left out that can be heard
	history = 16                     // blocks looked back at: about a third of a second
)

// track puts one side on the recording's clock. A leg's packets say in which order its samples
// come, and their arrival when. Each block has a delay: when it arrived less what was heard before
// its end. The least delay of the last third of a second and of the next 200 ms is what the
// network's jitter cannot explain; where it has grown by more than a gap, nothing was sent for so
// long, and that is silence. Smaller differences are the drift of the two clocks: a block that can
// be heard is then made one sample longer or shorter, one that cannot as much as it takes.
//
// Positions and delays are in samples at rate.
type track struct {
	rate int
	ring ring

	// The writer's.
	blocks  []block
	samples []int16
	at      int     // first sample of blocks[0]
	content float64 // samples heard so far
	pos     int64   // of the next sample
	past    [history]float64
	known   int // of past
	next    int
	since   time.Duration // between these nothing is kept
	until   time.Duration
	from    map[int]*resample.Resampler // by rate
	pcm     []float32
	resized []float32
	out     []int16 // up to pos, not written yet
}

func newTrack(rate int) *track {
	return &track{rate: rate, from: map[int]*resample.Resampler{}}
}

func (t *track) ticks(d time.Duration) float64 { return d.Seconds() * float64(t.rate) }

// fetch takes over what the ring holds.
func (t *track) fetch() {
	if t.at > 0 { // what was used is at the front
		t.samples = t.samples[:copy(t.samples, t.samples[t.at:])]
		t.at = 0
	}
	t.blocks, t.samples, t.since, t.until = t.ring.take(t.blocks, t.samples)
}

// commit brings the track up to position to, with silence where nothing came.
func (t *track) commit(to int64) {
	used := 0
	for t.pos < to {
		if used == len(t.blocks) {
			t.silence(to - t.pos)
			break
		}
		ahead, late := t.place(t.blocks[used:])
		if late > 0 {
			t.silence(min(late, to-t.pos))
			continue
		}
		t.play(&t.blocks[used], ahead)
		used++
	}
	t.blocks = t.blocks[:copy(t.blocks, t.blocks[used:])]
}

// place says how many samples the next block lies off the clock (negative: it comes too early in
// the file, and something has to be left out), and whether silence comes first.
func (t *track) place(blocks []block) (off float64, late int64) {
	end, least := t.content, math.Inf(1)
	for i := range blocks {
		b := &blocks[i]
		if b.arrival > blocks[0].arrival+hold {
			break
		}
		end += t.length(b)
		least = min(least, t.ticks(b.arrival)-end)
	}
	before := math.Inf(1)
	for _, d := range t.past[:t.known] {
		before = min(before, d)
	}
	shift := float64(t.pos) - t.content
	if t.known == 0 || least-before > t.ticks(gap) {
		t.known, t.next = 0, 0
		if n := int64(math.Round(least - shift)); n > 0 {
			return 0, n
		}
		return least - shift, 0
	}
	return min(least, before) - shift, 0
}

func (t *track) length(b *block) float64 {
	return float64(b.n) * float64(t.rate) / float64(b.rate)
}

// play puts a block at the end, longer or shorter where the track is off the clock.
func (t *track) play(b *block, off float64) {
	n := t.length(b)
	t.content += n
	if t.past[t.next] = t.ticks(b.arrival) - t.content; t.known < history {
		t.known++
	}
	t.next = (t.next + 1) % history

	hushed := b.silent || b.arrival >= t.since && b.arrival <= t.until && t.until > 0
	if hushed || b.quiet {
		if !b.silent {
			t.pcm = t.convert(b) // its resampler hears it all the same
		}
		want := int64(math.Round(max(n+off, 0)))
		if hushed || want != int64(len(t.pcm)) {
			t.silence(want)
			return
		}
		t.emit(t.pcm)
		return
	}
	t.pcm = t.convert(b)
	switch {
	case off < -t.ticks(tooFar):
		return
	case off > t.ticks(slack):
		t.pcm = t.resize(len(t.pcm) + 1)
	case off < -t.ticks(slack):
		t.pcm = t.resize(len(t.pcm) - 1)
	}
	t.emit(t.pcm)
}

// convert gives a block's samples at the recording's rate.
func (t *track) convert(b *block) []float32 {
	in := t.samples[t.at : t.at+b.n]
	t.at += b.n
	t.resized = t.resized[:0]
	for _, v := range in {
		t.resized = append(t.resized, float32(v))
	}
	r := t.from[b.rate]
	if r == nil {
		var err error
		if r, err = resample.New(b.rate, t.rate); err != nil { // a rate that no codec has
			return append(t.pcm[:0], make([]float32, int(t.length(b)))...)
		}
		t.from[b.rate] = r
	}
	return r.Process(t.pcm[:0], t.resized)
}

// resize makes t.pcm n samples long, on straight lines between the old ones.
func (t *track) resize(n int) []float32 {
	if n < 2 || len(t.pcm) < 2 {
		return t.pcm
	}
	t.resized = t.resized[:0]
	step := float64(len(t.pcm)-1) / float64(n-1)
	for i := range n {
		at := float64(i) * step
		j := min(int(at), len(t.pcm)-2)
		part := float32(at - float64(j))
		t.resized = append(t.resized, t.pcm[j]*(1-part)+t.pcm[j+1]*part)
	}
	return append(t.pcm[:0], t.resized...)
}

func (t *track) emit(pcm []float32) {
	for _, x := range pcm {
		t.out = append(t.out, toInt16(x/32768))
	}
	t.pos += int64(len(pcm))
}

func (t *track) silence(n int64) {
	if n <= 0 {
		return
	}
	before := len(t.out)
	t.out = slices.Grow(t.out, int(n))[:before+int(n)]
	clear(t.out[before:])
	t.pos += n
}
