package api

import (
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// A small call centre in the middle of a morning.

func nine(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }

const (
	clippedHeadset = model.HeadsetID("Jabra Evolve2 40/00A1")
	healthyHeadset = model.HeadsetID("EPOS SC 60/ä%/7")
)

func sampleRecord() *record {
	user := func(id model.AgentID, roles ...model.Role) model.User {
		return model.User{ID: id, Title: "The " + string(id), Roles: roles, Queues: []model.QueueID{"sales"}}
	}
	r := &record{
		site: model.Site{
			Queues: []model.Queue{{ID: "sales", Title: "Sales", Numbers: []string{"100"}, OfferTimeout: 15 * time.Second,
				WrapUp: 30 * time.Second, HeadsetPolicy: model.PolicyLastResort, ServiceLevel: 20 * time.Second}},
			Users: []model.User{user("agent", model.RoleAgent), user("other", model.RoleAgent), user("supervisor", model.RoleSupervisor),
				user("it", model.RoleIT), user("admin", model.RoleAdmin), user("nobody")},
		},
		hashes:   map[model.AgentID]string{},
		readings: map[model.CallID][]model.ReadingChunk{},
	}
	for _, u := range r.site.Users {
		r.hashes[u.ID] = "plain:pw"
	}
	for i := 9; i >= 1; i-- {
		id := model.CallID("call-" + string(rune('0'+i)))
		answered := nine(i).Add(5 * time.Second)
		r.stories = append(r.stories, store.CallStory{
			Call: model.Call{ID: id, Trunk: "carrier", Queue: "sales", From: "+4930123", To: "100", StartedAt: nine(i), AnsweredAt: &answered, Agent: "agent"},
			Legs: []model.Leg{{ID: model.LegID(id) + "-t", Call: id, Kind: model.TrunkLeg, Trunk: "carrier", StartedAt: nine(i)},
				{ID: model.LegID(id) + "-a", Call: id, Kind: model.AgentLeg, Agent: "agent", Headset: clippedHeadset, StartedAt: answered}},
			Events: []model.CallEvent{{Call: id, At: nine(i), Kind: "arrived"}, {Call: id, At: answered, Kind: "connected", Agent: "agent"}},
		})
	}
	rep := sampleReport("call-9", clippedHeadset, "agent")
	r.stories[0].Reports = []model.ReportRecord{rep}
	r.reports = []model.ReportRecord{rep, sampleReport("call-3", clippedHeadset, "other")}
	r.readings["call-9"] = []model.ReadingChunk{{Call: "call-9", Leg: "call-9-a", Tap: headset.TapMic,
		Readings: []headset.Reading{{At: 1, Level: -26.5, ActiveLevel: dsp.None(), NoiseFloor: -70, Peak: -6, Clipped: 0, Speech: .5, Scored: 1}}}}
	r.ladders = map[model.CallID][]model.CallLadder{"call-9": {{Call: "call-9", Leg: "call-9-t", Record: ladder.Record{
		Messages: []ladder.Message{{At: nine(9), Transport: "UDP", Peer: "198.51.100.7:5060", First: "INVITE sip:100@pbx.example SIP/2.0",
			CSeq: "1 INVITE", Headers: "From: <sip:+4930123@carrier.example>;tag=a\nCSeq: 1 INVITE", Body: "v=0", Repeated: 1, Cut: true}},
		Missing: 7, After: 1}}}}
	r.headsets = []model.Headset{
		{ID: healthyHeadset, Model: "EPOS SC 60", Serial: "ä%/7", FirstSeen: nine(0), LastSeen: nine(9), LastAgent: "other"},
		{ID: clippedHeadset, Model: "Jabra Evolve2 40", Serial: "00A1", FirstSeen: nine(0), LastSeen: nine(8), LastAgent: "agent"},
	}
	r.verdicts = []model.Verdict{sampleVerdict(), {Headset: clippedHeadset, State: model.VerdictGood, Text: "All well.", At: nine(2)},
		{Headset: healthyHeadset, State: model.VerdictGood, Findings: []model.VerdictFinding{}, Text: "All well.", At: nine(1)}}
	return r
}

func sampleReport(id model.CallID, h model.HeadsetID, a model.AgentID) model.ReportRecord {
	return model.ReportRecord{Call: id, Leg: model.LegID(id) + "-a", Headset: h, Agent: a, At: nine(10), Report: headset.Report{
		Tap: headset.TapMic, SampleRate: 48000, Duration: 60, ActiveSpeech: 40,
		Metrics:  headset.Metrics{ActiveLevel: -20, SNR: dsp.None(), ClipEvents: 812, ActiveValid: true},
		Findings: []headset.Finding{{Kind: headset.Clipping, Severity: headset.Bad, Value: .02, Limit: .001, Text: "Turn the microphone down."}},
	}}
}

func sampleVerdict() model.Verdict {
	return model.Verdict{Headset: clippedHeadset, State: model.VerdictReplace, Reports: 3, At: nine(10), Text: "Clips in every call.",
		Findings: []model.VerdictFinding{{Kind: headset.Clipping, Severity: headset.Bad, Blame: model.BlameHeadset, Value: .02, Limit: .001,
			Calls: []model.CallID{"call-9", "call-3"}, Text: "Clips."}}}
}

func sampleSnapshot() acd.Snapshot {
	return acd.Snapshot{
		At: nine(10),
		Queues: []acd.QueueView{{ID: "sales", Title: "Sales", HeadsetPolicy: model.PolicyLastResort, SignedIn: 1, Ready: 0,
			Waiting:  []acd.WaitingCall{{Call: "call-8", Since: nine(9), Offered: ""}, {Call: "call-7", Since: nine(9).Add(30 * time.Second)}},
			Answered: 7, Abandoned: 1, WithinLevel: 6}},
		Agents: []acd.AgentView{{ID: "agent", State: model.OnCall, Since: nine(9), Call: "call-9", Queues: []model.QueueID{"sales"},
			Verdict: model.VerdictReplace, Handled: 4}},
	}
}

func sampleLive() []call.AgentLive {
	return []call.AgentLive{{Agent: "agent", Headset: clippedHeadset, Device: model.HeadsetInfo{Model: "Jabra Evolve2 40", Serial: "00A1"},
		Verdict: model.VerdictReplace, Call: "call-9", Mic: &headset.Reading{At: 3, Level: -20, Clipped: .02, ActiveLevel: dsp.None(), Scored: 1},
		Connected: true, Media: true}}
}
