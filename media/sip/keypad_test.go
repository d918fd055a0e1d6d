package sip_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	heard "github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/dtmf"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

const captures = "/usr/share/sip-tester/dtmf_2833_*.pcap"

// keypad is a phone's voice: a bare socket that presses keys and hears them.
type keypad struct {
	t    *testing.T
	conn *net.UDPConn
	keys chan string
}

// voiceOf gives a phone a socket for its voice, and hears the keys in what comes there: each as
// "event 5" or "tone 5".
func voiceOf(t *testing.T, p *phone) *keypad {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	k := &keypad{t, conn, make(chan string, 100)}
	p.rtpPort = conn.LocalAddr().(*net.UDPAddr).Port
	done := make(chan struct{})
	go func() { defer close(done); k.listen() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return k
}

func (k *keypad) listen() {
	var events rtp.Keys
	tones, _ := heard.New(8000)
	decoder, _ := codec.NewDecoder(media.PCMU, 8000)
	buf, pcm := make([]byte, 2000), make([]float32, 960)
	for {
		n, err := k.conn.Read(buf)
		if err != nil {
			return
		}
		var p pionrtp.Packet
		if p.Unmarshal(buf[:n]) != nil {
			continue
		}
		if p.PayloadType > 95 {
			if key, ok := events.Packet(p.Payload, p.SSRC, p.Timestamp, p.Marker, 8000); ok {
				k.keys <- "event " + string(key)
			}
			continue
		}
		if n, err = decoder.Decode(p.Payload, pcm); err != nil {
			continue
		}
		for _, d := range tones.Process(nil, pcm[:n]) {
			k.keys <- "tone " + string(rune(d.Key))
		}
	}
}

// hears wants keys, and nothing else.
func (k *keypad) hears(want ...string) {
	k.t.Helper()
	for _, w := range want {
		select {
		case got := <-k.keys:
			if got != w {
				k.t.Errorf("%s, want %s", got, w)
			}
		case <-time.After(patience):
			k.t.Fatalf("no %s", w)
		}
	}
}

// sends packets to a port of the server's.
func (k *keypad) sends(port int, packets ...[]byte) {
	k.t.Helper()
	for _, p := range packets {
		if _, err := k.conn.WriteToUDP(p, &net.UDPAddr{IP: loopback.AsSlice(), Port: port}); err != nil {
			k.t.Fatal(err)
		}
	}
}

// sound is keys as tones in PCMU, with silence after each.
func sound(t *testing.T, keys string) [][]byte {
	t.Helper()
	encoder, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	pcm := make([]float32, 160)
	for _, key := range []byte(keys) {
		for at := 0; at < 1600; at += len(pcm) {
			heard.Tone(pcm, key, at, 800, 8000)
			payload := make([]byte, len(pcm))
			if _, err := encoder.Encode(pcm, payload); err != nil {
				t.Fatal(err)
			}
			n := len(out)
			h := pionrtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(n) * 160, SSRC: 9}
			data, err := (&pionrtp.Packet{Header: h, Payload: payload}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, data)
		}
	}
	return out
}

// pressed wants keys of a call.
func pressed(t *testing.T, call *sip.Call, want string) {
	t.Helper()
	for i, w := range want {
		select {
		case got := <-call.Digits():
			if got != w {
				t.Errorf("key %d: %q, want %q", i, got, w)
			}
		case <-time.After(patience):
			t.Fatalf("key %d, %q, did not come", i, w)
		}
	}
	if n := len(call.Digits()); n > 0 {
		t.Errorf("%d keys too many", n)
	}
}

func trunkKeys(by sip.KeysBy) func(*sip.Config) {
	return func(c *sip.Config) {
		c.Trunks = slices.Clone(everyone)
		c.Trunks[0].KeysBy = by
	}
}

func TestKeysGoOutAsThePartyTakesThem(t *testing.T) {
	t.Parallel()
	const events = "a=rtpmap:101 telephone-event/8000"
	for _, c := range []struct {
		name    string
		by      sip.KeysBy
		formats string
		attrs   []string
		headers []string
		infos   string // status of the answer
		want    []string
	}{
		{"events", sip.KeysAuto, "0 101", []string{events}, []string{"Accept: application/sdp, application/dtmf-relay"}, "", []string{"event 1", "event 1", "event #"}},
		{"events at 48 kHz alone", sip.KeysAuto, "0 101", []string{"a=rtpmap:101 telephone-event/48000"}, nil, "", []string{"event 1", "event 1", "event #"}},
		{"INFO of who takes it", sip.KeysAuto, "0", nil, []string{"Accept: application/sdp, application/dtmf-relay"}, "200 OK", nil},
		{"INFO of who names the package", sip.KeysAuto, "0", nil, []string{"Recv-Info: infoDtmf"}, "200 OK", nil},
		{"INFO as the trunk is set to", sip.KeysInfo, "0 101", []string{events}, nil, "200 OK", nil},
		{"tones where INFO is refused", sip.KeysInfo, "0", nil, nil, "415 Unsupported Media Type", []string{"tone 1", "tone 1", "tone #"}},
		{"tones", sip.KeysAuto, "0", nil, nil, "", []string{"tone 1", "tone 1", "tone #"}},
		{"tones as the trunk is set to", sip.KeysInBand, "0 101", []string{events}, nil, "", []string{"tone 1", "tone 1", "tone #"}},
		{"tones where no events were agreed on", sip.KeysEvents, "0", nil, nil, "", []string{"tone 1", "tone 1", "tone #"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, trunkKeys(c.by))
			p := newPhone(t, "UDP", s.udp)
			k := voiceOf(t, p)
			call, ok := taken(t, p, d, p.offer(c.formats, c.attrs...), c.headers...)
			if strings.Contains(ok, "telephone-event") != (c.by != sip.KeysInBand && len(c.attrs) > 0) {
				t.Errorf("answered\n%s", ok)
			}
			if err := call.SendDigits("11#"); err != nil {
				t.Fatal(err)
			}
			if c.infos != "" {
				keys := []string{"1", "1", "#"}
				if c.want != nil {
					keys = keys[:1] // no more after the refusal
				}
				for _, key := range keys {
					m := p.expect("INFO ")
					mustContain(t, m, "Content-Type: application/dtmf-relay\r\n", "Signal="+key+"\r\nDuration=100\r\n")
					p.respond(m, c.infos)
				}
			}
			k.hears(c.want...)
			alive(t, call)
			p.hangup(call)
			if err := call.SendDigits("1"); !errors.Is(err, sip.ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func TestWhatCannotBeSentSaysSo(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	voiceOf(t, p)
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if err := call.SendDigits("1"); err == nil {
		t.Error("sent before the answer")
	}
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	if err := call.SendDigits("12 3"); err == nil || strings.Contains(err.Error(), "12") {
		t.Errorf("a blank: %v", err)
	}
	if err := call.SendDigits(strings.Repeat("1", 65)); !errors.Is(err, dtmf.ErrFull) {
		t.Errorf("65 keys: %v", err)
	}
	p.hangup(call)
}

func TestTonesAreHeardWhereNoEventsWereAgreedOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, formats, attr string
		by                  sip.KeysBy
		want                string
	}{
		{"no events", "0", "a=ptime:20", sip.KeysAuto, "1159#"},
		{"events", "0 101", "a=rtpmap:101 telephone-event/8000", sip.KeysAuto, ""},
		{"the trunk has tones", "0 101", "a=rtpmap:101 telephone-event/8000", sip.KeysInBand, "1159#"},
		{"the trunk has INFO", "0", "a=ptime:20", sip.KeysInfo, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d, trunkKeys(c.by))
			p := newPhone(t, "UDP", s.udp)
			k := voiceOf(t, p)
			call, ok := taken(t, p, d, p.offer(c.formats, c.attr))
			packets := sound(t, "1159#")
			k.sends(portOf(t, ok), packets...)
			eventually(t, "the voice", func() bool { return call.Leg().Stats().PacketsIn == uint64(len(packets)) })
			pressed(t, call, c.want)
			p.hangup(call)
		})
	}
}

// TestSIPpsCapturesAreHeard reads the packets of real telephones that SIPp comes with.
func TestSIPpsCapturesAreHeard(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(captures)
	if len(files) == 0 {
		t.Skip("SIPp's captures are not installed")
	}
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	k := voiceOf(t, p)
	call, ok := taken(t, p, d, p.offer("0 101", "a=rtpmap:101 telephone-event/8000"))
	for i, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "dtmf_2833_"), ".pcap")
		want := map[string]string{"star": "*", "pound": "#"}[name]
		if want == "" {
			want = name
		}
		packets := payloads(t, file)
		for _, data := range packets { // one telephone pressed them all: a source of its own each
			binary.BigEndian.PutUint32(data[8:], uint32(i+1))
		}
		k.sends(portOf(t, ok), packets...)
		pressed(t, call, want)
	}
	p.hangup(call)
}

// payloads are the UDP payloads of a capture of Ethernet and IPv4.
func payloads(t *testing.T, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for data = data[24:]; len(data) > 16; {
		n := int(binary.LittleEndian.Uint32(data[8:]))
		frame := data[16 : 16+n]
		ip := frame[14:]
		udp := ip[int(ip[0]&15)*4:]
		out = append(out, slices.Clone(udp[8:binary.BigEndian.Uint16(udp[4:])]))
		data = data[16+n:]
	}
	return out
}

func TestSIPpPressesKeys(t *testing.T) {
	t.Parallel()
	program(t, "sipp")
	if files, _ := filepath.Glob(captures); len(files) == 0 || os.Geteuid() != 0 {
		t.Skip("SIPp's captures are not installed, or there is no right to send them")
	}
	overBoth(t, func(t *testing.T, network string) {
		got := make(chan string, 3)
		s := start(t, handlerFunc(func(c *sip.Call) {
			if _, err := c.Answer(context.Background()); err != nil {
				t.Errorf("answer: %v", err)
				return
			}
			keys := ""
			for {
				select {
				case k := <-c.Digits():
					keys += string(k)
				case <-c.Done():
					got <- keys
					return
				}
			}
		}))
		sipp(t, s, network, "uac_dtmf.xml", 2)
		for range 2 {
			if keys := <-got; keys != "19*#" {
				t.Errorf("heard %q", keys)
			}
		}
	})
}

func TestBaresipPressesKeysAndHearsOurs(t *testing.T) {
	t.Parallel()
	program(t, "baresip")
	pacer := prompt.NewPacer()
	running(t, pacer.Run)
	for _, c := range []struct{ name, params string }{{"events", ""}, {"INFO", ";dtmfmode=info"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := make(desk, 1)
			s := start(t, d)
			control := freePort(t)
			call := dialWithBaresip(t, s, d, "UDP", c.params, "module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:"+control+"\n")
			leg, err := call.Answer(within(t))
			if err != nil {
				t.Fatal(err)
			}
			defer pacer.Play(leg, prompt.Tone(440, -30))() // baresip takes what comes only once more has
			conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", "127.0.0.1:"+control)
			if err != nil {
				t.Skipf("baresip has no remote control: %v", err)
			}
			said := make(chan string, 100)
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 4096)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					said <- string(buf[:n])
				}
			}()
			defer func() { _ = conn.Close(); <-done }()
			eventually(t, "baresip's voice", func() bool { return call.Leg().Stats().PacketsIn > 10 })
			for _, key := range "15#" {
				text := fmt.Sprintf(`{"command":"sndcode","params":%q}`, string(key))
				_, _ = fmt.Fprintf(conn, "%d:%s,", len(text), text)
				pressed(t, call, string(key))
			}
			if err := call.SendDigits("27*"); err != nil {
				t.Fatal(err)
			}
			all, deadline := "", time.After(patience)
			for keys := ""; keys != "27*"; {
				select {
				case text := <-said:
					all += text
				case <-deadline:
					t.Fatalf("baresip heard %q:\n%s", keys, all)
				}
				keys = ""
				for _, m := range strings.Split(all, `"type":"CALL_DTMF_START"`)[1:] {
					if _, rest, ok := strings.Cut(m, `"param":"`); ok && rest != "" {
						keys += rest[:1]
					}
				}
			}
			must(t, call.Hangup(within(t)))
		})
	}
}
