package toll

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// The classes that there are without a site naming its own.
const (
	Emergency            = "emergency"
	Short                = "short"                 // extensions and services of up to a few digits
	National             = "national"              // fixed lines of the site's country
	Mobile               = "mobile"                // and its mobile telephones
	TollFree             = "toll-free"             // free in the country, and +800
	Special              = "special"               // its personal and shared-cost numbers, pagers, company-wide numbers
	Premium              = "premium"               // its numbers that cost extra
	International        = "international"         // fixed and mobile lines of other countries
	Satellite            = "satellite"             // and networks that belong to no country
	InternationalPremium = "international-premium" // special and premium numbers of other countries, and of the world
)

// unknown is the class of a number of which nobody knows what it is. It cannot be opened.
const unknown = ""

// Classes lists them, but for Emergency, which is open to everybody.
func Classes() []string {
	return []string{Short, National, Mobile, TollFree, Special, Premium, International, Satellite, InternationalPremium}
}

// worldwide are the codes that belong to no country (ITU-T, List of Recommendation E.164
// assigned country codes): what libphonenumber does not tell apart.
var worldwide = map[int32]string{
	800: TollFree,             // Universal International Freephone Numbers (E.169)
	808: InternationalPremium, // shared cost
	870: Satellite,            // Inmarsat
	878: InternationalPremium, // Universal Personal Telecommunication
	881: Satellite,            // Global Mobile Satellite System
	882: Satellite,            // International Networks, some of them satellites or on ships
	883: Satellite,            // the same
	888: InternationalPremium, // humanitarian affairs, withdrawn
	979: InternationalPremium, // International Premium Rate
}

// ordinary reports whether calls to a class cost about what calls cost.
func ordinary(class string) bool {
	return slices.Contains([]string{Short, National, Mobile, TollFree, International}, class)
}

// kind gives the class of a +E.164 number, seen from a region; hint is another way to write
// one that is of no class.
func kind(normal, region string) (class, hint string) {
	n, err := phonenumbers.Parse(normal, "ZZ") // the region of nobody: the number has its +
	if err != nil {
		return unknown, ""
	}
	if written := phonenumbers.Format(n, phonenumbers.E164); written != normal {
		if phonenumbers.IsValidNumber(n) { // a 0 too many, mostly
			return unknown, written
		}
		return unknown, ""
	}
	if class, ok := worldwide[n.GetCountryCode()]; ok {
		if !phonenumbers.IsValidNumber(n) && class == TollFree {
			return unknown, ""
		}
		return class, ""
	}
	home := region != "" && phonenumbers.IsValidNumberForRegion(n, region)
	at := func(here, abroad string) (string, string) {
		if home {
			return here, ""
		}
		return abroad, ""
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.VOIP:
		return at(National, International)
	case phonenumbers.MOBILE:
		return at(Mobile, International)
	case phonenumbers.TOLL_FREE:
		return at(TollFree, International)
	case phonenumbers.PREMIUM_RATE:
		return at(Premium, InternationalPremium)
	case phonenumbers.UNKNOWN:
		return unknown, ""
	}
	return at(Special, InternationalPremium)
}

// sort gives the class of a number as read gives it. Of the site's own classes the one with
// the longest prefix that fits takes a number, but not from the classes that cost, nor from
// those that nobody knows, unless it says so: a prefix that opens a country does not open its
// premium numbers.
func (r *Rules) sort(normal string) (name, hint string) {
	name = Short
	if strings.HasPrefix(normal, "+") {
		if name, hint = kind(normal, r.region); hint != "" {
			return unknown, hint
		}
	}
	var own *class
	length := 0
	for i := range r.classes {
		for _, p := range r.classes[i].prefixes {
			if len(p) > length && strings.HasPrefix(normal, p) {
				own, length = &r.classes[i], len(p)
			}
		}
	}
	if own != nil && (ordinary(name) || own.anyKind) {
		return own.name, ""
	}
	return name, ""
}

// emergencyAt reports whether a region is known to have an emergency number.
func emergencyAt(digits, region string) bool {
	return region != "" && phonenumbers.IsEmergencyNumber(digits, region)
}
