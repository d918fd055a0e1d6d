package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/plot"
)

const rate = 8000

// sample is a recording of so many seconds: a tone of 1 kHz in the second half.
func sample(seconds int) *plot.Recorder {
	r := plot.NewRecorder(rate, true)
	n := seconds * rate / 2
	quiet, loud := dsptest.Noise(n, -80, 1), dsptest.Tone(n, rate, 1000, -9)
	for _, x := range [][]float32{quiet, loud} {
		for len(x) > 0 {
			m := min(len(x), 777)
			r.Add(x[:m], x[:m])
			x = x[m:]
		}
	}
	for i := range seconds {
		r.Reading(headset.Reading{At: float64(i + 1), ActiveLevel: -20, NoiseFloor: -60, Speech: 0.5})
	}
	return r
}

func picture(r *plot.Recorder) plot.Picture {
	return plot.Picture{
		Title: "calls/<b>&\"one\".wav", Verdict: "BAD", Severity: "bad", Heard: "0:10 long", Numbers: []string{"speech level -20 dBov", "noise -60 dBov"},
		Findings: []headset.Finding{{Kind: headset.Dropout, Severity: headset.Bad, Text: strings.Repeat("The sound breaks off: check the plug. ", 9)}},
		Limits:   headset.DefaultLimits(), Recorder: r,
	}
}

func drawn(t *testing.T, p plot.Picture) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b, plot.PNG); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// count says how many dots of a part of the width have about a colour.
func count(img image.Image, from, to float64, like color.NRGBA) (n int) {
	b := img.Bounds()
	off := func(p uint32, q uint8) float64 { return math.Abs(float64(p>>8) - float64(q)) }
	for y := 0; y < b.Dy(); y += 2 {
		for x := int(from * float64(b.Dx())); x < int(to*float64(b.Dx())); x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); off(r, like.R)+off(g, like.G)+off(b, like.B) < 12 {
				n++
			}
		}
	}
	return n
}

func TestFaultAndLoudToneShowWhereTheyWere(t *testing.T) {
	r := sample(10)
	r.Event(headset.Event{Kind: headset.Dropout, At: 8, Length: 0.5})
	mark := color.NRGBA{R: 0x70, G: 0x48, B: 0xe8, A: 255}
	img := drawn(t, picture(r))
	// The panels reach from 6 to 92.7 % of the width.
	at := func(seconds float64) float64 { return 0.06 + 0.867*seconds/10 }
	if n := count(img, at(7.9), at(8.6), mark); n < 50 {
		t.Errorf("%d dots of the mark at 8 s", n)
	}
	if n := count(img, 0, at(7.8), mark) + count(img, at(8.7), 1, mark); n > 0 {
		t.Errorf("%d dots of the mark elsewhere", n)
	}
	// And the loud half is bright in the spectrogram.
	hot := color.NRGBA{R: 254, G: 250, B: 214, A: 255}
	if early, late := count(img, 0.1, 0.45, hot), count(img, 0.52, 0.9, hot); late < 250 || early > late/20 {
		t.Errorf("brightest dots: %d in the quiet half, %d in the loud", early, late)
	}
}

func TestSVGIsWellFormedAndSaysWhatWasFound(t *testing.T) {
	r := sample(4)
	r.Event(headset.Event{Kind: headset.Dropout, At: 1, Length: 0.02})
	r.Event(headset.Event{Kind: headset.Crackle, At: 2})
	var b bytes.Buffer
	if err := picture(r).Write(&b, plot.SVG); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	images := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
			text.WriteByte(' ')
		case xml.StartElement:
			if token.Name.Local == "image" {
				images++
			}
		}
	}
	for _, want := range []string{`calls/<b>&"one".wav`, "BAD", "dropout", "crackle", "× 1", "check the plug.", "spectrogram", "kHz", "0:02", "far end", "noise limit"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in %s", want, text.String())
		}
	}
	if images != 2 {
		t.Errorf("%d images, want the spectrogram and its scale", images)
	}
}

func TestShortAndEmptyRecordingsAreDrawn(t *testing.T) {
	for _, n := range []int{0, 1, 100} {
		r := plot.NewRecorder(96000, false)
		r.Add(make([]float32, n), nil)
		if err := picture(r).Write(io.Discard, plot.SVG); err != nil {
			t.Errorf("%d samples: %v", n, err)
		}
	}
}

func TestBrokenSamplesAreNoHoleInThePicture(t *testing.T) {
	r := plot.NewRecorder(rate, false)
	r.Add([]float32{float32(math.NaN()), float32(math.Inf(1)), -1e30, 0.5}, nil)
	r.Reading(headset.Reading{At: 1, ActiveLevel: headset.Reading{}.Level, NoiseFloor: -60})
	var b bytes.Buffer
	if err := picture(r).Write(&b, plot.SVG); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("%v: %.2000s", err, b.String())
	}
}

func TestDiskThatIsFullIsSaid(t *testing.T) {
	for _, f := range []plot.Format{plot.SVG, plot.PNG} {
		if err := picture(plot.NewRecorder(rate, false)).Write(full{}, f); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestNameDecidesTheFormat(t *testing.T) {
	for name, want := range map[string]plot.Format{"a.svg": plot.SVG, "b/A.PNG": plot.PNG, "a.jpg": "", "svg": "", "": ""} {
		if got, err := plot.FormatOf(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}
