package testenv_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// browser is somebody signed in over HTTP.
type browser struct {
	t    *testing.T
	root string
	http http.Client
}

func signedIn(t *testing.T, root string, user model.AgentID) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t, root, http.Client{Jar: jar, Timeout: testenv.Patience}}
	t.Cleanup(b.http.CloseIdleConnections)
	if status, body := b.do(http.MethodPost, "/api/v1/session", `{"user":"`+string(user)+`","password":"`+testenv.Password+`"}`); status != http.StatusOK {
		t.Fatalf("sign in: %d %s", status, body)
	}
	return b
}

func (b *browser) do(method, path, body string) (int, []byte) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.root+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, data
}

// recordings waits until a call has one that is so, and gives it.
func (b *browser) recordings(id model.CallID, state model.RecordingState) (r api.Recording) {
	b.t.Helper()
	testenv.Eventually(b.t, "a recording that is "+string(state), func() bool {
		status, body := b.do(http.MethodGet, "/api/v1/calls/"+string(id)+"/recordings", "")
		if status != http.StatusOK { // the call may not be in the record yet
			return false
		}
		var list api.RecordingList
		if err := json.Unmarshal(body, &list); err != nil {
			b.t.Fatal(err)
		}
		i := slices.IndexFunc(list.Recordings, func(r api.Recording) bool { return r.State == state })
		if i >= 0 {
			r = list.Recordings[i]
		}
		return i >= 0
	})
	return r
}

// wantTones finds the caller's tone left and the agent's right in a recording's middle.
func wantTones(t *testing.T, data []byte, left, right float64) {
	t.Helper()
	clip, err := wavfile.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	var sides [2][]float32
	for i, x := range clip.Samples {
		sides[i%2] = append(sides[i%2], x)
	}
	for i, want := range []float64{left, right} {
		n := len(sides[i])
		hz, level := mediatest.FindTone(sides[i][n/3:2*n/3], clip.Rate)
		if math.Abs(hz-want) > 10 || level < -30 { // a hole in the audio shifts its phase
			t.Errorf("channel %d of %.1f s has %.1f Hz at %.1f dBov, want %.0f", i, float64(n)/float64(clip.Rate), hz, level, want)
		}
		if other := mediatest.ToneDBov(sides[i][n/3:2*n/3], clip.Rate, left+right-want); other > -60 {
			t.Errorf("channel %d has the other side's tone in it, at %.1f dBov", i, other)
		}
	}
}

func recorded(s *model.Site) {
	s.Queues[0].Recording = model.QueueRecording{Policy: model.RecordAlways, KeepDays: 30}
}

func TestASupervisorHearsWhatWasSaidInACall(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: recorded})
	agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	time.Sleep(3 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	if err := caller.Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	record := testenv.OpenRecord(t, env.Process)
	id := testenv.OnlyCall(t, record).Call.ID
	boss := signedIn(t, env.URL(), testenv.Supervisor)
	r := boss.recordings(id, model.RecordingComplete)
	if r.Agent != "agent" || r.Length < 3 || r.ExpiresAt == nil || r.Hash == "" {
		t.Errorf("%+v", r)
	}
	status, audio := boss.do(http.MethodGet, "/api/v1/recordings/"+string(r.ID)+"/audio", "")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, audio)
	}
	wantTones(t, audio, 440, 1000)
	if status, body := signedIn(t, env.URL(), "agent").do(http.MethodGet, "/api/v1/recordings/"+string(r.ID)+"/audio", ""); status != http.StatusForbidden {
		t.Errorf("an agent: %d %.60s", status, body)
	}
	if status, body := boss.do(http.MethodDelete, "/api/v1/recordings/"+string(r.ID), ""); status != http.StatusNoContent {
		t.Errorf("deleted: %d %s", status, body)
	}
	if status, _ := boss.do(http.MethodGet, "/api/v1/recordings/"+string(r.ID)+"/audio", ""); status != http.StatusGone {
		t.Errorf("a deleted one: %d", status)
	}
	testenv.Eventually(t, "the story tells who did what", func() bool {
		kinds := testenv.Kinds(testenv.OnlyCall(t, record))
		for _, want := range []string{"recording_started", "recording_stopped", "recording_heard", "recording_deleted"} {
			if !slices.Contains(kinds, want) {
				return false
			}
		}
		return true
	})
}

func TestARecordingSurvivesTheServicesDeath(t *testing.T) {
	t.Parallel()
	process, _ := testenv.Prepare(t, testenv.Options{Site: recorded})
	service := testenv.StartProcess(t, process)
	process = service.Fixed(process)
	root := "http://" + service.Addrs.HTTP
	agent := testenv.NewAgent(t, "agent", testenv.AgentOptions{Server: root, Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
	testenv.Eventually(t, "the agent ready", func() bool { return agent.State() == string(model.Ready) })
	caller := dial(t, load.Config{Target: "sip:" + testenv.Number + "@" + service.Addrs.SIPUDP.String(), Source: testenv.Tone(440, -18)})
	testenv.Await[agentclient.CallStarted](agent, 1)
	testenv.Hears(t, "the caller", 1000, -20, testenv.CallerRate, testenv.LastHeard(caller))
	time.Sleep(3 * time.Second)
	service.Kill()
	again := testenv.StartProcess(t, process)
	boss := signedIn(t, root, testenv.Supervisor)
	r := boss.recordings(testenv.OnlyCall(t, testenv.OpenRecord(t, process)).Call.ID, model.RecordingRecovered)
	if r.Length < 3 {
		t.Errorf("%.1f s are left", r.Length)
	}
	_, audio := boss.do(http.MethodGet, "/api/v1/recordings/"+string(r.ID)+"/audio", "")
	wantTones(t, audio, 440, 1000)
	agent.Stop() // before the service, so that goodbye is heard
	again.Kill()
}

// The page's own player knows how long a recording is, and plays from its middle.
func TestTheCallsPagePlaysARecording(t *testing.T) {
	t.Parallel()
	for _, format := range []config.RecordingFormat{config.RecordWAV, config.RecordOpus} {
		t.Run(string(format), func(t *testing.T) {
			browser := testenv.Browser(t)
			env := testenv.Start(t, testenv.Options{Site: recorded, Process: func(p *config.Process) { p.Recordings.Format = format }})
			agent := env.Agent("agent", testenv.AgentOptions{Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
			caller := env.Caller(load.Config{Source: testenv.Tone(440, -18)})
			testenv.Await[agentclient.CallStarted](agent, 1)
			time.Sleep(3 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
			defer cancel()
			if err := caller.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			id := testenv.OnlyCall(t, testenv.OpenRecord(t, env.Process)).Call.ID
			r := signedIn(t, env.URL(), testenv.Supervisor).recordings(id, model.RecordingComplete)
			p := pages{t: t, browser: browser}
			const secret = "input[type=password]"
			p.run("sign in", chromedp.Navigate(env.URL()+"/calls/"+string(id)), chromedp.WaitVisible(secret),
				chromedp.SendKeys("input[autocomplete=username]", string(testenv.Supervisor)), chromedp.SendKeys(secret, testenv.Password+"\r"), chromedp.WaitNotPresent(secret))
			p.waitFor("Recorded", "Recording began", "will be deleted")
			var length, at float64
			awaiting := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
			p.run("the player", chromedp.WaitVisible("audio"), chromedp.Evaluate(`new Promise((ok, no) => {
				const a = document.querySelector('audio')
				a.onloadedmetadata = () => ok(a.duration)
				a.onerror = () => no(new Error(a.error.message))
				a.preload = 'auto'
				a.load()
			})`, &length, awaiting), chromedp.Evaluate(`new Promise((ok, no) => {
				const a = document.querySelector('audio')
				a.onseeked = () => ok(a.currentTime)
				a.onerror = () => no(new Error(a.error.message))
				a.currentTime = a.duration / 2
			})`, &at, awaiting))
			if math.Abs(length-r.Length) > 0.1 || math.Abs(at-length/2) > 0.1 {
				t.Errorf("the player says %.2f s, and stands at %.2f; it was recorded for %.2f", length, at, r.Length)
			}
			p.picture("recording-" + string(format))
		})
	}
}
