package config_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
)

// drawPhone gives a user any valid phone, or none.
func drawPhone(t *rapid.T, u *model.User, n int, title *rapid.Generator[string]) {
	if !u.Has(model.RoleAgent) || rapid.Bool().Draw(t, "no phone") {
		return
	}
	u.Phone = model.UserPhone{
		Username: fmt.Sprintf("+desk.%d-%s", n, rapid.StringMatching(`[0-9e._+-]{0,5}`).Draw(t, "username")),
		Password: model.Secret(rapid.StringMatching(`[ -~]{8,40}`).Draw(t, "password")),
		Codecs:   rapid.SampledFrom([][]string{nil, {"PCMA"}, {"PCMU", "PCMA"}}).Draw(t, "codecs"),
		MediaKeys: rapid.SampledFrom([]model.MediaKeys{"", model.MediaKeysOff, model.MediaKeysOptional,
			model.MediaKeysRequired}).Draw(t, "media keys"),
		Headset: model.PhoneHeadset{Model: strings.ReplaceAll(title.Draw(t, "model"), "/", "-"), Serial: title.Draw(t, "serial")},
	}
}

func TestAPhonesPasswordIsShownToNobody(t *testing.T) {
	site, err := config.ParseSite("site.yaml", []byte("users:\n  - name: ada\n    phone: {password: tell-nobody}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !site.Users[0].HasPhone() || site.Users[0].PhoneUsername() != "ada" || site.Phones.FeatureCodes != model.DefaultFeatureCodes() {
		t.Errorf("%+v", site)
	}
	for what, text := range map[string]string{
		"printed": fmt.Sprintf("%v %+v %#v", site, site.Users, site.Users[0].Phone), "exported": string(config.Marshal(config.WithoutSecrets(site))),
	} {
		if strings.Contains(text, "tell-nobody") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !strings.Contains(string(config.Marshal(site)), "tell-nobody") {
		t.Error("not there where it is asked for")
	}
	if config.WithoutSecrets(site); site.Users[0].Phone.Password == "" {
		t.Error("lost from the site itself")
	}
}
