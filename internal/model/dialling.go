package model

import "time"

// DialRequest is a call that somebody wants to place, or a caller that somebody wants to
// pass on to a number.
type DialRequest struct {
	Call     CallID // the call that will carry it
	User     AgentID
	Queue    QueueID // on whose behalf; empty for none
	Number   string  // as it was typed
	Transfer bool    // a caller is passed on; the user need not stay
	At       time.Time
}

// DialPermit says how a number may be called.
type DialPermit struct {
	Number     string        // as trunks are asked for it: +E.164, or a short number as it is
	Class      string        // of destination, such as "mobile"
	Trunks     []TrunkID     // these only; nil = any that leads there
	Emergency  bool          // nothing may stand in its way, no limit either
	From       string        // the number that is shown to the callee; empty = the trunk's own
	FromName   string        // and the name
	LongestFor time.Duration // how long it may last; zero = no limit
}

// DialRefusal is why a number may not be called.
type DialRefusal struct {
	Code string // a word for programs, such as "class_not_allowed"
	Text string // for the person who asked, in words: what was wrong and whom to ask
}

func (r *DialRefusal) Error() string { return "dialling refused: " + r.Text }
