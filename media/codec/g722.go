package codec

// G.722 at 64 kbit/s (ITU-T G.722, mode 1): two half bands of 4 kHz, each by ADPCM with an
// adaptive quantiser and a predictor of two poles and six zeros; six bits for the lower
// band, two for the upper. Names are those of the Recommendation's signals and blocks. All
// arithmetic is its 16-bit arithmetic: both ends must reckon alike to the last bit, since
// each adapts by what it has itself made.

// The filter that splits the band and joins it again: its even and odd taps are each
// other's mirror, and sum to 4096 (clause 5.2.1, table 11, of which this is one half).
var qmfTaps = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// The quantisers (clauses 3.3 and 6.2.1, tables 14 to 18). Of the lower band's six bits the
// upper four drive the adaptation, so that the lower two could be lost without harm.
var (
	q6 = [...]int{ // decision levels
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
		786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}
	q6Negative = [...]byte{ // codes of the intervals between them
		0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20,
		19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
	}
	q6Positive = [...]byte{
		0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48,
		47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
	}
	q6Inverse = [64]int{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	q4Inverse = [16]int{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	q2Inverse = [4]int{-7408, -1616, 7408, 1616}

	// What a code adds to the logarithm of the scale factor.
	lowSteps  = [16]int{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	highSteps = [4]int{798, -214, 798, -214}

	// 2^(n/32), 2048 = 1: what the logarithm's lower five bits are.
	powers = [32]int{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)

// highDecision is the one decision level of the upper band, times the scale factor, in 1/4096.
const highDecision = 564

// subband is the state of one band's ADPCM, the same at both ends.
type subband struct {
	log   int // of the scale factor, 2048 an octave (NBL, NBH)
	scale int // DETL, DETH
	limit int // of log
	shift int // from its whole part to the scale factor

	s, sz int    // the next sample as predicted, in all and by the zeros
	r     [2]int // the last two as reconstructed
	p     [2]int // and as they are without the poles' part
	a     [2]int // poles
	b     [6]int // zeros
	d     [6]int // the last six differences
}

func newLow() subband  { return subband{scale: 32, limit: 18432, shift: 8} }
func newHigh() subband { return subband{scale: 8, limit: 22528, shift: 10} }

// adapt takes the quantised difference d, and the step that its code makes in the scale.
func (u *subband) adapt(d, step int) {
	u.log = min(max(u.log*127>>7+step, 0), u.limit) // LOGSCL, LOGSCH
	scale := powers[u.log>>6&31]
	if down := u.shift - u.log>>11; down >= 0 { // SCALEL, SCALEH
		scale >>= down
	} else {
		scale <<= -down
	}
	u.scale = scale << 2
	u.predict(d)
}

// predict is block 4: the predictors move by the signs of what came and what had come.
func (u *subband) predict(d int) {
	r, p := saturate(u.s+d), saturate(u.sz+d) // RECONS, PARREC

	// UPPOL2
	turn := -saturate(u.a[0] << 2)
	if (p < 0) != (u.p[0] < 0) {
		turn = -turn
	}
	turn = min(turn, 32767) >> 7
	if (p < 0) == (u.p[1] < 0) {
		turn += 128
	} else {
		turn -= 128
	}
	a2 := min(max(turn+u.a[1]*32512>>15, -12288), 12288)

	// UPPOL1
	turn = -192
	if (p < 0) == (u.p[0] < 0) {
		turn = 192
	}
	most := saturate(15360 - a2)
	a1 := min(max(saturate(turn+u.a[0]*32640>>15), -most), most)

	// UPZERO
	grow := 128
	if d == 0 {
		grow = 0
	}
	for i, old := range u.d {
		turn = -grow
		if (d < 0) == (old < 0) {
			turn = grow
		}
		u.b[i] = saturate(turn + u.b[i]*32640>>15)
	}

	// DELAYA
	copy(u.d[1:], u.d[:5])
	u.d[0] = d
	u.r[1], u.p[1] = u.r[0], u.p[0]
	u.r[0], u.p[0] = r, p
	u.a = [2]int{a1, a2}

	// FILTEP, FILTEZ, PREDIC
	sp := saturate(a1*saturate(2*u.r[0])>>15 + a2*saturate(2*u.r[1])>>15)
	u.sz = 0
	for i := range u.b {
		u.sz += u.b[i] * saturate(2*u.d[i]) >> 15
	}
	u.sz = saturate(u.sz)
	u.s = saturate(sp + u.sz)
}

func saturate(v int) int { return min(max(v, -32768), 32767) }

// g722Encoder makes one octet of two samples at 16 kHz.
type g722Encoder struct {
	low, high subband
	x         [24]int // the newest samples, at the end
}

func newG722Encoder() *g722Encoder { return &g722Encoder{low: newLow(), high: newHigh()} }

func (e *g722Encoder) Rate() int { return 16000 }

// Encode takes any even number of samples.
func (e *g722Encoder) Encode(pcm []float32, out []byte) (int, error) {
	n := len(pcm) / 2
	if len(out) < n || len(pcm)%2 != 0 {
		return 0, ErrShortBuffer
	}
	for i := range n {
		out[i] = e.pair(int(toInt16(pcm[2*i])), int(toInt16(pcm[2*i+1])))
	}
	return n, nil
}

// pair is one octet.
func (e *g722Encoder) pair(x0, x1 int) byte {
	copy(e.x[:], e.x[2:])
	e.x[22], e.x[23] = x0, x1
	var even, odd int
	for i, tap := range qmfTaps {
		odd += e.x[2*i] * tap
		even += e.x[2*i+1] * qmfTaps[11-i]
	}
	return e.highCode((even-odd)>>14)<<6 | e.lowCode((even+odd)>>14)
}

func (e *g722Encoder) lowCode(x int) byte {
	u := &e.low
	diff := saturate(x - u.s) // SUBTRA
	size := diff
	if diff < 0 {
		size = ^diff
	}
	i := 1 // QUANTL
	for i < len(q6) && size >= q6[i]*u.scale>>12 {
		i++
	}
	code := q6Positive[i]
	if diff < 0 {
		code = q6Negative[i]
	}
	u.adapt(u.scale*q4Inverse[code>>2]>>15, lowSteps[code>>2])
	return code
}

func (e *g722Encoder) highCode(x int) byte {
	u := &e.high
	diff := saturate(x - u.s)
	size, code := diff, byte(3)
	if diff < 0 {
		size, code = ^diff, 1
	}
	if size >= highDecision*u.scale>>12 { // QUANTH
		code--
	}
	u.adapt(u.scale*q2Inverse[code]>>15, highSteps[code])
	return code
}

// g722Decoder makes two samples at 16 kHz of one octet.
type g722Decoder struct {
	low, high subband
	x         [24]int // sums and differences of the bands, the newest at the end
	plc       concealer
}

func newG722Decoder() *g722Decoder {
	return &g722Decoder{low: newLow(), high: newHigh(), plc: newConcealer(16000)}
}

func (d *g722Decoder) Rate() int { return 16000 }

func (d *g722Decoder) Decode(payload []byte, pcm []float32) (int, error) {
	if len(payload) == 0 {
		return 0, ErrMalformed
	}
	if 2*len(payload) > len(pcm) {
		return 0, ErrShortBuffer
	}
	pcm = pcm[:2*len(payload)]
	for i, b := range payload {
		x0, x1 := d.pair(b)
		pcm[2*i], pcm[2*i+1] = float32(x0)/32768, float32(x1)/32768
	}
	d.plc.good(pcm)
	return len(pcm), nil
}

// Conceal repeats the voice. The predictors stay as they were; after a gap they find back to
// those of the other side within some milliseconds, since both leak (clause 3.6).
func (d *g722Decoder) Conceal(pcm []float32) int {
	d.plc.lost(pcm)
	return len(pcm)
}

// pair is one octet.
func (d *g722Decoder) pair(octet byte) (x0, x1 int) {
	code := octet & 63
	u := &d.low
	low := clip15(u.s + u.scale*q6Inverse[code]>>15) // INVQBL, RECONS, LIMIT
	u.adapt(u.scale*q4Inverse[code>>2]>>15, lowSteps[code>>2])

	code = octet >> 6
	u = &d.high
	diff := u.scale * q2Inverse[code] >> 15 // INVQAH
	high := clip15(u.s + diff)
	u.adapt(diff, highSteps[code])

	copy(d.x[:], d.x[2:])
	d.x[22], d.x[23] = low+high, low-high
	for i, tap := range qmfTaps {
		x1 += d.x[2*i] * tap
		x0 += d.x[2*i+1] * qmfTaps[11-i]
	}
	return saturate(x0 >> 11), saturate(x1 >> 11)
}

// clip15 is block LIMIT.
func clip15(v int) int { return min(max(v, -16384), 16383) }
