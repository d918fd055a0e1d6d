package sip

import (
	"errors"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/rtp"
)

// answerTo makes an answer to our offer: "" stands for the a=crypto line with our own tag.
func answerTo(t *testing.T, proto, crypto string) []byte {
	t.Helper()
	if crypto == "same" {
		crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	}
	return describe("m=audio 4000 "+proto+" 0", crypto)
}

func TestWhatIsOffered(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  MediaKeys
		private bool
		proto   string
		cryptos int
	}{
		{"off", KeysOff, true, "RTP/AVP", 0},
		{"optional, but anybody could read it", KeysOptional, false, "RTP/AVP", 0},
		{"optional", KeysOptional, true, "RTP/AVP", 2},
		{"by default", "", true, "RTP/AVP", 2},
		{"required", KeysRequired, false, "RTP/SAVP", 2},
	} {
		k := keyring{policy: c.policy, private: c.private}
		proto, lines := k.offerLines()
		if proto != c.proto || strings.Count(lines, "a=crypto:") != c.cryptos {
			t.Errorf("%s: %s with\n%s", c.name, proto, lines)
		}
		// The INVITE is sent again, with a proof: it is the same offer.
		if _, again := k.offerLines(); again != lines {
			t.Errorf("%s: another key in the second INVITE", c.name)
		}
	}
}

func TestHowAnOptionalOfferIsAnswered(t *testing.T) {
	for _, c := range []struct {
		name, proto, crypto string
		by                  keying
		want                error
	}{
		{"plain", "RTP/AVP", "a=x", plain, nil},
		{"encrypted", "RTP/AVP", "same", bySDES, nil},
		{"encrypted, and it says so", "RTP/SAVP", "same", bySDES, nil}, // as Lync does
		{"encrypted without a key", "RTP/SAVP", "a=x", plain, errKeyAnswer},
		{"a tag we did not give", "RTP/AVP", "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", plain, errKeyAnswer},
		{"a line that is none", "RTP/AVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", plain, errKeyAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := keyring{private: true}
			_, offer := k.offerLines()
			s, err := parseStream(answerTo(t, c.proto, c.crypto), terms{codecs: both, keys: &k, answer: true})
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			var p rtp.Params
			if err := k.settle(s, true, &p); err != nil {
				t.Fatal(err)
			}
			if s.secrecy.by != c.by || (p.Send.Suite() != rtp.NoSuite) != (c.by == bySDES) {
				t.Errorf("by %d, with %v", s.secrecy.by, p.Send.Suite())
			}
			_, again := k.offerLines()
			switch {
			case c.by == bySDES && (!strings.HasPrefix(offer, again) || again == ""):
				t.Errorf("after\n%sthe next offer has\n%s", offer, again)
			case c.by == plain && again == offer:
				t.Error("keys that were refused are offered again")
			}
		})
	}
}
