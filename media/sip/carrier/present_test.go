package carrier

import (
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/e164"
)

func TestWhoCallsIsToldAsTheTrunkWantsIt(t *testing.T) {
	ada := From{Number: "+4930123456", Name: `Ada "the first"`}
	hidden := ada
	hidden.Anonymous = true
	diverted := From{Number: "+442079460101", Diverted: []sip.Diversion{{Number: "+4930222222", Reason: "user-busy"}, {Number: "030 111111", Reason: `evil";x`}}}
	plan := e164.Plan{Country: "49", National: "0"}
	for name, c := range map[string]struct {
		trunk Trunk
		who   From
		from  string // name user@domain
		want  string // headers
	}{
		"plainly": {Trunk{}, ada, `Ada "the first" +4930123456@carrier.example`, ""},
		"asserted": {Trunk{Caller: Caller{Assert: AssertAsserted}, Domain: "us.example"}, ada, `Ada "the first" +4930123456@us.example`,
			`P-Asserted-Identity: "Ada \"the first\"" <sip:+4930123456@us.example>`},
		"preferred, behind an account": {Trunk{Caller: Caller{Assert: AssertPreferred, Account: true}, Login: digest.Login{Username: "acc"}, Style: e164.Dialled, Numbers: plan}, ada,
			`Ada "the first" acc@carrier.example`, `P-Preferred-Identity: "Ada \"the first\"" <sip:030123456@carrier.example>`},
		"hidden": {Trunk{Caller: Caller{Assert: AssertAsserted}, Style: e164.Digits}, hidden, "Anonymous anonymous@anonymous.invalid",
			`P-Asserted-Identity: "Ada \"the first\"" <sip:4930123456@carrier.example>|Privacy: id`},
		"hidden in the old way": {Trunk{Caller: Caller{Assert: AssertRemote}, Style: e164.Digits}, hidden, "Anonymous anonymous@anonymous.invalid",
			`Remote-Party-ID: "Ada \"the first\"" <sip:4930123456@carrier.example>;party=calling;screen=no;privacy=full|Privacy: id`},
		"hidden and not asserted": {Trunk{}, hidden, "Anonymous anonymous@anonymous.invalid", "Privacy: id"},
		"passed on": {Trunk{Style: e164.Digits, Numbers: plan}, diverted, "442079460101@carrier.example",
			"Diversion: <sip:4930222222@carrier.example>;reason=user-busy|Diversion: <sip:4930111111@carrier.example>;reason=unknown"},
		"passed on, with its history": {Trunk{Style: e164.Digits, Numbers: plan, Caller: Caller{History: true}}, diverted, "442079460101@carrier.example",
			"History-Info: <sip:4930111111@carrier.example>;index=1|History-Info: <sip:4930222222@carrier.example>;index=1.1|History-Info: <sip:100@carrier.example;cause=486>;index=1.1.1"},
		"nobody, but an account": {Trunk{Login: digest.Login{Username: "acc"}}, From{}, "acc@carrier.example", ""},
	} {
		p := c.trunk.present(c.who, "100", "sip:carrier.example:5080")
		var headers []string
		for _, h := range p.headers {
			headers = append(headers, h.Name+": "+h.Value)
		}
		if got := strings.TrimSpace(p.name + " " + p.user + "@" + p.domain); got != c.from {
			t.Errorf("%s: from %s, want %s", name, got, c.from)
		}
		if got := strings.Join(headers, "|"); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}

// Nothing that a caller is called breaks out of a header.
func FuzzPresent(f *testing.F) {
	f.Add("+49", "Ada", "no-answer", true)
	f.Add("a@b>;x", "\"\r\nVia: x", "a;b", false)
	f.Fuzz(func(t *testing.T, number, name, reason string, history bool) {
		trunk := Trunk{Caller: Caller{Assert: AssertAsserted, History: history}, Numbers: e164.Plan{Country: "49", National: "0"}}
		who := From{Number: number, Name: name, Diverted: []sip.Diversion{{Number: number, Reason: reason}}}
		p := trunk.present(who, userPart(number), "sip:carrier.example")
		if strings.ContainsAny(p.user, "@<>\" \r\n\x00") || strings.ContainsAny(p.name, "\r\n\x00") {
			t.Errorf("from %q %q", p.name, p.user)
		}
		for _, h := range p.headers {
			if strings.ContainsAny(h.Value, "\r\n\x00") {
				t.Errorf("%s: %q", h.Name, h.Value)
			}
			open := strings.LastIndexByte(h.Value, '<')
			if quoted := strings.Count(strings.NewReplacer(`\\`, "", `\"`, "").Replace(h.Value), `"`); quoted != 0 && quoted != 2 {
				t.Errorf("%s: %q", h.Name, h.Value)
			}
			if open < 0 || strings.Count(h.Value[open:], ">") != 1 || strings.Count(h.Value[open:], "@") != 1 {
				t.Errorf("%s: %q", h.Name, h.Value)
			}
		}
	})
}
