package e164

import (
	"strings"
	"testing"
)

var (
	germany = Plan{Country: "49", National: "0"}
	america = Plan{Country: "1", National: "1", International: "011", Bare: BareNational}
	italy   = Plan{Country: "39", Bare: BareNational}
	plain   = Plan{Country: "49", National: "0", Bare: BareE164}
)

func TestNumbersBecomeTheWorlds(t *testing.T) {
	for _, c := range []struct {
		plan     Plan
		in, want string
	}{
		{germany, "+49 (30) 123-456", "+4930123456"},
		{germany, "030123456", "+4930123456"},
		{germany, "0044 20 7946 0101", "+442079460101"},
		{germany, "tel:+49-30-123456", "+4930123456"},
		{germany, "tel:123456789;phone-context=+4930", "+4930123456789"},
		{germany, "tel:110;phone-context=pbx.example", "110"},
		{germany, "sip:+4930123456;npdi@carrier.example;user=phone", "+4930123456"},
		{germany, "112", "112"},
		{germany, "0101", "0101"},
		{germany, "000", "000"},
		{germany, "116117", "116117"},
		{germany, "4930123456", "4930123456"}, // nobody knows
		{plain, "4930123456", "+4930123456"},
		{germany, "anonymous", "anonymous"},
		{germany, "sip:alice@carrier.example", "sip:alice@carrier.example"},
		{germany, "mailto:1234567", "mailto:1234567"},
		{germany, "+", "+"},
		{germany, "", ""},
		{germany, "*97", "*97"},
		{germany, "01801234567890123456", "01801234567890123456"}, // too long for the world
		{germany, "000123456789", "000123456789"},
		{america, "2125551234", "+12125551234"},
		{america, "12125551234", "+12125551234"},
		{america, "011442079460101", "+442079460101"},
		{america, "911", "911"},
		{italy, "0612345678", "+390612345678"}, // Italy dials the zero
		{italy, "3331234567", "+393331234567"},
		{Plan{}, "00 44 20", "00 44 20"},
		{Plan{Country: "49", National: "0", Short: 3}, "0101", "+49101"},
	} {
		if got := c.plan.Normal(c.in); got != c.want {
			t.Errorf("%+v: %q becomes %q, want %q", c.plan, c.in, got, c.want)
		}
	}
}

func TestNumbersAsATrunkWantsThem(t *testing.T) {
	for _, c := range []struct {
		plan     Plan
		style    Style
		in, want string
	}{
		{germany, Plus, "+4930123456", "+4930123456"},
		{germany, Digits, "+4930123456", "4930123456"},
		{germany, Dialled, "+4930123456", "030123456"},
		{germany, Dialled, "+442079460101", "00442079460101"},
		{germany, Prefixed, "+4930123456", "004930123456"},
		{america, Dialled, "+12125551234", "12125551234"},
		{america, Dialled, "+442079460101", "011442079460101"},
		{germany, Dialled, "112", "112"},
		{germany, Digits, "anonymous", "anonymous"},
		{Plan{}, Digits, "+4930123456", "4930123456"},
		{Plan{}, Dialled, "+4930123456", "004930123456"},
	} {
		if got := c.plan.Format(c.in, c.style); got != c.want {
			t.Errorf("%q in style %q is %q, want %q", c.in, c.style, got, c.want)
		}
	}
}

// What is normal stays so, holds nothing but digits behind its plus, and what is formatted is
// read back.
func FuzzNumbers(f *testing.F) {
	f.Add("+49 30 123456", uint8(0))
	f.Add("tel:123;phone-context=+49", uint8(1))
	f.Add("0044207946", uint8(2))
	f.Add("sip:0612@x;user=phone", uint8(3))
	f.Fuzz(func(t *testing.T, s string, which uint8) {
		plan := []Plan{germany, america, italy, plain}[which%4]
		n := plan.Normal(s)
		if again := plan.Normal(n); again != n {
			t.Fatalf("%q becomes %q becomes %q", s, n, again)
		}
		digits, world := strings.CutPrefix(n, "+")
		if !world || n == s { // left as it was
			return
		}
		if len(digits) == 0 || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
			t.Fatalf("%q becomes %q", s, n)
		}
		for _, style := range []Style{Plus, Dialled, Prefixed} {
			out := plan.Format(n, style)
			if style == Dialled && (plan.National == "" && strings.HasPrefix(digits, plan.Country) || len(out) <= plan.short()) {
				continue // looks like something else, as it does on a telephone
			}
			if back := plan.Normal(out); style != Plus && len(out) > plan.short() && back != n && !strings.HasPrefix(digits, plan.Country+"0") {
				t.Fatalf("%q in style %q is %q, read as %q", n, style, out, back)
			}
		}
	})
}
