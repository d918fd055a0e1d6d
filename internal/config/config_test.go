package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
)

var update = flag.Bool("update", false, "rewrite testdata/*.want with what is said now")

func TestSampleProcessFileChangesNothing(t *testing.T) {
	got, err := config.Load("../../deploy/headroom.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := config.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("deploy/headroom.yaml and the code disagree:\n file %+v\n code %+v", got, want)
	}
}

func TestSampleFilesShowAndExplainEveryKey(t *testing.T) {
	for file, root := range map[string]reflect.Type{
		"headroom.yaml": reflect.TypeFor[config.Process](),
		"site.yaml":     reflect.TypeFor[model.Site](),
	} {
		data, err := os.ReadFile(filepath.Join("../../deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		var check func(reflect.Type, string)
		check = func(typ reflect.Type, indent string) {
			for i := range typ.NumField() {
				key := typ.Field(i).Tag.Get("yaml")
				at := keyLine(lines, indent, key)
				if at < 0 {
					t.Errorf("%s: %s%s: is not shown", file, indent, key)
					continue
				}
				// A list's first key is explained by the comment over the list.
				if key != "name" && !strings.HasPrefix(strings.TrimSpace(lines[at-1]), "#") {
					t.Errorf("%s:%d: %s has no comment", file, at+1, key)
				}
				switch sub := typ.Field(i).Type; {
				case sub.Kind() == reflect.Struct && strings.Contains(sub.PkgPath(), "headroom") && sub != reflect.TypeFor[config.PortRange]() && sub != reflect.TypeFor[headset.Limit]():
					check(sub, indent+"  ")
				case sub.Kind() == reflect.Slice && sub.Elem().Kind() == reflect.Struct && strings.Contains(sub.Elem().PkgPath(), "headroom"):
					check(sub.Elem(), indent+"    ")
				}
			}
		}
		check(root, "")
	}
}

// keyLine finds a key at an indent, or behind the dash of a list.
func keyLine(lines []string, indent, key string) int {
	for i, l := range lines {
		if strings.HasPrefix(l, indent+key+":") || len(indent) >= 2 && strings.HasPrefix(l, indent[2:]+"- "+key+":") {
			return i
		}
	}
	return -1
}

func TestSampleSiteLoadsWithTheDefaultsItDocuments(t *testing.T) {
	site, err := config.LoadSite("../../deploy/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if site.Headset != config.DefaultSite().Headset {
		t.Errorf("headset rules %+v are not the default %+v", site.Headset, config.DefaultSite().Headset)
	}
	// "support" says nothing of these, so they are what the comments call the default.
	support := site.Queues[1]
	text, _ := os.ReadFile("../../deploy/site.yaml")
	for key, got := range map[string]string{
		"offer_timeout": support.OfferTimeout.String(), "service_level": support.ServiceLevel.String(), "headset_policy": string(support.HeadsetPolicy),
	} {
		comment := regexp.MustCompile(`Default: (\S+)\.\n(\s+#.*\n)*\s+` + key + ":").FindSubmatch(text)
		if comment == nil || string(comment[1]) != got {
			t.Errorf("%s: the comment says %q, the code %q", key, comment, got)
		}
	}
	if ben := site.Users[1]; len(ben.Roles) != 1 || ben.Roles[0] != model.RoleAgent {
		t.Errorf("a user without roles is %v, wanted an agent", ben.Roles)
	}
	if admin := site.Users[4]; admin.Title != "admin" || admin.Queues == nil {
		t.Errorf("a user without title is %+v", admin)
	}
	if want := netip.MustParsePrefix("192.0.2.10/32"); site.Trunks[0].Sources[0] != want {
		t.Errorf("a single address became %v", site.Trunks[0].Sources[0])
	}
}

// Each testdata/bad-*.yaml stands next to a .want with everything that must be said of it.
func TestEveryMistakeIsNamedWithLineAndWhatWasExpected(t *testing.T) {
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := "headroom.yaml"
			if strings.Contains(file, "bad-site-") {
				name = "site.yaml"
				_, err = config.ParseSite(name, data)
			} else {
				_, err = config.Parse(name, data)
			}
			var all config.Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("got %v, wanted a list of mistakes", err)
			}
			if !sort.SliceIsSorted(all, func(i, j int) bool { return all[i].Line < all[j].Line }) {
				t.Errorf("not in order of line: %v", all)
			}
			for _, e := range all {
				if e.Line < 1 || e.Line > bytes.Count(data, []byte("\n"))+1 {
					t.Errorf("no such line: %v", e)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if got := err.Error() + "\n"; got != string(want) {
				t.Errorf("said:\n%swanted:\n%s", got, want)
			}
		})
	}
}

func TestGoodFilesLoad(t *testing.T) {
	process := func(change func(*config.Process)) config.Process {
		p := config.Default()
		change(&p)
		return p
	}
	for file, want := range map[string]config.Process{
		"good-empty.yaml":    config.Default(),
		"good-comments.yaml": config.Default(),
		"good-headings.yaml": config.Default(),
		"good-public.yaml": process(func(p *config.Process) {
			p.HTTP = config.HTTP{
				Listen: "0.0.0.0:8080", SecureCookies: true, MetricsToken: "not-a-secret-of-anybody",
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8:1::/48")},
				TrustedOrigins: []string{"https://desk.example"},
			}
			p.SIP = config.SIP{UDP: "0.0.0.0:5060", Advertise: netip.MustParseAddr("192.0.2.10"), DNS: []string{}, SessionTimer: config.SessionTimer{Expires: time.Hour, MinSE: 2 * time.Minute}, Strangers: config.StrangersAnswer}
			p.RTP = config.RTP{Address: netip.MustParseAddr("0.0.0.0"), Ports: config.PortRange{Low: 30000, High: 30999}}
			p.WebRTC.Listen = "[::]:8190"
			p.WebRTC.Advertise = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
			p.Database.DSN = "postgres://headroom:secret@db.example/headroom"
			p.Log.Format = config.LogJSON
			p.Log.Level = -4
			p.Shutdown.Drain = 90 * time.Second
		}),
	} {
		got, err := config.Load(filepath.Join("testdata", file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got  %+v\n want %+v", file, got, want)
		}
	}
	site, err := config.LoadSite("testdata/good-site-numbers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0301234", "+49301234", "100", "*99#"}; !reflect.DeepEqual(site.Queues[0].Numbers, want) {
		t.Errorf("unquoted numbers became %q, wanted them digit for digit: %q", site.Queues[0].Numbers, want)
	}
}

func TestASiteFileThatSaysNothingRemovesNobody(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "{}\n"} {
		if site, err := config.ParseSite("site.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "site.yaml:1: says nothing") {
			t.Errorf("%q is %+v, %v", text, site, err)
		}
	}
	for _, text := range []string{"trunks: []\nqueues: []\nusers: []\n", "users:\n", string(config.Marshal(config.DefaultSite()))} {
		if site, err := config.ParseSite("site.yaml", []byte(text)); err != nil || !reflect.DeepEqual(site, config.DefaultSite()) {
			t.Errorf("%q is %+v, %v", text, site, err)
		}
	}
}

func TestWithoutAFileTheDefaultsHold(t *testing.T) {
	p, err := config.Load("")
	if err != nil || !reflect.DeepEqual(p, config.Default()) {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := p.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	if err := config.ValidateSite(config.DefaultSite()); err != nil {
		t.Errorf("the default site is refused: %v", err)
	}
	if got, want := p.DSN(), "headroom-data/headroom.db"; got != want {
		t.Errorf("database at %q, wanted %q", got, want)
	}
	if _, err := config.Load("testdata/there-is-none.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestMistakesInFlagsNameTheKey(t *testing.T) {
	p := config.Default()
	p.HTTP.Listen = "8080"
	err := p.Validate()
	if want := `http.listen: "8080" is not an address and port; write it like 127.0.0.1:8080`; err == nil || err.Error() != want {
		t.Errorf("said %v, wanted %s", err, want)
	}
}

func TestExportedSiteLoadsBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		site := drawSite(t)
		if err := config.ValidateSite(site); err != nil {
			t.Fatalf("the generator made a bad site: %v", err)
		}
		text := config.Marshal(site)
		back, err := config.ParseSite("export.yaml", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(back, site) {
			t.Fatalf("\n got  %+v\n want %+v\n%s", back, site, text)
		}
	})
}

// drawSite gives any valid site, in the form in which one is loaded.
func drawSite(t *rapid.T) model.Site {
	name := rapid.StringMatching(`[a-z0-9][a-z0-9._@-]{0,20}`)
	title := rapid.Custom(func(t *rapid.T) string {
		s := strings.TrimSpace(string(rapid.SliceOfN(rapid.RuneFrom([]rune(`aZ é"'\:#-{}[]&*!|>%@,?~0ñ漢🎧`)), 1, 30).Draw(t, "title")))
		if s == "" {
			return "x"
		}
		return s
	})
	seconds := func(low, high int) time.Duration {
		return time.Duration(rapid.IntRange(low*1000, high*1000).Draw(t, "ms")) * time.Millisecond
	}
	site := config.DefaultSite()
	for i, id := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "trunks") {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), rapid.IntRange(16, 32).Draw(t, "bits"))
		site.Trunks = append(site.Trunks, model.Trunk{
			ID: model.TrunkID(id), Sources: []netip.Prefix{prefix},
			Codecs:    rapid.SampledFrom([][]string{{}, {"PCMA"}, {"PCMU", "PCMA"}}).Draw(t, "codecs"),
			MediaKeys: rapid.SampledFrom([]model.MediaKeys{model.MediaKeysOff, model.MediaKeysOptional, model.MediaKeysRequired}).Draw(t, "media keys"),
		})
		if last := &site.Trunks[i]; rapid.Bool().Draw(t, "digest") {
			last.Digest = model.TrunkDigest{
				Username: fmt.Sprintf("%s%d", rapid.StringMatching(`[!#-9;-\[\]-~]{0,10}`).Draw(t, "username"), i),
				Password: model.Secret(title.Draw(t, "password")),
				Realm:    rapid.SampledFrom([]string{"", "headroom", "it's a #realm: @x", "123", "null"}).Draw(t, "realm"),
			}
			if rapid.Bool().Draw(t, "from anywhere") {
				last.Sources = []netip.Prefix{}
			}
		}
		if rapid.Bool().Draw(t, "settings") {
			drawTrunkSettings(t, &site.Trunks[i], title)
		}
	}
	numbers := rapid.SliceOfNDistinct(rapid.StringMatching(`[+*#]?[0-9]{1,12}|[0-9]{1,3}[._-][0-9e]{1,3}`), 8, 8, model.Dialable).Draw(t, "numbers")
	queues := []model.QueueID{}
	for i, id := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "queues") {
		queues = append(queues, model.QueueID(id))
		site.Queues = append(site.Queues, model.Queue{
			ID: model.QueueID(id), Title: title.Draw(t, "title"), Numbers: numbers[2*i : 2*i+2],
			OfferTimeout: seconds(1, 600), WrapUp: seconds(0, 3600), ServiceLevel: seconds(1, 3600),
			HeadsetPolicy: rapid.SampledFrom([]model.HeadsetPolicy{model.PolicyExclude, model.PolicyLastResort, model.PolicyIgnore}).Draw(t, "policy"),
		})
	}
	roles := []model.Role{model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin}
	for _, id := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "users") {
		site.Users = append(site.Users, model.User{
			ID: model.AgentID(id), Title: title.Draw(t, "title"),
			Roles:  rapid.Permutation(roles).Draw(t, "roles")[:rapid.IntRange(1, 4).Draw(t, "n")],
			Queues: queues[:rapid.IntRange(0, len(queues)).Draw(t, "q")],
		})
		drawPhone(t, &site.Users[len(site.Users)-1], len(site.Users), title)
	}
	drawDialling(t, &site, title)
	site.Phones.FeatureCodes.Ready, site.Phones.FeatureCodes.Break = "**1", "#*2" // no number of a queue above
	site.Phones.Digest = rapid.SampledFrom([]string{model.PhoneMD5, model.PhoneSHA256}).Draw(t, "algorithm")
	site.Phones.FeatureCodes.SignOut, site.Phones.FeatureCodes.WrapUp = "*#3", rapid.SampledFrom([]string{"##4", "***0"}).Draw(t, "code")
	site.Headset.MinActiveSpeech = seconds(1, 600)
	site.Headset.Window, site.Headset.ReplaceAfter = rapid.IntRange(5, 100).Draw(t, "w"), rapid.IntRange(1, 5).Draw(t, "r")
	site.Headset.Limits.Noise = headset.Limit{Watch: rapid.Float64Range(-90, -50).Draw(t, "watch"), Bad: rapid.Float64Range(-49.5, -10).Draw(t, "bad")}
	site.Headset.Limits.DeadSeconds = rapid.Float64Range(0, 1000).Draw(t, "dead")
	return site
}

// Whatever is read: no panic, a list of mistakes or a value that passes its own check.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	files = append(files, "../../deploy/headroom.yaml", "../../deploy/site.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var all config.Errors
		if p, err := config.Parse("f", data); err == nil {
			if err := p.Validate(); err != nil {
				t.Errorf("accepted, but %v", err)
			}
		} else if !errors.As(err, &all) {
			t.Errorf("not a list of mistakes: %v", err)
		}
		site, err := config.ParseSite("f", data)
		if err != nil {
			return
		}
		back, err := config.ParseSite("f", config.Marshal(site))
		if err != nil || !reflect.DeepEqual(back, site) {
			t.Errorf("exported and loaded again: %v\n%+v\n%+v", err, back, site)
		}
	})
}
