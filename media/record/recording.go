package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// Info says what a recording is of. It stands, sealed, at the beginning of its file.
type Info struct {
	ID      string    `json:"id"` // letters, digits and . - _; also the file's name
	Call    string    `json:"call_id"`
	Queue   string    `json:"queue,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	Started time.Time `json:"started_at"`
	Format  Format    `json:"format"`
	Rate    int       `json:"rate"` // Hz

	Keep time.Duration `json:"keep,omitempty"` // for how long, after its end; 0 is for ever
}

// Result is what came of a recording. Where nothing could be written there is no Hash.
type Result struct {
	Info
	Path  string
	Key   seal.KeyID
	Ended time.Time
	Size  int64         // of the file, in bytes
	Hash  string        // seal.Writer.Hash
	Shed  time.Duration // of what was said and could not be written, both sides
	Err   error         // why it is not whole; nil where it is
}

// ending stands at the end of a file that was written to its end.
type ending struct {
	Frames int64 `json:"frames"` // samples of each channel
	ShedMS int64 `json:"shed_ms"`
}

// Recording is one that goes on. Its methods may be called from any goroutine and do not wait.
type Recording struct {
	rec   *Recorder
	info  Info
	path  string
	began time.Time // with the monotonic clock
	left  *track
	right *track
	done  func(Result)

	busy    atomic.Bool  // a writer has it, or it waits for one
	since   atomic.Int64 // when it came to be so, Unix ns
	stopped atomic.Int64 // how long it lasted once stopped, ns; 0 goes on
	failing atomic.Bool
	open    atomic.Pointer[seal.Writer] // what is synced beside
	dirty   atomic.Bool                 // something was written since

	mu     sync.Mutex // of the two below
	paused bool
	secret bool

	// The writer's that has it.
	file    *seal.Writer
	enc     encoder
	unsaved []byte    // sealed next, because the disk did not take it
	frames  int64     // written, or in unsaved
	retry   time.Time // not before, after an error
	tries   int       // of the end
	over    bool      // only the file's close is left
}

// Caller hears the caller, or who was called: the left channel.
func (r *Recording) Caller() media.Tap { return ear{r, r.left} }

// Agent hears the agent, or who the caller was passed on to: the right channel.
func (r *Recording) Agent() media.Tap { return ear{r, r.right} }

// ID is what the recording is known by.
func (r *Recording) ID() string { return r.info.ID }

// Info says what it is of.
func (r *Recording) Info() Info { return r.info }

type ear struct {
	r *Recording
	t *track
}

// Offer is part of media.Tap.
func (e ear) Offer(pcm []float32, rate int, _ media.Codec, mark dsp.Mark) {
	if e.r.stopped.Load() == 0 {
		e.t.ring.put(pcm, rate, unheard(mark), time.Since(e.r.began))
	}
}

// before is how far back a pause reaches: a digit is known as one only once it has begun.
const before = 200 * time.Millisecond

// Pause leaves out what both sides say from a moment ago on, until it is lifted: the file goes
// on with silence. It reports whether that changed anything.
func (r *Recording) Pause(on bool) bool { return r.hush(&r.paused, on) }

// Secret is Pause for digits that nobody is to hear. One does not lift the other.
func (r *Recording) Secret(on bool) bool { return r.hush(&r.secret, on) }

// Paused says whether Pause is on.
func (r *Recording) Paused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused
}

func (r *Recording) hush(what *bool, on bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *what == on {
		return false
	}
	*what = on
	now := time.Since(r.began)
	r.left.ring.hush(on, now, before)
	r.right.ring.hush(on, now, before)
	return true
}

// Stop ends the recording. What was said until now is written beside; done is called then.
func (r *Recording) Stop() {
	if r.stopped.CompareAndSwap(0, max(int64(time.Since(r.began)), 1)) {
		r.rec.nudge()
	}
}

// flush writes what is due; it runs on one writer at a time.
func (r *Recording) flush(now time.Time) {
	end := time.Duration(r.stopped.Load())
	if r.over || now.Before(r.retry) {
		return
	}
	err := r.write(now, end)
	if err == nil && end > 0 && r.frames >= r.position(end) {
		err = r.finish()
		if err == nil {
			r.close(end, nil)
			return
		}
	}
	r.rec.wrote(r, err)
	if err == nil {
		r.retry = time.Time{}
		return
	}
	r.retry = now.Add(retryAfter)
	if end > 0 {
		if r.tries++; r.tries >= endTries {
			r.close(end, err)
		}
	}
}

const (
	retryAfter = time.Second
	endTries   = 3
	atOnce     = 10 * time.Second // of audio written at once; less than seal.MaxChunk
)

func (r *Recording) position(d time.Duration) int64 {
	return int64(d) * int64(r.info.Rate) / int64(time.Second)
}

// write brings the file up to what can be known of now, or to the end.
func (r *Recording) write(now time.Time, end time.Duration) error {
	if end == 0 && r.rec.noRoom.Load() {
		return ErrNoRoom
	}
	if err := r.create(); err != nil {
		return err
	}
	for {
		if len(r.unsaved) > 0 {
			if err := r.file.Write(seal.Audio, r.unsaved); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			r.rec.written.Add(uint64(len(r.unsaved)))
			r.unsaved = r.unsaved[:0]
			r.dirty.Store(true)
		}
		to := r.position(now.Sub(r.began) - hold)
		if end > 0 {
			to = r.position(end)
		}
		if to <= r.frames {
			break
		}
		if err := r.encode(min(to, r.frames+r.position(atOnce))); err != nil {
			return err
		}
	}
	return nil
}

// encode has both tracks go up to a position and makes of it what is written next.
func (r *Recording) encode(to int64) error {
	for _, t := range []*track{r.left, r.right} {
		t.fetch()
		t.commit(to)
	}
	n := int(to - r.frames)
	var err error
	r.unsaved, err = r.enc.encode(r.unsaved[:0], r.left.out[:n], r.right.out[:n])
	for _, t := range []*track{r.left, r.right} {
		t.out = t.out[:copy(t.out, t.out[n:])]
	}
	r.frames = to
	return err
}

// create makes the file when there is none yet.
func (r *Recording) create() error {
	if r.file != nil {
		return nil
	}
	f, err := r.rec.cfg.Create(r.path)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	meta, err := json.Marshal(r.info)
	if err == nil {
		r.file, err = seal.NewWriter(f, r.rec.cfg.Keys)
	}
	if err == nil {
		err = r.file.Write(seal.Meta, meta)
	}
	if err != nil {
		r.file = nil
		return fmt.Errorf("begin: %w", errors.Join(err, f.Close(), r.rec.cfg.Remove(r.path)))
	}
	r.open.Store(r.file)
	return nil
}

// finish writes the end.
func (r *Recording) finish() error {
	if r.enc != nil {
		var err error
		if r.unsaved, err = r.enc.finish(r.unsaved); err != nil {
			return err
		}
		r.enc = nil
	}
	if len(r.unsaved) > 0 {
		if err := r.file.Write(seal.Audio, r.unsaved); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		r.unsaved = r.unsaved[:0]
	}
	data, err := json.Marshal(ending{Frames: r.frames, ShedMS: r.shed().Milliseconds()})
	if err != nil {
		return err
	}
	if err := r.file.Write(seal.End, data); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (r *Recording) shed() time.Duration { return r.left.ring.lost() + r.right.ring.lost() }

// close has the file closed beside, which may take a slow disk a while.
func (r *Recording) close(end time.Duration, err error) {
	r.over = true
	r.open.Store(nil)
	r.rec.closing <- closing{r, Result{
		Info: r.info, Path: r.path, Key: r.rec.cfg.Keys.Current(), Ended: r.info.Started.Add(end), Shed: r.shed(), Err: err,
	}}
}

// closing is a recording whose file is complete but for the disk.
type closing struct {
	r   *Recording
	res Result
}

// finish makes the file durable and says what came of the recording.
func (c closing) finish() {
	if f := c.r.file; f != nil {
		c.res.Err = errors.Join(c.res.Err, f.Close())
		c.res.Size, c.res.Hash = f.Size(), f.Hash()
	}
	c.r.rec.settle(c.r, c.res)
}
