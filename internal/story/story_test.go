package story

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func at(s float64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

func until(s float64) *time.Time {
	t := at(s)
	return &t
}

func told(t *testing.T, s store.CallStory) string {
	t.Helper()
	var b strings.Builder
	if err := Tell(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// eventful is a call in which everything happens that can.
func eventful() store.CallStory {
	line := func(s float64, kind string, agent model.AgentID, detail ...string) model.CallEvent {
		e := model.CallEvent{Call: "c1", At: at(s), Kind: kind, Agent: agent, Detail: map[string]string{}}
		for i := 0; i < len(detail); i += 2 {
			e.Detail[detail[i]] = detail[i+1]
		}
		return e
	}
	return store.CallStory{
		Call: model.Call{ID: "c1", Trunk: "carrier", Queue: "support", From: "+4930123", FromName: "Jürgen \x1b[2J🎧", To: "100",
			StartedAt: at(0), AnsweredAt: until(26), EndedAt: until(90), Cause: model.CauseCallerHungUp, Agent: "kim"},
		Events: []model.CallEvent{
			line(0, "arrived", "", "sip_call_id", "1@carrier", "trunk", "carrier"), line(.25, "queued", "", "queue", "support"),
			line(.5, "offered", "zoe", "verdict", "good", "last_resort", "false"), line(15.5, "offer_expired", "zoe"),
			line(15.5, "offered", "max", "verdict", "unknown"), line(16, "declined", "max"), line(16, "offered", "ann", "verdict", "watch"),
			line(17, "offer_withdrawn", "ann", "why", "signed_out"),
			line(17, "offered", "kim", "verdict", "replace", "last_resort", "true"), line(20, "accepted", "kim"),
			line(25, "requeued", "kim", "why", "connect_failed"), line(26, "connected", "kim", "headset", "H1/7"),
			line(30, "dtmf", "", "count", "16"), line(40, "rejoined", "kim", "why", "new_headset", "headset", "H1/8"),
			line(50, "something_new", "kim"), line(90, "ended", "", "cause", "caller_hung_up"),
		},
		Legs: []model.Leg{
			{ID: "c1.trunk", Kind: model.TrunkLeg, Trunk: "carrier", StartedAt: at(.25), EndedAt: until(90), Cause: model.CauseCallerHungUp,
				Stats: model.LegStats{Codec: "PCMU", PacketsIn: 4480, PacketsOut: 4475, Lost: 2, JitterMS: 1.25}},
			{ID: "c1.kim.1", Kind: model.AgentLeg, Agent: "kim", Headset: "H1/7", StartedAt: at(26), EndedAt: until(40), Cause: model.CauseNewHeadset},
			{ID: "c1.kim.2", Kind: model.AgentLeg, Agent: "kim", Headset: "H1/8", StartedAt: at(40), EndedAt: until(90), Cause: model.CauseCallerHungUp, Stats: model.LegStats{PacketsOut: 9, RoundTrip: 31}},
			{ID: "c1.kim.3", Kind: model.AgentLeg, Agent: "kim", StartedAt: at(40)},
		},
		Reports: []model.ReportRecord{
			{Agent: "kim", Report: headset.Report{Tap: headset.TapMic, ActiveSpeech: 12.4, Findings: []headset.Finding{{Kind: headset.DCOffset, Text: "Replace it."}}}},
			{Agent: "kim", Report: headset.Report{Tap: headset.TapWire, ActiveSpeech: 12}},
		},
	}
}

func TestTheStoryOfACallReadsLikeOne(t *testing.T) {
	refused := store.CallStory{
		Call:   model.Call{ID: "c2", Trunk: "carrier", To: "4711", StartedAt: at(0), EndedAt: until(.01), Cause: model.CauseRejected},
		Events: []model.CallEvent{{At: at(.01), Kind: "ended", Detail: map[string]string{"cause": "rejected", "sip_status": "404"}}},
	}
	got := told(t, eventful()) + "\n" + told(t, dialled()) + "\n" + told(t, refused) + "\n" + told(t, store.CallStory{Call: model.Call{ID: "c3", Trunk: "carrier", From: "1", To: "2", StartedAt: at(0)}})
	const golden = "testdata/story.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the story is\n%s\nwant\n%s", got, want)
	}
}

// dialled is a call that an agent placed, and passed on.
func dialled() store.CallStory {
	line := func(s float64, kind string, agent model.AgentID, detail ...string) model.CallEvent {
		e := model.CallEvent{Call: "c4", At: at(s), Kind: kind, Agent: agent, Detail: map[string]string{}}
		for i := 0; i < len(detail); i += 2 {
			e.Detail[detail[i]] = detail[i+1]
		}
		return e
	}
	return store.CallStory{
		Call: model.Call{ID: "c4", Direction: model.Outbound, Trunk: "carrier", Queue: "support", To: "+4930555",
			StartedAt: at(0), AnsweredAt: until(4), EndedAt: until(60), Cause: model.CauseCalleeHungUp, Agent: "kim"},
		Events: []model.CallEvent{
			line(0, "dialled", "kim", "to", "+4930555", "queue", "support", "class", "national"), line(.1, "progress", "", "state", "trying"),
			line(.5, "progress", "", "state", "ringing", "sip_status", "180"), line(1, "progress", "", "state", "early_media"),
			line(4, "answered", "", "trunk", "carrier", "sip_call_id", "7@us"), line(4, "connected", "kim"), line(10, "held", "kim"), line(20, "resumed", "kim"),
			line(30, "transfer", "kim", "to", "+4930666"), line(31, "transfer_failed", "", "to", "+4930666", "cause", "busy", "sip_status", "486", "error", "carrier: it says 486"),
			line(32, "transfer", "kim", "to", "+4930777"), line(33, "parted", "kim", "why", "hung_up"),
			line(40, "transferred", "", "to", "+4930777", "trunk", "other", "sip_call_id", "8@us"), line(60, "ended", "", "cause", "callee_hung_up"),
		},
		Legs: []model.Leg{
			{ID: "c4.trunk", Kind: model.TrunkLeg, Trunk: "carrier", StartedAt: at(4), EndedAt: until(60), Cause: model.CauseCalleeHungUp},
			{ID: "c4.trunk.t2", Kind: model.TrunkLeg, Trunk: "other", StartedAt: at(40), EndedAt: until(60), Cause: model.CauseCalleeHungUp},
		},
	}
}

func FuzzTell(f *testing.F) {
	f.Add("Ada", "arrived", "\x1b]0;x\x07", "why")
	f.Add("\u202e", "offer_withdrawn", "\xff", "cause")
	f.Fuzz(func(t *testing.T, name, kind, value, key string) {
		s := eventful()
		s.Call.From, s.Call.FromName, s.Call.Cause = value, name, model.Cause(value)
		s.Events = append(s.Events, model.CallEvent{Kind: kind, Agent: model.AgentID(name), Detail: map[string]string{key: value, "sip_call_id": value, "sip_status": value}})
		s.Legs[0].Trunk, s.Legs[1].Headset, s.Legs[0].Stats.Codec = model.TrunkID(value), model.HeadsetID(name), value
		for line := range strings.SplitSeq(told(t, s), "\n") {
			if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q is not for a terminal", line)
			}
		}
	})
}

func TestWhatSupervisorsDoIsSaidInWords(t *testing.T) {
	for want, e := range map[string]model.CallEvent{
		"grace listens to kim":                         {Kind: "supervised", Agent: "grace", Detail: map[string]string{"mode": "listen", "agent": "kim"}},
		"grace whispers to kim":                        {Kind: "supervised", Agent: "grace", Detail: map[string]string{"mode": "whisper", "agent": "kim"}},
		"grace joins in, heard by all":                 {Kind: "supervised", Agent: "grace", Detail: map[string]string{"mode": "barge", "agent": "kim"}},
		"grace takes the call over from kim":           {Kind: "taken_over", Agent: "grace", Detail: map[string]string{"from": "kim"}},
		"grace supervises no more: left":               {Kind: "supervision_ended", Agent: "grace", Detail: map[string]string{"why": "left"}},
		"grace supervises no more: the caller hung up": {Kind: "supervision_ended", Agent: "grace", Detail: map[string]string{"why": "caller_hung_up"}},
	} {
		if got := happening(e); got != want {
			t.Errorf("%s: %q, want %q", e.Kind, got, want)
		}
	}
}
