package protocol

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestDocumentationShowsEveryMessageAsItIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/agent-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	client, service, ok := strings.Cut(doc, "## What the service says")
	if !ok {
		t.Fatal("no chapter on the service's messages")
	}
	for _, m := range Messages() {
		chapter := service
		if FromClient(m) {
			chapter = client
		}
		_, section, ok := strings.Cut(chapter, "\n### `"+TypeOf(m)+"`\n")
		if !ok {
			t.Errorf("%s is not documented, or as the other side's", TypeOf(m))
			continue
		}
		section, _, _ = strings.Cut(section, "\n### ")
		example := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindStringSubmatch(section)
		if example == nil {
			t.Errorf("%s has no example", TypeOf(m))
			continue
		}
		_, got, err := Decode([]byte(example[1]))
		if err != nil {
			t.Errorf("example of %s: %v", TypeOf(m), err)
			continue
		}
		if TypeOf(got) != TypeOf(m) {
			t.Errorf("example of %s is of %s", TypeOf(m), TypeOf(got))
		}
		wantKnownFields(t, example[1], got)
	}
	for _, code := range []string{CodeBadMessage, CodeUnknown, CodeVersion, CodeReplaced, CodeStale, CodeNotNow, CodeNotAllowed, CodeMedia, CodeBusy, CodeInternal} {
		if !strings.Contains(service, "\n| `"+code+"` |") {
			t.Errorf("code %s is not in the table", code)
		}
	}
	if !strings.Contains(doc, Subprotocol) {
		t.Error("the subprotocol is not named")
	}
}

// wantKnownFields holds an example to fields that the message really has.
func wantKnownFields(t *testing.T, example string, m Message) {
	t.Helper()
	frame, err := Encode("", m)
	if err != nil {
		t.Errorf("%s: %v", TypeOf(m), err)
		return
	}
	var want, have struct{ Body map[string]any }
	if json.Unmarshal([]byte(example), &want) != nil || json.Unmarshal(frame, &have) != nil {
		t.Errorf("%s: example is no JSON", TypeOf(m))
	}
	var compare func(path string, want, have map[string]any)
	compare = func(path string, want, have map[string]any) {
		for key, value := range want {
			other, ok := have[key]
			if !ok {
				t.Errorf("example has %s.%s, the message has not", path, key)
			}
			if inner, ok := value.(map[string]any); ok {
				if o, ok := other.(map[string]any); ok {
					compare(path+"."+key, inner, o)
				}
			}
		}
	}
	compare(TypeOf(m), want.Body, have.Body)
}
