package call

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media/bridge"
)

// Config holds the switchboard's deadlines and bounds. A zero field means its default.
type Config struct {
	AnswerTimeout  time.Duration // to answer the trunk; default 35 s (timer H of RFC 3261 and a little)
	MaxWait        time.Duration // a caller waits at most this long in a queue; default 2 h
	ClosedWait     time.Duration // and in a queue that the site no longer has at most this long; default 10 min
	ConnectTimeout time.Duration // from an agent's acceptance to the joined call; default 5 s
	OutageGrace    time.Duration // a client without its link may resume within this; default 10 s
	MediaGrace     time.Duration // a call survives a lost media connection this long; default 10 s
	MediaSetup     time.Duration // an SDP offer must lead to a connection within this; default 15 s
	DialTimeout    time.Duration // a number that an agent calls must answer within this; default 90 s
	PermitTimeout  time.Duration // to find out whether a number may be called; default 5 s
	HangupTimeout  time.Duration // to say goodbye on the trunk; default 5 s
	ReportTimeout  time.Duration // a client waits this long for its report to be stored; default 30 s
	FlushTimeout   time.Duration // at the end, the journal gets this long; default 5 s
	RetryAfter     time.Duration // told to callers who are turned away; default 30 s
	MaxBacklog     int           // lines not yet stored above which callers are turned away; default 20000
	MaxChunks      int           // reading chunks of one call not yet stored; default 360 (an hour)
	MaxLadders     int           // SIP ladders, of all calls, not yet stored; default 1000, of 100 KiB at the most
	MeterRate      int           // Hz of the wire meter; default 16000
}

// withDefaults fills in what was left zero.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.AnswerTimeout, 35*time.Second)
	def(&c.MaxWait, 2*time.Hour)
	def(&c.ClosedWait, 10*time.Minute)
	def(&c.ConnectTimeout, 5*time.Second)
	def(&c.OutageGrace, 10*time.Second)
	def(&c.MediaGrace, 10*time.Second)
	def(&c.MediaSetup, 15*time.Second)
	def(&c.DialTimeout, 90*time.Second)
	def(&c.PermitTimeout, 5*time.Second)
	def(&c.HangupTimeout, 5*time.Second)
	def(&c.ReportTimeout, 30*time.Second)
	def(&c.FlushTimeout, 5*time.Second)
	def(&c.RetryAfter, 30*time.Second)
	if c.MaxBacklog == 0 {
		c.MaxBacklog = 20000
	}
	if c.MaxChunks == 0 {
		c.MaxChunks = 360
	}
	if c.MaxLadders == 0 {
		c.MaxLadders = 1000
	}
	if c.MeterRate == 0 {
		c.MeterRate = 16000
	}
	return c
}

// validate refuses what cannot work, defaults filled in.
func (c Config) validate() error {
	for _, d := range []time.Duration{c.AnswerTimeout, c.MaxWait, c.ClosedWait, c.ConnectTimeout, c.OutageGrace, c.MediaGrace,
		c.MediaSetup, c.DialTimeout, c.PermitTimeout, c.HangupTimeout, c.ReportTimeout, c.FlushTimeout, c.RetryAfter} {
		if d < 0 {
			return errors.New("call: a deadline is negative")
		}
	}
	if c.MaxBacklog < 0 || c.MaxChunks < 0 || c.MaxLadders < 0 {
		return errors.New("call: a bound is negative")
	}
	meter := headset.Config{SampleRate: c.MeterRate, Tap: headset.TapWire}
	if _, err := headset.New(meter); err != nil {
		return fmt.Errorf("call: wire meter: %w", err)
	}
	return nil
}

// Deps are what the switchboard works with; all are needed but those of calls out.
type Deps struct {
	Journal  Journal
	Evidence Evidence
	Headsets Headsets
	Gateway  Gateway
	Bus      Bus
	Music    Music
	Lobby    Lobby        // what callers hear while they wait; nil: Music
	Clock    bridge.Clock // of conferences (media/prompt.Pacer); nil: nobody can supervise
	Log      *slog.Logger

	Relays Relays // nil: none

	Dialling Dialling // nil: nobody may call anywhere
	Dialer   Dialer   // needed with Dialling
	Ringback Music    // to an agent whose callee's phone rings; nil for silence

	Recorder   Recorder   // nil: nothing is recorded
	Beep       Music      // to both sides of a recorded call, where the queue wants it; nil for none
	Discretion Discretion // is told while a secret is keyed in; nil: nobody records
}

func (d Deps) validate() error {
	if d.Journal == nil || d.Evidence == nil || d.Headsets == nil || d.Gateway == nil || d.Bus == nil || d.Music == nil || d.Log == nil {
		return errors.New("call: a dependency is missing")
	}
	if d.Dialling != nil && d.Dialer == nil {
		return errors.New("call: numbers may be called, but there is nobody to dial them")
	}
	return nil
}
