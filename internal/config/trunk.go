package config

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/internal/model"
)

// Bounds on what a trunk may hold.
const (
	maxTargets  = 16
	maxPrefixes = 64
)

// checkTrunkSettings checks what a trunk says of numbers, limits and calls that go out by it.
func checkTrunkSettings(f *findings, key string, t model.Trunk) {
	checkNumbers(f, key+".numbers", t.Numbers)
	checkOptional(f, key+".dtmf", t.DTMF, "auto", "rfc4733", "info", "inband")
	checkRange(f, key+".limits.calls", t.Limits.Calls, 0, 100000)
	checkRange(f, key+".limits.per_second", t.Limits.PerSecond, 0, 10000)
	if !reflect.ValueOf(t.Outbound).IsZero() {
		checkOutbound(f, key+".outbound", t.Outbound)
	}
}

// checkOutbound checks how calls go out, without ever repeating the password.
func checkOutbound(f *findings, key string, o model.TrunkOutbound) {
	if len(o.Targets) == 0 {
		f.add(key+".targets", "at least one is needed, like - uri: sip:carrier.example")
	}
	if len(o.Targets) > maxTargets || len(o.Prefixes) > maxPrefixes {
		f.add(key, "at most %d targets and %d prefixes are needed", maxTargets, maxPrefixes)
	}
	for i, t := range o.Targets {
		at := fmt.Sprintf("%s.targets[%d]", key, i)
		checkURI(f, at+".uri", t.URI)
		checkRange(f, at+".priority", t.Priority, 0, 65535)
		checkRange(f, at+".weight", t.Weight, 0, 65535)
	}
	if !quotable(o.Username) || strings.Contains(o.Username, ":") {
		f.add(key+".username", `%q is not a username; use up to 64 printable ASCII characters without " \ and :`, o.Username)
	}
	switch {
	case (o.Username == "") != (o.Password == ""):
		f.add(key+".password", "a username and a password go together")
	case len(o.Password) > 128 || !utf8.ValidString(string(o.Password)) || strings.IndexFunc(string(o.Password), unicode.IsControl) >= 0:
		f.add(key+".password", "is not a password; use up to 128 bytes without control characters")
	}
	if o.Domain != "" && !validHost(o.Domain) {
		f.add(key+".domain", "%q is not a domain; write it like carrier.example", o.Domain)
	}
	seen := map[string]bool{}
	for i, p := range o.Prefixes {
		at := fmt.Sprintf("%s.prefixes[%d]", key, i)
		if len(p) > 16 || strings.Trim(strings.TrimPrefix(p, "+"), "0123456789") != "" {
			f.add(at, `%q is not the start of a number; write it like +49, or "" for every number`, p)
		}
		checkOnce(f, seen, at, p)
	}
	checkRange(f, key+".priority", o.Priority, 0, 65535)
	checkRange(f, key+".weight", o.Weight, 0, 65535)
	checkOptional(f, key+".number_format", o.NumberFormat, "plus", "digits", "dialled", "prefixed")
	checkOptional(f, key+".identity", o.Identity, "none", "asserted", "preferred", "remote")
	checkOptionalDuration(f, key+".first_reply", o.FirstReply, 500*time.Millisecond, 30*time.Second)
	checkOptionalDuration(f, key+".keep_alive", o.KeepAlive, 5*time.Second, time.Hour)
	r := o.Register
	if r.Registrar != "" {
		checkURI(f, key+".register.registrar", r.Registrar)
	}
	if r.User != "" && !onlyOf(r.User, "+._-") {
		f.add(key+".register.user", "%q is not a user; use up to 64 letters, digits and + . _ -", r.User)
	}
	checkOptionalDuration(f, key+".register.expires", r.Expires, 30*time.Second, 24*time.Hour)
	if r.Enabled && o.Contact() == "" {
		f.add(key+".register.user", "nobody to register: write a user here, or a username above")
	}
}

func checkOptional(f *findings, key, value string, known ...string) {
	if value != "" {
		checkWord(f, key, value, known...)
	}
}

func checkOptionalDuration(f *findings, key string, d, low, high time.Duration) {
	if d != 0 {
		checkDuration(f, key, d, low, high)
	}
}

// checkURI checks a URI that leads to a SIP server.
func checkURI(f *findings, key, uri string) {
	if !validURI(uri) {
		f.add(key, "%q is not a server; write it like sip:carrier.example, sip:192.0.2.1:5080;transport=tcp or sips:carrier.example", uri)
	}
}

func validURI(uri string) bool {
	rest, ok := strings.CutPrefix(uri, "sip:")
	if !ok {
		rest, ok = strings.CutPrefix(uri, "sips:")
	}
	host, param, _ := strings.Cut(rest, ";")
	if param != "" && !slices.Contains([]string{"transport=udp", "transport=tcp", "transport=tls"}, param) || strings.HasPrefix(uri, "sips:") && param == "transport=udp" {
		return false
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = h
	}
	return ok && validHost(strings.Trim(host, "[]"))
}

// validHost tells an address or a name in the DNS.
func validHost(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == "" && !a.IsUnspecified()
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if !onlyOf(label, "-_") {
			return false
		}
	}
	return len(s) <= 253
}

// tidyTrunk makes lists that hold nothing the same as lists that are not there.
func tidyTrunk(t *model.Trunk) {
	if len(t.Outbound.Targets) == 0 {
		t.Outbound.Targets = nil
	}
	if len(t.Outbound.Prefixes) == 0 {
		t.Outbound.Prefixes = nil
	}
}

// writeTrunkSettings writes what checkTrunkSettings checks, but for what says nothing.
func writeTrunkSettings(b *strings.Builder, t model.Trunk) {
	w := yamlWriter{b}
	w.block("    ", reflect.ValueOf(t), "dtmf", "numbers", "limits", "distrust_identity", "outbound")
}

// yamlWriter writes values by their yaml tags, those that are not zero.
type yamlWriter struct{ b *strings.Builder }

// block writes a struct's fields, or those that are named.
func (w yamlWriter) block(indent string, v reflect.Value, only ...string) {
	for i := range v.NumField() {
		key, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		if len(only) > 0 && !slices.Contains(only, key) || field.IsZero() {
			continue
		}
		fmt.Fprintf(w.b, "%s%s:", indent, key)
		switch value := field.Interface().(type) {
		case time.Duration:
			fmt.Fprintf(w.b, " %s\n", value)
		case model.Secret:
			fmt.Fprintf(w.b, " %s\n", quote(value))
		case string:
			fmt.Fprintf(w.b, " %s\n", quote(value))
		case []string:
			fmt.Fprintf(w.b, " %s\n", flow(value))
		case []model.TrunkTarget:
			fmt.Fprintln(w.b)
			for _, t := range value {
				fmt.Fprintf(w.b, "%s  - uri: %s\n%s    priority: %d\n%s    weight: %d\n", indent, quote(t.URI), indent, t.Priority, indent, t.Weight)
			}
		default:
			if field.Kind() == reflect.Struct {
				fmt.Fprintln(w.b)
				w.block(indent+"  ", field)
			} else {
				fmt.Fprintf(w.b, " %v\n", value)
			}
		}
	}
}
