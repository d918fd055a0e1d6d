package testenv_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/headroom-voice/headroom/internal/demo"
	"github.com/headroom-voice/headroom/internal/testenv"
)

// pictures is where the README's pictures go: make pictures.
var pictures = flag.String("pictures", "", "write pictures of the pages to this folder")

func TestTheDemoComesTrueAndThePagesShowIt(t *testing.T) {
	browser := testenv.Browser(t)
	ctx, cancel := context.WithTimeout(t.Context(), testenv.BrowserPatience)
	defer cancel()
	p := pages{t: t, browser: browser}
	chromedp.ListenTarget(browser, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("a page failed: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if e.Entry.Source == log.SourceSecurity {
				t.Errorf("a page was refused something by its policy: %s", e.Entry.Text)
			}
		}
	})
	outcome, err := demo.Run(ctx, demo.Options{
		Bin: buildPrograms(t), Web: "127.0.0.1:0", Once: true, Limit: 6 * testenv.Patience, Say: os.Stderr,
		Show: func(s demo.Sight) {
			switch {
			case p.seen == 0:
				p.signIn(s.Web, s.Password)
			case p.seen == 1 && s.Quiet:
				p.look(s.Web)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range outcome.Missing {
		t.Error(missing)
	}
	if p.seen != 2 {
		t.Errorf("the pages were looked at %d times, wanted 2", p.seen)
	}
}

// buildPrograms builds the three programs as a user would.
func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", "../../cmd/...")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// pages is somebody who looks at the pages in a browser.
type pages struct {
	t       *testing.T
	browser context.Context
	seen    int
}

// signIn meets the sign-in page: nothing without a password, not with a wrong one.
func (p *pages) signIn(web, password string) {
	p.t.Helper()
	p.seen++
	const user, secret = "input[autocomplete=username]", "input[type=password]"
	p.run("open the pages", chromedp.Navigate(web+"/headsets"), chromedp.WaitVisible(secret))
	if strings.Contains(p.text(), "Demo H1") {
		p.t.Error("a headset is shown to somebody who has not signed in")
	}
	p.picture("sign-in")
	p.run("sign in with a wrong password", chromedp.SendKeys(user, "admin"), chromedp.SendKeys(secret, "wrong\r"))
	p.waitFor("User name or password is wrong")
	p.run("sign in", chromedp.SendKeys(secret, password+"\r"), chromedp.WaitNotPresent(secret))
}

// look visits every page once the verdicts are in, on a wide screen and on a phone's.
func (p *pages) look(web string) {
	p.t.Helper()
	p.seen++
	for _, page := range []struct {
		name, path, open string
		words            []string
	}{
		{"queues", "/queues", "", []string{"Customer service", "Agent 2 (clipping headset)", "Replace", "On call"}},
		{"headsets", "/headsets", "", []string{"2 to replace", "Replace this headset: clipping", "Replace this headset: noise"}},
		{"headset", "/headsets", `main a[href*="/headsets/"]`, []string{"Second by second", "How the verdict changed", "Put down to"}},
		{"calls", "/calls", "", []string{"Customer service", "Agent 1 (healthy headset)"}},
		{"call", "/calls", `main tr:last-child a[href*="/calls/"]`, []string{"Story", "Connected", "Parties", "Caller hung up", "What was said in SIP"}},
	} {
		p.run(page.name, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(web+page.path))
		if page.open != "" {
			p.run(page.name, chromedp.Click(page.open, chromedp.NodeVisible))
		}
		p.waitFor(page.words...)
		p.picture(page.name)
		var over bool
		p.run(page.name+" on a phone", chromedp.EmulateViewport(390, 844),
			chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth`, &over))
		if over {
			p.t.Errorf("%s is wider than a phone", page.name)
		}
	}
}

func (p *pages) run(what string, actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.browser, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// waitFor waits until the page has all of these words.
func (p *pages) waitFor(words ...string) {
	p.t.Helper()
	for _, w := range words {
		testenv.Eventually(p.t, "the page says "+w, func() bool { return strings.Contains(p.text(), w) })
	}
}

// text is what a reader sees.
func (p *pages) text() (text string) {
	p.t.Helper()
	p.run("read the page", chromedp.Evaluate(`document.body.innerText`, &text))
	return text
}

func (p *pages) picture(name string) {
	p.t.Helper()
	if *pictures == "" {
		return
	}
	var png []byte
	// Charts draw after the numbers have come; this is for the eye, not for the test.
	p.run("draw", chromedp.Sleep(1500*time.Millisecond), chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		p.t.Error(err)
	}
}
