package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestWhateverIsSentIsCountedUnderFewNames(t *testing.T) {
	var c tally
	for i := range 2000 {
		c.add("carrier", i%2 == 0, fmt.Sprintf("METHOD%d", i), i-500)
	}
	c.add("carrier", true, "INVITE", 200)
	c.add("carrier", false, "INVITE", 299)
	c.add("carrier", false, "BYE", 0)
	all := c.all()
	if n := len(all); n > 250 {
		t.Errorf("%d names", n)
	}
	for k, want := range map[Kind]uint64{
		{"carrier", true, "INVITE", "200"}: 1, {"carrier", false, "INVITE", "2xx"}: 1, {"carrier", false, "BYE", ""}: 1, {"carrier", true, "other", ""}: 1,
	} {
		if all[k] != want {
			t.Errorf("%+v: %d, wanted %d", k, all[k], want)
		}
	}
}

func TestAMessageOnTheWireIsKnownByMethodAndStatus(t *testing.T) {
	for text, want := range map[string]string{
		"BYE sip:a@b SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n":        "BYE 0",
		"SIP/2.0 486 Busy Here\r\ncseq : 7  INVITE\r\n\r\n": "INVITE 486",
		"SIP/2.0 nine\r\nCSeq: 1 BYE\r\n\r\n":               " 0",
		"SIP/2.0 200 OK\r\n\r\n":                            " 0",
		"\r\n\r\n":                                          " 0",
		"":                                                  " 0",
	} {
		if method, status := whatIs([]byte(text)); fmt.Sprint(method, " ", status) != want {
			t.Errorf("%q is %q, %d", text, method, status)
		}
	}
}

// FuzzTally holds for any bytes: the names that are counted by stay few.
func FuzzTally(f *testing.F) {
	f.Add([]byte("SIP/2.0 200 OK\r\nCSeq: 1 BYE\r\n\r\n"))
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := &endpoint{whose: func(netip.Addr) string { return "carrier" }}
		e.tallyOut("1@a", "198.51.100.7:5060", data)
		for k := range e.tally.all() {
			known := k.Method == "other" || strings.Contains(" "+strings.Join(methods, " ")+" ", " "+k.Method+" ")
			if !known || len(k.Status) != 0 && len(k.Status) != 3 && k.Status != "other" || k.Trunk != "carrier" || !k.Out {
				t.Fatalf("%q is counted as %+v", data, k)
			}
		}
	})
}
