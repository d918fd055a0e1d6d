package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/headroom-voice/headroom/internal/model"
)

// maxFile is the largest file read, in bytes.
const maxFile = 8 << 20

// readFile reads a configuration file of a sensible size.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("config: %s: larger than %d MiB", name, maxFile>>20)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return data, nil
}

// decode reads YAML into a struct that already holds the defaults. Everything wrong goes
// into f, which also learns the line of every key. It reports whether there is anything
// left to check: not where the file is no YAML at all.
func decode(data []byte, into any, f *findings) bool {
	f.lines, f.wrong = map[string]int{"": 1}, map[string]bool{}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		f.errors = append(f.errors, syntaxError(f.file, err))
		return false
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) > 1 {
		f.errors = append(f.errors, Error{File: f.file, Line: line(bodies[1]), Problem: "a second document; a file holds one"})
	}
	if len(bodies) > 0 {
		d := decoder{f}
		d.value(bodies[0], "", reflect.ValueOf(into).Elem())
	}
	for _, e := range f.errors {
		f.wrong[e.Key] = true
	}
	return !f.wrong[""]
}

// syntaxError gives what the parser says, without its drawing of the source.
func syntaxError(file string, err error) Error {
	out := Error{File: file, Problem: "not YAML: " + err.Error()}
	var at yaml.Error
	if errors.As(err, &at) {
		out.Problem = "not YAML: " + at.GetMessage()
		if token := at.GetToken(); token != nil && token.Position != nil {
			out.Line = token.Position.Line
		}
	}
	return out
}

// decoder walks the syntax tree along the type it is to fill. It stands in for the
// library's own strict mode, which stops at the first mistake.
type decoder struct{ *findings }

// line is where a node starts.
func line(n ast.Node) int {
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key // a mapping's own token is the colon
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// value fills v from a node.
func (d decoder) value(n ast.Node, key string, v reflect.Value) {
	if _, known := d.lines[key]; !known {
		d.lines[key] = line(n)
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.add(key, "anchors, aliases and tags are not understood here; write the value itself")
		return
	}
	if d.scalar(n, key, v) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, key, v)
	case reflect.Slice:
		d.list(n, key, v)
	case reflect.String:
		if _, secret := v.Interface().(model.Secret); secret {
			d.secret(n, key, v)
		} else if s, ok := d.text(n, key, "text"); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
		} else {
			d.add(key, "%s is not true or false", shown(n))
		}
	case reflect.Int:
		i, err := strconv.Atoi(raw(n))
		if _, ok := n.(*ast.IntegerNode); !ok || err != nil {
			d.add(key, "%s is not a whole number", shown(n))
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		d.number(n, key, v)
	default:
		panic("config: no way to read a " + v.Type().String()) // a field of a new type, found by any test
	}
}

// secret fills a text of which no message shows anything.
func (d decoder) secret(n ast.Node, key string, v reflect.Value) {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode:
		s, _ := d.text(n, key, "")
		v.SetString(s)
	default:
		d.add(key, "expected text; write it in quotes")
	}
}

// number fills a number with or without a fraction; it is finite.
func (d decoder) number(n ast.Node, key string, v reflect.Value) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		if x, err := strconv.ParseFloat(raw(n), 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			v.SetFloat(x)
			return
		}
	}
	if _, ok := n.(*ast.MappingNode); ok {
		d.add(key, "expected one number, found keys")
		return
	}
	if _, ok := n.(*ast.MappingValueNode); ok {
		d.add(key, "expected one number, found keys")
		return
	}
	d.add(key, "%s is not a number", shown(n))
}

// scalar fills the types that are written as one word; false means it is none of them.
func (d decoder) scalar(n ast.Node, key string, v reflect.Value) bool {
	var expected string
	var parse func(string) (any, error)
	switch v.Interface().(type) {
	case time.Duration:
		expected = "is not a duration; write it like 20s or 1m30s"
		parse = func(s string) (any, error) { return time.ParseDuration(s) }
	case netip.Addr:
		expected = "is not an IP address; write it like 192.0.2.10"
		parse = func(s string) (any, error) {
			if s == "" {
				return netip.Addr{}, nil
			}
			return netip.ParseAddr(s)
		}
	case netip.Prefix:
		expected = "is not an address or network; write it like 192.0.2.10 or 192.0.2.0/24"
		parse = func(s string) (any, error) { return parsePrefix(s) }
	case PortRange:
		expected = "is not a range of ports; write it like 20000-29999"
		parse = func(s string) (any, error) { return parsePortRange(s) }
	case slog.Level:
		expected = "is not a log level; write debug, info, warn or error"
		parse = func(s string) (any, error) { return parseLevel(s) }
	default:
		return false
	}
	s, ok := d.text(n, key, strings.TrimPrefix(strings.SplitN(expected, ";", 2)[0], "is not "))
	if !ok {
		return true
	}
	value, err := parse(s)
	if err != nil {
		d.add(key, "%q %s", s, expected)
		return true
	}
	v.Set(reflect.ValueOf(value))
	return true
}

// text gives the words of a scalar. A whole number counts as text, digit for digit, so
// that a telephone number needs no quotes.
func (d decoder) text(n ast.Node, key, expected string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		return raw(n), true
	}
	d.add(key, "expected %s, found %s", expected, shown(n))
	return "", false
}

// mapping fills a struct. Keys that are not there keep their defaults.
func (d decoder) mapping(n ast.Node, key string, v reflect.Value) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode: // "http:" with everything under it commented out
		return
	default:
		d.add(key, "expected keys (%s), found %s", strings.Join(keysOf(v.Type()), ", "), shown(n))
		return
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name := raw(pair.Key)
		path := join(key, name)
		d.lines[path] = line(pair)
		field, ok := fieldOf(v, name)
		switch {
		case !ok:
			d.add(path, "unknown key; expected one of %s", strings.Join(keysOf(v.Type()), ", "))
		case seen[name]:
			d.add(path, "the key is there twice")
		default:
			d.value(pair.Value, path, field)
		}
		seen[name] = true
	}
}

// list fills a slice; its elements start from their type's defaults.
func (d decoder) list(n ast.Node, key string, v reflect.Value) {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		for i, element := range n.Values {
			e := reflect.New(v.Type().Elem()).Elem()
			setDefaults(e)
			d.value(element, fmt.Sprintf("%s[%d]", key, i), e)
			v.Set(reflect.Append(v, e))
		}
	default:
		d.add(key, "expected a list, found %s", shown(n))
	}
}

// join puts a name behind a key.
func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// fieldOf finds a struct's field by its yaml tag.
func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf lists a struct's keys.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// raw is a scalar as it was written, without quotes.
func raw(n ast.Node) string {
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// shown names what was found, for a message.
func shown(n ast.Node) string {
	switch n.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.LiteralNode:
		return "a block of text"
	}
	return strconv.Quote(raw(n))
}
