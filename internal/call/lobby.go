package call

import (
	"log/slog"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
)

// Lobby is where callers wait. None of its methods blocks.
type Lobby interface {
	// Wait plays to a caller of a queue, who is welcomed first if they are new to it, until stop is
	// called; nothing is sent after that has returned.
	Wait(leg media.Leg, queue model.QueueID, welcome bool) Waiting
}

// Waiting is one caller's wait. Where Every is not zero, Place is to be told as often.
type Waiting struct {
	Every time.Duration
	Place func(n int) // from 1
	Stop  func()
}

// Hall is the Lobby of a site: music, the queues' welcomes, and the callers' places, spoken.
type Hall struct {
	pacer *prompt.Pacer
	music prompt.Source
	log   *slog.Logger

	mu     sync.Mutex
	queues map[model.QueueID]hallQueue
}

// hallQueue is what a queue's callers are told.
type hallQueue struct {
	from    model.QueueAnnouncements
	welcome *prompt.Clip  // nil for none
	voice   *prompt.Voice // nil for none
}

// NewHall makes a lobby without announcements, on a Pacer that somebody else runs.
func NewHall(p *prompt.Pacer, log *slog.Logger) *Hall {
	return &Hall{pacer: p, music: prompt.HoldMusic(), log: log, queues: map[model.QueueID]hallQueue{}}
}

// SiteChanged reads the files of the queues' announcements. What cannot be read is logged, and not
// played: it keeps nobody from calling.
func (h *Hall) SiteChanged(site model.Site) {
	h.mu.Lock()
	before := h.queues
	h.mu.Unlock()
	queues := map[model.QueueID]hallQueue{}
	for _, q := range site.Queues {
		a := q.Announcements
		if a == (model.QueueAnnouncements{}) {
			continue
		}
		if old, there := before[q.ID]; there && old.from == a {
			queues[q.ID] = old
			continue
		}
		queues[q.ID] = h.read(q.ID, a)
	}
	h.mu.Lock()
	h.queues = queues
	h.mu.Unlock()
}

func (h *Hall) read(id model.QueueID, a model.QueueAnnouncements) hallQueue {
	q := hallQueue{from: a}
	var err error
	if a.Welcome != "" {
		if q.welcome, err = prompt.LoadClip(a.Welcome); err != nil {
			h.log.Error("queue's welcome is not played: make it a WAV file that the service can read", "queue", id, "err", err)
		}
	}
	if a.PositionEvery == 0 {
		return q
	}
	if a.Voice == "" {
		q.voice, err = prompt.English()
	} else {
		q.voice, err = prompt.LoadVoice(a.Voice)
	}
	if err != nil {
		h.log.Error("callers are not told their place: the voice lacks files", "queue", id, "err", err)
	}
	return q
}

// Wait is part of Lobby.
func (h *Hall) Wait(leg media.Leg, queue model.QueueID, welcome bool) Waiting {
	h.mu.Lock()
	q := h.queues[queue]
	h.mu.Unlock()
	program := prompt.NewProgram(h.music)
	if welcome && q.welcome != nil {
		program.Announce(prompt.Pause, nil, q.welcome)
	}
	w := Waiting{Stop: h.pacer.PlayAfter(leg, program, musicLead)}
	if v := q.voice; v != nil {
		w.Every = q.from.PositionEvery
		w.Place = func(n int) { program.Announce(prompt.Duck, nil, v.Position(n)...) }
	}
	return w
}

// entertain plays to a caller who waits in the queue.
func (c *call) entertain() {
	if c.sb.deps.Lobby == nil {
		c.play()
		return
	}
	c.hush() // music of another kind: of a hold
	w := c.sb.deps.Lobby.Wait(c.leg, c.info.Queue, c.welcomed != c.info.Queue)
	c.welcomed = c.info.Queue
	c.stopMusic, c.tellPlace, c.tellEvery = w.Stop, w.Place, w.Every
	if w.Every > 0 {
		c.tellDue.set(w.Every)
	}
}

// sayPlace tells a caller who waits how many are before them, and when to again.
func (c *call) sayPlace() {
	c.tellDue.clear()
	if c.state != waiting || c.tellPlace == nil {
		return
	}
	for _, q := range c.sb.snapshot.Load().Queues {
		for i, w := range q.Waiting {
			if w.Call == c.id {
				c.tellPlace(i + 1)
			}
		}
	}
	c.tellDue.set(c.tellEvery)
}
