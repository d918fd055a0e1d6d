package sdes

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/rtp"
)

// rfcKey is the example of RFC 4568 section 6.1.
const rfcKey = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

func TestLinesAsPeersWriteThem(t *testing.T) {
	gcm := base64.StdEncoding.EncodeToString(make([]byte, 28))
	long := base64.StdEncoding.EncodeToString(make([]byte, 46))
	for _, c := range []struct {
		name, line string
		suite      rtp.Suite
		lifetime   uint64
		mki        []byte
		unlike     string // what is written, where it is not the line itself
	}{
		{"RFC 4568", "1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|2^20|1:4", rtp.AESCM128HMACSHA1Tag80, 1 << 20, []byte{0, 0, 0, 1},
			"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1048576|1:4"},
		{"nothing but the key", "7 AES_CM_128_HMAC_SHA1_32 inline:" + rfcKey, rtp.AESCM128HMACSHA1Tag32, 0, nil, ""},
		{"an identifier without a lifetime", "2 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|66051:4", rtp.AESCM128HMACSHA1Tag80, 0, []byte{0, 1, 2, 3}, ""},
		{"the longest identifier", "2 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|18446744073709551615:8", rtp.AESCM128HMACSHA1Tag80, 0, bytes.Repeat([]byte{255}, 8), ""},
		{"AES-256", "3 AES_256_CM_HMAC_SHA1_80 inline:" + long, rtp.AESCM256HMACSHA1Tag80, 0, nil, ""},
		{"AES-256 by its other name", "3 AES_CM_256_HMAC_SHA1_80 inline:" + long, rtp.AESCM256HMACSHA1Tag80, 0, nil, ""},
		{"GCM", "4 AEAD_AES_128_GCM inline:" + gcm, rtp.AEADAES128GCM, 0, nil, ""},
		{"padding left out", "5 AEAD_AES_128_GCM inline:" + strings.TrimRight(gcm, "="), rtp.AEADAES128GCM, 0, nil, "5 AEAD_AES_128_GCM inline:" + gcm},
		{"parameters that change nothing", "6 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " WSH=128 KDR=0 -odd=1", rtp.AESCM128HMACSHA1Tag80, 0, nil,
			"6 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.line)
			if err != nil {
				t.Fatal(err)
			}
			if got.Key.Suite() != c.suite || got.Lifetime != c.lifetime || !bytes.Equal(got.Key.MKI(), c.mki) {
				t.Errorf("suite %v, lifetime %d, MKI %x", got.Key.Suite(), got.Lifetime, got.Key.MKI())
			}
			want := c.unlike
			if want == "" {
				want = c.line
			}
			if line := got.Line(); line != want {
				t.Errorf("written as %q, want %q", line, want)
			}
		})
	}
}

func TestLinesThatAreNotTaken(t *testing.T) {
	for line, want := range map[string]error{
		"":                          ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80": ErrSyntax,
		"0 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey:                                              ErrSyntax,
		"-1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey:                                             ErrSyntax,
		"+1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey:                                             ErrSyntax,
		"1234567890 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey:                                     ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey[:32]:                                         ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "AAAA":                                     ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:!" + rfcKey[1:]:                                         ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|2^49":                                    ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|0":                                       ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1:":                                      ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|256:1":                                   ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1:4|1:4":                                 ErrSyntax,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1:9":                                     ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1:4;inline:" + rfcKey + "|2:4":           ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 uri:" + rfcKey:                                                 ErrUnsupported,
		"1 F8_128_HMAC_SHA1_80 inline:" + rfcKey:                                                  ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " UNENCRYPTED_SRTP":                        ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " UNENCRYPTED_SRTCP":                       ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " UNAUTHENTICATED_SRTP":                    ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " KDR=16":                                  ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " FEC_ORDER=FEC_SRTP":                      ErrUnsupported,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + " " + strings.Repeat("WSH=64 ", maxLine/7): ErrSyntax,
	} {
		_, err := Parse(line)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", line, err, want)
		}
		if err != nil && strings.Contains(err.Error(), rfcKey[:8]) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	c, err := Parse("1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|1:4")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", &c.Key)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "crypto", c, "key", c.Key, "pointer", &c.Key)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	material := c.Key.Material()
	for _, leak := range []string{rfcKey[:8], string(material[:4]), fmt.Sprintf("%x", material[:4]), fmt.Sprintf("%d %d %d", material[0], material[1], material[2])} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is printed:\n%s", leak, out.String())
		}
	}
}

// FuzzParse holds that whatever a line says, it is refused, or taken with a key of its
// suite's length and written so that it reads the same.
func FuzzParse(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + rfcKey + "|2^20|1:4 WSH=64")
	f.Add("2 AES_256_CM_HMAC_SHA1_80 inline:" + base64.StdEncoding.EncodeToString(make([]byte, 46)) + "|1:8")
	f.Add("3 aead_aes_256_gcm inline:" + base64.RawStdEncoding.EncodeToString(make([]byte, 44)) + "|7")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		s := c.Key.Suite()
		if s == rtp.NoSuite || len(c.Key.Material()) != s.KeyLen()+s.SaltLen() || len(c.Key.MKI()) > rtp.MaxMKI ||
			c.Tag < 1 || c.Tag > maxTag || c.Lifetime > maxLifetime {
			t.Fatalf("out of range: %q gives %+v", line, c)
		}
		back, err := Parse(c.Line())
		if err != nil {
			t.Fatalf("our own line: %v", err)
		}
		if !back.Key.Equal(&c.Key) || back.Tag != c.Tag || back.Lifetime != c.Lifetime || back.Suite != c.Suite {
			t.Fatalf("%q reads back unlike", line)
		}
	})
}
