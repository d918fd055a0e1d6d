package analyze

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/headroom-voice/headroom/internal/plot"
)

// namePictures gives each recording the file of its picture: what was asked for where
// there is one recording; NAME-call.svg for call.wav where there are several; and in a
// folder, call.png. Names that come twice get a number.
func (r *run) namePictures() error {
	if r.Plot == "" {
		return nil
	}
	info, err := os.Stat(r.Plot)
	folder := err == nil && info.IsDir()
	if !folder && strings.HasSuffix(r.Plot, string(os.PathSeparator)) {
		return fmt.Errorf("--plot: there is no folder %s", r.Plot)
	}
	if in := filepath.Dir(r.Plot); !folder {
		if info, err := os.Stat(in); err != nil || !info.IsDir() {
			return fmt.Errorf("--plot: there is no folder %s", in)
		}
	}
	suffix := ".png"
	if !folder {
		if _, err := plot.FormatOf(r.Plot); err != nil {
			return fmt.Errorf("--plot: %w, and is no folder", err)
		}
		suffix = filepath.Ext(r.Plot)
	}
	taken := map[string]bool{}
	for i := range r.jobs {
		base := strings.TrimSuffix(filepath.Base(r.jobs[i].file), filepath.Ext(r.jobs[i].file))
		if r.jobs[i].file == stdinName {
			base = "stdin"
		}
		path := filepath.Join(r.Plot, base)
		switch {
		case !folder && !r.many:
			r.jobs[i].picture = r.Plot
			continue
		case !folder:
			path = strings.TrimSuffix(r.Plot, suffix) + "-" + base
		}
		free := path
		for n := 2; taken[free]; n++ {
			free = fmt.Sprintf("%s-%d", path, n)
		}
		taken[free] = true
		r.jobs[i].picture = free + suffix
	}
	return nil
}

// draw writes a picture; one that cannot be completed is not left behind.
func (r *run) draw(res Result, recorder *plot.Recorder, path string) error {
	format, err := plot.FormatOf(path)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	if err := errors.Join(picture(res, recorder).Write(f, format), f.Close()); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("picture %s: %w", path, err)
	}
	return nil
}

// picture puts a report into words for its drawing.
func picture(res Result, recorder *plot.Recorder) plot.Picture {
	p := plot.Picture{
		Title: name(res.File), Verdict: strings.ToUpper(strings.ReplaceAll(string(res.Verdict), "_", " ")), Severity: string(res.Verdict),
		Heard: heard(res), Findings: worstFirst(res.Findings), Limits: res.limits, Recorder: recorder,
	}
	for _, part := range parts {
		for _, row := range part.rows {
			if v := row.value(&res.Metrics); v.Valid() && len(row.judges) > 0 {
				p.Numbers = append(p.Numbers, strings.TrimSpace(row.label+" "+row.show(v)+" "+row.unit))
			}
		}
	}
	return p
}
