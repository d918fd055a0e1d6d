package testenv

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// BrowserPatience is how long a browser is kept at most.
const BrowserPatience = 8 * Patience

// Browser opens a page of a real Chromium, 1280 by 800, that lives as long as the test,
// started with further flags. A machine without Chromium skips the test; `make deps-test` installs it.
func Browser(t testing.TB, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("Chromium is not installed; on Debian: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 800),
		chromedp.UserDataDir(profile(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("force-prefers-reduced-motion", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	t.Cleanup(stop)
	ctx, closePage := chromedp.NewContext(ctx)
	t.Cleanup(closePage)
	ctx, cancel := context.WithTimeout(ctx, BrowserPatience)
	t.Cleanup(cancel)
	return ctx
}

// profile is a folder for a browser's state. Its helper processes write there for a moment
// longer than the browser lives, so its removal is tried until it is gone.
func profile(t testing.TB) string {
	dir, err := os.MkdirTemp("", "headroom-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		Eventually(t, "the browser's folder is gone", func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}
