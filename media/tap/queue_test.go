package tap

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/codec"
)

func TestWhatG711DecodesToIsKeptAsItIs(t *testing.T) {
	var q queue
	pcm, got := make([]float32, 256), make([]float32, frameLen)
	for i := range pcm {
		pcm[i] = float32(codec.MuLawDecode(byte(i))) / 32768
	}
	for _, x := range [][]float32{pcm, pcm[100:140], {0, 0, 0}, {1.0 / 32768}, {-1, 0.5}} {
		q.put(frame{rate: 8000}, x)
		if _, _, ok := q.take(got); !ok {
			t.Fatal("nothing was queued")
		}
		for i, v := range x {
			if got[i] != v {
				t.Fatalf("%v became %v", v, got[i])
			}
		}
	}
}

func TestFaintNoiseStaysNoise(t *testing.T) {
	var q queue
	pcm, got := make([]float32, frameLen), make([]float32, frameLen)
	for i := range pcm {
		pcm[i] = float32(1e-6 * math.Sin(float64(i))) // -123 dBov
	}
	q.put(frame{rate: 16000}, pcm)
	q.take(got)
	for i := range pcm {
		if d := math.Abs(float64(got[i] - pcm[i])); d > 3e-8 {
			t.Fatalf("%v became %v", pcm[i], got[i])
		}
	}
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), 2, -2}
	q.put(frame{rate: 16000}, bad)
	q.take(got)
	if got[0] != 0 || got[1] < 0.99 || got[2] < 0.99 || got[3] != -1 {
		t.Errorf("%v became %v", bad, got[:4])
	}
}

// TestTimeIsNeverLost offers and takes at random. Whatever is shed, each party's samples, taken
// and shed, are those that were offered, in order.
func TestTimeIsNeverLost(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var q queue
		var offered, heard [parties]int
		pcm, got := make([]float32, frameLen), make([]float32, frameLen)
		take := func() bool {
			f, shed, ok := q.take(got)
			if !ok {
				return false
			}
			heard[f.party()] += shed.samples
			if want := float32(heard[f.party()]%1000+1) / 1024; got[0] != want {
				t.Fatalf("the next sample is %v, want %v", got[0], want)
			}
			heard[f.party()] += int(f.n)
			return true
		}
		for range 500 {
			far := rng.IntN(2)
			n := 1 + rng.IntN(frameLen)
			for i := range pcm[:n] {
				pcm[i] = float32((offered[far]+i)%1000+1) / 1024
			}
			q.put(frame{far: far == farParty, rate: 16000, mark: dsp.Mark(far)}, pcm[:n])
			offered[far] += n
			if q.used > ringLen || q.count > maxFrames || q.queued[0] < 0 || q.queued[1] < 0 {
				t.Fatalf("the queue holds %d samples in %d frames", q.used, q.count)
			}
			for range rng.IntN(3) {
				take()
			}
		}
		for take() {
		}
		for party := range heard {
			if missing := offered[party] - heard[party] - q.behind[party].samples - q.before[party].samples; missing != 0 {
				t.Fatalf("party %d: %d of %d samples are missing", party, missing, offered[party])
			}
		}
		if q.age() != 0 {
			t.Fatalf("an empty queue is %d ms old", q.age())
		}
	}
}

func TestAQueueIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(queue{}); size > 40<<10 {
		t.Errorf("%d bytes", size)
	}
}
