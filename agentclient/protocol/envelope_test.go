package protocol

import (
	"bytes"
	"errors"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

var moment = time.Date(2026, 3, 14, 9, 26, 53, 589e6, time.UTC)

// filled is one message of each type with every field set.
func filled() []Message {
	call := Call{ID: "c-1", Direction: Outbound, Held: true, Queue: "support", From: "+4930123456", FromName: "Ada <Lovelace> & Söhne", To: "+498001", Arrived: moment}
	until := moment.Add(time.Minute)
	return []Message{
		Hello{Version: 1, Client: "headroom-agent 0.1", Headset: Headset{Model: "Evolve 20", Serial: "E-77"}, Resume: "token"},
		SDPOffer{SDP: "v=0\r\n"}, SetState{State: "break", Reason: "lunch"}, Accept{CallID: "c-1"}, Decline{CallID: "c-1"},
		Hangup{CallID: "c-1"}, Dial{To: "+49 30 123456", Queue: "support"}, Transfer{CallID: "c-1", To: "sales"}, CancelTransfer{CallID: "c-1"},
		Hold{CallID: "c-1", On: true}, Record{CallID: "c-1", Action: "pause"}, DTMF{CallID: "c-1", Digits: "12#"}, Secret{CallID: "c-1", On: true, Seconds: 90}, EndWrapUp{}, Mute{On: true},
		MicReading{CallID: "c-1", Reading: headset.Reading{At: 3, Level: -24.5, ActiveLevel: -22, NoiseFloor: -61, Peak: -6, Clipped: 0.001, Speech: 0.5, Scored: 1}},
		MicReport{CallID: "c-1", Headset: Headset{Model: "H1", Serial: "77"}, Report: headset.Report{
			Tap: headset.TapMic, SampleRate: 48000, Duration: 60, ActiveSpeech: 31,
			Metrics: headset.Metrics{ActiveLevel: -22, ActiveLevelHP: -22.5, Activity: 0.5, Level: -25, NoiseFloor: -60, SNR: 37.5, Peak: -5,
				PeakFactor: 17, ClippedShare: 0.002, ClipEvents: 7, ClipCeiling: -6, DC: -0.01, ActiveValid: true},
			Findings: []headset.Finding{{Kind: headset.Clipping, Severity: headset.Bad, Value: 0.002, Limit: 0.001, Text: "Turn the gain down."}},
		}},
		HeadsetChanged{Headset: Headset{Model: "Evolve 20", Serial: "E-78"}}, SignOut{},
		Welcome{Version: 1, Resume: "token", Resumed: true, Agent: "ada", Name: "Ada", State: State{State: "on-call", Reason: "x", Since: moment, Until: &until}, Call: &call},
		ICEServers{ICEServers: []ICEServer{{URLs: []string{"turns:media.example:443?transport=tcp"}, Username: "1:ada", Credential: "c"}}},
		SDPAnswer{SDP: "v=0\r\n"}, State{State: "wrap-up", Reason: "y", Since: moment, Until: &until}, Offer{Call: call, Expires: until},
		OfferWithdrawn{CallID: "c-1", Why: "caller_gone"}, Connected{Call: call}, Ended{CallID: "c-1", Cause: "caller_hung_up"},
		Progress{CallID: "c-1", Transfer: true, To: "+4930123456", State: Failed, Status: 486, Text: "The number is busy."},
		Supervised{CallID: "c-1", Supervisor: "grace", Name: "Grace", Mode: Whispering}, Supervising{CallID: "c-1", Mode: Barging, Agent: "Ada", Call: &call},
		Verdict{State: "replace", Text: "It clips."}, Limits{headset.DefaultLimits()}, Ack{CallID: "c-2"}, Error{Code: CodeStale, Message: "That call is over."},
	}
}

func TestEveryMessageArrivesAsItWasSent(t *testing.T) {
	for i, m := range filled() {
		kind := TypeOf(m)
		if got := TypeOf(Messages()[i]); got != kind {
			t.Errorf("Messages()[%d] is %s, want %s", i, got, kind)
		}
		for _, id := range []string{"", "a1b2-7"} {
			frame, err := Encode(id, m)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			gotID, got, err := Decode(frame)
			if err != nil || gotID != id {
				t.Fatalf("%s: id %q, %v", kind, gotID, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%s: sent %+v, got %+v", kind, m, got)
			}
		}
	}
}

func TestEveryTypeInThePackageIsKnownToBothEnds(t *testing.T) {
	source, err := os.ReadFile("protocol.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`kind\(\) string +\{ return "(\w+)" \}`).FindAllSubmatch(source, -1)
	var listed []string
	client := 0
	for _, m := range Messages() {
		listed = append(listed, TypeOf(m))
		if FromClient(m) {
			client++
		}
	}
	if len(kinds) != len(listed) {
		t.Fatalf("%d message types, %d in Messages", len(kinds), len(listed))
	}
	for i, k := range kinds {
		if string(k[1]) != listed[i] {
			t.Errorf("Messages()[%d] is %s, the package's is %s", i, listed[i], k[1])
		}
		if _, err := decodeBody(string(k[1]), []byte("{}")); err != nil {
			t.Errorf("%s cannot be decoded: %v", k[1], err)
		}
		if FromClient(Messages()[i]) != (i < client) {
			t.Errorf("%s is listed with the other side's messages", k[1])
		}
	}
}

func TestMeasuredNothingStaysNothing(t *testing.T) {
	frame, err := Encode("", MicReading{Reading: headset.Reading{At: 1, Level: dsp.None(), ActiveLevel: dsp.None(), NoiseFloor: dsp.None(), Peak: dsp.None(), Clipped: dsp.None()}})
	if err != nil {
		t.Fatal(err)
	}
	_, m, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if r := m.(MicReading).Reading; r.Level.Valid() || r.Clipped.Valid() {
		t.Errorf("got %+v", r)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", MaxIdent+1)
	for _, bad := range []struct {
		name, frame string
		want        error
	}{
		{"nothing", ``, ErrMalformed},
		{"not JSON", `hello`, ErrMalformed},
		{"not UTF-8", "{\"type\":\"hello\xff\"}", ErrMalformed},
		{"two values", `{"type":"ack","body":{}} {}`, ErrMalformed},
		{"no body", `{"type":"ack"}`, ErrMalformed},
		{"null body", `{"type":"ack","body":null}`, ErrMalformed},
		{"array body", `{"type":"ack","body":[]}`, ErrMalformed},
		{"wrong field type", `{"type":"mute","body":{"on":"yes"}}`, ErrMalformed},
		{"unknown type", `{"type":"reboot","body":{}}`, ErrUnknownType},
		{"no type", `{"body":{}}`, ErrUnknownType},
		{"too large", `{"type":"ack","body":{"x":"` + strings.Repeat("x", MaxFrame) + `"}}`, ErrTooLarge},
		{"long id", `{"type":"ack","id":"` + long + `","body":{}}`, ErrBounds},
		{"id with a newline", `{"type":"ack","id":"a\nb","body":{}}`, ErrBounds},
		{"hello without version", `{"type":"hello","body":{}}`, ErrBounds},
		{"empty SDP", `{"type":"sdp_offer","body":{"sdp":""}}`, ErrBounds},
		{"large SDP", `{"type":"sdp_offer","body":{"sdp":"` + strings.Repeat("x", MaxSDP+1) + `"}}`, ErrBounds},
		{"state that nobody can ask for", `{"type":"set_state","body":{"state":"offered"}}`, ErrBounds},
		{"accept of no call", `{"type":"accept","body":{}}`, ErrBounds},
		{"long call id", `{"type":"hangup","body":{"call_id":"` + long + `"}}`, ErrBounds},
		{"dial of nothing", `{"type":"dial","body":{}}`, ErrBounds},
		{"dial of a line break", `{"type":"dial","body":{"to":"123\r\nVia: me"}}`, ErrBounds},
		{"dial of a long number", `{"type":"dial","body":{"to":"` + long + `"}}`, ErrBounds},
		{"dial for a long queue", `{"type":"dial","body":{"to":"1","queue":"` + long + `"}}`, ErrBounds},
		{"transfer of no call", `{"type":"transfer","body":{"to":"sales"}}`, ErrBounds},
		{"transfer to nowhere", `{"type":"transfer","body":{"call_id":"c"}}`, ErrBounds},
		{"hold of no call", `{"type":"hold","body":{"on":true}}`, ErrBounds},
		{"cancel of no transfer", `{"type":"cancel_transfer","body":{}}`, ErrBounds},
		{"progress with a status of no protocol", `{"type":"progress","body":{"call_id":"c","state":"failed","status":7}}`, ErrBounds},
		{"call in no direction", `{"type":"connected","body":{"call":{"id":"c","direction":"sideways"}}}`, ErrBounds},
		{"long headset serial", `{"type":"headset_changed","body":{"headset":{"serial":"` + long + `"}}}`, ErrBounds},
		{"share above one", `{"type":"mic_reading","body":{"reading":{"speech_share":1.5}}}`, ErrBounds},
		{"time before the first sample", `{"type":"mic_reading","body":{"reading":{"at_s":-1}}}`, ErrBounds},
		{"level of no microphone", `{"type":"mic_reading","body":{"reading":{"level_dbov":1e300}}}`, ErrBounds},
		{"report without rate", `{"type":"mic_report","body":{"call_id":"c","report":{"tap":"mic"}}}`, ErrBounds},
		{"too many findings", `{"type":"mic_report","body":{"call_id":"c","report":{"tap":"mic","sample_rate":8000,"findings":[` +
			strings.TrimSuffix(strings.Repeat(`{"kind":"hum","severity":"bad"},`, MaxFindings+1), ",") + `]}}}`, ErrBounds},
	} {
		t.Run(bad.name, func(t *testing.T) {
			if _, m, err := Decode([]byte(bad.frame)); !errors.Is(err, bad.want) || m != nil {
				t.Errorf("got %v, %v; want %v", m, err, bad.want)
			}
		})
	}
}

func TestRefusalKeepsTheIDSoThatTheSenderIsTold(t *testing.T) {
	for _, frame := range []string{`{"type":"reboot","id":"a-1","body":{}}`, `{"type":"accept","id":"a-1","body":{}}`, `{"type":"mute","id":"a-1","body":7}`} {
		if id, _, err := Decode([]byte(frame)); id != "a-1" || err == nil {
			t.Errorf("%s: id %q, %v", frame, id, err)
		}
	}
}

func TestNewerPeerMaySayMore(t *testing.T) {
	_, m, err := Decode([]byte(`{"type":"mute","trace":"x","body":{"on":true,"why":"cough"}}`))
	if err != nil || m != (Mute{On: true}) {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestLongNameDoesNotCostTheCall(t *testing.T) {
	long := strings.Repeat("ö", MaxText)
	frame, err := Encode("", Offer{Call: Call{ID: "c-1", FromName: long, From: long, To: long}})
	if err != nil {
		t.Fatal(err)
	}
	_, m, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if name := m.(Offer).Call.FromName; name != long[:MaxText] {
		t.Errorf("name of %d bytes", len(name))
	}
	if _, err := Encode("", MicReading{Reading: headset.Reading{Speech: math.NaN()}}); !errors.Is(err, ErrBounds) {
		t.Errorf("NaN was sent: %v", err)
	}
	if _, err := Encode("bad id", Ack{}); !errors.Is(err, ErrBounds) {
		t.Errorf("id with a blank was sent: %v", err)
	}
}

// FuzzDecode: what Decode takes, Encode gives back, within MaxFrame, and a second
// round changes nothing.
func FuzzDecode(f *testing.F) {
	for _, m := range filled() {
		frame, err := Encode("s-1", m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte(`{"type":"mic_reading","body":{"reading":{"level_dbov":null,"at_s":1e3}}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		id, m, err := Decode(frame)
		if err != nil {
			if m != nil {
				t.Fatalf("a message with an error: %v, %v", m, err)
			}
			return
		}
		first, err := Encode(id, m)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, m2, err := Decode(first)
		if err != nil || again != id || TypeOf(m2) != TypeOf(m) {
			t.Fatalf("second round: id %q, %v, %v", again, m2, err)
		}
		second, err := Encode(again, m2)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("changed on the second round:\n%s\n%s\n%v", first, second, err)
		}
	})
}

func TestNoNumberOfAReportIsBeyondWhatAMeterGives(t *testing.T) {
	try := func(name string, spoil func(*headset.Report)) {
		r := headset.Report{Tap: headset.TapMic, SampleRate: 16000, Conversation: &headset.Conversation{}}
		if _, err := Encode("1", MicReport{CallID: "c", Report: r}); err != nil {
			t.Fatal(err)
		}
		spoil(&r)
		if _, err := Encode("1", MicReport{CallID: "c", Report: r}); !errors.Is(err, ErrBounds) {
			t.Errorf("%s: %v", name, err)
		}
	}
	metrics := reflect.TypeFor[headset.Metrics]()
	for i := range metrics.NumField() {
		f := metrics.Field(i)
		try(f.Name, func(r *headset.Report) {
			switch v := reflect.ValueOf(&r.Metrics).Elem().Field(i); v.Kind() {
			case reflect.Float64:
				v.SetFloat(-1e300)
			case reflect.Int:
				v.SetInt(-1)
			case reflect.String:
				v.SetString(strings.Repeat("x", MaxIdent+1))
			default:
				r.SampleRate = 0 // a flag has no bounds
			}
		})
	}
	try("conversation", func(r *headset.Report) { r.Conversation.Near.Talk = 1e300 })
	try("interruptions", func(r *headset.Report) { r.Conversation.Far.Interruptions = -1 })
}
