package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Kinds of scenes that are no fault.
const (
	falseAlarms = "innocent"
	measures    = "measure"
)

// bench holds what scenes are made of and what is to be made.
type bench struct {
	voices            []*voice
	music             [][]float32
	shortest, longest float64 // seconds of a scene
	plan              []job
}

// job is a scene and the paths it is heard on.
type job struct {
	scene scene
	paths []path
}

// make makes a scene whole.
func (b *bench) make(s scene) (*maker, error) {
	m := newMaker(s, b)
	if m.voice == nil {
		return nil, fmt.Errorf("%v: no voice %q", s, s.voice)
	}
	of, err := recipe(s)
	if err != nil {
		return nil, err
	}
	of(m)
	m.finish()
	return m, nil
}

func recipe(s scene) (func(m *maker), error) {
	switch s.kind {
	case falseAlarms:
		for _, i := range innocents() {
			if i.name == s.variant {
				return i.make, nil
			}
		}
	case measures:
		var snr float64
		if _, err := fmt.Sscanf(s.variant, "snr%f", &snr); err == nil {
			return func(m *maker) { makeMeasured(m, snr) }, nil
		}
	}
	for _, f := range faults() {
		for _, v := range f.variants {
			if f.kind == s.kind && v.name == s.variant && slices.Contains(f.severities, s.severity) {
				return v.make, nil
			}
		}
	}
	return nil, fmt.Errorf("%v: there is no such scene", s)
}

// outcome is one case judged.
type outcome struct {
	scene   scene
	path    path
	truths  truths
	true    figures
	seconds float64
	report  headset.Report
}

func (o *outcome) id() string { return o.scene.String() + "@" + o.path.name }

// found gives the grade and value of what was found of a kind ("a|b" is either).
func (o *outcome) found(kind string) (grade, float64) {
	best, value := grade(0), 0.0
	for _, f := range o.report.Findings {
		if g := gradeOf(string(f.Severity)); g > best && slices.Contains(strings.Split(kind, either), string(f.Kind)) {
			best, value = g, float64(f.Value)
		}
	}
	return best, value
}

// subject is the kind, or the kinds, that the scene was made for, and what is true of it.
func (o *outcome) subject() (string, truth) {
	for key, t := range o.truths {
		if strings.Contains(key, either) {
			return key, t
		}
	}
	return o.scene.kind, o.truths[o.scene.kind]
}

// wrong lists the findings that go beyond what is true, the subject's own included.
func (o *outcome) wrong() []headset.Finding {
	var list []headset.Finding
	for _, f := range o.report.Findings {
		if gradeOf(string(f.Severity)) > o.truths.of(string(f.Kind)).most {
			list = append(list, f)
		}
	}
	return list
}

// run makes every scene of the plan, lets it be judged on all its paths, and hands the
// outcomes on in no order, one at a time.
func (b *bench) run(ctx context.Context, workers int, each func(*outcome)) error {
	jobs := make(chan job)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for range workers {
		wg.Go(func() {
			for j := range jobs {
				outcomes, err := b.judge(j)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				}
				for _, o := range outcomes {
					each(o)
				}
				mu.Unlock()
			}
		})
	}
	for _, j := range b.plan {
		if ctx.Err() != nil {
			break
		}
		jobs <- j
	}
	close(jobs)
	wg.Wait()
	return errors.Join(append(errs, context.Cause(ctx))...)
}

func (b *bench) judge(j job) ([]*outcome, error) {
	m, err := b.make(j.scene)
	if err != nil {
		return nil, err
	}
	f := m.figures()
	var outcomes []*outcome
	for _, p := range j.paths {
		h, report, err := p.judge(&m.recording, m.seed)
		if err != nil {
			return nil, fmt.Errorf("%v@%s: %w", j.scene, p.name, err)
		}
		outcomes = append(outcomes, &outcome{
			scene: j.scene, path: p, truths: m.truths(p.tap, f), true: f,
			seconds: float64(len(h.pcm)) / float64(h.rate), report: report,
		})
	}
	return outcomes, nil
}
