package record_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/ogg"
	"github.com/headroom-voice/headroom/media/record/seal"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv("RECORD_UNTIL_KILLED"); folder != "" {
		recordUntilKilled(folder)
	}
	goleak.VerifyTestMain(m)
}

const ms = time.Millisecond

func keys(t testing.TB) *seal.Keyring {
	t.Helper()
	line, _, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := seal.ParseKeys("test.key", []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// studio is a recorder in synthetic time.
type studio struct {
	t    testing.TB
	rec  *record.Recorder
	keys *seal.Keyring
	stop func()
}

func open(t testing.TB, change func(*record.Config)) *studio {
	t.Helper()
	cfg := record.Config{Folder: t.TempDir(), Keys: keys(t), Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	rec, err := record.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rec.Run(ctx) }()
	s := &studio{t: t, rec: rec, keys: cfg.Keys}
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return s
}

func (s *studio) start(id string) (*record.Recording, <-chan record.Result) {
	s.t.Helper()
	over := make(chan record.Result, 1)
	r, err := s.rec.Start(record.Info{ID: id, Call: "c1", Queue: "sales", Agent: "zoe"}, func(res record.Result) { over <- res })
	if err != nil {
		s.t.Fatal(err)
	}
	return r, over
}

// sides gives the two channels of a file.
func (s *studio) sides(path string) (left, right []float32, rate int) {
	s.t.Helper()
	p, err := record.Open(path, s.keys)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	data, err := io.ReadAll(p)
	if err != nil || int64(len(data)) != p.Size() {
		s.t.Fatalf("%d of %d bytes: %v", len(data), p.Size(), err)
	}
	if p.Info().Format == record.Opus {
		return fromOgg(s.t, data)
	}
	clip, err := wavfile.Decode(data)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(clip.Samples); i += 2 {
		left, right = append(left, clip.Samples[i]), append(right, clip.Samples[i+1])
	}
	return left, right, clip.Rate
}

func fromOgg(t testing.TB, data []byte) (left, right []float32, rate int) {
	t.Helper()
	rate = 16000
	var dec [2]codec.Decoder
	for i := range dec {
		dec[i], _ = codec.NewDecoder(media.Opus, rate)
	}
	out := [2][]float32{}
	for number := 0; len(data) > 0; number++ {
		p, err := ogg.Next(data)
		if err != nil {
			t.Fatal(err)
		}
		data = data[p.Size:]
		if number < 2 {
			continue
		}
		for _, packet := range p.Packets {
			l, r, err := ogg.Split(packet)
			if err != nil {
				t.Fatal(err)
			}
			for i, side := range [][]byte{l, r} {
				pcm := make([]float32, 960)
				n, err := dec[i].Decode(side, pcm)
				if err != nil {
					t.Fatal(err)
				}
				out[i] = append(out[i], pcm[:n]...)
			}
		}
	}
	return out[0][104:], out[1][104:], rate // without the pre-skip
}

// say speaks a tone in frames of 20 ms from now on.
func say(tap media.Tap, rate int, hz float64, d time.Duration) {
	size := rate / 50
	pcm := mediatest.Tone(rate, hz, -20, int(d.Seconds()*float64(rate)))
	for ; len(pcm) >= size; pcm = pcm[size:] {
		time.Sleep(20 * ms)
		tap.Offer(pcm[:size], rate, media.PCMU, 0)
	}
}

func TestEachSideIsInItsOwnChannel(t *testing.T) {
	for _, format := range []record.Format{record.WAV, record.Opus} {
		t.Run(string(format), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, func(c *record.Config) { c.Format = format })
				defer s.stop()
				r, over := s.start("two")
				done := make(chan struct{})
				go func() { say(r.Agent(), 16000, 1700, 4*time.Second); close(done) }()
				say(r.Caller(), 8000, 600, 4*time.Second)
				<-done
				r.Stop()
				res := <-over
				if res.Err != nil || res.Hash == "" || res.Shed != 0 {
					t.Fatalf("%+v", res)
				}
				left, right, rate := s.sides(res.Path)
				for _, c := range []struct {
					name  string
					pcm   []float32
					hz, l float64
				}{{"left", left, 600, 1700}, {"right", right, 1700, 600}} {
					middle := c.pcm[rate : 3*rate]
					if hz, level := mediatest.FindTone(middle, rate); math.Abs(hz-c.hz) > 1 || math.Abs(level+20) > 1 {
						t.Errorf("%s: %.1f Hz at %.1f dBov, want %v at -20", c.name, hz, level, c.hz)
					}
					if other := mediatest.ToneDBov(middle, rate, c.l); other > -75 {
						t.Errorf("%s: the other side's tone is in it, %.1f dBov", c.name, other)
					}
				}
				if got := time.Duration(len(left)) * time.Second / time.Duration(rate); (got - 4*time.Second).Abs() > 40*ms {
					t.Errorf("it plays %v", got)
				}
			})
		})
	}
}

// onset gives when a tone begins after from, by the sample that first goes beyond half of it.
func onset(pcm []float32, rate int, from time.Duration) time.Duration {
	for i := int(from.Seconds() * float64(rate)); i < len(pcm); i++ {
		if math.Abs(float64(pcm[i])) > 0.05 {
			return time.Duration(i) * time.Second / time.Duration(rate)
		}
	}
	return -1
}

// frame is what becomes of 20 ms on the way to the service.
type frame struct {
	lost, paused, held bool
	late               time.Duration
}

// A minute in which one side's stream has every trouble, over a bridge: beeps said at known
// moments stand there in the file.
func TestTheFileIsTrueToTheWallClock(t *testing.T) {
	for name, trouble := range map[string]func(i int) frame{
		"nothing":      func(int) frame { return frame{} },
		"DTX":          func(i int) frame { return frame{paused: i%250 >= 20} },
		"short pauses": func(i int) frame { return frame{paused: i%25 >= 20} },
		"hold":         func(i int) frame { return frame{held: i%250 > 100} },
		"jitter":       func(i int) frame { return frame{late: time.Duration(i*i*7919%61) * ms} },
		"loss":         func(i int) frame { return frame{lost: i%10 == 3 && i%250 > 20} },
		"bursts lost":  func(i int) frame { return frame{lost: i%250 > 100 && i%250 < 150} },
		"200 ppm fast": func(i int) frame { return frame{late: -time.Duration(i) * 4 * time.Microsecond} },
		"200 ppm slow": func(i int) frame { return frame{late: time.Duration(i) * 4 * time.Microsecond} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { aMinute(t, trouble) })
		})
	}
}

func aMinute(t *testing.T, trouble func(i int) frame) {
	s := open(t, func(c *record.Config) { c.Rate = 8000 })
	defer s.stop()
	r, over := s.start("clock")
	began := time.Now()
	caller, agent := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
	br, err := bridge.Join(caller, agent, bridge.Options{FromA: []media.Tap{r.Caller()}, FromB: []media.Tap{r.Agent()}})
	if err != nil {
		t.Fatal(err)
	}
	defer br.Close()
	enc, _ := codec.NewEncoder(media.PCMU, 8000)
	beep, quiet := mediatest.Tone(8000, 1000, -20, 160), make([]float32, 160)
	p := media.Packet{Source: 1, Codec: media.PCMU, Payload: make([]byte, 160)}
	last := time.Time{}
	for i := range 3000 { // a beep of 200 ms at 1 s, 6 s, 11 s ...
		f := trouble(i)
		at := began.Add(time.Second + time.Duration(i+1)*20*ms + f.late)
		if at.Before(last) {
			at = last
		}
		last = at
		time.Sleep(time.Until(at))
		br.Hold(f.held)
		pcm := quiet
		if i%250 < 10 {
			pcm = beep
		}
		if _, err := enc.Encode(pcm, p.Payload); err != nil {
			t.Fatal(err)
		}
		if !f.lost && !f.paused {
			caller.Say(&p)
		}
		if !f.paused {
			p.Seq++
		}
		p.Timestamp += 160
	}
	time.Sleep(time.Until(began.Add(61500 * ms)))
	r.Stop()
	left, right, rate := s.sides((<-over).Path)
	if got := time.Duration(len(left)) * time.Second / time.Duration(rate); (got-61500*ms).Abs() > 20*ms || len(left) != len(right) {
		t.Errorf("the file plays %v", got)
	}
	for k := range 12 {
		want := time.Second + time.Duration(k)*5*time.Second
		if got := onset(left, rate, want-500*ms); (got - want).Abs() > 20*ms {
			t.Errorf("the beep of %v stands at %v", want, got)
		}
	}
	if loud := onset(right, rate, 0); loud >= 0 {
		t.Errorf("the silent side is heard at %v", loud)
	}
}

// The taps of a bridge, with real packets: the caller is on hold for a while, then a colleague
// takes over.
func TestHoldAndTransferAreInOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil)
		defer s.stop()
		r, over := s.start("legs")
		opt := bridge.Options{FromA: []media.Tap{r.Caller()}, FromB: []media.Tap{r.Agent()}}
		caller, first, second := mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU), mediatest.NewLeg(20*ms, media.PCMU)
		talk := func(d time.Duration, legs map[*mediatest.Leg]float64) {
			packets := map[*mediatest.Leg]*media.Packet{}
			enc, _ := codec.NewEncoder(media.PCMU, 8000)
			for leg := range legs {
				packets[leg] = &media.Packet{Source: media.NewSource(), Codec: media.PCMU, Payload: make([]byte, 160)}
			}
			for at := time.Duration(0); at < d; at += 20 * ms {
				time.Sleep(20 * ms)
				for leg, hz := range legs {
					p := packets[leg]
					tone := mediatest.Tone(8000, hz, -20, int(p.Timestamp)+160)[p.Timestamp:]
					if _, err := enc.Encode(tone, p.Payload); err != nil {
						t.Fatal(err)
					}
					leg.Say(p)
					p.Seq++
					p.Timestamp += 160
				}
			}
		}
		join := func(a, b media.Leg) *bridge.Bridge {
			br, err := bridge.Join(a, b, opt)
			if err != nil {
				t.Fatal(err)
			}
			return br
		}
		br := join(caller, first)
		talk(3*time.Second, map[*mediatest.Leg]float64{caller: 600, first: 1100})
		br.Hold(true)
		talk(3*time.Second, map[*mediatest.Leg]float64{caller: 600, first: 1100})
		br.Hold(false)
		br.Close()
		time.Sleep(2 * time.Second)
		br = join(caller, second)
		talk(3*time.Second, map[*mediatest.Leg]float64{caller: 600, second: 1900})
		br.Close()
		r.Stop()
		left, right, rate := s.sides((<-over).Path)
		tone := func(pcm []float32, from, to float64) float64 {
			hz, level := mediatest.FindTone(pcm[int(from*float64(rate)):int(to*float64(rate))], rate)
			if level < -60 {
				return 0
			}
			return hz
		}
		for _, c := range []struct{ from, to, left, right float64 }{{0.2, 2.8, 600, 1100}, {3.1, 7.9, 0, 0}, {8.2, 10.8, 600, 1900}} {
			if l, r := tone(left, c.from, c.to), tone(right, c.from, c.to); math.Abs(l-c.left) > 2 || math.Abs(r-c.right) > 2 {
				t.Errorf("%v to %v s: %.0f and %.0f Hz, want %v and %v", c.from, c.to, l, r, c.left, c.right)
			}
		}
		if got := float64(len(left)) / float64(rate); math.Abs(got-11) > 0.04 {
			t.Errorf("the file plays %.3f s, want 11", got)
		}
	})
}

func TestAPauseIsSilentOnBothSides(t *testing.T) {
	for name, hush := range map[string]func(*record.Recording, bool) bool{"pause": (*record.Recording).Pause, "secret digits": (*record.Recording).Secret} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, nil)
				defer s.stop()
				r, over := s.start("card")
				go say(r.Agent(), 16000, 1700, 9*time.Second)
				say(r.Caller(), 8000, 600, 3*time.Second)
				if !hush(r, true) || hush(r, true) {
					t.Error("a second pause is said to change something")
				}
				say(r.Caller(), 8000, 600, 3*time.Second)
				hush(r, false)
				say(r.Caller(), 8000, 600, 3*time.Second)
				time.Sleep(time.Second)
				r.Stop()
				left, right, rate := s.sides((<-over).Path)
				for side, pcm := range map[string][]float32{"left": left, "right": right} {
					for i, x := range pcm[3*rate-rate/10 : 6*rate-rate/10] {
						if x != 0 {
							t.Fatalf("%s: something is heard %v into the pause", side, time.Duration(i)*time.Second/time.Duration(rate)-100*ms)
						}
					}
					for _, from := range []int{1, 7} {
						if _, level := mediatest.FindTone(pcm[from*rate:(from+1)*rate], rate); math.Abs(level+20) > 1 {
							t.Errorf("%s: %.1f dBov around the pause", side, level)
						}
					}
				}
			})
		})
	}
}

func TestOneOfTwoReasonsToBeSilentDoesNotLiftTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil)
		defer s.stop()
		r, over := s.start("both")
		r.Pause(true)
		r.Secret(true)
		r.Secret(false)
		say(r.Caller(), 8000, 600, 2*time.Second)
		if !r.Paused() {
			t.Error("the pause was lifted")
		}
		r.Stop()
		left, _, rate := s.sides((<-over).Path)
		if at := onset(left, rate, 0); at >= 0 {
			t.Errorf("heard at %v", at)
		}
	})
}

func TestAWrongKeyIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil)
		defer s.stop()
		r, over := s.start("locked")
		say(r.Caller(), 8000, 600, time.Second)
		r.Stop()
		res := <-over
		other := keys(t)
		_, err := record.Open(res.Path, other)
		if !errors.Is(err, seal.ErrWrongKey) || !strings.Contains(err.Error(), string(res.Key)) || !strings.Contains(err.Error(), string(other.Current())) {
			t.Errorf("got %v", err)
		}
		raw, err := os.ReadFile(res.Path)
		if err != nil || strings.Contains(string(raw), "sales") {
			t.Errorf("the file says in the clear what it is of (%v)", err)
		}
	})
}

func TestNamesThatLeaveTheFolderAreRefused(t *testing.T) {
	for _, id := range []string{"", "../x", "a/b", ".hidden", "x\x00", strings.Repeat("x", 129)} {
		if record.ValidID(id) {
			t.Errorf("%q is taken", id)
		}
	}
	if p := record.Path("/r", "a", time.Date(2026, 3, 1, 23, 0, 0, 0, time.FixedZone("", -7200))); p != filepath.FromSlash("/r/2026-03-02/a.hrec") {
		t.Error(p)
	}
}

// Somebody else's player finds the same tones at the same time, also in a file that was cut off.
func TestOthersPlayIt(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	for _, format := range []record.Format{record.WAV, record.Opus} {
		var path string
		var ring *seal.Keyring
		folder := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			s := open(t, func(c *record.Config) { c.Format, c.Folder = format, folder })
			defer s.stop()
			r, over := s.start("others-" + string(format))
			go say(r.Agent(), 16000, 1700, 3*time.Second)
			say(r.Caller(), 8000, 600, 3*time.Second)
			time.Sleep(ms)
			r.Stop()
			path, ring = (<-over).Path, s.keys
		})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int64{0, 1500} {
			if err := os.Truncate(path, info.Size()-cut); err != nil {
				t.Fatal(err)
			}
			p, err := record.Open(path, ring)
			if err != nil {
				t.Fatal(err)
			}
			clear := filepath.Join(t.TempDir(), p.Name())
			data, err := io.ReadAll(p)
			if err := errors.Join(err, p.Close(), os.WriteFile(clear, data, 0o600)); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", clear, "-f", "f32le", "-ar", "16000", "-").Output()
			if err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			var sides [2][]float32
			for i := 0; i+4 <= len(out); i += 4 {
				sides[i/4%2] = append(sides[i/4%2], math.Float32frombits(binary.LittleEndian.Uint32(out[i:])))
			}
			if got := time.Duration(len(sides[0])) * time.Second / 16000; (got-p.Duration()).Abs() > 30*ms || got < 2*time.Second {
				t.Errorf("%s, %d bytes less: plays %v, and we say %v", format, cut, got, p.Duration())
			}
			for i, want := range []float64{600, 1700} {
				if hz, level := mediatest.FindTone(sides[i][8000:24000], 16000); math.Abs(hz-want) > 1 || math.Abs(level+20) > 1 {
					t.Errorf("%s: channel %d has %.1f Hz at %.1f dBov, want %v", format, i, hz, level, want)
				}
			}
		}
	}
}
