package web

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// The pages' own list of what the meters measure is written by hand. A metric that it
// misses would never be seen.
func TestPagesKnowEveryMetric(t *testing.T) {
	shapes, metrics := source(t, "shapes.ts"), source(t, "metrics.ts")
	for name, typ := range map[string]reflect.Type{
		"Metrics":      reflect.TypeFor[headset.Metrics](),
		"Conversation": reflect.TypeFor[headset.Conversation](),
		"Party":        reflect.TypeFor[headset.Party](),
	} {
		_, rest, found := strings.Cut(shapes, "export interface "+name+" {\n")
		body, _, closed := strings.Cut(rest, "\n}\n")
		if !found || !closed {
			t.Fatalf("shapes.ts has no %s", name)
		}
		keys := map[string]bool{}
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("json")
			keys[key] = true
			if !regexp.MustCompile(`(?m)^  ` + key + `: `).MatchString(body + "\n") {
				t.Errorf("shapes.ts: %s lacks %s", name, key)
			}
			if name == "Metrics" && !strings.Contains(metrics, "'"+key+"'") {
				t.Errorf("metrics.ts: %s is neither shown nor unlisted", key)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^  (\w+)`).FindAllStringSubmatch(body, -1) {
			if !keys[m[1]] {
				t.Errorf("shapes.ts: %s has %s, which is measured no more", name, m[1])
			}
		}
	}
}

func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("ui/src/lib/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
