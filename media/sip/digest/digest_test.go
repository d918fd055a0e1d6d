package digest_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

var (
	client = netip.MustParseAddr("192.0.2.9")
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

// The answers printed in RFC 7616 section 3.9.1, and for MD5 in RFC 2617 section 3.5 too.
func TestTheExamplesOfTheStandardsComeOut(t *testing.T) {
	for _, c := range []struct {
		algorithm                              digest.Algorithm
		password, realm, nonce, cnonce, answer string
	}{
		{digest.MD5, "Circle of Life", "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
		{digest.SHA256, "Circle of Life", "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{digest.MD5, "Circle Of Life", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "6629fae49393a05397450978507c4ef1"},
	} {
		who := digest.Login{Username: "Mufasa", Password: c.password}
		got := digest.Answer(digest.Challenge{Realm: c.realm, Nonce: c.nonce, Algorithm: c.algorithm, Auth: true}, who, "GET", "/dir/index.html", c.cnonce, 1)
		if got.Response != c.answer {
			t.Errorf("%s: %s, want %s", c.algorithm, got.Response, c.answer)
		}
		if !digest.NewAccount(who, c.realm).Knows(got, "GET") {
			t.Errorf("%s: the account does not know it", c.algorithm)
		}
	}
}

// The challenges of RFC 8760 section 2.4's kind, and what peers make of them.
func TestHeadersAsPeersWriteThem(t *testing.T) {
	for header, want := range map[string]digest.Challenge{
		`Digest realm="a.example", nonce="n", algorithm=SHA-256, qop="auth"`:             {Realm: "a.example", Nonce: "n", Algorithm: digest.SHA256, Auth: true},
		`digest  nonce = "n" ,REALM="say \"hi\"",qop="auth-int,auth",stale=TRUE,`:        {Realm: `say "hi"`, Nonce: "n", Algorithm: digest.MD5, Auth: true, Stale: true},
		`Digest realm="old", nonce="n", opaque="o", algorithm="md5", domain="sip:x.org"`: {Realm: "old", Nonce: "n", Opaque: "o", Algorithm: digest.MD5},
	} {
		if got, err := digest.ParseChallenge(header); err != nil || got != want {
			t.Errorf("%s: %+v, %v", header, got, err)
		}
	}
	good := digest.Answer(digest.Challenge{Realm: "r", Nonce: "n", Algorithm: digest.MD5, Auth: true}, digest.Login{Username: "u", Password: "p"}, "INVITE", "sip:1@h", "c", 1).String()
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"another scheme":   {"Basic dTpw", digest.ErrNotDigest},
		"nothing":          {"", digest.ErrNotDigest},
		"a name twice":     {good + `, nonce="m"`, digest.ErrMalformed},
		"no end of quotes": {good + `, x="`, digest.ErrMalformed},
		"no value":         {good + `, x`, digest.ErrMalformed},
		"behind quotes":    {strings.Replace(good, `"n"`, `"n"n`, 1), digest.ErrMalformed},
		"too long":         {good + `, x="` + strings.Repeat("y", digest.MaxHeader) + `"`, digest.ErrMalformed},
		"a long count":     {strings.Replace(good, "nc=00000001", "nc=000000001", 1), digest.ErrMalformed},
		"no user":          {strings.Replace(good, `username="u"`, `username=""`, 1), digest.ErrMalformed},
		"short response":   {strings.Replace(good, `response="`, `response="" , y="`, 1), digest.ErrMalformed},
		"no qop":           {strings.Replace(good, ", qop=auth", "", 1), digest.ErrNoQOP},
		"another hash":     {strings.Replace(good, "MD5", "MD5-sess", 1), digest.ErrAlgorithm},
	} {
		if got, err := digest.ParseCredentials(c.header); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Whatever our client answers to our challenge, our server takes; and nothing else.
func TestWhatTheClientAnswersTheServerTakes(t *testing.T) {
	word := rapid.StringMatching(`[ -~é漢]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		who := digest.Login{Username: word.Draw(t, "user"), Password: word.Draw(t, "password")}
		realm, uri, method := word.Draw(t, "realm"), "sip:"+word.Draw(t, "uri"), rapid.SampledFrom([]string{"INVITE", "BYE"}).Draw(t, "method")
		nonces := digest.NewNonces(time.Minute)
		asked := digest.Challenge{Realm: realm, Nonce: nonces.Issue(noon, client), Auth: true, Stale: rapid.Bool().Draw(t, "stale"),
			Algorithm: rapid.SampledFrom([]digest.Algorithm{digest.MD5, digest.SHA256}).Draw(t, "algorithm")}
		heard, err := digest.ParseChallenge(asked.String())
		if err != nil || heard != asked {
			t.Fatalf("%q is read as %+v, %v", asked.String(), heard, err)
		}
		said := digest.Answer(heard, who, method, uri, word.Draw(t, "cnonce"), rapid.Uint32Range(1, 1<<31).Draw(t, "count"))
		back, err := digest.ParseCredentials(said.String())
		if err != nil || back != said {
			t.Fatalf("%q is read as %+v, %v", said.String(), back, err)
		}
		if !digest.NewAccount(who, realm).Knows(back, method) || nonces.Check(noon, client, back.Nonce) != digest.Fresh || !nonces.Use(noon, client, back) {
			t.Fatalf("not taken: %q", said.String())
		}
		for name, wrong := range map[string]bool{
			"a second time":    nonces.Use(noon, client, back),
			"another method":   digest.NewAccount(who, realm).Knows(back, "OPTIONS"),
			"another password": digest.NewAccount(digest.Login{Username: who.Username, Password: who.Password + "x"}, realm).Knows(back, method),
			"nobody":           digest.Account{}.Knows(back, method),
			"another user":     digest.NewAccount(digest.Login{Username: who.Username + "x", Password: who.Password}, realm).Knows(back, method),
		} {
			if wrong {
				t.Errorf("%s: taken", name)
			}
		}
		back.URI += "x"
		if digest.NewAccount(who, realm).Knows(back, method) {
			t.Error("another target: taken")
		}
	})
}

func TestNoncesAreOurOwnForOneAddressAndForAWhile(t *testing.T) {
	n := digest.NewNonces(time.Minute)
	nonce := n.Issue(noon, client)
	for name, c := range map[string]struct {
		got, want digest.Age
	}{
		"at once":              {n.Check(noon, client, nonce), digest.Fresh},
		"the address in IPv6":  {n.Check(noon, netip.MustParseAddr("::ffff:192.0.2.9"), nonce), digest.Fresh},
		"at the end":           {n.Check(noon.Add(time.Minute), client, nonce), digest.Fresh},
		"after it":             {n.Check(noon.Add(time.Minute+1), client, nonce), digest.Expired},
		"of the future":        {n.Check(noon.Add(-1), client, nonce), digest.Expired},
		"another address":      {n.Check(noon, client.Next(), nonce), digest.Foreign},
		"another server":       {digest.NewNonces(time.Minute).Check(noon, client, nonce), digest.Foreign},
		"made up":              {n.Check(noon, client, "abc"), digest.Foreign},
		"one character longer": {n.Check(noon, client, nonce+"A"), digest.Foreign},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if nonce == n.Issue(noon, client) {
		t.Error("two nonces are the same")
	}
}

func TestACountIsTakenOnceInWhateverOrderItComes(t *testing.T) {
	n := digest.NewNonces(time.Minute)
	c := digest.Credentials{Nonce: n.Issue(noon, client)}
	for _, step := range []struct {
		count uint32
		want  bool
	}{{3, true}, {1, true}, {2, true}, {2, false}, {3, false}, {100, true}, {36, false}, {37, true}, {37, false}, {99, true}, {0, false}, {1 << 31, true}, {100, false}} {
		c.NC = fmt.Sprintf("%08x", step.count)
		if got := n.Use(noon, client, c); got != step.want {
			t.Errorf("count %d: %v, want %v", step.count, got, step.want)
		}
	}
}

// However many nonces are answered, each answer counts once, and memory has an end.
func TestAForgottenNonceIsRefusedAndNotTakenTwice(t *testing.T) {
	n := digest.NewNonces(time.Hour)
	first := digest.Credentials{Nonce: n.Issue(noon, client), NC: "00000001"}
	if !n.Use(noon, client, first) {
		t.Fatal("the first is refused")
	}
	unused := digest.Credentials{Nonce: n.Issue(noon, client), NC: "00000001"}
	for i := range digest.MaxUsed {
		at := noon.Add(time.Duration(i+1) * time.Millisecond)
		if !n.Use(at, client, digest.Credentials{Nonce: n.Issue(at, client), NC: "00000001"}) {
			t.Fatalf("number %d is refused", i)
		}
	}
	if n.Use(noon.Add(time.Minute), client, first) {
		t.Error("a replay is taken once its nonce is forgotten")
	}
	if n.Use(noon.Add(time.Minute), client, unused) {
		t.Error("taken, though nobody knows whether it was before")
	}
	later := noon.Add(2 * time.Minute)
	if !n.Use(later, client, digest.Credentials{Nonce: n.Issue(later, client), NC: "00000001"}) {
		t.Error("a new nonce is refused")
	}
}

// What is read at all is bounded and reads back the same; nobody's account takes it.
func FuzzParse(f *testing.F) {
	f.Add(`Digest username="u", realm="r", nonce="n", uri="sip:1@h", response="0123456789abcdef0123456789abcdef", cnonce="c", nc=00000001, qop=auth`)
	f.Add(`Digest realm="a \"b\" \\", nonce="n", stale=true, algorithm=SHA-256, qop="auth,auth-int"`)
	f.Add(`Digest ,,a==b`)
	f.Fuzz(func(t *testing.T, header string) {
		if c, err := digest.ParseCredentials(header); err == nil {
			back, err := digest.ParseCredentials(c.String())
			if len(header) > digest.MaxHeader || len(c.String()) <= digest.MaxHeader && (err != nil || back != c) {
				t.Errorf("%q\nis %+v\nthen %+v, %v", header, c, back, err)
			}
			if strings.ContainsAny(c.String(), "\r\n\x00") {
				t.Errorf("a line of the sender's making in %q", c.String())
			}
			if (digest.Account{}).Knows(c, "INVITE") {
				t.Error("nobody knows it")
			}
			n := digest.NewNonces(time.Hour)
			if n.Check(noon, client, c.Nonce) != digest.Foreign || n.Use(noon, client, c) {
				t.Error("a nonce of no key is taken")
			}
		} else if !errors.Is(err, digest.ErrNotDigest) && !errors.Is(err, digest.ErrMalformed) && !errors.Is(err, digest.ErrAlgorithm) && !errors.Is(err, digest.ErrNoQOP) {
			t.Errorf("an error without a name: %v", err)
		}
		if c, err := digest.ParseChallenge(header); err == nil {
			if back, err := digest.ParseChallenge(c.String()); len(c.String()) <= digest.MaxHeader && (err != nil || back != c) {
				t.Errorf("%q\nis %+v\nthen %+v, %v", header, c, back, err)
			}
		}
	})
}
