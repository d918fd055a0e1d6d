package record_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// badDisk is a file whose writes fail or hang while wanted.
type badDisk struct {
	seal.File
	full *atomic.Bool
	hang *sync.RWMutex
}

func (d badDisk) WriteAt(b []byte, off int64) (int, error) {
	d.hang.RLock()
	defer d.hang.RUnlock()
	if d.full.Load() {
		n, _ := d.File.WriteAt(b[:len(b)/2], off)
		return n, syscall.ENOSPC
	}
	return d.File.WriteAt(b, off)
}

// alarms collects what was told.
type alarms struct {
	mu   sync.Mutex
	said []string
}

func (a *alarms) tell(problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = append(a.said, problem)
}

func (a *alarms) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.said...)
}

func TestAFullDiskCostsRecordingUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		var told alarms
		s := open(t, func(c *record.Config) {
			c.Alarm = told.tell
			c.Create = func(path string) (seal.File, error) {
				f, err := seal.Create(path)
				return badDisk{f, &full, &sync.RWMutex{}}, err
			}
		})
		defer s.stop()
		r, over := s.start("full")
		say(r.Caller(), 8000, 600, 3*time.Second)
		full.Store(true)
		say(r.Caller(), 8000, 600, 10*time.Second)
		if st := s.rec.Stats(); st.Failing != 1 || st.Errors == 0 || s.rec.Problem() == "" {
			t.Errorf("while the disk is full: %+v, %q", st, s.rec.Problem())
		}
		full.Store(false)
		say(r.Caller(), 8000, 600, 5*time.Second)
		if st := s.rec.Stats(); st.Failing != 0 || s.rec.Problem() != "" {
			t.Errorf("afterwards: %+v", st)
		}
		r.Stop()
		res := <-over
		if res.Err != nil || res.Shed < 5*time.Second {
			t.Errorf("%v of speech is said to be lost, %v", res.Shed, res.Err)
		}
		if said := told.all(); len(said) != 2 || said[0] == "" || said[1] != "" {
			t.Errorf("the alarm said %q", said)
		}
		left, _, rate := s.sides(res.Path)
		if len(left) != 18*rate {
			t.Errorf("the file plays %.2f s, want 18", float64(len(left))/float64(rate))
		}
		for at, want := range map[int]float64{1: -20, 6: -120, 16: -20} {
			if _, level := mediatest.FindTone(left[at*rate:(at+1)*rate], rate); level < want-1 || level > want+1 && want > -100 || want < -100 && level > -90 {
				t.Errorf("second %d: %.1f dBov, want %v", at, level, want)
			}
		}
	})
}

// A disk that answers no write at all: taps go on to return at once, and the rings stay bounded.
func TestADiskThatHangsHoldsNobodyUp(t *testing.T) {
	var hang sync.RWMutex
	var told alarms
	s := open(t, func(c *record.Config) {
		c.Alarm, c.Writers = told.tell, 2
		c.Create = func(path string) (seal.File, error) {
			f, err := seal.Create(path)
			return badDisk{f, &atomic.Bool{}, &hang}, err
		}
	})
	defer s.stop()
	hang.Lock()
	var overs []<-chan record.Result
	var all []*record.Recording
	for i := range 4 {
		r, over := s.start(fmt.Sprintf("hang%d", i))
		all, overs = append(all, r), append(overs, over)
	}
	pcm := mediatest.Tone(8000, 600, -20, 160)
	for range 200 { // four seconds at once
		for _, r := range all {
			r.Caller().Offer(pcm, 8000, media.PCMU, 0)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); len(told.all()) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody was told")
		}
		time.Sleep(10 * ms)
	}
	if st := s.rec.Stats(); st.Failing == 0 {
		t.Errorf("%+v", st)
	}
	for _, r := range all {
		r.Stop()
	}
	hang.Unlock()
	for _, over := range overs {
		if res := <-over; res.Hash == "" {
			t.Errorf("%+v", res)
		}
	}
}

func TestALittleRoomIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Uint64
		free.Store(500)
		var told alarms
		s := open(t, func(c *record.Config) {
			c.MinFree, c.Alarm = 1000, told.tell
			c.Free = func(string) (uint64, error) { return free.Load(), nil }
		})
		defer s.stop()
		r, over := s.start("small")
		say(r.Caller(), 8000, 600, 5*time.Second)
		if s.rec.Stats().Bytes != 0 || len(told.all()) != 1 {
			t.Errorf("%+v, told %q", s.rec.Stats(), told.all())
		}
		free.Store(5000)
		say(r.Caller(), 8000, 600, 5*time.Second)
		r.Stop()
		if res := <-over; res.Err != nil || s.rec.Stats().Bytes == 0 {
			t.Errorf("%+v", res)
		}
	})
}

func TestAFolderThatCannotBeWrittenToIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(c *record.Config) {
			c.Create = func(string) (seal.File, error) { return nil, fs.ErrPermission }
		})
		defer s.stop()
		r, over := s.start("nowhere")
		say(r.Caller(), 8000, 600, 3*time.Second)
		r.Stop()
		if res := <-over; !errors.Is(res.Err, fs.ErrPermission) || res.Hash != "" {
			t.Errorf("%+v", res)
		}
	})
}

// recordUntilKilled is the process of the test below.
func recordUntilKilled(folder string) {
	ring, err := seal.LoadOrMakeKeys(filepath.Join(folder, "key"))
	if err != nil {
		panic(err)
	}
	rec, err := record.New(record.Config{Folder: folder, Keys: ring, Format: record.Format(os.Getenv("RECORD_FORMAT")), Log: slog.Default()})
	if err != nil {
		panic(err)
	}
	go func() { _ = rec.Run(context.Background()) }()
	var all []*record.Recording
	for len(all) < 3 {
		if r, err := rec.Start(record.Info{ID: fmt.Sprintf("r%d", len(all)), Call: "c"}, nil); err == nil {
			all = append(all, r)
		}
	}
	fmt.Println("recording")
	pcm := mediatest.Tone(8000, 600, -20, 160)
	for next := time.Now(); ; time.Sleep(time.Until(next)) { // a late one is made up for
		next = next.Add(20 * ms)
		for _, r := range all {
			r.Caller().Offer(pcm, 8000, media.PCMU, 0)
			r.Agent().Offer(pcm, 8000, media.PCMU, 0)
		}
	}
}

// idleDisk is a folder whose disk no other test keeps waiting: a write that hangs for a second
// costs that second, which is not what is asked here.
func idleDisk(t *testing.T) string {
	folder, err := os.MkdirTemp("/dev/shm", "record")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func TestWhatWasHeardSurvivesAKill(t *testing.T) {
	for _, format := range []record.Format{record.WAV, record.Opus} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			var lost time.Duration
			for range 4 { // a machine with much else to do can keep one process from its work, but not all
				if lost = killOne(t, format); lost <= time.Second {
					return
				}
				t.Logf("%v were lost", lost)
			}
			t.Errorf("a kill costs %v, each time", lost)
		})
	}
}

// killOne kills a process that records, repairs what it left and says how much of the worst
// recording's end is missing.
func killOne(t *testing.T, format record.Format) (worst time.Duration) {
	t.Helper()
	folder := idleDisk(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "RECORD_UNTIL_KILLED="+folder, "RECORD_FORMAT="+string(format))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("recording\n"))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3700 * ms)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_ = cmd.Wait() // says that it was killed
	ring, err := seal.LoadKeys(filepath.Join(folder, "key"))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{t: t, keys: ring}
	files, _ := filepath.Glob(filepath.Join(folder, "*", "*.hrec"))
	if len(files) != 3 {
		t.Fatalf("there are %d files", len(files))
	}
	for _, path := range files {
		state, err := seal.Repair(path, ring)
		if err != nil || state.Ended || state.Hash == "" {
			t.Fatalf("%+v, %v", state, err)
		}
		p, err := record.Open(path, ring)
		if err != nil {
			t.Fatal(err)
		}
		lost := killed.Sub(p.Info().Started) - p.Duration()
		if worst = max(worst, lost); lost < 0 {
			t.Errorf("%s plays longer than it was recorded, by %v", filepath.Base(path), -lost)
		}
		if err := errors.Join(p.Verify(), p.Close()); err != nil {
			t.Error(err)
		}
		left, _, rate := s.sides(path)
		if len(left) < 2*rate {
			continue // which is lost, too
		}
		if hz, level := mediatest.FindTone(left[rate:2*rate], rate); hz < 590 || hz > 610 || level < -30 {
			t.Errorf("%.1f Hz at %.1f dBov", hz, level)
		}
	}
	return worst
}

func TestOfferAllocatesNothing(t *testing.T) {
	s := open(t, nil)
	defer s.stop()
	r, over := s.start("alloc")
	pcm := mediatest.Tone(16000, 600, -20, 320)
	caller, agent := r.Caller(), r.Agent()
	if n := testing.AllocsPerRun(1000, func() {
		caller.Offer(pcm, 16000, media.Opus, 0)
		agent.Offer(pcm, 16000, media.Opus, 0)
	}); n >= 1 {
		t.Errorf("%v allocations for two frames", n)
	}
	r.Stop()
	<-over
}

func BenchmarkOffer(b *testing.B) {
	s := open(b, nil)
	r, over := s.start("bench")
	pcm := mediatest.Tone(16000, 600, -20, 320)
	tap := r.Caller()
	b.ReportAllocs()
	for b.Loop() {
		tap.Offer(pcm, 16000, media.Opus, 0)
	}
	r.Stop()
	<-over
	s.stop()
}
