package protocol

import (
	"strings"
	"testing"
)

func TestKeysAreKeptOutOfErrors(t *testing.T) {
	for _, digits := range []string{"", "4111x", "12 3", "１２", strings.Repeat("1", MaxKeys+1)} {
		err := check(DTMF{CallID: "c-1", Digits: digits})
		if err == nil || digits != "" && strings.Contains(err.Error(), digits) {
			t.Errorf("%q: %v", digits, err)
		}
	}
	for _, digits := range []string{"0123456789*#ABCDabcd", strings.Repeat("1", MaxKeys)} {
		if err := check(DTMF{CallID: "c-1", Digits: digits}); err != nil {
			t.Errorf("%q: %v", digits, err)
		}
	}
	for _, seconds := range []int{-1, MaxSecret + 1} {
		if check(Secret{CallID: "c-1", On: true, Seconds: seconds}) == nil {
			t.Errorf("%d s were taken", seconds)
		}
	}
}
