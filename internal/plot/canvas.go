package plot

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// canvas is what the drawing is drawn on. Units are pixels of a picture of pictureWidth,
// from the upper left.
type canvas interface {
	rect(x, y, w, h float64, c color.NRGBA)
	fill(outline []point, c color.NRGBA)
	line(points []point, width, dash float64, c color.NRGBA) // dash is how long; 0 is a whole line
	text(x, y float64, s string, st style)                   // y is the base line
	image(x, y, w, h float64, img image.Image)
}

type point struct{ x, y float64 }

// style is how text stands.
type style struct {
	size   float64 // of the letters
	bold   bool
	anchor anchor // what of the text x is
	color  color.NRGBA
}

type anchor int

const (
	start anchor = iota
	middle
	end
)

// Format is the kind of file a picture is written as.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// FormatOf gives the format that a file's name asks for.
func FormatOf(file string) (Format, error) {
	for _, f := range []Format{SVG, PNG} {
		if strings.HasSuffix(strings.ToLower(file), "."+string(f)) {
			return f, nil
		}
	}
	return "", fmt.Errorf("the name %q does not end in .svg or .png", file)
}

// Write draws the picture into a file of the format.
func (p Picture) Write(w io.Writer, f Format) error {
	fonts, err := newFonts()
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	d := newDrawing(p, fonts)
	if f == SVG {
		return d.writeSVG(w)
	}
	return d.writePNG(w)
}

// fonts are the Go project's, which may be given away with a program. What shows an SVG
// may have others only, and some are a tenth wider.
type fonts struct{ regular, bold *opentype.Font }

func newFonts() (fonts, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return fonts{}, err
	}
	heavy, err := opentype.Parse(gobold.TTF)
	return fonts{regular, heavy}, err
}

// face gives letters of a size in pixels.
func (f fonts) face(size float64, heavy bool) (font.Face, error) {
	of := f.regular
	if heavy {
		of = f.bold
	}
	return opentype.NewFace(of, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
}

// width of a text in pixels.
func (f fonts) width(s string, st style) float64 {
	face, err := f.face(st.size, st.bold)
	if err != nil {
		return 0
	}
	return float64(font.MeasureString(face, s)) / 64
}

// wrap breaks a text at plain spaces into lines no wider than so many pixels.
func (f fonts) wrap(s string, st style, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(s, " ") {
		longer := strings.TrimLeft(line+" "+word, " ")
		if line != "" && f.width(longer, st) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	return append(lines, line)
}
