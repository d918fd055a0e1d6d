package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The agent at a phone, and the number of the queue that only this one serves.
const (
	deskUser     = "desk"
	deskPassword = "two-dozen-letters-of-a-phone"
	deskNumber   = "2000"
)

// register is a REGISTER of the agent's phone, the first of a scenario without a proof.
func register(proof bool, headers ...string) step {
	return func(s *scenario) {
		s.cseq++
		s.branch++
		lines := []string{
			"REGISTER sip:[remote_ip] SIP/2.0",
			fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[call_id]-%d;rport", s.branch),
			"From: <sip:" + deskUser + "@[remote_ip]>;tag=[pid]desk[call_number]", "To: <sip:" + deskUser + "@[remote_ip]>",
			"Call-ID: [call_id]", fmt.Sprintf("CSeq: %d REGISTER", s.cseq), "Max-Forwards: 70",
		}
		lines = append(lines, headers...)
		if proof {
			lines = append(lines, "[authentication username="+deskUser+" password="+deskPassword+"]")
		}
		s.send(message{first: lines[0], headers: lines[1:]}, true)
	}
}

// asked is the challenge to a request.
func asked(status int) step {
	return raw(fmt.Sprintf(`<recv response="%d" auth="true" timeout="15000"/>`, status))
}

// registers is a REGISTER with its challenge and what comes of it.
func registers(status int, wants []want, headers ...string) step {
	return func(s *scenario) {
		register(false, headers...)(s)
		asked(401)(s)
		register(true, headers...)(s)
		s.receive(fmt.Sprintf(`response="%d"`, status), wants)
	}
}

// sipMoment is how long a phone is left with what it was told.
const sipMoment = time.Second

const (
	deskContact  = "<sip:desk@[local_ip]:[local_port];transport=[transport]>"
	otherContact = "<sip:desk@192.0.2.99:5060>"
	signOff      = "Contact: *"
)

// registrations are the flows of RFC 3665 section 2, and what a registrar refuses.
func registrations() []row {
	const area = "registration of phones"
	has := func(uri string) []want { return []want{header("Contact:.*" + uri)} }
	none := []want{header("!Contact:")}
	off := registers(200, none, signOff, "Expires: 0")
	return rested([]row{
		sippRow(area, "registers, and signs off (RFC 3665 2.1, 2.4)", play(deskUser,
			registers(200, []want{header("Contact: *<sip:desk@.*expires=3600")}, "Contact: "+deskContact), off)),
		sippRow(area, "adds a second contact and asks who is registered (2.2, 2.3)", play(deskUser,
			registers(200, has("sip:desk"), "Contact: "+deskContact), registers(200, has("192.0.2.99"), "Contact: "+otherContact+";q=0.2"),
			registers(200, has("192.0.2.99.*q=0.2")), off)),
		sippRow(area, "lets one of two go", play(deskUser,
			registers(200, has("192.0.2.99"), "Contact: "+deskContact, "Contact: "+otherContact),
			registers(200, []want{header("!192.0.2.99")}, "Contact: "+otherContact+";expires=0"), off)),
		sippRow(area, "asks for 10 s: 423 with Min-Expires", play(deskUser,
			registers(423, []want{header("Min-Expires: *60")}, "Contact: "+deskContact, "Expires: 10"))),
		sippRow(area, "signs all off without Expires: 400", play(deskUser, registers(400, nil, signOff))),
		sippRow(area, "registers a telephone number: 400", play(deskUser, registers(400, nil, "Contact: <tel:+4930123>"))),
		sippRow(area, "answers with a wrong password (2.5): 401 again", play(deskUser, register(false, "Contact: "+deskContact), asked(401),
			func(s *scenario) { wrongly(s) }, expectNothing(401))),
	})
}

// wrongly answers the challenge with a password that is not the user's.
func wrongly(s *scenario) {
	register(true, "Contact: "+deskContact)(s)
	text := s.xml.String()
	s.xml.Reset()
	at := strings.LastIndex(text, deskPassword)
	s.xml.WriteString(text[:at] + "guessed" + text[at+len(deskPassword):])
}

// expectNothing waits for a refusal that opens nothing.
func expectNothing(status int) step {
	return func(s *scenario) { s.receive(fmt.Sprintf(`response="%d"`, status), nil) }
}

// desks are phones of agents as people use them.
// rested lets the one user of the rows rest before each: a user registers ten times a second
// at most, and calls twice.
func rested(rows []row) []row {
	for i, r := range rows {
		rows[i].try = func(ctx context.Context, s *system, dir string) error {
			if err := sleep(ctx, 1500*time.Millisecond); err != nil {
				return err
			}
			return r.try(ctx, s, dir)
		}
	}
	return rows
}

func desks() []row {
	const area = "agents at phones"
	var all []row
	for _, transport := range []string{"udp", "tcp"} {
		all = append(all, row{area: area, name: "registers over " + strings.ToUpper(transport) + ", is made ready by code, takes a call from the queue, holds it, passes it on",
			peer: "baresip 1.0", try: func(ctx context.Context, s *system, dir string) error { return desk(ctx, s, dir, transport) }})
	}
	return rested(all)
}

// desk is the day of an agent at baresip.
func desk(ctx context.Context, s *system, dir, transport string) error {
	modules, err := filepath.Glob("/usr/lib*/baresip/modules")
	if err != nil || len(modules) == 0 {
		return errors.New("baresip is not installed (Debian: apt install baresip-core)")
	}
	for name, text := range map[string]string{
		"config": strings.Join([]string{
			"module_path " + modules[0], "module stdio.so", "module g711.so", "module aubridge.so", "module_app account.so", "module_app menu.so",
			"sip_listen 127.0.0.1:0", "rtp_ports 18000-18999", "audio_source aubridge,x", "audio_player aubridge,x", "ringback_disabled yes", "statmode_default off", "",
		}, "\n"),
		"accounts": fmt.Sprintf("<sip:%s@127.0.0.1:%d;transport=%s>;auth_pass=%s;regint=60;audio_codecs=PCMA;answermode=auto\n", deskUser, s.udp, transport, deskPassword),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	p, err := startPhone(ctx, dir, "baresip", "-4", "-n", "127.0.0.1", "-f", dir)
	if err != nil {
		return err
	}
	defer p.end()
	press := func(keys string) error { _, err := io.WriteString(p.keys, keys+"\n"); return err }
	if err := p.says(ctx, "registered successfully"); err != nil {
		return err
	}
	if err := errors.Join(press("/dial *10"), s.agentIs(ctx, "ready"), p.says(ctx, "session closed")); err != nil {
		return err
	}
	caller := make(chan error, 1)
	go func() {
		caller <- sipp(ctx, s, filepath.Join(dir, "caller"), play(deskNumber, invite(sdp(1, pcma)), answered(), ack(""), pause(6000), bye()))
	}()
	err = errors.Join(s.agentIs(ctx, "on-call"), p.says(ctx, "incoming rtp for 'audio' established"),
		press("/hold"), sleep(ctx, sipMoment), press("/resume"), sleep(ctx, sipMoment), press("/transfer sip:"+number+"@127.0.0.1"), s.agentIs(ctx, "ready"))
	if gone := <-caller; err == nil {
		err = gone
	}
	return errors.Join(err, press("/quit"), s.agentIs(ctx, "break"))
}

// agentIs waits for a state of the agent at the phone.
func (s *system) agentIs(ctx context.Context, want string) error {
	last := ""
	err := eventually(ctx, "the agent at the phone is "+want, func() (bool, error) {
		var a struct{ State string }
		if err := s.get(ctx, "/api/v1/agents/"+deskUser, &a); err != nil {
			return false, err
		}
		last = a.State
		return a.State == want || want == "break" && a.State == "offline", nil // gone, or soon
	})
	if err != nil {
		return fmt.Errorf("%w: it is %s", err, last)
	}
	return nil
}
