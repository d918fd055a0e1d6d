package api

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The pages' shapes are written by hand. What they ask for and the service does not give
// would be an empty place on a screen that nobody can explain.
func TestThePagesAskForNothingThatIsNotGiven(t *testing.T) {
	text, err := os.ReadFile("../web/ui/src/lib/shapes.ts")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Session](), reflect.TypeFor[WaitingCall](), reflect.TypeFor[Queue](), reflect.TypeFor[Reading](), reflect.TypeFor[Agent](),
		reflect.TypeFor[Headset](), reflect.TypeFor[Verdict](), reflect.TypeFor[VerdictFinding](), reflect.TypeFor[Finding](), reflect.TypeFor[Call](), reflect.TypeFor[Leg](),
		reflect.TypeFor[CallEvent](), reflect.TypeFor[Report](), reflect.TypeFor[CallStory](), reflect.TypeFor[HeadsetDetail](),
		reflect.TypeFor[ReadingRun](), reflect.TypeFor[SIPLadder](), reflect.TypeFor[SIPMessage](),
		reflect.TypeFor[Trunk](), reflect.TypeFor[TrunkServer](), reflect.TypeFor[TrunkRegistration](),
	} {
		given[typ.Name()] = typ
	}
	for _, m := range regexp.MustCompile(`(?s)export interface (\w+)(?: extends \w+)? \{\n(.*?)\n\}`).FindAllStringSubmatch(string(text), -1) {
		typ, ok := given[m[1]]
		if !ok {
			continue
		}
		delete(given, m[1])
		keys := jsonKeys(typ)
		for _, field := range regexp.MustCompile(`(?m)^  (\w+)\??: `).FindAllStringSubmatch(m[2], -1) {
			if !keys[field[1]] {
				t.Errorf("shapes.ts: %s has %s, which the service does not give", m[1], field[1])
			}
		}
	}
	for name := range given {
		t.Errorf("shapes.ts has no %s", name)
	}
}

// jsonKeys are the names of a struct's fields in JSON.
func jsonKeys(typ reflect.Type) map[string]bool {
	keys := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for key := range jsonKeys(f.Type) {
				keys[key] = true
			}
			continue
		}
		keys[name] = true
	}
	return keys
}
