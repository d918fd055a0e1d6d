package call

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/prompt"
)

// Recorder records calls (internal/recordings.Service).
type Recorder interface {
	// Begin begins a recording and fills in what is known of it; it does not wait for the disk.
	// keep is how long it is kept, 0 for ever.
	Begin(r model.Recording, keep time.Duration) (Recording, model.Recording, error)
	// Started and Ended are durable when they return nil.
	Started(ctx context.Context, r model.Recording) error
	Ended(ctx context.Context, r model.Recording) error
}

// Recording is one that goes on. None of its methods waits.
type Recording interface {
	Caller() media.Tap // or who was called
	Agent() media.Tap  // or who the caller was passed on to
	Pause(on bool) (changed bool)
	Secret(on bool) (changed bool) // the same for what nobody is to hear: one does not lift the other
	Stop()
	// Ended gives what became of it, once, after Stop.
	Ended() <-chan model.Recording
}

// RecordAction is what can be done about the recording of a call.
type RecordAction string

// The actions.
const (
	RecordStart  RecordAction = "start"
	RecordStop   RecordAction = "stop"
	RecordPause  RecordAction = "pause"
	RecordResume RecordAction = "resume"
	// RecordConsented says that the caller has consented, which begins the recording of a call
	// whose queue wants that.
	RecordConsented RecordAction = "consent"
)

const (
	recordingWait  = 2 * time.Minute // for a slow disk, at its end
	maxRecordings  = 100             // of one call
	beepLength     = 200 * time.Millisecond
	beepHz         = 1400.0
	beepDBov       = -23.0
	eventRecording = "recording_"
)

// What somebody is told who asks for a recording that cannot be.
var (
	errNotRecorded = &Denial{Code: protocol.CodeNotAllowed, Text: "Calls of this queue are not recorded."}
	errNoConsent   = &Denial{Code: protocol.CodeNotNow, Text: "The caller has not consented yet. Ask, and say so first."}
	errNoRecording = &Denial{Code: protocol.CodeNotNow, Text: "The call is not being recorded."}
	errNobodyTalks = &Denial{Code: protocol.CodeNotNow, Text: "Nobody is joined with the caller yet."}
	errRecorder    = &Denial{Code: protocol.CodeInternal, Text: "The recording could not be begun; IT can see why in the log."}
)

// tape is what a call has to do with recordings. It belongs to the call.
type tape struct {
	caller, agent ear
	now           Recording // nil while there is none
	info          model.Recording
	paused        bool
	consent       bool
	began         int // recordings so far
	beep          alarm
	stopBeep      []func() // nil while none is heard
}

// ear is a tap that leads to the recording of the moment.
type ear struct{ to atomic.Pointer[media.Tap] }

// Offer passes the frame on.
func (e *ear) Offer(pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	if to := e.to.Load(); to != nil {
		(*to).Offer(pcm, rate, from, mark)
	}
}

func (e *ear) lead(to media.Tap) {
	if to == nil {
		e.to.Store(nil)
		return
	}
	e.to.Store(&to)
}

// Beep plays the tone that tells both sides that they are recorded, on a Pacer which somebody
// else runs: 1400 Hz, as recorder connectors have it.
func Beep(p *prompt.Pacer) Music {
	src := prompt.Tone(beepHz, beepDBov)
	return MusicFunc(func(leg media.Leg) func() { return p.Play(leg, src) })
}

// recordingRules are those of the call's queue.
func (c *call) recordingRules() model.QueueRecording {
	r := (*c.sb.queues.Load())[c.info.Queue].Recording
	if c.sb.deps.Recorder == nil || r.Policy == "" {
		r.Policy = model.RecordOff
	}
	return r
}

// heardBy adds the recording's ears to who listens at a bridge of the caller with somebody. They
// are there whether or not there is a recording yet, where it costs nothing, since somebody
// listens anyway, or where there may be one.
func (c *call) heardBy(opt bridge.Options) bridge.Options {
	if len(opt.FromB) > 0 || c.recordingRules().Policy != model.RecordOff || c.tape.now != nil {
		opt.FromA, opt.FromB = append(opt.FromA, &c.tape.caller), append(opt.FromB, &c.tape.agent)
	}
	return opt
}

// recordIfDue begins the recording that the queue's policy asks for, just before the caller is
// joined with somebody.
func (c *call) recordIfDue(with model.AgentID) {
	p := c.recordingRules().Policy
	if c.tape.now == nil && (p == model.RecordAlways || p == model.RecordConsent && c.tape.consent) {
		_ = c.record("", with) // which is in the story, and does not stop the call
	}
}

// record begins a recording, for somebody or for the queue, of the caller with an agent.
func (c *call) record(by, with model.AgentID) error {
	t, rules := &c.tape, c.recordingRules()
	if t.now != nil {
		return nil
	}
	if t.began >= maxRecordings {
		return errRecorder
	}
	t.began++
	r := model.Recording{ID: model.RecordingID(string(c.id) + ".r" + strconv.Itoa(t.began)), Call: c.id, Queue: c.info.Queue, Agent: with}
	now, r, err := c.sb.deps.Recorder.Begin(r, time.Duration(rules.KeepDays)*24*time.Hour)
	if err != nil {
		c.log.Error("recording could not be begun", "err", err)
		c.story(eventRecording+"failed", by, nil)
		return errRecorder
	}
	t.now, t.info, t.paused = now, r, false
	now.Secret(c.keypad.secret.isSet())
	t.caller.lead(now.Caller())
	t.agent.lead(now.Agent())
	c.journal.add("recording", func(ctx context.Context) error { return c.sb.deps.Recorder.Started(ctx, r) })
	c.story(eventRecording+"started", by, map[string]string{"recording": string(r.ID)})
	c.log.Info("recording begun", "recording", r.ID, "by", by)
	if rules.Beep > 0 {
		t.beep.set(time.Second) // the first soon, then as often as the queue wants
	}
	return nil
}

// stopRecording ends the recording, if there is one. What became of it is written down when the
// file is complete.
func (c *call) stopRecording(by model.AgentID) {
	t := &c.tape
	if t.now == nil {
		return
	}
	c.beepEnds()
	t.beep.clear()
	one, id := t.now, t.info.ID
	t.caller.lead(nil)
	t.agent.lead(nil)
	t.now = nil
	one.Stop()
	c.story(eventRecording+"stopped", by, map[string]string{"recording": string(id)})
	c.sb.owners.Go(func() { // not beside the switchboard's end, which it must not miss
		limit, ending := time.NewTimer(recordingWait), c.sb.work.Done()
		defer limit.Stop()
		for {
			select {
			case r := <-one.Ended():
				c.journal.add("recording", func(ctx context.Context) error { return c.sb.deps.Recorder.Ended(ctx, r) })
				return
			case <-limit.C:
				c.log.Error("recording was not complete in time; the next start repairs it", "recording", id)
				return
			case <-ending:
				ending = nil
				limit.Reset(c.sb.cfg.HangupTimeout)
			}
		}
	})
}

// queueRecords ends a recording that the queue does not want which the caller is passed on to.
func (c *call) queueRecords() {
	if c.recordingRules().Policy == model.RecordOff {
		c.stopRecording("")
	}
}

// consentByKey takes a key as the caller's consent, if it is the queue's for that. It reports
// whether it was.
func (c *call) consentByKey(key rune) bool {
	rules := c.recordingRules()
	if rules.Policy != model.RecordConsent || rules.ConsentKey != string(key) || c.tape.consent {
		return false
	}
	c.consented("", "key")
	return true
}

func (c *call) consented(by model.AgentID, how string) {
	c.tape.consent = true
	c.story(eventRecording+"consented", by, map[string]string{"how": how})
	if c.bridge != nil || c.pair != nil {
		_ = c.record(by, c.info.Agent) // which is in the story
	}
}

// recordAs carries an action out for somebody.
func (c *call) recordAs(action RecordAction, by model.AgentID) error {
	t, policy := &c.tape, c.recordingRules().Policy
	switch action {
	case RecordStart, RecordConsented:
		switch {
		case policy == model.RecordOff:
			return errNotRecorded
		case action == RecordConsented:
			if !t.consent {
				c.consented(by, "said")
			}
			return nil
		case policy == model.RecordConsent && !t.consent:
			return errNoConsent
		case c.bridge == nil && c.pair == nil:
			return errNobodyTalks
		}
		return c.record(by, c.info.Agent)
	case RecordStop:
		if t.now == nil {
			return errNoRecording
		}
		c.stopRecording(by)
	case RecordPause, RecordResume:
		if t.now == nil {
			return errNoRecording
		}
		if pause := action == RecordPause; t.now.Pause(pause) {
			t.paused = pause
			kind := map[bool]string{true: "paused", false: "resumed"}[pause]
			c.story(eventRecording+kind, by, map[string]string{"recording": string(t.info.ID)})
		}
	default:
		return &Denial{Code: protocol.CodeBadMessage, Text: "There is no such thing to do about a recording: " + string(action) + "."}
	}
	return nil
}

// Record carries out an action about the recording of a call that goes on, for a user; own allows
// it only to the agent in the call. The error is ErrNoCall, a *Denial or that of ctx.
func (s *Switchboard) Record(ctx context.Context, id model.CallID, action RecordAction, by model.AgentID, own bool) error {
	for _, c := range *s.calls.Load() {
		if c.id != id {
			continue
		}
		answer := make(chan error, 1)
		if !c.box.post(func() {
			if c.state == over || own && (c.talk == nil || c.talk.agent.id != by) {
				answer <- ErrNoCall
				return
			}
			answer <- c.recordAs(action, by)
		}) {
			break
		}
		select {
		case err := <-answer:
			return err
		case <-ctx.Done():
			return fmt.Errorf("call: record: %w", ctx.Err())
		}
	}
	return ErrNoCall
}

// recordFor is Record for the agent in the call.
func (c *call) recordFor(a *Agent, action RecordAction, answer func(error)) bool {
	return c.box.post(func() {
		if c.talk == nil || c.talk.agent != a {
			answer(errNotYours)
			return
		}
		answer(c.recordAs(action, a.id))
	})
}

// beepDue lets both sides hear a beep, in place of each other, or ends it.
func (c *call) beepDue() {
	t := &c.tape
	if t.stopBeep != nil {
		c.beepEnds()
		t.beep.set(max(c.recordingRules().Beep-beepLength, time.Second))
		return
	}
	t.beep.clear()
	if t.now == nil || c.sb.deps.Beep == nil {
		return
	}
	t.beep.set(beepLength)
	joined, other := c.bridge, media.Leg(nil)
	switch {
	case c.state == talking && !c.held && c.stopMusic == nil && c.talk != nil:
		other = c.talk.peer
	case c.state == bridged && c.pair != nil:
		joined, other = c.pair, c.third.leg
	}
	if other == nil || joined == nil {
		t.stopBeep = []func(){} // nobody to hear it now
		return
	}
	joined.Hold(true)
	t.stopBeep = []func(){c.sb.deps.Beep.Play(c.leg), c.sb.deps.Beep.Play(other), func() {
		if joined == c.pair || joined == c.bridge && c.state == talking && !c.held {
			joined.Hold(false)
		}
	}}
}

// beepEnds stops a beep that is heard.
func (c *call) beepEnds() {
	for _, stop := range c.tape.stopBeep {
		stop()
	}
	c.tape.stopBeep = nil
}
