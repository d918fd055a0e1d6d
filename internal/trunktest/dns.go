package trunktest

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/media/sip/locate"
)

// lookedUp hears of each question to the DNS (locate.Config.Told).
func (r *run) lookedUp(l locate.Lookup) {
	out := Lookup{Name: l.Name, Type: l.Type, Records: l.Records}
	if l.Err != nil {
		out.Error = "no DNS server answered" + detail(l.Err)
	}
	if out.Records == nil {
		out.Records = []string{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.lookups, func(known Lookup) bool { return known.Name == out.Name && known.Type == out.Type }) {
		return // from memory
	}
	r.lookups = append(r.lookups, out)
}

// locate finds the addresses behind a URI.
func (r *run) locate(ctx context.Context, uri string) []locate.Target {
	r.mu.Lock()
	r.lookups = nil
	r.mu.Unlock()
	hops, err := r.dns.LocateURI(ctx, uri)
	r.mu.Lock()
	lookups := r.lookups
	r.mu.Unlock()
	// A and AAAA are asked for at once, and are to be shown in one order.
	slices.SortStableFunc(lookups, func(a, b Lookup) int {
		if a.Name == b.Name {
			return cmp.Compare(a.Type, b.Type)
		}
		return 0
	})
	c := Check{Step: StepDNS, Target: uri, Outcome: OK, Lookups: lookups}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		c.Outcome = Failed
		c.Words, c.Advice = notFound(err, lookups)
		r.note(c)
		return nil
	}
	var words []string
	for _, h := range hops {
		words = append(words, h.String())
	}
	c.Words = "leads to " + strings.Join(words, ", ")
	if q, err := locate.Parse(uri); err == nil {
		if _, err := netip.ParseAddr(q.Host); err == nil {
			c.Words = "is an address, " + strings.Join(words, ", ")
		}
	}
	r.note(c)
	return hops
}

// detail is what stands behind the last "no DNS server answered" of an error.
func detail(err error) string {
	_, why, ok := strings.Cut(err.Error(), "no DNS server answered")
	if !ok {
		return ""
	}
	return why
}

// notFound says why a URI leads nowhere.
func notFound(err error, lookups []Lookup) (words, advice string) {
	switch {
	case errors.Is(err, locate.ErrNoServer):
		return "no DNS server has answered" + detail(err), "check this machine's DNS servers (/etc/resolv.conf), or name others under sip.dns in headroom.yaml"
	case errors.Is(err, locate.ErrNotOffered):
		return "the domain says by its DNS that it offers no SIP this way", "ask the carrier for its address and transport"
	case errors.Is(err, locate.ErrQuery):
		return inShort(err), "give the target another transport, or turn that one on under sip in headroom.yaml"
	}
	asked := []string{}
	for _, l := range lookups {
		asked = append(asked, l.Type+" of "+strings.TrimSuffix(l.Name, "."))
	}
	words = "the DNS knows no such server"
	if len(asked) > 0 {
		words += " (asked for " + strings.Join(asked, ", ") + ")"
	}
	return words, "check the spelling of the target's uri in the site file"
}
