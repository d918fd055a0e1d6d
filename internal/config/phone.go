package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/headroom-voice/headroom/internal/model"
)

// checkPhones checks how users' phones show who they are, without ever repeating a password.
func checkPhones(site model.Site, f *findings) {
	logins := map[string]string{}
	for i, t := range site.Trunks {
		if t.Digest.Username != "" {
			logins[t.Digest.Username] = fmt.Sprintf("trunks[%d]", i)
		}
	}
	for i, u := range site.Users {
		if !reflect.ValueOf(u.Phone).IsZero() {
			checkPhone(f, logins, fmt.Sprintf("users[%d]", i), u)
		}
	}
	checkOptional(f, "phones.digest", site.Phones.Digest, model.PhoneMD5, model.PhoneSHA256)
	checkFeatureCodes(site, f)
}

func checkPhone(f *findings, logins map[string]string, user string, u model.User) {
	key, p := user+".phone", u.Phone
	switch name := u.PhoneUsername(); {
	case !onlyOf(name, "._-+"):
		f.add(key+".username", "%q is not what a phone can register as; use up to 64 letters, digits and . _ - +", name)
	case logins[name] != "":
		f.add(key+".username", "%q is already the username of %s", name, logins[name])
	default:
		logins[name] = user
	}
	switch {
	case p.Password == "":
		f.add(key+".password", "is missing, so that no phone could register; make one up, for example with: openssl rand -base64 24")
	case len(p.Password) < 8:
		f.add(key+".password", "is too short to keep strangers out; use at least 8 characters")
	case len(p.Password) > 128 || strings.IndexFunc(string(p.Password), func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
		f.add(key+".password", "cannot be typed into every phone; use up to 128 printable ASCII characters")
	}
	if len(u.Roles) > 0 && !u.Has(model.RoleAgent) {
		f.add(key, "is for users who may take calls; give this one the role agent")
	}
	checkOptional(f, key+".media_keys", string(p.MediaKeys), string(model.MediaKeysOff), string(model.MediaKeysOptional), string(model.MediaKeysRequired))
	seen := map[string]bool{}
	for j, c := range p.Codecs {
		at := fmt.Sprintf("%s.codecs[%d]", key, j)
		checkWord(f, at, c, "PCMU", "PCMA", "G722")
		checkOnce(f, seen, at, c)
	}
	for _, text := range [][2]string{{"model", p.Headset.Model}, {"serial", p.Headset.Serial}} {
		if !validTitle(text[1]) {
			f.add(key+".headset."+text[0], "%q is not a name; use up to 100 printable characters, no space at either end", text[1])
		}
	}
	if strings.Contains(p.Headset.Model, "/") {
		f.add(key+".headset.model", "%q has a / in it, which parts the model from the serial number", p.Headset.Model)
	}
}

// checkFeatureCodes checks that each code can be dialled and leads to one thing only.
func checkFeatureCodes(site model.Site, f *findings) {
	if site.Phones.FeatureCodes == (model.FeatureCodes{}) {
		return
	}
	taken := map[string]string{}
	for i, q := range site.Queues {
		for _, n := range q.Numbers {
			taken[model.Dialable(n)] = fmt.Sprintf("a number of queues[%d]", i)
		}
	}
	codes := site.Phones.FeatureCodes
	for _, c := range [][2]string{{"ready", codes.Ready}, {"break", codes.Break}, {"sign_out", codes.SignOut}, {"end_wrap_up", codes.WrapUp}} {
		key, code := "phones.feature_codes."+c[0], c[1]
		switch {
		case len(code) == 0 || len(code) > 16 || strings.Trim(code, "0123456789*#") != "":
			f.add(key, "%q cannot be dialled; use up to 16 digits, * and #, like *10", code)
		case taken[code] != "":
			f.add(key, "%q is already %s", code, taken[code])
		case !strings.ContainsAny(code, "*#"):
			f.add(key, "%q could be a telephone number, one for emergencies even; put a * or # into it, like *10", code)
		default:
			taken[code] = "the code of " + c[0]
		}
	}
}

// tidyPhone makes a list that holds nothing the same as one that is not there.
func tidyPhone(u *model.User) {
	if len(u.Phone.Codecs) == 0 {
		u.Phone.Codecs = nil
	}
}
