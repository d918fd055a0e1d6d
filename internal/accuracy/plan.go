package main

import (
	"math"
	"slices"
	"strings"
)

// options are the flags.
type options struct {
	quick   bool
	hours   float64 // of innocent material for each tap
	only    []string
	tap     string
	paths   []string
	voices  []string
	verbose bool
}

func (o *options) wants(s scene) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(prefix string) bool {
		return s.kind == prefix || strings.HasPrefix(s.String(), prefix)
	})
}

// heardOn keeps those of the paths that were asked for.
func (o *options) heardOn(names []string) []path {
	var list []path
	for _, name := range names {
		p, ok := pathNamed(name)
		if !ok || o.tap != "" && string(p.tap) != o.tap || len(o.paths) > 0 && !slices.Contains(o.paths, name) {
			continue
		}
		list = append(list, p)
	}
	return list
}

// schedule lays down everything that is to be made. The mic and Opus at 24 kbit/s hear
// every scene; of the other codecs each hears a part, in turn.
func (b *bench) schedule(o *options) {
	b.shortest, b.longest = 60, 90
	repeats, shared := 1, 3
	if o.quick {
		b.shortest, b.longest = 60, 64
		repeats, shared = 1, 0
	}
	voices := b.voices
	if o.quick && len(o.voices) == 0 { // a few unlike ones
		voices = slices.DeleteFunc(slices.Clone(voices), func(v *voice) bool {
			return !slices.Contains([]string{"en", "it", "pocketsphinx"}, v.name)
		})
		if len(voices) == 0 {
			voices = b.voices[:1]
		}
	}
	turn := 0
	add := func(s scene, names []string) {
		if !o.wants(s) {
			return
		}
		if paths := o.heardOn(names); len(paths) > 0 {
			b.plan = append(b.plan, job{s, paths})
		}
	}
	ordinary := func() []string {
		turn++
		if len(o.paths) > 0 {
			return o.paths
		}
		list := []string{"mic", "opus24"}
		if shared > 0 && turn%shared == 0 {
			list = append(list, []string{"opus12", "opus48", "g711"}[turn/shared%3])
		}
		return list
	}
	for n := range repeats {
		for _, f := range faults() {
			for _, v := range f.variants {
				for _, severity := range f.severities {
					for _, who := range voices {
						if who.narrow && f.kind == "muffled" {
							continue
						}
						add(scene{f.kind, v.name, severity, who.name, n}, ordinary())
					}
				}
			}
		}
	}
	b.scheduleInnocents(o, voices, add, ordinary)
	for n := range 3 {
		for _, who := range voices {
			if who.name == "pocketsphinx" || who.narrow { // their own noise is known too badly
				continue
			}
			if o.quick && n > 0 {
				continue
			}
			for _, snr := range []string{"snr10", "snr15", "snr20", "snr25", "snr30", "snr35"} {
				add(scene{measures, snr, innocent, who.name, n}, ordinary())
			}
		}
	}
}

func (b *bench) scheduleInnocents(o *options, voices []*voice, add func(scene, []string), ordinary func() []string) {
	material := innocents()
	each := (b.shortest + b.longest) / 2 * float64(len(material)-2) * float64(len(voices)) // seconds a round
	rounds := int(math.Ceil(o.hours * 3600 / each))
	for n := range rounds {
		for _, i := range material {
			for _, who := range voices {
				names := i.paths
				switch {
				case names == nil:
					names = ordinary()
				case len(names) > 1:
					names = names[n%len(names):][:1]
				}
				add(scene{falseAlarms, i.name, innocent, who.name, n}, names)
			}
		}
	}
}
