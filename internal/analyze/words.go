package analyze

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// paint colours words, or leaves them be.
type paint bool

// The colours and weights, as ECMA-48 SGR numbers.
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	green  = "32"
	yellow = "33"
)

func (p paint) in(sgr, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// verdict colours a word by how things stand.
func (p paint) verdict(v Verdict, s string) string {
	switch v {
	case Bad:
		return p.in(red, s)
	case Watch:
		return p.in(yellow, s)
	case Good:
		return p.in(green, s)
	}
	return s
}

// painter decides whether there is colour: when told so, or on a terminal, unless the
// environment has NO_COLOR (no-color.org) or a terminal that cannot.
func painter(when string, out io.Writer) (paint, error) {
	switch when {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "", "auto":
	default:
		return false, fmt.Errorf("--color is %q; it is auto, always or never", when)
	}
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false, nil
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0, nil
}

// shown makes text from outside, such as the name of a file, harmless to a terminal.
func shown(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return strings.Trim(strconv.QuoteToGraphic(s), `"`)
	}
	return s
}

// name is a file as people call it.
func name(file string) string {
	if file == stdinName {
		return "standard input"
	}
	return shown(strings.ReplaceAll(file, "\n", "?"))
}

// clock writes seconds as 0:07, 3:21 or 1:02:03, with so many decimals.
func clock(seconds float64, decimals int) string {
	tick := math.Pow(10, float64(decimals))
	ticks := int(math.Round(seconds * tick))
	whole, rest := ticks/int(tick), ticks%int(tick)
	s := fmt.Sprintf("%d:%02d", whole/60%60, whole%60)
	if whole >= 3600 {
		s = fmt.Sprintf("%d:%02d:%02d", whole/3600, whole/60%60, whole%60)
	}
	if decimals > 0 {
		s += fmt.Sprintf(".%0*d", decimals, rest)
	}
	return s
}

// wrap breaks text at spaces into lines of at most width letters; longer words stay whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// pad fills up with spaces to width letters, at the right or, for numbers, at the left.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}
