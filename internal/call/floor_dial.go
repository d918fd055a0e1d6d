package call

import "github.com/headroom-voice/headroom/internal/acd"

// dial takes an agent out of the line for a call of their own.
func (f *floor) dial(o order) bool {
	return f.box.post(func() {
		s := f.agents[o.agent.id]
		switch {
		case s == nil || s.agent != o.agent:
			o.answer(dialResult{err: errStopping})
		case !o.permit.Emergency && (f.ending || f.sb.draining.Load() || f.sb.count.backlog.Load() > int64(f.sb.cfg.MaxBacklog)):
			o.answer(dialResult{err: errStopping})
		default:
			f.dialling = &o
			f.apply(acd.AgentDials{Agent: o.agent.id, Call: o.id, Queue: o.queue, Urgent: o.permit.Emergency})
			f.dialling = nil
		}
	})
}

// dialled starts the call that acd has put an agent on.
func (f *floor) dialled(a acd.Dial) {
	o := *f.dialling
	f.attempt++
	c := newOutbound(f.sb, o, f.attempt)
	f.enterCall(c)
	if !f.sb.enter(c.run) {
		f.leaveCall(c)
		o.answer(dialResult{err: errStopping})
		return
	}
	o.answer(dialResult{call: c.id})
	if !o.agent.connect(c, f.attempt) {
		f.tell(acd.ConnectFailed(a))
	}
}
