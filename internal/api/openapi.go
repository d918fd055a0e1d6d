package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/headroom-voice/headroom/dsp"
)

// pathOpenAPI is where the document stands.
const pathOpenAPI = "/api/v1/openapi.json"

// maxBody is the largest request body the API reads, in bytes.
const maxBody = 16 << 10

// measured is the schema of dsp.Value, which may not know of huma: a number, or null.
type measured float64

// Schema implements huma.SchemaProvider.
func (measured) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Format: "double", Nullable: true}
}

// newHuma makes the API on a router, with our errors and without huma's own pages.
func (s *Server) newHuma(r chi.Router) huma.API {
	cfg := huma.DefaultConfig("Headroom", "1")
	cfg.Info.Description = "Call-centre telephony that listens to its own headsets. Sign in with POST /api/v1/session; " +
		"every other operation wants the cookie it gives. Each operation names the roles that may use it."
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", "" // served here, to those signed in
	cfg.CreateHooks = nil                                       // no $schema links in answers
	cfg.RejectUnknownQueryParameters = true
	cfg.Transformers = []huma.Transformer{ownProblems(s.log)}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "Given by POST /api/v1/session"},
	}
	schemas := cfg.Components.Schemas
	schemas.RegisterTypeAlias(reflect.TypeFor[dsp.Value](), reflect.TypeFor[measured]())
	schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	return humachi.New(r, cfg)
}

// op describes an operation.
func op(method, path, id, tag, summary string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary,
		MaxBodyBytes: maxBody, BodyReadTimeout: 5 * time.Second,
	}
}

// register adds an operation for those with the permission.
func register[I, O any](s *Server, o huma.Operation, p permission, handle func(context.Context, *I) (*O, error)) {
	o.Security = []map[string][]string{{"session": {}}}
	o.Description = joinSentences(o.Description, "Roles: "+p.roleNames()+".")
	o.Errors = append(o.Errors, http.StatusUnauthorized, http.StatusForbidden)
	if hasPathParam(o.Path) {
		o.Errors = append(o.Errors, http.StatusNotFound)
	}
	o.Middlewares = append(o.Middlewares, require(s.huma, p))
	huma.Register(s.huma, o, handle)
}

// registerOpen adds an operation for everybody.
func registerOpen[I, O any](s *Server, o huma.Operation, handle func(context.Context, *I) (*O, error)) {
	o.Security = []map[string][]string{} // an explicit empty list: none needed
	huma.Register(s.huma, o, handle)
}

func hasPathParam(path string) bool {
	for i := range len(path) {
		if path[i] == '{' {
			return true
		}
	}
	return false
}

func joinSentences(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// document is the OpenAPI document, written once when every operation is known.
func (s *Server) document() ([]byte, error) {
	for _, schema := range s.huma.OpenAPI().Components.Schemas.Map() {
		for _, p := range schema.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false // an empty list is written as []
			}
		}
	}
	b, err := json.MarshalIndent(s.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("api: write the OpenAPI document: %w", err)
	}
	return b, nil
}
