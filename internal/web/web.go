package web

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy lets the pages load nothing but what is embedded here and talk to nobody but this
// service: no inline script or style, no frame, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// notBuilt is what people see who built the service without its pages.
const notBuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Headroom</title></head>
<body><h1>Headroom runs, but its pages were not built</h1>
<p>Run <code>make web</code> (it needs Node.js 18 or newer with npm), build the service again and start it.</p>
<p>The API works without them: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>, <a href="/healthz">/healthz</a>.</p>
</body></html>
`

// Handler serves the pages. Files named by their content may be kept by browsers for a year;
// everything else is asked for each time. Any other address gets the application, which
// finds the page by itself; a missing file of the build is 404. When the pages were not
// built, every address says how to build them.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(fmt.Sprintf("web: %v", err)) // the folder is compiled in
	}
	return handler(files)
}

// handler serves a build, or what to do when there is none.
func handler(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	index, err := fs.ReadFile(files, "index.html")
	built := err == nil
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "pages can only be read", http.StatusMethodNotAllowed)
			return
		}
		if !built {
			h.Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(notBuilt)) // the reader may have gone
			return
		}
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		switch {
		case isFile(files, name):
			if strings.HasPrefix(name, "assets/") {
				h.Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			server.ServeHTTP(w, r)
		case name == "assets" || strings.HasPrefix(name, "assets/"):
			http.NotFound(w, r) // of another build; the application must not pose as a script
		default:
			// Not ServeFileFS: it would send /index.html to / by way of the browser.
			http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(index))
		}
	})
}

// isFile reports whether the build has a file of this name that is to be served as it is.
func isFile(files fs.FS, name string) bool {
	if name == "" || name == "index.html" || strings.HasPrefix(path.Base(name), ".") {
		return false
	}
	info, err := fs.Stat(files, name)
	return err == nil && !info.IsDir()
}
