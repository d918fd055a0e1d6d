package ng

import (
	"errors"
	"reflect"
	"testing"
)

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	want := Dict{"command": "offer", "sdp": "v=0\r\n", "codec": Dict{"mask": []any{"PCMU"}, "strip": []any{}}, "n": int64(-7)}
	text, err := encode(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); s != "d5:codecd4:maskl4:PCMUe5:striplee7:command5:offer1:ni-7e3:sdp5:v=0\r\ne" {
		t.Errorf("encoded %q", s)
	}
	got, rest, err := decode(append(text, "tail"...), 0)
	if err != nil || string(rest) != "tail" || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, rest %q (%v)", got, rest, err)
	}
	if _, err := understood("offer", []byte("d6:result5:error12:error-reason3:woee")); !errors.Is(err, ErrRefused) {
		t.Errorf("an error was answered: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "i1e", "ie", "3:abc", "9:abc", "le", "d1:a1:be", "d1:a", "99999999999:a", "llllllllllllllllllllllllee", "l", "d1:ae"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, rest, err := decode(text, 0)
		if err != nil {
			return
		}
		if len(rest) >= len(text) {
			t.Fatalf("%q: nothing was read", text)
		}
		again, err := encode(nil, v)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if back, _, err := decode(again, 0); err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("%q became %q", text, again)
		}
	})
}
