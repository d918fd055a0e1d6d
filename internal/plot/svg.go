package plot

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
)

// svg is a canvas that writes its drawing down. The first error is kept and ends it.
type svg struct {
	out *bufio.Writer
	err error
}

func (d *drawing) writeSVG(w io.Writer) error {
	s := &svg{out: bufio.NewWriter(w)}
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" width="%d" height="%s" role="img" font-family="Go, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif">`+"\n",
		pictureWidth, short(d.height), pictureWidth, short(d.height))
	s.printf("<title>%s</title>\n", html.EscapeString(d.Title+": "+d.Verdict))
	d.draw(s)
	s.printf("</svg>\n")
	if s.err != nil {
		return s.err
	}
	return s.out.Flush()
}

func (s *svg) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

// short writes a length to a tenth of a pixel.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// paint is a colour as the attribute, fill or stroke.
func paint(attribute string, c color.NRGBA) string {
	s := fmt.Sprintf(`%s="#%02x%02x%02x"`, attribute, c.R, c.G, c.B)
	if c.A < 255 {
		s += fmt.Sprintf(` %s-opacity="%.2f"`, attribute, float64(c.A)/255)
	}
	return s
}

func (s *svg) path(points []point, finish string) {
	s.printf(`<path d="`)
	for i, p := range points {
		if i == 0 {
			s.printf("M%s %s", short(p.x), short(p.y))
		} else {
			s.printf("L%s %s", short(p.x), short(p.y))
		}
	}
	s.printf(`%s"`, finish)
}

func (s *svg) rect(x, y, w, h float64, c color.NRGBA) {
	s.printf(`<rect x="%s" y="%s" width="%s" height="%s" %s/>`+"\n", short(x), short(y), short(w), short(h), paint("fill", c))
}

func (s *svg) fill(outline []point, c color.NRGBA) {
	s.path(outline, "Z")
	s.printf(" %s/>\n", paint("fill", c))
}

func (s *svg) line(points []point, width, dash float64, c color.NRGBA) {
	s.path(points, "")
	s.printf(` fill="none" stroke-width="%s" stroke-linejoin="round" %s`, short(width), paint("stroke", c))
	if dash > 0 {
		s.printf(` stroke-dasharray="%s"`, short(dash))
	}
	s.printf("/>\n")
}

func (s *svg) text(x, y float64, words string, st style) {
	s.printf(`<text x="%s" y="%s" font-size="%s" %s`, short(x), short(y), short(st.size), paint("fill", st.color))
	if st.bold {
		s.printf(` font-weight="bold"`)
	}
	if st.anchor != start {
		s.printf(` text-anchor="%s"`, []string{"start", "middle", "end"}[st.anchor])
	}
	s.printf(">%s</text>\n", html.EscapeString(words))
}

func (s *svg) image(x, y, w, h float64, img image.Image) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil && s.err == nil {
		s.err = err
	}
	s.printf(`<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" href="data:image/png;base64,%s"/>`+"\n",
		short(x), short(y), short(w), short(h), base64.StdEncoding.EncodeToString(b.Bytes()))
}
