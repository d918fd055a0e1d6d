package sip

import (
	"errors"
	"strings"
	"testing"
)

func TestReplacesAsPeersWriteIt(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Replaces{
		"a@b;to-tag=1;from-tag=2": {CallID: "a@b", ToTag: "1", FromTag: "2"},
		" 98732@sip.example.com ; from-tag=r33th4x0r ; TO-TAG = ff87ff ; x=y": {CallID: "98732@sip.example.com", ToTag: "ff87ff", FromTag: "r33th4x0r"},
		"YWJj==@h;to-tag=1;from-tag=0;Early-Only":                             {CallID: "YWJj==@h", ToTag: "1", FromTag: "0", EarlyOnly: true},
	} {
		if got, err := ParseReplaces(value); err != nil || got != want {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", ";to-tag=1;from-tag=2", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=;from-tag=2",
		"a;to-tag=1;to-tag=1;from-tag=2", "a b;to-tag=1;from-tag=2", "a;to-tag=1\r\nX: y;from-tag=2", "a,b;to-tag=1;from-tag=2",
		strings.Repeat("a", maxReference) + ";to-tag=1;from-tag=2"} {
		if got, err := ParseReplaces(value); !errors.Is(err, errReplaces) {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
	}
}

func TestReferToAsPeersWriteIt(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"sip:200@example.com":                                        "sip:200@example.com",
		`"Bob <b>" <SIPS:bob@[2001:db8::1]:5061;x=1>;y=2`:            "sips:bob@[2001:db8::1]:5061;x=1",
		"tel:+49-30-123;phone-context=de":                            "tel:+49-30-123;phone-context=de",
		"<sip:a@h?Replaces=c%40x%3Bto-tag%3D1%3Bfrom-tag%3D2&Foo=b>": "sip:a@h",
		"<sip:a@h;method=INVITE>":                                    "sip:a@h;method=INVITE",
	} {
		got, err := parseReferTo(value)
		if err != nil || got.target != want || (got.replaces != nil) != strings.Contains(value, "Replaces") {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
		if got.replaces != nil && *got.replaces != (Replaces{CallID: "c@x", ToTag: "1", FromTag: "2"}) {
			t.Errorf("%q: %+v", value, got.replaces)
		}
	}
	for value, want := range map[string]error{
		"": errReferTo, "bob": errReferTo, "sip:": errReferTo, "<sip:a@h": errReferTo, "<sip:a b@h>": errReferTo, "sip:a@h\r\nX: y": errReferTo,
		"mailto:a@h": errScheme, "sip:a@h;method=BYE": errMethod,
		"<sip:a@h?Replaces=x>": errReplaces, "<sip:a@h?Replaces=%>": errReplaces,
		"<sip:a@h?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>": errReplaces,
	} {
		if got, err := parseReferTo(value); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
	}
}

func TestFragmentsAsPeersWriteThem(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		"SIP/2.0 200 OK\r\n": 200, "SIP/2.0 180 Ringing\r\nTo: x\r\n\r\n": 180, "sip/2.0 603": 603, "SIP/2.0 100": 100,
		"": 0, "SIP/2.0": 0, "SIP/2.0 99 x": 0, "SIP/2.0 700 x": 0, "SIP/2.0 2000": 0, "SIP/2.0 -20": 0, "SIP/1.0 200 OK": 0, "OK": 0,
	} {
		if got, ok := fragment([]byte(body)); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %d, %v", body, got, ok)
		}
	}
}

// Whatever is read is bounded, holds no line of the sender's making, and is read back the same
// from how we would write it.
func FuzzReferences(f *testing.F) {
	for _, s := range []string{"a@b;to-tag=1;from-tag=2;early-only", `"Bob" <sip:a@h;x=1?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2&A=b>;tag=x`,
		"tel:+4930;phone-context=+49", "sips:a@[::1]:5061?x=%zz", "SIP/2.0 200 OK\r\n", "<sip:a@h>, <sip:b@h>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseReplaces(s); err == nil {
			back, err := ParseReplaces(r.String())
			if len(r.String()) <= maxReference && (err != nil || back != r) {
				t.Errorf("%q\nis %+v\nthen %+v, %v", s, r, back, err)
			}
			if strings.ContainsAny(r.String(), "\r\n\x00 ,") || len(r.CallID)+len(r.ToTag)+len(r.FromTag) > maxReference {
				t.Errorf("%q gives %q", s, r)
			}
		} else if !errors.Is(err, errReplaces) {
			t.Errorf("an error without a name: %v", err)
		}
		if r, err := parseReferTo(s); err == nil {
			if strings.ContainsAny(r.String(), "\r\n\x00") || strings.Count(r.String(), "<") != 1 || strings.ContainsAny(r.target, "?<> \"") {
				t.Errorf("%q gives %q", s, r)
			}
			if scheme, _, _ := strings.Cut(r.target, ":"); scheme != "sip" && scheme != "sips" && scheme != "tel" {
				t.Errorf("%q is to be called", r.target)
			}
			back, err := parseReferTo(r.String())
			same := err == nil && back.target == r.target && (back.replaces == nil) == (r.replaces == nil) && (r.replaces == nil || *back.replaces == *r.replaces)
			if len(r.String()) <= maxReference && !same {
				t.Errorf("%q\nis %+v\nthen %+v, %v", s, r, back, err)
			}
		} else if !errors.Is(err, errReferTo) && !errors.Is(err, errScheme) && !errors.Is(err, errMethod) && !errors.Is(err, errReplaces) {
			t.Errorf("an error without a name: %v", err)
		}
		if status, ok := fragment([]byte(s)); ok && (status < 100 || status > 699) {
			t.Errorf("status %d", status)
		}
	})
}
