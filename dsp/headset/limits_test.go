package headset_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/headroom-voice/headroom/dsp/headset"
)

func TestEveryLimitHasADefaultAndAName(t *testing.T) {
	l := headset.DefaultLimits()
	if wrong := l.Check(); len(wrong) > 0 {
		t.Errorf("the defaults: %+v", wrong)
	}
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("yaml") == "" || f.Tag.Get("yaml") != f.Tag.Get("json") {
			t.Errorf("%s is called %q in YAML and %q in JSON", f.Name, f.Tag.Get("yaml"), f.Tag.Get("json"))
		}
		if pair, ok := v.Field(i).Interface().(headset.Limit); ok && pair.Watch == pair.Bad && pair.Bad == 0 {
			t.Errorf("%s has no default", f.Name)
		}
	}
}

func TestMistakesInLimitsAreNamed(t *testing.T) {
	for want, change := range map[string]func(*headset.Limits){
		"noise_dbov: bad is -60 and watch is -50, but more is worse here: bad must not be below watch": func(l *headset.Limits) { l.Noise.Bad = -60 },
		"quiet_dbov: bad is -10 and watch is -30, but less is worse here: bad must not be above watch": func(l *headset.Limits) { l.Quiet.Bad = -10 },
		"dead_s: -1 is below 0": func(l *headset.Limits) { l.DeadSeconds = -1 },
		"loud_dbov.watch: NaN is out of range; expected -1e6 to 1e6":    func(l *headset.Limits) { l.Loud.Watch = math.NaN() },
		"clipped_share.bad: +Inf is out of range; expected -1e6 to 1e6": func(l *headset.Limits) { l.Clipping.Bad = math.Inf(1) },
	} {
		l := headset.DefaultLimits()
		change(&l)
		if got := l.Check(); len(got) != 1 || got[0].Key+": "+got[0].Problem != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if wrong := (headset.Limits{}).Check(); wrong != nil {
		t.Errorf("no limits at all: %+v", wrong)
	}
}

func TestLimitsFromAnOlderTableKeepTheDefaultsOfTheRest(t *testing.T) {
	var got headset.Limits
	if err := json.Unmarshal([]byte(`{"noise_dbov":{"watch":-55,"bad":-45}}`), &got); err != nil {
		t.Fatal(err)
	}
	want := headset.DefaultLimits()
	want.Noise = headset.Limit{Watch: -55, Bad: -45}
	if got != want {
		t.Errorf("%+v", got)
	}
}
