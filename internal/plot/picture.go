package plot

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Picture is a recording with what was found in it.
type Picture struct {
	Title    string   // the file's name
	Verdict  string   // in a word or two
	Severity string   // "good", "watch", "bad", or else neither: the colour of the verdict
	Heard    string   // what was listened to: length, rate, channel
	Numbers  []string // the metrics that matter most, each with its name and unit
	Findings []headset.Finding
	Limits   headset.Limits // for the lines at the level
	Recorder *Recorder
}

// Measures of the drawing, in pixels.
const (
	pictureWidth = 1200
	left, right  = 72.0, 1112.0 // of the panels
	margin       = 24.0
	textSize     = 13.0
	lineHeight   = 18.0
	kindAt       = margin + 62 // of the findings
	wordsAt      = margin + 156
	headHeight   = 66.0 // without numbers and findings
	otherFonts   = 1.15 // how much wider they may be
	titleHeight  = 26.0 // of a panel
	laneHeight   = 17.0
	laneGap      = 10.0 // over the lanes
	waveHeight   = 120.0
	farHeight    = 60.0
	levelHeight  = 150.0
	axisHeight   = 46.0
)

// drawing is a picture laid out.
type drawing struct {
	Picture
	fonts   fonts
	numbers []string   // in lines
	words   [][]string // of the findings, in lines
	kinds   []headset.Kind
	seconds float64
	height  float64
}

func newDrawing(p Picture, f fonts) *drawing {
	d := &drawing{Picture: p, fonts: f, seconds: max(p.Recorder.Seconds(), 1e-3)}
	d.numbers = f.wrap(p.numbers(), style{size: textSize}, (pictureWidth-2*margin)/otherFonts)
	d.height = headHeight + float64(len(d.numbers))*lineHeight + 8
	for _, finding := range p.Findings {
		lines := f.wrap(finding.Text, style{size: textSize}, (pictureWidth-margin-wordsAt)/otherFonts)
		d.words = append(d.words, lines)
		d.height += float64(len(lines))*lineHeight + 4
	}
	for k := range p.Recorder.marks {
		d.kinds = append(d.kinds, k)
	}
	slices.Sort(d.kinds)
	d.height += titleHeight + waveHeight + laneGap + laneHeight*float64(1+len(d.kinds))
	if p.Recorder.far != nil {
		d.height += titleHeight + farHeight
	}
	d.height += titleHeight + spectrumRows + titleHeight + levelHeight + axisHeight
	return d
}

// numbers joins the metrics so that a line breaks between them only.
func (p Picture) numbers() string {
	const noBreak = "\u00a0"
	whole := make([]string, len(p.Numbers))
	for i, n := range p.Numbers {
		whole[i] = strings.ReplaceAll(n, " ", noBreak)
	}
	return strings.Join(whole, noBreak+noBreak+"· "+noBreak)
}

// draw goes from top to bottom.
func (d *drawing) draw(c canvas) {
	c.rect(0, 0, pictureWidth, d.height, rgb(0xffffff))
	y := d.head(c)
	y = d.waves(c, y) + laneGap
	y = d.lanes(c, y)
	if d.Recorder.far != nil {
		d.title(c, y, "far end")
		d.wave(c, y+titleHeight, farHeight, d.Recorder.far, "far")
		y += titleHeight + farHeight
	}
	y = d.spectrogram(c, y)
	y = d.levels(c, y)
	d.axis(c, y)
}

// head is the name, the verdict and the findings.
func (d *drawing) head(c canvas) float64 {
	badge := style{size: 15, bold: true, anchor: middle, color: rgb(0xffffff)}
	width := d.fonts.width(d.Verdict, badge) + 24
	ink := inkOf("faint")
	if d.Severity == "good" || d.Severity == "watch" || d.Severity == "bad" {
		ink = inkOf(d.Severity)
	}
	title := style{size: 21, bold: true, color: inkOf("text")}
	c.text(margin, 37, d.fit(d.Title, title, pictureWidth-2*margin-width-20), title)
	c.rect(pictureWidth-margin-width, 16, width, 28, ink)
	c.text(pictureWidth-margin-width/2, 35, d.Verdict, badge)
	c.text(margin, 59, d.Heard, style{size: textSize, color: inkOf("faint")})
	y := headHeight
	for _, line := range d.numbers {
		c.text(margin, y+13, line, style{size: textSize, color: inkOf("text")})
		y += lineHeight
	}
	y += 8
	for i, f := range d.Findings {
		severity := string(f.Severity)
		c.rect(margin, y+2, 52, 16, inkOf(severity))
		c.text(margin+26, y+14.5, severity, style{size: 12, bold: true, anchor: middle, color: rgb(0xffffff)})
		c.text(kindAt, y+15, string(f.Kind), style{size: textSize, bold: true, color: inkOf("text")})
		for _, line := range d.words[i] {
			c.text(wordsAt, y+15, line, style{size: textSize, color: inkOf("text")})
			y += lineHeight
		}
		y += 4
	}
	return y
}

// fit cuts the beginning off a text that is too wide: the end of a path says most.
func (d *drawing) fit(s string, st style, width float64) string {
	letters := []rune(s)
	for len(letters) > 1 && d.fonts.width(s, st) > width {
		letters = letters[1:]
		s = "…" + string(letters)
	}
	return s
}

// title stands over a panel that begins titleHeight below y.
func (d *drawing) title(c canvas, y float64, words string) {
	c.text(left, y+titleHeight-7, words, style{size: 12, bold: true, color: inkOf("text")})
}

// x is where a time stands.
func (d *drawing) x(seconds float64) float64 {
	return left + (right-left)*max(0, min(1, seconds/d.seconds))
}

// label stands left of a panel.
func (d *drawing) label(c canvas, y float64, words string) {
	c.text(left-8, y+4, words, style{size: 11, anchor: end, color: inkOf("faint")})
}

// waves is the microphone's waveform, with the faults over it.
func (d *drawing) waves(c canvas, y float64) float64 {
	d.title(c, y, "waveform")
	y += titleHeight
	d.wave(c, y, waveHeight, &d.Recorder.near, "near")
	for _, k := range d.kinds {
		for _, s := range d.spans(k) {
			c.rect(s.x, y, s.width, waveHeight, veil(markInk(k), 48))
		}
	}
	return y + waveHeight
}

// wave draws the outline of a waveform.
func (d *drawing) wave(c canvas, y, height float64, w *wave, ink string) {
	d.grid(c, y, height)
	half := height / 2
	for _, v := range []float64{-1, -0.5, 0, 0.5, 1} {
		c.line([]point{{left, y + half - v*half}, {right, y + half - v*half}}, 1, 0, inkOf("grid"))
		if height >= waveHeight || v == 0 || v*v == 1 {
			d.label(c, y+half-v*half, fmt.Sprintf("%g", v))
		}
	}
	d.outline(c, y+half, half, w, inkOf(ink), func(col column) (low, high float64) { return float64(col.low), float64(col.high) })
	d.outline(c, y+half, half, w, veil(rgb(0xffffff), 100), func(col column) (low, high float64) {
		rms := math.Sqrt(col.sum / max(1, float64(col.n)))
		return -rms, rms
	})
}

// outline fills a waveform from some low to some high; full scale is half pixels.
func (d *drawing) outline(c canvas, y, half float64, w *wave, ink color.NRGBA, of func(column) (low, high float64)) {
	const n = int(right - left)
	upper, lower := make([]point, 0, 2*n), make([]point, 0, n)
	for i := range n {
		col := w.between(float64(i)/float64(n)*d.seconds, float64(i+1)/float64(n)*d.seconds, d.Recorder.rate)
		if col.n == 0 {
			continue
		}
		low, high := of(col)
		low, high = half*max(-1, min(1, low)), half*max(-1, min(1, high))
		if high-low < 1 { // never thinner than a line
			mid := (high + low) / 2
			high, low = mid+0.5, mid-0.5
		}
		x := left + float64(i) + 0.5
		upper = append(upper, point{x, y - high})
		lower = append(lower, point{x, y - low})
	}
	slices.Reverse(lower)
	if all := append(upper, lower...); len(all) > 0 {
		c.fill(all, ink)
	}
}

// bar is a span in pixels.
type bar struct{ x, width float64 }

// spans gives when a kind of fault showed, wide enough to be seen.
func (d *drawing) spans(k headset.Kind) []bar {
	var bars []bar
	for _, s := range d.Recorder.marks[k].spans {
		b := bar{x: d.x(s.from), width: max(2, d.x(s.to)-d.x(s.from))}
		if n := len(bars); n > 0 && b.x < bars[n-1].x+bars[n-1].width { // one over the other would be darker
			bars[n-1].width = max(bars[n-1].width, b.x+b.width-bars[n-1].x)
			continue
		}
		bars = append(bars, b)
	}
	return bars
}

// lanes are speech and each kind of fault along the time, with how often it showed.
func (d *drawing) lanes(c canvas, y float64) float64 {
	lane := func(words string) {
		c.rect(left, y+3, right-left, laneHeight-5, rgb(0xf3f5f7))
		d.label(c, y+laneHeight/2, words)
	}
	note := func(words string, heavy bool) {
		c.text(right+8, y+laneHeight/2+4, words, style{size: 11, bold: heavy, color: inkOf("text")})
	}
	lane("speech")
	for _, r := range d.Recorder.readings {
		if share := r.speech.value(); share > 0.02 {
			c.rect(d.x(r.from), y+3, d.x(r.at)-d.x(r.from), laneHeight-5, veil(inkOf("speech"), uint8(255*min(1, share))))
		}
	}
	for _, k := range d.kinds {
		y += laneHeight
		lane(string(k))
		for _, s := range d.spans(k) {
			c.rect(s.x, y+3, s.width, laneHeight-5, markInk(k))
		}
		judged := slices.ContainsFunc(d.Findings, func(f headset.Finding) bool { return f.Kind == k })
		note(fmt.Sprintf("× %d", d.Recorder.marks[k].count), judged)
	}
	return y + laneHeight
}
