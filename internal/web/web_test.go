package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// build is what Vite makes, in small.
func build() fs.FS {
	return fstest.MapFS{
		".keep":                {},
		"index.html":           {Data: []byte(`<script type="module" src="/assets/index-abc.js"></script>`)},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/index-abc.js":  {Data: []byte("start()")},
		"assets/index-abc.css": {Data: []byte("body{}")},
	}
}

func get(t *testing.T, files fs.FS, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	handler(files).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

func TestEveryAddressGetsThePageOrTheFileItNames(t *testing.T) {
	tests := []struct {
		path   string
		status int
		kind   string
		cache  string
		body   string
	}{
		{"/", 200, "text/html", "no-cache", "/assets/index-abc.js"},
		{"/index.html", 200, "text/html", "no-cache", "/assets/index-abc.js"},
		{"/headsets/Jabra~20Evolve2~2040~2f00A1", 200, "text/html", "no-cache", "/assets/index-abc.js"},
		{"/calls/1/", 200, "text/html", "no-cache", "/assets/index-abc.js"},
		{"/assets/index-abc.js", 200, "text/javascript", "public, max-age=31536000, immutable", "start()"},
		{"/assets/index-abc.css", 200, "text/css", "public, max-age=31536000, immutable", "body{}"},
		{"/favicon.svg", 200, "image/svg+xml", "no-cache", "<svg/>"},
		{"/assets/index-old.js", 404, "text/plain", "no-cache", "404"},
		{"/assets/", 404, "text/plain", "no-cache", "404"},
		{"/.keep", 200, "text/html", "no-cache", "/assets/index-abc.js"},
		{"/../web.go", 200, "text/html", "no-cache", "/assets/index-abc.js"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			res := get(t, build(), http.MethodGet, tt.path)
			if body := res.Body.String(); res.Code != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("%d %q, want %d with %q", res.Code, body, tt.status, tt.body)
			}
			if kind := res.Header().Get("Content-Type"); !strings.HasPrefix(kind, tt.kind) {
				t.Errorf("type %q, want %s", kind, tt.kind)
			}
			if cache := res.Header().Get("Cache-Control"); tt.status == 200 && cache != tt.cache {
				t.Errorf("cache %q, want %q", cache, tt.cache)
			}
			csp := res.Header().Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
		})
	}
}

func TestPagesCanOnlyBeRead(t *testing.T) {
	if res := get(t, build(), http.MethodPost, "/"); res.Code != http.StatusMethodNotAllowed || res.Header().Get("Allow") == "" {
		t.Errorf("%d, Allow %q", res.Code, res.Header().Get("Allow"))
	}
	if res := get(t, build(), http.MethodHead, "/"); res.Code != http.StatusOK || res.Body.Len() != 0 {
		t.Errorf("HEAD: %d %q", res.Code, res.Body)
	}
}

func TestAServiceWithoutItsPagesSaysHowToBuildThem(t *testing.T) {
	for _, path := range []string{"/", "/queues"} {
		res := get(t, fstest.MapFS{".keep": {}}, http.MethodGet, path)
		if res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), "make web") {
			t.Errorf("%s: %d %q", path, res.Code, res.Body)
		}
	}
}

func TestWhatIsEmbeddedIsServed(t *testing.T) {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusOK && w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	if !strings.Contains(w.Body.String(), "Headroom") {
		t.Errorf("no Headroom in %q", w.Body.String())
	}
}
