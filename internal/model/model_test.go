package model_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/internal/model"
)

func TestAPasswordIsNeverPrinted(t *testing.T) {
	site := model.Site{Trunks: []model.Trunk{{ID: "branch", Digest: model.TrunkDigest{Username: "branch", Password: "sesame"}}}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{site, &site.Trunks[0], site.Trunks[0].Digest.Password} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, "sesame") {
				t.Errorf("%s: %s", format, text)
			}
		}
	}
}
