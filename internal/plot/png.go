package plot

import (
	"bufio"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// pngScale is how many dots a pixel of the drawing becomes, so that letters stay sharp on
// screens of today.
const pngScale = 1.5

// raster is a canvas of dots.
type raster struct {
	fonts fonts
	to    *image.RGBA
	pen   vector.Rasterizer
	err   error
}

func (d *drawing) writePNG(w io.Writer) error {
	r := &raster{fonts: d.fonts, to: image.NewRGBA(image.Rect(0, 0, int(pictureWidth*pngScale), int(math.Ceil(d.height*pngScale))))}
	d.draw(r)
	if r.err != nil {
		return r.err
	}
	out := bufio.NewWriter(w)
	if err := png.Encode(out, r.to); err != nil {
		return err
	}
	return out.Flush()
}

func (r *raster) rect(x, y, w, h float64, c color.NRGBA) {
	r.fill([]point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, c)
}

func (r *raster) fill(outline []point, c color.NRGBA) { r.paint([][]point{outline}, c) }

// paint fills outlines, all in one go, so that where they overlap nothing is darker.
func (r *raster) paint(outlines [][]point, c color.NRGBA) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, outline := range outlines {
		for _, p := range outline {
			low.x, low.y = min(low.x, p.x*pngScale), min(low.y, p.y*pngScale)
			high.x, high.y = max(high.x, p.x*pngScale), max(high.y, p.y*pngScale)
		}
	}
	box := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x)), int(math.Ceil(high.y)))
	if box = box.Intersect(r.to.Bounds()); box.Empty() {
		return
	}
	r.pen.Reset(box.Dx(), box.Dy())
	at := func(p point) (x, y float32) {
		return float32(p.x*pngScale - float64(box.Min.X)), float32(p.y*pngScale - float64(box.Min.Y))
	}
	for _, outline := range outlines {
		for i, p := range outline {
			if x, y := at(p); i == 0 {
				r.pen.MoveTo(x, y)
			} else {
				r.pen.LineTo(x, y)
			}
		}
		r.pen.ClosePath()
	}
	r.pen.Draw(r.to, box, image.NewUniform(c), image.Point{})
}

func (r *raster) line(points []point, width, dash float64, c color.NRGBA) {
	var strokes [][]point
	walked := 0.0 // how far along the line, for the dashes
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		if length == 0 {
			continue
		}
		for from := 0.0; from < length; {
			to, drawn := length, true
			if dash > 0 {
				n := math.Floor((walked + from + 1e-9) / dash)
				to, drawn = min(length, (n+1)*dash-walked), int(n)%2 == 0
			}
			if drawn {
				strokes = append(strokes, stroke(a, b, from/length, to/length, width))
			}
			from = to
		}
		walked += length
	}
	if len(strokes) > 0 {
		r.paint(strokes, c)
	}
}

// stroke is the outline of a piece of the line from a to b. All turn the same way round.
func stroke(a, b point, from, to, width float64) []point {
	dx, dy := b.x-a.x, b.y-a.y
	scale := width / 2 / math.Hypot(dx, dy)
	nx, ny := -dy*scale, dx*scale
	p, q := point{a.x + from*dx, a.y + from*dy}, point{a.x + to*dx, a.y + to*dy}
	return []point{{p.x + nx, p.y + ny}, {p.x - nx, p.y - ny}, {q.x - nx, q.y - ny}, {q.x + nx, q.y + ny}}
}

func (r *raster) text(x, y float64, words string, st style) {
	face, err := r.fonts.face(st.size*pngScale, st.bold)
	if err != nil {
		r.err = err
		return
	}
	x *= pngScale
	width := float64(font.MeasureString(face, words)) / 64
	switch st.anchor {
	case middle:
		x -= width / 2
	case end:
		x -= width
	}
	d := font.Drawer{Dst: r.to, Src: image.NewUniform(st.color), Face: face, Dot: fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * pngScale * 64)}}
	d.DrawString(words)
}

func (r *raster) image(x, y, w, h float64, img image.Image) {
	box := image.Rect(int(math.Round(x*pngScale)), int(math.Round(y*pngScale)), int(math.Round((x+w)*pngScale)), int(math.Round((y+h)*pngScale)))
	xdraw.ApproxBiLinear.Scale(r.to, box, img, img.Bounds(), draw.Src, nil)
}
