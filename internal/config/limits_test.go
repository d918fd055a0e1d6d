package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/config"
)

func TestLimitsThatAreNotGivenStayAsShipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(path, []byte("quiet_dbov:\n  bad: -40 # our room is small\nmin_active_s: 7.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.LoadLimits(path)
	want := headset.DefaultLimits()
	want.Quiet.Bad, want.MinActive = -40, 7.5
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v; %v", got, want, err)
	}
	if got, err := config.ParseLimits("x", nil); err != nil || !reflect.DeepEqual(got, headset.DefaultLimits()) {
		t.Errorf("an empty file: %+v; %v", got, err)
	}
	if _, err := config.LoadLimits(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("no file, no error")
	}
}

func TestEveryMistakeInLimitsIsNamedWithItsLine(t *testing.T) {
	_, err := config.ParseLimits("l.yaml", []byte(`quite_dbov: {watch: -30}
quiet_dbov: {wotch: -30, bad: -20}
loud_dbov: -18
noise_dbov: {watch: soft}
snr_db: {watch: .nan}
clipped_share: {watch: 0.2}
dead_s: -1
`))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{
		"l.yaml:1: quite_dbov: unknown key; expected one of quiet_dbov,",
		"l.yaml:2: quiet_dbov: bad is -20 and watch is -30, but less is worse here",
		"l.yaml:2: quiet_dbov.wotch: unknown key; expected one of watch, bad",
		"l.yaml:3: loud_dbov: expected keys (watch, bad), found \"-18\"",
		"l.yaml:4: noise_dbov.watch: \"soft\" is not a number",
		"l.yaml:5: snr_db.watch: \".nan\" is not a number",
		"l.yaml:6: clipped_share: bad is 0.001 and watch is 0.2, but more is worse here",
		"l.yaml:7: dead_s: -1 is below 0",
	} {
		found := false
		for _, line := range lines {
			found = found || strings.HasPrefix(line, want)
		}
		if !found {
			t.Errorf("%d: no line begins %q in\n%v", i, want, err)
		}
	}
	if len(lines) != 8 {
		t.Errorf("%d lines:\n%v", len(lines), err)
	}
}

// What the sample shows as the defaults are the defaults.
func TestSampleSiteHasTheShippedLimits(t *testing.T) {
	site, err := config.LoadSite("../../deploy/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := headset.DefaultLimits(); site.Headset.Limits != want {
		t.Errorf("\n file %+v\n code %+v", site.Headset.Limits, want)
	}
}

// The reference of the meter names every limit with its default.
func TestTheMetersPageHasEveryLimit(t *testing.T) {
	data, err := os.ReadFile("../../docs/meter.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(data), "−", "-")
	v := reflect.ValueOf(headset.DefaultLimits())
	for i := range v.NumField() {
		want := "`" + v.Type().Field(i).Tag.Get("yaml") + "` "
		if pair, ok := v.Field(i).Interface().(headset.Limit); ok {
			want += fmt.Sprintf("%g, %g", pair.Watch, pair.Bad)
		} else {
			want += fmt.Sprintf("%g", v.Field(i).Float())
		}
		if !strings.Contains(page, want) {
			t.Errorf("docs/meter.md lacks %s", want)
		}
	}
}

// TestLimitsThatAreNestedAreNamed: who copies from a site file takes the keys above along.
func TestLimitsThatAreNestedAreNamed(t *testing.T) {
	for text, want := range map[string][]string{
		"headset:\n  limits:\n    noise_dbov: {watch: -45, bad: -40}\n": {"1: headset: unknown key", "not below another key"},
		"noise_dbov: {watch: -45, badd: -40}\n":                         {"1: noise_dbov.badd: unknown key; expected one of watch, bad"},
		"hum_s: {watch: 3}\n":                                           {"1: hum_s: expected one number, found keys"},
		"dc_share: 4\n":                                                 {"1: dc_share: expected keys (watch, bad)"},
	} {
		_, err := config.ParseLimits("limits.yaml", []byte(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v, should say %q", text, err, w)
			}
		}
	}
}
