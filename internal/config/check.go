package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/internal/model"
)

// validName tells a name of a trunk, queue or user.
func validName(s string) bool { return onlyOf(s, "._@-") && letterOrDigit(rune(s[0])) }

// validNumber tells what may stand before the @ of a dialled SIP address.
func validNumber(s string) bool { return onlyOf(s, "+*#._-") }

// onlyOf reports whether s is 1 to 64 letters, digits and the given others.
func onlyOf(s, others string) bool {
	return len(s) >= 1 && len(s) <= 64 &&
		strings.IndexFunc(s, func(r rune) bool { return !letterOrDigit(r) && !strings.ContainsRune(others, r) }) < 0
}

func letterOrDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func validTitle(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= 100 && strings.TrimSpace(s) == s &&
		strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// checkSite finds what the types let through.
func checkSite(site model.Site, f *findings) {
	checkTrunks(site.Trunks, f)
	queues := checkQueues(site.Queues, f)
	checkUsers(site.Users, queues, f)
	checkDialling(site, f)
	checkPhones(site, f)
	checkOptional(f, "supervision.announce", site.Supervision.Announce, model.AnnounceShown, model.AnnounceHidden)
	checkOptional(f, "ears.shocks", site.Ears.Shocks, model.EarsLimit, model.EarsPass)
	checkOptional(f, "ears.levels", site.Ears.Levels, model.EarsLevel, model.EarsPass)
	h := site.Headset
	checkDuration(f, "headset.min_active_speech", h.MinActiveSpeech, time.Second, 10*time.Minute)
	checkRange(f, "headset.window", h.Window, 1, 100)
	checkRange(f, "headset.replace_after", h.ReplaceAfter, 1, max(h.Window, 1))
	checkLimits(h.Limits, "headset.limits", f)
}

// checkName checks that an object has a name and shares it with nobody, in any case of letters.
func checkName(f *findings, seen map[string]string, key, name string) {
	switch {
	case name == "":
		f.add(join(key, "name"), "a name is needed")
		return
	case !validName(name):
		f.add(join(key, "name"), "%q is not a name; use up to 64 letters, digits and . _ @ -, a letter or digit first", name)
		return
	}
	folded := strings.ToLower(name)
	if other, there := seen[folded]; there {
		f.add(join(key, "name"), "%q is already the name of %s", name, other)
		return
	}
	seen[folded] = key
}

func checkTrunks(trunks []model.Trunk, f *findings) {
	names, logins, realms := map[string]string{}, map[string]string{}, map[string]bool{}
	type source struct {
		key    string
		prefix netip.Prefix
	}
	var sources []source
	for i, t := range trunks {
		key := fmt.Sprintf("trunks[%d]", i)
		checkName(f, names, key, string(t.ID))
		if len(t.Sources) == 0 && t.Digest == (model.TrunkDigest{}) && len(t.Outbound.Targets) == 0 {
			f.add(key+".sources", "at least one address or network is needed, like 192.0.2.10, or digest with a username and a password, or outbound with targets")
		}
		checkTrunkSettings(f, key, t)
		checkDigest(f, logins, key+".digest", t.Digest)
		if len(t.Sources) == 0 && t.Digest.Username != "" {
			if realms[cmp.Or(t.Digest.Realm, "headroom")] = true; len(realms) > maxRealms {
				f.add(key+".digest.realm", "%q is one too many; trunks without sources may have %d realms", t.Digest.Realm, maxRealms)
			}
		}
		for j, p := range t.Sources {
			at := fmt.Sprintf("%s.sources[%d]", key, j)
			if !p.IsValid() || p != p.Masked() {
				f.add(at, "%q has bits set behind the network; write %s", p, p.Masked())
				continue
			}
			for _, other := range sources {
				if p.Overlaps(other.prefix) {
					f.add(at, "%q overlaps %q of %s; an address belongs to one trunk", p, other.prefix, other.key)
					break
				}
			}
			sources = append(sources, source{at, p})
		}
		checkWord(f, key+".media_keys", t.MediaKeys, model.MediaKeysOff, model.MediaKeysOptional, model.MediaKeysRequired)
		seen := map[string]bool{}
		for j, c := range t.Codecs {
			at := fmt.Sprintf("%s.codecs[%d]", key, j)
			checkWord(f, at, c, "PCMU", "PCMA", "G722")
			checkOnce(f, seen, at, c)
		}
	}
}

// maxRealms is how many realms a stranger can be asked about at once.
const maxRealms = 4

// checkDigest checks a trunk's name and password, without ever repeating the password.
func checkDigest(f *findings, logins map[string]string, key string, d model.TrunkDigest) {
	if d == (model.TrunkDigest{}) {
		return
	}
	if !quotable(d.Username) || d.Username == "" || strings.Contains(d.Username, ":") {
		f.add(key+".username", `%q is not a username; use up to 64 printable ASCII characters without " \ and :`, d.Username)
	} else if other, there := logins[d.Username]; there {
		f.add(key+".username", "%q is already the username of %s", d.Username, other)
	} else {
		logins[d.Username] = strings.TrimSuffix(key, ".digest")
	}
	switch {
	case d.Password == "":
		f.add(key+".password", "a password is needed")
	case len(d.Password) > 128 || !utf8.ValidString(string(d.Password)) || strings.IndexFunc(string(d.Password), unicode.IsControl) >= 0:
		f.add(key+".password", "is not a password; use up to 128 bytes without control characters")
	}
	if !quotable(d.Realm) {
		f.add(key+".realm", `%q is not a realm; use up to 64 printable ASCII characters without " and \`, d.Realm)
	}
}

// quotable tells what can stand between quotes in a SIP header as it is.
func quotable(s string) bool {
	return len(s) <= 64 && strings.TrimSpace(s) == s &&
		strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}

// checkQueues gives the names of the queues.
func checkQueues(queues []model.Queue, f *findings) map[model.QueueID]bool {
	names, numbers, ids := map[string]string{}, map[string]string{}, map[model.QueueID]bool{}
	for i, q := range queues {
		key := fmt.Sprintf("queues[%d]", i)
		checkName(f, names, key, string(q.ID))
		ids[q.ID] = true
		checkTitle(f, key, q.Title)
		for j, n := range q.Numbers {
			at := fmt.Sprintf("%s.numbers[%d]", key, j)
			if !validNumber(n) {
				f.add(at, "%q is not a number; use up to 64 digits, letters and + * # . _ -", n)
			} else if other, there := numbers[model.Dialable(n)]; there {
				f.add(at, "%q already leads to %s", n, other)
			}
			numbers[model.Dialable(n)] = key
		}
		checkDuration(f, key+".offer_timeout", q.OfferTimeout, time.Second, 10*time.Minute)
		checkDuration(f, key+".wrap_up", q.WrapUp, 0, time.Hour)
		checkDuration(f, key+".service_level", q.ServiceLevel, time.Second, time.Hour)
		checkAnnouncements(f, key+".announcements", q.Announcements)
		checkWord(f, key+".headset_policy", q.HeadsetPolicy, model.PolicyExclude, model.PolicyLastResort, model.PolicyIgnore)
		checkRecording(f, key, q.Recording)
	}
	return ids
}

// checkAnnouncements checks what a queue's callers are told. Whether the files can be played is found out by the
// service, which may run elsewhere.
func checkAnnouncements(f *findings, key string, a model.QueueAnnouncements) {
	for _, p := range [][2]string{{"welcome", a.Welcome}, {"voice", a.Voice}} {
		if p[1] != "" && (!filepath.IsAbs(p[1]) || len(p[1]) > 1000 || strings.ContainsFunc(p[1], unicode.IsControl)) {
			f.add(key+"."+p[0], "%q is not a path that begins at the root, like /var/lib/headroom/welcome.wav", p[1])
		}
	}
	if a.PositionEvery != 0 {
		checkDuration(f, key+".position_every", a.PositionEvery, 10*time.Second, time.Hour)
	}
}

func checkUsers(users []model.User, queues map[model.QueueID]bool, f *findings) {
	names := map[string]string{}
	for i, u := range users {
		key := fmt.Sprintf("users[%d]", i)
		checkName(f, names, key, string(u.ID))
		checkTitle(f, key, u.Title)
		if len(u.Roles) == 0 {
			f.add(key+".roles", "at least one role is needed: agent, supervisor, it or admin")
		}
		seen := map[string]bool{}
		for j, r := range u.Roles {
			at := fmt.Sprintf("%s.roles[%d]", key, j)
			checkWord(f, at, r, model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin)
			checkOnce(f, seen, at, string(r))
		}
		seen = map[string]bool{}
		for j, q := range u.Queues {
			at := fmt.Sprintf("%s.queues[%d]", key, j)
			if !queues[q] {
				f.add(at, "there is no queue %q in this file", q)
			}
			checkOnce(f, seen, at, string(q))
		}
	}
}

func checkTitle(f *findings, key, title string) {
	if !validTitle(title) {
		f.add(key+".title", "%q is not a title; use up to 100 printable characters, no space at either end", title)
	}
}

func checkOnce(f *findings, seen map[string]bool, key, word string) {
	if seen[word] {
		f.add(key, "%q is there twice", word)
	}
	seen[word] = true
}

// checkWord checks that a value is one of those that exist.
func checkWord[T ~string](f *findings, key string, value T, known ...T) {
	words := make([]string, len(known))
	for i, k := range known {
		if value == k {
			return
		}
		words[i] = string(k)
	}
	f.add(key, "%q is not known; write %s or %s", value, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
}

func checkDuration(f *findings, key string, d, low, high time.Duration) {
	if d < low || d > high {
		f.add(key, "%s is out of range; expected %s to %s", d, low, high)
	}
}

func checkRange(f *findings, key string, n, low, high int) {
	if n < low || n > high {
		f.add(key, "%d is out of range; expected %d to %d", n, low, high)
	}
}
