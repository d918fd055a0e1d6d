package ng

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Dict is a dictionary: values are string, int64, []any or Dict.
type Dict map[string]any

// ErrMalformed is text that is not bencoded, or more of it than anybody needs.
var ErrMalformed = errors.New("ng: malformed bencode")

const maxDepth = 16

// encode appends v.
func encode(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		out = strconv.AppendInt(out, int64(len(v)), 10)
		return append(append(out, ':'), v...), nil
	case int64:
		return append(strconv.AppendInt(append(out, 'i'), v, 10), 'e'), nil
	case int:
		return encode(out, int64(v))
	case []string:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return encode(out, list)
	case []any:
		out = append(out, 'l')
		for _, item := range v {
			var err error
			if out, err = encode(out, item); err != nil {
				return nil, err
			}
		}
		return append(out, 'e'), nil
	case Dict:
		out = append(out, 'd')
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			var err error
			if out, err = encode(out, k); err == nil {
				out, err = encode(out, v[k])
			}
			if err != nil {
				return nil, err
			}
		}
		return append(out, 'e'), nil
	}
	return nil, fmt.Errorf("ng: %T cannot be bencoded", v)
}

// decode reads one value and gives what follows it.
func decode(text []byte, depth int) (v any, rest []byte, err error) {
	if len(text) == 0 || depth > maxDepth {
		return nil, nil, ErrMalformed
	}
	switch first := text[0]; {
	case first == 'i':
		end := slices.Index(text, 'e')
		if end < 0 {
			return nil, nil, ErrMalformed
		}
		n, err := strconv.ParseInt(string(text[1:end]), 10, 64)
		if err != nil {
			return nil, nil, ErrMalformed
		}
		return n, text[end+1:], nil
	case first >= '0' && first <= '9':
		return decodeString(text)
	case first == 'l':
		list := []any{}
		for text = text[1:]; len(text) > 0 && text[0] != 'e'; {
			var item any
			if item, text, err = decode(text, depth+1); err != nil {
				return nil, nil, err
			}
			list = append(list, item)
		}
		return closed(list, text)
	case first == 'd':
		dict := Dict{}
		for text = text[1:]; len(text) > 0 && text[0] != 'e'; {
			var key string
			if key, text, err = decodeString(text); err != nil {
				return nil, nil, err
			}
			if dict[key], text, err = decode(text, depth+1); err != nil {
				return nil, nil, err
			}
		}
		return closed(dict, text)
	}
	return nil, nil, ErrMalformed
}

// closed takes the e at the end of a list or dictionary.
func closed(v any, text []byte) (any, []byte, error) {
	if len(text) == 0 {
		return nil, nil, ErrMalformed
	}
	return v, text[1:], nil
}

func decodeString(text []byte) (string, []byte, error) {
	colon := slices.Index(text, ':')
	if colon < 1 || colon > 8 {
		return "", nil, ErrMalformed
	}
	n, err := strconv.ParseUint(string(text[:colon]), 10, 32)
	if err != nil || n > uint64(len(text)-colon-1) {
		return "", nil, ErrMalformed
	}
	from := colon + 1
	return string(text[from : from+int(n)]), text[from+int(n):], nil
}
