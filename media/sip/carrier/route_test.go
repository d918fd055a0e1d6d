package carrier

import (
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/media/sip/e164"
)

func TestARouteIsToldWithoutACall(t *testing.T) {
	target := []Target{{URI: "sip:x.example"}}
	trunks := []Trunk{
		{ID: "second", Targets: target, Prefixes: []string{"+44"}, Priority: 2, Numbers: e164.Plan{Country: "44", National: "0"}},
		{ID: "first", Targets: target, Prefixes: []string{"+44", ""}, Priority: 1},
		{ID: "asked", Targets: target},
		{ID: "in-only"},
	}
	for _, c := range []struct {
		order Order
		want  []string
	}{
		{Order{To: "+442079460101"}, []string{"first", "second"}},
		{Order{To: "+33123456789"}, []string{"first"}},
		{Order{To: "+442079460101", Trunks: []string{"asked"}}, []string{"asked"}},
		{Order{To: "+442079460101", Trunks: []string{"in-only", "second"}}, []string{"second"}},
		{Order{To: "+33123456789", Trunks: []string{"second"}}, nil},
		{Order{To: "112", Urgent: true}, []string{"first", "asked", "second"}}, // any rather than none
		{Order{To: "112", Urgent: true, Trunks: []string{"second"}}, []string{"second"}},
	} {
		if got := Route(trunks, c.order); !slices.Equal(got, c.want) {
			t.Errorf("%+v goes by %q, wanted %q", c.order, got, c.want)
		}
	}
}
