package testenv

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/wavfile"
)

//go:embed browseragent.html
var browserAgentPage []byte

// BrowserAgent is an agent whose client is a page in a real Chromium.
type BrowserAgent struct {
	t       testing.TB
	browser context.Context
}

// BrowserAgentOptions change what Env.BrowserAgent does.
type BrowserAgentOptions struct {
	Mic    []float32 // at 48 kHz, over and over
	Policy string    // of ICE: "relay" for nothing but what is handed out; default "all"
	Server string    // another address than the service's, http://host:port
	Flags  []chromedp.ExecAllocatorOption
}

// BrowserAgent signs a person in, in a browser, and waits until calls can come. The page is
// somebody else's, in front of the service as a reverse proxy would put it: the service's own
// pages may not use a microphone.
func (e *Env) BrowserAgent(user model.AgentID, opt BrowserAgentOptions) *BrowserAgent {
	e.t.Helper()
	mic := filepath.Join(e.t.TempDir(), "microphone.wav")
	if err := wavfile.Write(mic, 48000, opt.Mic); err != nil {
		e.t.Fatal(err)
	}
	if opt.Server == "" {
		opt.Server = e.URL()
	}
	if opt.Policy == "" {
		opt.Policy = "all"
	}
	page := browserPage(e.t, opt.Server)
	flags := append([]chromedp.ExecAllocatorOption{
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", mic), chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"),
	}, opt.Flags...)
	a := &BrowserAgent{t: e.t, browser: Browser(e.t, flags...)}
	a.do("open the page", chromedp.Navigate(page), chromedp.Poll(`window.agent !== undefined`, nil))
	args, err := json.Marshal([]string{string(user), Password, opt.Policy})
	if err != nil {
		e.t.Fatal(err)
	}
	a.Evaluate("sign in", `window.agent.signIn(...`+string(args)+`)`, nil)
	e.t.Cleanup(func() { a.Evaluate("sign out", `window.agent.signOut()`, nil) })
	return a
}

// browserPage serves the page, and the service's API beside it.
func browserPage(t testing.TB, server string) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which the page's origin is compared with
	}})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(browserAgentPage) // the browser may have gone
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func (a *BrowserAgent) do(what string, actions ...chromedp.Action) {
	a.t.Helper()
	if err := chromedp.Run(a.browser, actions...); err != nil {
		a.t.Fatalf("the browser's agent: %s: %v; it saw %s", what, err, a.Seen())
	}
}

// Evaluate runs a script in the page and waits for its promise; into may be nil.
func (a *BrowserAgent) Evaluate(what, script string, into any) {
	a.t.Helper()
	a.do(what, chromedp.Evaluate(script, into, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
}

// Seen is what the page was told and noticed, in order, one JSON list.
func (a *BrowserAgent) Seen() string {
	var seen string
	if err := chromedp.Run(a.browser, chromedp.Evaluate(`JSON.stringify(window.agent?.seen ?? [])`, &seen)); err != nil {
		return err.Error()
	}
	return seen
}

// Count is how often the page was told or noticed something of this type.
func (a *BrowserAgent) Count(kind string) int {
	a.t.Helper()
	var seen []struct{ Type string }
	if err := json.Unmarshal([]byte(a.Seen()), &seen); err != nil {
		a.t.Fatal(err)
	}
	n := 0
	for _, s := range seen {
		if s.Type == kind {
			n++
		}
	}
	return n
}

// Await waits until the page was told or noticed something n times.
func (a *BrowserAgent) Await(kind string, n int) {
	a.t.Helper()
	Eventually(a.t, "the browser's agent sees "+kind, func() bool { return a.Count(kind) >= n })
}

// Path is how the audio runs, such as "host udp" or "relay tls".
func (a *BrowserAgent) Path() string {
	a.t.Helper()
	var path string
	a.Evaluate("look at the path", `window.agent.path()`, &path)
	return path
}

// Last is the newest of what was heard, at EarRate, for at most a second.
func (a *BrowserAgent) Last(d time.Duration) []float32 {
	a.t.Helper()
	var text string
	a.Evaluate("listen", `window.agent.heard()`, &text)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		a.t.Fatal(err)
	}
	pcm := make([]float32, len(data)/2)
	for i := range pcm {
		pcm[i] = float32(int16(binary.LittleEndian.Uint16(data[2*i:]))) / 32768
	}
	return pcm[max(0, len(pcm)-int(d.Seconds()*EarRate)):]
}
