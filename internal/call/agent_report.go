package call

import (
	"context"
	"errors"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// errNotTheirs says that an agent reports on a call that they were not in.
var errNotTheirs = errors.New("call: the agent was not in this call")

// micReport stores a report beside the session; the answer follows the store's. It belongs
// to the newest leg that the agent had in the call with the headset that was measured. A
// call that this process does not remember, because the service was restarted since, is
// looked up in the record.
func (a *Agent) micReport(id string, m protocol.MicReport) protocol.Message {
	if m.Report.Tap != headset.TapMic {
		return refuse(protocol.CodeBadMessage, "The report is not of the microphone.")
	}
	call, worn := model.CallID(m.CallID), model.HeadsetInfo(m.Headset).ID()
	ref, ok := a.book.findWith(call, worn)
	if !ok {
		ref, ok = a.book.find(call)
	}
	if ok && ref.reported && (worn == "" || worn == ref.headset) {
		return protocol.Ack{} // sent again under another id
	}
	rep := m.Report
	if rep.Findings == nil {
		rep.Findings = []headset.Finding{}
	}
	rec := model.ReportRecord{Call: call, Leg: ref.leg, Headset: ref.headset, Agent: a.id, At: time.Now(), Report: rep}
	if worn != "" {
		rec.Headset = worn
	}
	a.sb.beside(a.sb.cfg.ReportTimeout, func(ctx context.Context) {
		err := a.sb.locate(ctx, &rec)
		if err == nil {
			err = a.sb.persist(ctx, rec)
		}
		a.box.post(func() { a.reported(id, rec, err) })
	})
	return nil
}

// reported answers a report once the store has spoken.
func (a *Agent) reported(id string, rec model.ReportRecord, err error) {
	switch {
	case errors.Is(err, errNotTheirs):
		a.reply(id, refuse(protocol.CodeStale, "The service does not know that you were in this call."))
	case err != nil:
		a.log.Error("report of the microphone not stored", "call_id", rec.Call, "err", err)
		a.reply(id, refuse(protocol.CodeInternal, "The report of the call could not be stored. Please send it again."))
	default:
		a.book.markReported(rec.Leg)
		a.reply(id, protocol.Ack{})
	}
}

// locate finds in the record the leg that a report belongs to, unless it is known.
func (s *Switchboard) locate(ctx context.Context, rec *model.ReportRecord) error {
	if rec.Leg != "" {
		return nil
	}
	legs, err := s.deps.Journal.AgentLegs(ctx, rec.Call, rec.Agent)
	if err != nil {
		return err
	}
	if len(legs) == 0 {
		return errNotTheirs
	}
	leg := legs[0]
	for _, l := range legs {
		if l.Headset == rec.Headset {
			leg = l
			break
		}
	}
	rec.Leg = leg.ID
	if rec.Headset == "" {
		rec.Headset = leg.Headset
	}
	return nil
}

// persist hands a report over until the store took it or ctx ends.
func (s *Switchboard) persist(ctx context.Context, rec model.ReportRecord) error {
	for wait := firstRetry; ; wait = min(wait*2, lastRetry) {
		err := s.report(ctx, rec)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
