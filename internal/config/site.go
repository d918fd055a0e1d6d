package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// DefaultSite is the site without a file: nobody and nothing, default headset rules. Its
// lists are never nil.
func DefaultSite() model.Site {
	return model.Site{
		Trunks: []model.Trunk{}, Queues: []model.Queue{}, Users: []model.User{},
		Headset: model.HeadsetRules{MinActiveSpeech: 30 * time.Second, Window: 10, ReplaceAfter: 3, Limits: headset.DefaultLimits()},

		Dialling: defaultDialling(),
		Phones:   model.PhoneRules{Digest: model.PhoneMD5, FeatureCodes: model.DefaultFeatureCodes()},

		Supervision: model.SupervisionRules{Announce: model.AnnounceShown},
		Ears:        model.EarRules{Shocks: model.EarsLimit, Levels: model.EarsLevel},
	}
}

// setDefaults fills a list's new element with what holds when its file says nothing.
func setDefaults(v reflect.Value) {
	switch to := v.Addr().Interface().(type) {
	case *model.Trunk:
		*to = model.Trunk{Sources: []netip.Prefix{}, Codecs: []string{}, MediaKeys: model.MediaKeysOptional}
	case *model.Queue:
		*to = model.Queue{
			Numbers: []string{}, OfferTimeout: 20 * time.Second, WrapUp: 15 * time.Second,
			HeadsetPolicy: model.PolicyLastResort, ServiceLevel: 20 * time.Second,
		}
	case *model.User:
		*to = model.User{Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{}}
	}
}

// LoadSite reads site.yaml. Mistakes in the file are Errors, and so is a file that says
// nothing: it is more likely a broken pipe than the wish to remove everybody.
func LoadSite(name string) (model.Site, error) {
	data, err := readFile(name)
	if err != nil {
		return model.Site{}, err
	}
	return ParseSite(name, data)
}

// ParseSite is LoadSite for what is already read; name is for messages. Lists of the
// result are never nil, and every title is filled.
func ParseSite(name string, data []byte) (model.Site, error) {
	f := &findings{file: name}
	site := DefaultSite()
	readable := decode(data, &site, f)
	if readable && len(f.lines) == 1 { // the file itself and not one key
		f.add("", "says nothing; to empty the call centre, write trunks: [], queues: [] and users: []")
	}
	for i := range site.Trunks {
		tidyTrunk(&site.Trunks[i])
	}
	tidyDialling(&site.Dialling)
	for i := range site.Queues {
		if site.Queues[i].Title == "" {
			site.Queues[i].Title = string(site.Queues[i].ID)
		}
	}
	for i := range site.Users {
		tidyPhone(&site.Users[i])
		if site.Users[i].Title == "" {
			site.Users[i].Title = string(site.Users[i].ID)
		}
	}
	if readable {
		checkSite(site, f)
	}
	if err := f.err(); err != nil {
		return model.Site{}, err
	}
	return site, nil
}

// ValidateSite checks a site that did not come from a file.
func ValidateSite(site model.Site) error {
	f := &findings{}
	checkSite(site, f)
	return f.err()
}

// WithoutSecrets is the site with every password left out.
func WithoutSecrets(site model.Site) model.Site {
	site.Trunks = slices.Clone(site.Trunks)
	for i := range site.Trunks {
		site.Trunks[i].Digest.Password, site.Trunks[i].Outbound.Password = "", ""
	}
	site.Users = slices.Clone(site.Users)
	for i := range site.Users {
		site.Users[i].Phone.Password = ""
	}
	return site
}

// Marshal writes a site as a file that ParseSite reads back equal. All values are
// written, defaults and secrets too.
func Marshal(site model.Site) []byte {
	var b strings.Builder
	section := func(name string, n int) {
		if n == 0 {
			fmt.Fprintf(&b, "%s: []\n", name)
		} else {
			fmt.Fprintf(&b, "%s:\n", name)
		}
	}
	section("trunks", len(site.Trunks))
	for _, t := range site.Trunks {
		fmt.Fprintf(&b, "  - name: %s\n    sources: %s\n    codecs: %s\n    media_keys: %s\n",
			quote(t.ID), flow(t.Sources), flow(t.Codecs), quote(cmp.Or(t.MediaKeys, model.MediaKeysOptional)))
		if t.Digest != (model.TrunkDigest{}) {
			fmt.Fprintf(&b, "    digest:\n      username: %s\n      password: %s\n      realm: %s\n",
				quote(t.Digest.Username), quote(t.Digest.Password), quote(t.Digest.Realm))
		}
		writeTrunkSettings(&b, t)
	}
	section("queues", len(site.Queues))
	for _, q := range site.Queues {
		fmt.Fprintf(&b, "  - name: %s\n    title: %s\n    numbers: %s\n", quote(q.ID), quote(q.Title), flow(q.Numbers))
		fmt.Fprintf(&b, "    offer_timeout: %s\n    wrap_up: %s\n    headset_policy: %s\n    service_level: %s\n",
			q.OfferTimeout, q.WrapUp, q.HeadsetPolicy, q.ServiceLevel)
		if q.Unmetered {
			b.WriteString("    unmetered: true\n")
		}
		if q.CallerID != (model.CallerID{}) {
			fmt.Fprintf(&b, "    caller_id:\n      number: %s\n      name: %s\n", quote(q.CallerID.Number), quote(q.CallerID.Name))
		}
		yamlWriter{&b}.block("    ", reflect.ValueOf(q), "recording")
		yamlWriter{&b}.block("    ", reflect.ValueOf(q), "announcements")
	}
	section("users", len(site.Users))
	for _, u := range site.Users {
		fmt.Fprintf(&b, "  - name: %s\n    title: %s\n    roles: %s\n    queues: %s\n", quote(u.ID), quote(u.Title), flow(u.Roles), flow(u.Queues))
		yamlWriter{&b}.block("    ", reflect.ValueOf(u), "phone")
	}
	if site.Phones != (model.PhoneRules{}) {
		yamlWriter{&b}.block("", reflect.ValueOf(site), "phones")
	}
	if site.Supervision != (model.SupervisionRules{}) {
		yamlWriter{&b}.block("", reflect.ValueOf(site), "supervision")
	}
	if site.Ears != (model.EarRules{}) {
		yamlWriter{&b}.block("", reflect.ValueOf(site), "ears")
	}
	fmt.Fprintf(&b, "headset:\n  min_active_speech: %s\n  window: %d\n  replace_after: %d\n",
		site.Headset.MinActiveSpeech, site.Headset.Window, site.Headset.ReplaceAfter)
	writeLimits(&b, site.Headset.Limits)
	writeDialling(&b, site.Dialling)
	return []byte(b.String())
}

// writeLimits writes the table of limits, a line each.
func writeLimits(b *strings.Builder, l headset.Limits) {
	if l == (headset.Limits{}) {
		l = headset.DefaultLimits()
	}
	fmt.Fprint(b, "  limits:\n")
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if pair, ok := v.Field(i).Interface().(headset.Limit); ok {
			fmt.Fprintf(b, "    %s: {watch: %s, bad: %s}\n", key, number(pair.Watch), number(pair.Bad))
		} else {
			fmt.Fprintf(b, "    %s: %s\n", key, number(v.Field(i).Float()))
		}
	}
}

// number writes a float so that it is read back equal.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// quote writes text so that YAML takes it for nothing else. Titles hold no control
// characters, so Go's and YAML's escapes are the same.
func quote[T ~string](s T) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(s)) + `"`
}

// flow writes a list on one line.
func flow[T any](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strconv.Quote(fmt.Sprint(v))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// parsePrefix reads an address, which is a network of one, or a network.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone("").Prefix(a.Unmap().BitLen())
	}
	return netip.ParsePrefix(s)
}
