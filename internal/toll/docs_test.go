package toll_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/internal/toll"
)

// Classes and reasons of docs/dialling.md are those of the code.
func TestTheDocumentNamesEveryClassAndReason(t *testing.T) {
	doc, err := os.ReadFile("../../docs/dialling.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllSubmatch(doc, -1) {
		for _, word := range strings.Split(string(row[1]), ", ") {
			named = append(named, strings.Trim(word, "` "))
		}
	}
	want := append([]string{toll.Emergency}, toll.Classes()...)
	want = append(want, toll.CodeNotANumber, toll.CodeNoCountry, toll.CodeExtension, toll.CodeServiceCode, toll.CodeUnknownClass, toll.CodeBlocked,
		toll.CodeUnknownUser, toll.CodeClassClosed, toll.CodeUnknownQueue, toll.CodeForeignQueue, toll.CodeOutsideHours, toll.CodeNoTrunk, toll.CodeUnavailable)
	for _, whose := range []string{"user", "site", "class_user", "class_site"} {
		for _, what := range []string{"calls", "talk", "at_once"} {
			want = append(want, "limit_"+whose+"_"+what)
		}
	}
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("the document has\n%q\nthe code\n%q", named, want)
	}
}
