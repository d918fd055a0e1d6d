package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
)

// drawTrunkSettings gives a trunk any valid settings of its own.
func drawTrunkSettings(t *rapid.T, trunk *model.Trunk, title *rapid.Generator[string]) {
	word := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	duration := func(low, high time.Duration) time.Duration {
		if rapid.Bool().Draw(t, "default") {
			return 0
		}
		return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, "duration"))
	}
	trunk.DistrustIdentity = rapid.Bool().Draw(t, "distrust")
	trunk.Limits = model.TrunkLimits{Calls: rapid.IntRange(0, 100).Draw(t, "calls"), PerSecond: rapid.IntRange(0, 100).Draw(t, "rate")}
	if rapid.Bool().Draw(t, "numbers") {
		trunk.Numbers = model.TrunkNumbers{Country: word("49", "1"), National: word("", "0"), International: word("", "00", "011"),
			Bare: word("", "keep", "e164", "national"), Short: rapid.IntRange(0, 15).Draw(t, "short")}
	}
	if rapid.Bool().Draw(t, "outbound") {
		o := model.TrunkOutbound{
			Domain: word("", "carrier.example", "192.0.2.1"), NumberFormat: word("", "plus", "digits", "dialled", "prefixed"),
			Identity: word("", "none", "asserted", "preferred", "remote"), FromAccount: rapid.Bool().Draw(t, "account"), HistoryInfo: rapid.Bool().Draw(t, "history"),
			Priority: rapid.IntRange(0, 65535).Draw(t, "priority"), Weight: rapid.IntRange(0, 65535).Draw(t, "weight"),
			FirstReply: duration(500*time.Millisecond, 30*time.Second), KeepAlive: duration(5*time.Second, time.Hour),
			Prefixes: rapid.SampledFrom([][]string{nil, {""}, {"+49", "0"}}).Draw(t, "prefixes"),
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "targets") {
			o.Targets = append(o.Targets, model.TrunkTarget{Priority: i, Weight: rapid.IntRange(0, 65535).Draw(t, "weight"),
				URI: word("sip:carrier.example", "sips:carrier.example:5061", "sip:[2001:db8::1]:5080;transport=tcp", "sip:192.0.2.1")})
		}
		if rapid.Bool().Draw(t, "login") {
			o.Username, o.Password = "us", model.Secret(title.Draw(t, "password"))
			o.Register = model.TrunkRegister{Enabled: rapid.Bool().Draw(t, "register"), Registrar: word("", "sip:registrar.example"), User: word("", "+4930"), Expires: duration(30*time.Second, 24*time.Hour)}
		}
		trunk.Outbound = o
	}
}

func TestATrunksPasswordForCallsOutIsShownToNobody(t *testing.T) {
	site, err := config.ParseSite("site.yaml", []byte(`trunks:
  - name: a
    outbound:
      targets: [{uri: "sip:a.example"}]
      username: us
      password: tell-nobody
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := site.Trunks[0].Outbound.Password; got != "tell-nobody" {
		t.Fatalf("%q", string(got))
	}
	if text := string(config.Marshal(config.WithoutSecrets(site))) + fmt.Sprintf("%+v %#v", site, site); strings.Contains(text, "tell-nobody") {
		t.Error(text)
	}
	if !strings.Contains(string(config.Marshal(site)), `password: "tell-nobody"`) {
		t.Error("an export with secrets lost it")
	}
}
