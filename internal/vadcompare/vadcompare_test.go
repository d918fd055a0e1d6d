package main

import (
	"math"
	"slices"
	"testing"
)

func TestWordsAndPausesAreToldApart(t *testing.T) {
	x := make([]float32, 4*rate)
	for i := rate; i < 2*rate; i++ { // a second of sound at 0 dBov, and a click later
		x[i] = float32(math.Sqrt2 * math.Sin(2*math.Pi*500*float64(i)/rate))
	}
	x[3*rate+10] = 1
	is := label(x)
	for _, c := range []struct {
		block int
		want  truth
	}{{0, pause}, {46, pause}, {49, unscored}, {50, speech}, {99, speech}, {105, unscored}, {115, pause}, {150, unscored}, {170, pause}} {
		if is[c.block] != c.want {
			t.Errorf("block %d is %d, want %d", c.block, is[c.block], c.want)
		}
	}
}

func TestScoresAreShares(t *testing.T) {
	var s score
	s.add([]bool{true, false, true, false, true}, []truth{speech, speech, pause, pause, unscored})
	if s.miss() != 0.5 || s.alarm() != 0.5 || s.balanced() != 0.5 {
		t.Errorf("%+v", s)
	}
}

func TestDecisionsOfAProgramAreRead(t *testing.T) {
	said, cost, err := decisions([]byte("0110\n1\n1234\n"), 2)
	if err != nil || cost != 1234 || !slices.Equal(said[0], []bool{false, true, true, false}) || len(said) != 2 {
		t.Errorf("%v %v %v", said, cost, err)
	}
	if _, _, err := decisions([]byte("0110\n"), 2); err == nil {
		t.Error("took half an answer")
	}
}

func TestBackgroundsAreAsLoudAsTold(t *testing.T) {
	const n = 10 * rate
	for name, x := range map[string][]float32{
		"white": white(n, 1), "pink": pink(n, 2), "hum": hum(n), "buzz": buzz(n), "keyboard": keyboard(n, 3),
		"keypad": dtmf(n), "ringing": ringing(n),
	} {
		if got := dBov(x); math.Abs(got) > 0.1 {
			t.Errorf("%s: %.2f dBov", name, got)
		}
	}
}
