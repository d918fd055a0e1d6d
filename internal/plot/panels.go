package plot

import (
	"fmt"
	"image"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// spectrogram draws the picture of frequencies over time.
func (d *drawing) spectrogram(c canvas, y float64) float64 {
	s := d.Recorder.spectrum
	d.title(c, y, "spectrogram")
	y += titleHeight
	c.image(left, y, right-left, spectrumRows, s.picture(int(right-left), d.seconds))
	below := math.Inf(1) // where the last label stands
	for _, hz := range []float64{50, 100, 200, 400, 1000, 2000, 3400, 5000, 8000, 12000, 16000} {
		at := y + spectrumRows*(1-s.at(hz))
		if hz > s.highest || s.analyzer == nil {
			break
		}
		if below-at < 13 {
			continue
		}
		below = at
		c.line([]point{{left - 4, at}, {left, at}}, 1, 0, inkOf("faint"))
		words := fmt.Sprintf("%g Hz", hz)
		if hz >= 1000 {
			words = fmt.Sprintf("%g kHz", hz/1000)
		}
		d.label(c, at, words)
	}
	const scaleHeight = 120.0
	bar := image.NewRGBA(image.Rect(0, 0, 1, int(scaleHeight)))
	for i := range bar.Rect.Dy() {
		bar.SetRGBA(0, i, heat(1-float64(i)/(scaleHeight-1)))
	}
	c.image(right+10, y+24, 12, scaleHeight, bar)
	c.text(right+10, y+14, "dBov a bin", style{size: 10, color: inkOf("faint")})
	for _, level := range []float64{-40, -60, -80, -100} {
		c.text(right+27, y+28+scaleHeight*(brightest-level)/(brightest-darkest), fmt.Sprintf("%g", level), style{size: 10, color: inkOf("faint")})
	}
	return y + spectrumRows
}

// The range of the level's panel, dBov.
const loudest, softest = 0.0, -90.0

// levels draws the level, what of it is speech and what is noise, and their limits.
func (d *drawing) levels(c canvas, y float64) float64 {
	d.title(c, y, "level, dBov")
	at := left + 90
	for _, l := range []struct{ words, ink string }{{"as it is", "level"}, {"speech, last 10 s", "active"}, {"noise, last 10 s", "floor"}} {
		c.line([]point{{at, y + titleHeight - 11}, {at + 18, y + titleHeight - 11}}, 2.5, 0, inkOf(l.ink))
		st := style{size: 11, color: inkOf("faint")}
		c.text(at+23, y+titleHeight-7, l.words, st)
		at += 23 + d.fonts.width(l.words, st) + 22
	}
	y += titleHeight
	high := func(dBov float64) float64 {
		return y + levelHeight*(loudest-max(softest, min(loudest, dBov)))/(loudest-softest)
	}
	good := d.Limits
	c.rect(left, high(good.Loud.Watch), right-left, high(good.Quiet.Watch)-high(good.Loud.Watch), veil(inkOf("good"), 36))
	d.grid(c, y, levelHeight)
	for v := loudest; v >= softest; v -= 15 {
		c.line([]point{{left, high(v)}, {right, high(v)}}, 1, 0, inkOf("grid"))
		d.label(c, high(v), fmt.Sprintf("%g", v))
	}
	limit := style{size: 10, color: inkOf("faint")}
	c.text(right+8, (high(good.Loud.Watch)+high(good.Quiet.Watch))/2+4, "good speech", limit)
	c.line([]point{{left, high(good.Noise.Watch)}, {right, high(good.Noise.Watch)}}, 1, 5, inkOf("floor"))
	c.text(right+8, high(good.Noise.Watch)+4, "noise limit", limit)
	d.curve(c, 1.2, "level", d.levelPoints(high))
	for _, l := range []struct {
		ink   string
		value func(reading) float64
	}{{"floor", func(r reading) float64 { return r.floor.value() }}, {"active", func(r reading) float64 { return r.active.value() }}} {
		var points []point
		for _, r := range d.Recorder.readings {
			p := point{d.x(r.at), math.NaN()}
			if v := l.value(r); !math.IsNaN(v) && v > dsp.SilenceDBov {
				p.y = high(v)
			}
			points = append(points, p)
		}
		d.curve(c, 2.2, l.ink, points)
	}
	return y + levelHeight
}

// levelPoints gives the level of stretches of at least a pixel and a tenth of a second.
func (d *drawing) levelPoints(high func(float64) float64) []point {
	n := max(1, int(min(right-left, d.seconds/0.1)))
	points := make([]point, 0, n)
	for i := range n {
		from, to := float64(i)/float64(n)*d.seconds, float64(i+1)/float64(n)*d.seconds
		col := d.Recorder.near.between(from, to, d.Recorder.rate)
		points = append(points, point{d.x((from + to) / 2), high(dsp.PowerDBov(col.sum / max(1, float64(col.n))))})
	}
	return points
}

// curve draws a line that is broken where a point has no height.
func (d *drawing) curve(c canvas, width float64, ink string, points []point) {
	for len(points) > 0 {
		n := 0
		for n < len(points) && !math.IsNaN(points[n].y) {
			n++
		}
		if n > 1 {
			c.line(points[:n], width, 0, inkOf(ink))
		}
		points = points[min(n+1, len(points)):]
	}
}

// steps are distances of two ticks, seconds.
var steps = [...]float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400}

const tickDistance = 80.0 // pixels at least

func (d *drawing) step() float64 {
	for _, s := range steps {
		if s/d.seconds*(right-left) >= tickDistance {
			return s
		}
	}
	return steps[len(steps)-1] * math.Ceil(tickDistance/(right-left)*d.seconds/steps[len(steps)-1])
}

// grid draws the lines of time behind a panel.
func (d *drawing) grid(c canvas, y, height float64) {
	for i, step := 0, d.step(); float64(i)*step <= d.seconds; i++ {
		x := d.x(float64(i) * step)
		c.line([]point{{x, y}, {x, y + height}}, 1, 0, inkOf("grid"))
	}
}

// axis writes the times under the panels.
func (d *drawing) axis(c canvas, y float64) {
	for i, step := 0, d.step(); float64(i)*step <= d.seconds; i++ {
		t := float64(i) * step
		c.line([]point{{d.x(t), y}, {d.x(t), y + 5}}, 1, 0, inkOf("faint"))
		c.text(d.x(t), y+18, clock(t, step), style{size: 11, anchor: middle, color: inkOf("faint")})
	}
	c.text(right, y+36, "time, "+map[bool]string{true: "h:mm:ss", false: "m:ss"}[d.seconds >= 3600], style{size: 11, anchor: end, color: inkOf("faint")})
}

// clock writes a time as finely as ticks of a step need it.
func clock(t, step float64) string {
	tenths := int(math.Round(t * 10))
	s := tenths / 10
	words := fmt.Sprintf("%d:%02d", s/60, s%60)
	if s >= 3600 {
		words = fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	if step < 1 {
		words += fmt.Sprintf(".%d", tenths%10)
	}
	return words
}
