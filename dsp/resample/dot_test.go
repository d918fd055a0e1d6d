package resample

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDotIsTheSameInEveryLanguage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; n <= 240; n += 4 {
		for offset := range 4 { // unaligned, too
			x, h := make([]float32, n+offset)[offset:], make([]float32, n+offset)[offset:]
			var want, size float64
			for i := range x {
				x[i], h[i] = random.Float32()-0.5, random.Float32()-0.5
				want += float64(x[i]) * float64(h[i])
				size += math.Abs(float64(x[i]) * float64(h[i]))
			}
			for name, got := range map[string]float32{"here": dot(x, h), "in Go": dotGo(x, h)} {
				if math.Abs(float64(got)-want) > 1e-6*size+1e-12 {
					t.Errorf("%d products %s: %v, want %v", n, name, got, want)
				}
			}
		}
	}
}

func BenchmarkDouble(b *testing.B) { benchmark(b, 8000, 16000) }
func BenchmarkHalve(b *testing.B)  { benchmark(b, 16000, 8000) }

// benchmark converts 20 ms at a time.
func benchmark(b *testing.B, from, to int) {
	r, err := New(from, to)
	if err != nil {
		b.Fatal(err)
	}
	in, out := make([]float32, from/50), make([]float32, 0, to/50+1)
	for b.Loop() {
		out = r.Process(out[:0], in)
	}
}

func BenchmarkDot(b *testing.B) {
	x, h := make([]float32, 80), make([]float32, 80)
	for name, f := range map[string]func(x, h []float32) float32{"here": dot, "Go": dotGo} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f(x, h)
			}
		})
	}
}
