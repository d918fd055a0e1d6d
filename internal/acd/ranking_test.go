package acd

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTheForemostIsAlwaysFirstWhoeverLeaves(t *testing.T) {
	people := make([]int, 60)
	for i := range people {
		people[i] = i
	}
	rapid.Check(t, func(t *rapid.T) {
		r := newRanking(func(a, b int) bool { return a < b })
		var plain []int
		for _, x := range rapid.SliceOfN(rapid.SampledFrom(people), 200, 300).Draw(t, "who comes or goes") {
			if i := slices.Index(plain, x); i >= 0 {
				plain = slices.Delete(plain, i, i+1)
				if !r.remove(x) {
					t.Fatalf("%d was not there", x)
				}
			} else {
				plain = append(plain, x)
				r.push(x)
				r.push(x) // twice is once
			}
			first, ok := r.first()
			if ok != (len(plain) > 0) || ok && first != slices.Min(plain) || r.len() != len(plain) {
				t.Fatalf("first is %d of %d, want that of %v", first, r.len(), plain)
			}
		}
	})
}
