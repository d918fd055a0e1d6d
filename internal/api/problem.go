package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
)

// problemType is the media type of every error answer (RFC 9457).
const problemType = "application/problem+json"

// requestIDHeader names a request to the caller and in the log.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// requestID gives the request's name, or "" outside of one.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// nameRequest gives every request a name of our own making; one that a stranger chose
// would let them write into the log.
func nameRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
		id := hex.EncodeToString(raw[:])
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// newProblem makes the body of an error answer.
func newProblem(ctx context.Context, status int, detail string) Problem {
	return Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, RequestID: requestID(ctx)}
}

// writeProblem answers with an error outside of huma's handlers.
func writeProblem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(newProblem(r.Context(), status, detail)) // the client may have gone
}

// ownProblems turns huma's error into ours on its way out. What a person sent is not
// echoed (it may have been a password), and of an internal error nothing leaves the house:
// the words go to the log under the request's name.
func ownProblems(log *slog.Logger) huma.Transformer {
	return func(ctx huma.Context, _ string, v any) (any, error) {
		e, ok := v.(*huma.ErrorModel)
		if !ok {
			return v, nil
		}
		p := newProblem(ctx.Context(), e.Status, e.Detail)
		if e.Status == http.StatusInternalServerError {
			p.Detail = "the service could not do this; its log says why under this request_id"
			logInternal(ctx, log, e)
			return p, nil
		}
		for _, d := range e.Errors {
			if d != nil {
				p.Errors = append(p.Errors, ProblemField{Message: d.Message, Location: d.Location})
			}
		}
		return p, nil
	}
}

func logInternal(ctx huma.Context, log *slog.Logger, e *huma.ErrorModel) {
	if errors.Is(ctx.Context().Err(), context.Canceled) {
		return // nobody is waiting for this answer
	}
	attrs := []any{"request_id", requestID(ctx.Context()), "operation", ctx.Operation().OperationID}
	for _, d := range e.Errors {
		if d != nil {
			attrs = append(attrs, "err", d.Message)
		}
	}
	log.Error("request failed", attrs...)
}

// catchPanics answers 500 in place of a broken connection and logs where it came from.
func catchPanics(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &recorder{ResponseWriter: w}
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if err, is := v.(error); is && errors.Is(err, http.ErrAbortHandler) || r.Context().Err() != nil {
					panic(http.ErrAbortHandler) // the client has gone; nothing of ours is wrong
				}
				log.Error("request panicked", "request_id", requestID(r.Context()),
					"method", r.Method, "panic", v, "stack", string(debug.Stack()))
				if rec.status != 0 {
					panic(http.ErrAbortHandler) // half an answer is out: break it off
				}
				writeProblem(w, r, http.StatusInternalServerError,
					"the service could not do this; its log says why under this request_id")
			}()
			next.ServeHTTP(rec, r)
		})
	}
}

// recorder remembers the status that was sent; 0 while none was.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and the WebSocket upgrade reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ours reports whether a path belongs to the API rather than to the pages.
func ours(path string) bool {
	return path == "/api" || strings.HasPrefix(path, "/api/")
}

// notFound answers for every path no route matched: a problem below /api, the pages elsewhere.
func notFound(pages http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case ours(r.URL.Path):
			writeProblem(w, r, http.StatusNotFound, "there is no such address")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, r, http.StatusMethodNotAllowed, "pages can only be read")
		case pages == nil:
			writeProblem(w, r, http.StatusNotFound, "this service has no pages")
		default:
			pages.ServeHTTP(w, r)
		}
	}
}

// methodNotAllowed answers for a known path with another method, and says which would do.
func methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		var allowed []string
		for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if routes.Match(chi.NewRouteContext(), m, path) {
				allowed = append(allowed, m)
			}
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, r, http.StatusMethodNotAllowed, "this address does not take "+knownMethod(r.Method))
	}
}

// knownMethod keeps what a stranger calls a method out of answers and metric labels.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}
