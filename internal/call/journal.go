package call

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Back-off of a journal whose line was refused, and when it gives a line up.
const (
	writeTimeout = 30 * time.Second
	firstRetry   = 100 * time.Millisecond
	lastRetry    = 5 * time.Second
	badLineTries = 10 // refused so often while the store took other lines in between
)

// journal writes the lines of one call in the order they were added. It has a goroutine
// only while there is something to write. The package comment says how it is bounded.
type journal struct {
	sb   *Switchboard
	call model.CallID
	log  *slog.Logger

	mu      sync.Mutex
	lines   []line // lines[0] is being written while writing
	chunks  int
	writing bool
}

// line is one thing to be written.
type line struct {
	what   string
	chunk  bool // readings: may be shed
	ladder bool // counted against Config.MaxLadders
	write  func(ctx context.Context) error
}

func (j *journal) add(what string, write func(ctx context.Context) error) {
	j.put(line{what: what, write: write})
}

func (j *journal) addReadings(c model.ReadingChunk) {
	j.put(line{what: "readings", chunk: true, write: func(ctx context.Context) error { return j.sb.deps.Journal.AddReadings(ctx, c) }})
}

// addLadder gives the ladder up where too many wait for the store.
func (j *journal) addLadder(l model.CallLadder) {
	waiting := &j.sb.count.ladders
	if waiting.Add(1) > int64(j.sb.cfg.MaxLadders) {
		waiting.Add(-1)
		j.sb.count.laddersShed.Add(1)
		j.log.Warn("SIP ladder of the call not kept: the store is behind")
		return
	}
	j.put(line{what: "SIP ladder", ladder: true, write: func(ctx context.Context) error { return j.sb.deps.Journal.AddLadder(ctx, l) }})
}

// addReport hands a report to the evidence service, which stores and judges it.
func (j *journal) addReport(r model.ReportRecord) {
	j.add("report", func(ctx context.Context) error { return j.sb.report(ctx, r) })
}

// report is durable when it returns nil; offers follow the new verdict from then on.
func (s *Switchboard) report(ctx context.Context, r model.ReportRecord) error {
	v, err := s.deps.Evidence.Reported(ctx, r)
	if err != nil {
		return err
	}
	s.count.reports.Add(1)
	s.HeadsetJudged(v)
	return nil
}

func (j *journal) put(l line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l.chunk {
		if j.chunks >= j.sb.cfg.MaxChunks {
			j.shed()
		}
		j.chunks++
	}
	j.lines = append(j.lines, l)
	j.sb.count.backlog.Add(1)
	if !j.writing {
		j.writing = true
		j.sb.writers.Go(j.write)
	}
}

// shed drops the oldest readings that are not being written at the moment.
func (j *journal) shed() {
	for i, l := range j.lines {
		if l.chunk && (i > 0 || !j.writing) {
			j.lines = append(j.lines[:i], j.lines[i+1:]...)
			j.chunks--
			j.sb.count.backlog.Add(-1)
			j.sb.count.readingsShed.Add(chunkLength)
			return
		}
	}
}

// write empties the journal and ends.
func (j *journal) write() {
	for {
		j.mu.Lock()
		if len(j.lines) == 0 {
			j.writing = false
			j.mu.Unlock()
			return
		}
		l := j.lines[0]
		j.mu.Unlock()
		if !j.writeLine(l) {
			return // the process ends: what is left stays in the backlog, which Run reports
		}
		j.mu.Lock()
		j.lines[0] = line{}
		j.lines = j.lines[1:]
		if l.chunk {
			j.chunks--
		}
		j.mu.Unlock()
		if l.ladder {
			j.sb.count.ladders.Add(-1)
		}
		j.sb.count.backlog.Add(-1)
	}
}

// writeLine tries until the store took the line (true), the line is set aside (true), or
// the process ends (false).
func (j *journal) writeLine(l line) bool {
	c := &j.sb.count
	others, suspect := c.journalWrites.Load(), 0
	wait := firstRetry
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(j.sb.paper, writeTimeout)
		err := l.write(ctx)
		cancel()
		if err == nil {
			if try > 1 {
				j.log.Info("line of the call record stored after all", "line", l.what, "tries", try)
			}
			c.journalWrites.Add(1)
			return true
		}
		if j.sb.paper.Err() != nil {
			j.log.Error("line of the call record lost: the service ended first", "line", l.what, "err", err)
			c.journalLost.Add(1)
			return false
		}
		c.journalTries.Add(1)
		if try == 1 {
			j.log.Warn("line of the call record not stored yet", "line", l.what, "err", err)
		}
		if n := c.journalWrites.Load(); n > others {
			others = n
			suspect++ // this line's fault, unless the store was up only while we waited
		}
		if suspect >= badLineTries {
			j.log.Error("line of the call record set aside: the store takes others but not this", "line", l.what, "err", err)
			c.journalLost.Add(1)
			return true
		}
		select {
		case <-time.After(wait):
		case <-j.sb.paper.Done():
		}
		wait = min(wait*2, lastRetry)
	}
}
