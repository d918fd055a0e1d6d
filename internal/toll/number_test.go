package toll_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
)

// rules are those of a site in a country where national numbers alone are open to agents.
func rules(numbers model.TrunkNumbers, change ...func(*model.Site)) *toll.Rules {
	site := model.Site{
		Users:  []model.User{{ID: "zoe", Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"sales"}}},
		Queues: []model.Queue{{ID: "sales"}, {ID: "support"}},
		Dialling: model.DialRules{Numbers: numbers, Emergency: []string{"112", "999"},
			Roles: []model.DialRole{{Name: model.RoleAgent, Classes: []string{toll.National}}}},
	}
	for _, c := range change {
		c(&site)
	}
	return toll.Compile(site)
}

var (
	britain = model.TrunkNumbers{Country: "44", National: "0"}
	germany = model.TrunkNumbers{Country: "49", National: "0"}
	america = model.TrunkNumbers{Country: "1", National: "1", International: "011", Bare: "national"}
)

func TestWhatPeopleTypeIsOneNumberOfOneClass(t *testing.T) {
	for _, c := range []struct {
		plan                model.TrunkNumbers
		typed, number, kind string
	}{
		{britain, "020 7946 0101", "+442079460101", toll.National},
		{britain, " +44 (0)20 7946-0101 ", "+442079460101", toll.National},
		{britain, "0044 (0) 20 7946 0101", "+442079460101", toll.National},
		{britain, "0044(0)2079460101", "+442079460101", toll.National},
		{britain, "0044 20.7946.0101", "+442079460101", toll.National},
		{britain, "tel:+44-20-7946-0101", "+442079460101", toll.National},
		{britain, "tel:7946-0101;phone-context=+4420", "+442079460101", toll.National},
		{britain, "TEL:+442079460101;npdi;rn=+449098790000", "+442079460101", toll.National},
		{britain, "٠٢٠ ٧٩٤٦ ٠١٠١", "+442079460101", toll.National},
		{britain, "＋４４２０７９４６０１０１", "+442079460101", toll.National},
		{britain, "\u202a+44\u00a020\u20117946\u20130101\u202c", "+442079460101", toll.National},
		{britain, "07400 123456", "+447400123456", toll.Mobile},
		{britain, "0800 111 1111", "+448001111111", toll.TollFree},
		{britain, "+800 1234 5678", "+80012345678", toll.TollFree},
		{britain, "0909 879 0000", "+449098790000", toll.Premium},
		{britain, "070 1234 5678", "+447012345678", toll.Special},
		{britain, "0300 111 1111", "+443001111111", toll.Special},
		{britain, "00 49 30 123456", "+4930123456", toll.International},
		{britain, "+33 899 123456", "+33899123456", toll.InternationalPremium},
		{britain, "+979 123 456 789", "+979123456789", toll.InternationalPremium},
		{britain, "+878 10 1234567890", "+878101234567890", toll.InternationalPremium},
		{britain, "+870 773 111 632", "+870773111632", toll.Satellite},
		{britain, "+881 6 1234 5678", "+881612345678", toll.Satellite},
		{britain, "+882 16 1234567", "+882161234567", toll.Satellite},
		{britain, "+88213", "+88213", toll.Satellite},
		{britain, "0101", "0101", toll.Short},
		{britain, "118118", "118118", toll.Short},
		{britain, "112", "112", toll.Emergency},
		{britain, "9-9-9", "999", toll.Emergency},
		{britain, "+112", "112", toll.Emergency},
		{britain, "tel:112;phone-context=+44", "112", toll.Emergency},
		{britain, "١١٢", "112", toll.Emergency},
		{germany, "110", "110", toll.Emergency}, // libphonenumber knows
		{germany, "116117", "116117", toll.Short},
		{germany, "999", "999", toll.Emergency}, // the site says so
		{germany, "0900 1 234567", "+499001234567", toll.Premium},
		{america, "(212) 555-0100", "+12125550100", toll.National},
		{america, "1 212 555 0100", "+12125550100", toll.National},
		{america, "011 44 20 7946 0101", "+442079460101", toll.International},
		{america, "876 555 0123", "+18765550123", toll.International}, // Jamaica is no home of theirs
		{america, "900 234 5678", "+19002345678", toll.Premium},
		{america, "911", "911", toll.Emergency},
		{model.TrunkNumbers{}, "+44 20 7946 0101", "+442079460101", toll.International},
		{model.TrunkNumbers{}, "112", "112", toll.Emergency},

		{britain, "", "", toll.CodeNotANumber},
		{britain, " ", "", toll.CodeNotANumber},
		{britain, "+", "", toll.CodeNotANumber},
		{britain, "++442079460101", "", toll.CodeNotANumber},
		{britain, "44+2079460101", "", toll.CodeNotANumber},
		{britain, "0800 FLOWERS", "", toll.CodeNotANumber},
		{britain, "alice", "", toll.CodeNotANumber},
		{britain, "sip:+442079460101@evil.example", "", toll.CodeNotANumber},
		{britain, "javascript:alert(1)", "", toll.CodeNotANumber},
		{britain, strings.Repeat("1", 300), "", toll.CodeNotANumber},
		{britain, strings.Repeat("1", 60), "", toll.CodeNotANumber},
		{britain, "+4420794601012345", "", toll.CodeNotANumber},
		{britain, "+0442079460101", "", toll.CodeNotANumber},
		{britain, "\xff\xfe112", "", toll.CodeNotANumber},
		{britain, "112\r\nRoute: <sip:evil.example>", "", toll.CodeNotANumber},
		{britain, "020 7946 0101,,9", "", toll.CodeExtension},
		{britain, "020 7946 0101;9", "", toll.CodeExtension},
		{britain, "020 7946 0101 ext. 9", "", toll.CodeExtension},
		{britain, "020 7946 0101x9", "", toll.CodeExtension},
		{britain, "tel:+442079460101;ext=9", "", toll.CodeExtension},
		{britain, "tel:+442079460101;postd=pp9", "", toll.CodeExtension},
		{britain, "tel:1;phone-context=+44;phone-context=+33", "", toll.CodeNotANumber},
		{britain, "*31#02079460101", "", toll.CodeServiceCode},
		{britain, "*97", "", toll.CodeServiceCode},
		{britain, "2079460101", "", toll.CodeNoCountry},
		{britain, "000 44 20 7946 0101", "", toll.CodeNoCountry},
		{model.TrunkNumbers{}, "020 7946 0101", "", toll.CodeNoCountry},
		{britain, "+44 020 7946 0101", "", toll.CodeUnknownClass}, // a 0 too many: said, not guessed
		{britain, "+44 20 7946 0", "", toll.CodeUnknownClass},
		{britain, "+999 1234567", "", toll.CodeUnknownClass},
		{britain, "+800 1", "", toll.CodeUnknownClass},
	} {
		d, why := rules(c.plan).Sort(c.typed)
		switch {
		case c.number == "" && (why == nil || why.Code != c.kind || why.Text == ""):
			t.Errorf("%q is %+v, %v; wanted to hear %s", c.typed, d, why, c.kind)
		case c.number != "" && (why != nil || d.Number != c.number || d.Class != c.kind || d.Emergency != (c.kind == toll.Emergency)):
			t.Errorf("%q is %+v, %v; wanted %s %s", c.typed, d, why, c.kind, c.number)
		}
	}
}

func TestAZeroTooManyIsAnsweredWithTheNumberThatMayBeMeant(t *testing.T) {
	if _, why := rules(britain).Sort("+4402079460101"); why == nil || !strings.Contains(why.Text, "+442079460101") {
		t.Error(why)
	}
}

// The reading of digits counts on Unicode keeping the digits of a script together, in order.
func TestDigitsOfEveryScriptAreRead(t *testing.T) {
	r := rules(britain)
	for _, table := range unicode.Nd.R32 {
		for zero := rune(table.Lo); zero < rune(table.Hi); zero += 10 {
			typed := string([]rune{zero + 1, zero + 1, zero + 2})
			if d, why := r.Sort(typed); why != nil || d.Number != "112" {
				t.Errorf("%q is %+v, %v", typed, d, why)
			}
		}
	}
	for _, table := range unicode.Nd.R16 {
		if (table.Hi-table.Lo+1)%10 != 0 || table.Stride != 1 {
			t.Errorf("%U to %U are not ten by ten", table.Lo, table.Hi)
		}
	}
}

// FuzzNumber holds for whatever is typed: a refusal in words, or digits of one class that are
// read as themselves; and never does the spelling open what the digits do not.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"020 7946 0101", "+44 (0)20", "tel:1;phone-context=+44909", "0044", "*31#1", "112", "１１２", "1,2", "+4490987900", "000", "sip:1@x", "+1 876", strings.Repeat("9", 200)} {
		for plan := range uint8(4) {
			f.Add(s, plan)
		}
	}
	plans := []*toll.Rules{rules(britain), rules(germany), rules(america), rules(model.TrunkNumbers{})}
	f.Fuzz(func(t *testing.T, typed string, plan uint8) {
		r := plans[plan%4]
		d, why := r.Sort(typed)
		permit, no := toll.Decide(r, model.DialRequest{User: "zoe", Number: typed}, model.DialUsage{}, time.Unix(0, 0))
		if why != nil {
			if why.Code == "" || why.Text == "" || len(why.Text) > 400 || no == nil || no.Code != why.Code {
				t.Fatalf("%q: %+v, decided %+v", typed, why, no)
			}
			return
		}
		digits := strings.TrimPrefix(d.Number, "+")
		if digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" || d.Class == "" {
			t.Fatalf("%q is %+v", typed, d)
		}
		if again, why := r.Sort(d.Number); why != nil || again != d {
			t.Fatalf("%q is %+v, and that is %+v, %v", typed, d, again, why)
		}
		if open := d.Emergency || d.Class == toll.National; open != (no == nil) {
			t.Fatalf("%q is %+v, decided %+v, %v", typed, d, permit, no)
		}
		if no == nil && permit.Number != d.Number {
			t.Fatalf("%q: %+v, but %s is called", typed, d, permit.Number)
		}
	})
}
