package sip

import (
	"net/netip"
	"testing"
	"time"
)

func TestPlacesAreTakenBySourceAndGivenBack(t *testing.T) {
	var s slots
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(n byte) place { return place{source: netip.AddrFrom4([4]byte{192, 0, 2, n})} }
	fill := func(p place) (n, offences int) {
		for range 2 * likelyConnections {
			ok, offence := s.take(p, now)
			if ok {
				n++
			}
			if offence {
				offences++
			}
		}
		return n, offences
	}
	if n, offences := fill(at(0)); n != strangerConnections || offences != 1 {
		t.Errorf("%d places for one source, %d offences in a moment", n, offences)
	}
	now = now.Add(crowdEvery)
	if _, offence := s.take(at(0), now); !offence {
		t.Error("a source that goes on offends nobody")
	}
	for i := byte(1); i < strangersAtOnce/strangerConnections; i++ {
		if n, _ := fill(at(i)); n != strangerConnections {
			t.Fatalf("source %d has %d places", i, n)
		}
	}
	if ok, offence := s.take(at(200), now); ok || offence {
		t.Error("there is always a place, or it is the fault of who finds none")
	}
	office := place{source: at(0).source, likely: true}
	if n, _ := fill(office); n != likelyConnections {
		t.Errorf("strangers leave an office %d places", n)
	}
	for range likelyConnections {
		s.free(office)
	}
	for i := range byte(strangersAtOnce / strangerConnections) {
		for range strangerConnections {
			s.free(at(i))
		}
	}
	if len(s.taken) != 0 || s.total != [2]int{} {
		t.Errorf("%d sources, %v places are still taken", len(s.taken), s.total)
	}
}
