package sip

import (
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// statusIntervalTooSmall is RFC 4028 section 6.
const statusIntervalTooSmall = 422

// minRefresh bounds how often the other side may have us refresh, whatever it says: a session
// shorter than this is taken to be this long.
const minRefresh = 10 * time.Second

// sessionTimer is the session timer of a call (RFC 4028).
type sessionTimer struct {
	supported string        // what else we say that we can do
	offered   time.Duration // what we ask for: Config.SessionExpires, more once told so
	floor     time.Duration // Config.MinSE
	minSE     time.Duration // the largest Min-SE that the other side named
	refused   int           // 422s

	interval time.Duration // as agreed; zero: the session does not expire
	ours     bool          // this side refreshes
	deadline time.Time     // when to give the session up
	timer    *time.Timer
	asked    bool // a refresh of ours is in line
	tried    bool // one was, in this interval
}

func newSessionTimer(e *endpoint) sessionTimer {
	return sessionTimer{supported: e.supported(), offered: e.cfg.SessionExpires, floor: e.cfg.MinSE, timer: stoppedTimer()}
}

// tooShort says that a request's interval is below ours (section 9), and that it is from one
// who understands to be told so.
func (e *endpoint) tooShort(req *sip.Request) bool {
	interval, _, ok := sessionExpires(req)
	return ok && interval < e.cfg.MinSE && supports(req, "timer")
}

// accept agrees on a timer in the 2xx to a session refresh request (section 9, table 2) and
// gives the headers that say so. Who is asked to choose chooses this side: then it depends on
// us whether the call lives.
func (s *sessionTimer) accept(req *sip.Request) []sip.Header {
	out := []sip.Header{sip.NewHeader("Supported", s.supported)}
	s.heed(req)
	interval, refresher, asked := sessionExpires(req)
	understood := supports(req, "timer")
	switch {
	case asked && interval < s.floor, !asked && !understood: // a proxy's, too short to be one; or nobody asks
		s.start(0, false)
		return out
	case !asked:
		interval = max(s.offered, s.minSE)
	}
	ours := refresher != "uac" || !understood
	s.start(interval, ours)
	role := "uac"
	if ours {
		role = "uas"
	}
	if understood {
		out = append(out, sip.NewHeader("Require", "timer"))
	}
	return append(out, s.expires(interval, role))
}

// propose gives the headers of a session refresh request (sections 7.1 and 7.4): the first
// leaves the choice of the refresher to the other side, later ones keep it.
func (s *sessionTimer) propose() []sip.Header {
	interval, role := max(s.offered, s.minSE), ""
	if s.interval > 0 {
		interval = max(s.interval, s.minSE)
		role = "uas"
		if s.ours {
			role = "uac"
		}
	}
	out := []sip.Header{sip.NewHeader("Supported", s.supported), s.expires(interval, role)}
	if s.minSE > 0 {
		out = append(out, minSE(s.minSE))
	}
	return out
}

// accepted starts what a 2xx to a session refresh request of ours agreed to (section 7.2). A
// side that names no refresher leaves it to us; one that names no interval has no timer.
func (s *sessionTimer) accepted(res *sip.Response) {
	interval, refresher, ok := sessionExpires(res)
	if !ok {
		interval = 0
	}
	s.start(interval, refresher != "uas")
}

// raise takes a 422: the interval to ask for from now on. False if it says nothing new.
func (s *sessionTimer) raise(res *sip.Response) bool {
	had := max(s.offered, s.interval, s.minSE)
	s.heed(res)
	s.refused++
	return s.minSE > had && s.refused <= maxTries
}

// heed notes the other side's Min-SE; every later request honours the largest (section 7.4).
func (s *sessionTimer) heed(m sip.Message) {
	if v := values(m, "Min-SE"); len(v) > 0 {
		if d, _, ok := seconds(v[0]); ok {
			s.minSE = max(s.minSE, d)
		}
	}
}

// start begins an interval: the refresher is up at its half, the other side gives up 32 s
// or a third of it before its end, whichever is less (section 10).
func (s *sessionTimer) start(interval time.Duration, ours bool) {
	s.asked, s.tried = false, false
	s.timer.Stop()
	if interval == 0 {
		s.interval = 0
		return
	}
	s.interval, s.ours = max(interval, min(s.floor, minRefresh)), ours
	s.deadline = time.Now().Add(s.interval - min(32*time.Second, s.interval/3))
	if ours {
		s.timer.Reset(s.interval / 2)
	} else {
		s.timer.Reset(time.Until(s.deadline))
	}
}

func (s *sessionTimer) expires(interval time.Duration, role string) sip.Header {
	value := fmt.Sprint(int64(interval / time.Second))
	if role != "" {
		value += ";refresher=" + role
	}
	return sip.NewHeader("Session-Expires", value)
}

func minSE(d time.Duration) sip.Header {
	return sip.NewHeader("Min-SE", fmt.Sprint(int64(d/time.Second)))
}

// sessionExpires reads Session-Expires: the interval and the refresher, "uac", "uas" or "".
func sessionExpires(m sip.Message) (interval time.Duration, refresher string, ok bool) {
	v := values(m, "Session-Expires", "x")
	if len(v) == 0 {
		return 0, "", false
	}
	interval, params, ok := seconds(v[0])
	for param := range strings.SplitSeq(params, ";") {
		k, who, _ := strings.Cut(param, "=")
		who = strings.ToLower(strings.TrimSpace(who))
		if strings.EqualFold(strings.TrimSpace(k), "refresher") && (who == "uac" || who == "uas") {
			refresher = who
		}
	}
	return interval, refresher, ok && interval > 0
}

// sessionDue is the session timer's end: time to refresh, or to give up.
func (c *Call) sessionDue() string {
	s := &c.session
	left := time.Until(s.deadline)
	if s.interval == 0 {
		return ""
	}
	if left <= 0 && (!s.ours || s.tried) {
		return CauseSessionExpired
	}
	if left <= 0 { // this machine slept: the other side's patience is not over yet
		left = s.interval / 3
	}
	s.timer.Reset(left)
	if s.ours && !s.asked {
		s.asked, s.tried = true, true
		c.refresh()
	}
	return ""
}

// refresh sends a session refresh request: UPDATE without an offer to whom understands it,
// else an INVITE with the description that stands (section 7.4).
func (c *Call) refresh() {
	if err := c.want(c.refreshBy(c.takesUpdate)); err != nil {
		c.session.again()
	}
}

func (c *Call) refreshBy(update bool) *errand {
	e := &errand{method: sip.UPDATE}
	if !update {
		e.method, e.offers = sip.INVITE, true
	}
	var before local
	e.fill = func(req *sip.Request) {
		c.complete(req)
		if before = c.local; e.offers {
			describes(req, c.local.describe(c.local.last))
		}
	}
	e.done = func(res *sip.Response, err error) string {
		switch {
		case err != nil:
			return ""
		case res.IsSuccess():
			c.session.accepted(res)
			if e.offers {
				return c.takeReanswer(res)
			}
			return ""
		case update && (res.StatusCode == sip.StatusMethodNotAllowed || res.StatusCode == sip.StatusNotImplemented):
			c.takesUpdate = false
			c.refresh()
			return ""
		}
		if e.offers {
			c.local.refused(before)
		}
		c.log.Info("session refresh refused", "status", res.StatusCode)
		c.session.again()
		return ""
	}
	return e
}

// again has a refused refresh tried anew before the session is given up.
func (s *sessionTimer) again() {
	s.asked = false
	s.timer.Reset(max(0, min(s.interval/10, time.Until(s.deadline))))
}
