package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// object is a JSON object. Its numbers are json.Number, so that they keep all digits.
type object = map[string]any

// decodeJSON reads one JSON value that is no deeper than MaxDepth.
func decodeJSON(body []byte) (any, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: an empty body", ErrMalformed)
		}
		// The decoder's error holds a character of the body at most.
		return nil, fmt.Errorf("%w: not JSON: %w", ErrMalformed, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON value", ErrMalformed)
	}
	return value, nil
}

// fieldsOf returns the fields of an object, as they are, and none of any other value: a
// source that hands on the body need not build what is in it.
func fieldsOf(body []byte) (map[string]json.RawMessage, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	text := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: an empty body", ErrMalformed)
	case text[0] != '{':
		if !json.Valid(body) {
			return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
		}
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("%w: not JSON: %w", ErrMalformed, err)
	}
	return fields, nil
}

// checkText refuses what no source takes.
func checkText(body []byte) error {
	if !utf8.Valid(body) {
		// encoding/json would replace the bytes, and name another object by it.
		return fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	if tooDeep(body) {
		return fmt.Errorf("%w: nested more than %d levels deep", ErrMalformed, MaxDepth)
	}
	return nil
}

func decodeObject(body []byte) (object, error) {
	value, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	o, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return o, nil
}

// tooDeep counts brackets outside of strings, before anything is built from the text.
func tooDeep(text []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// encodeJSON writes a value without escaping what only matters inside HTML.
func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// str returns a string field, "" if it is missing or has another type.
func str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

// sub returns an object field, nil (which may be read) for anything else.
func sub(o object, name string) object {
	s, _ := o[name].(object)
	return s
}

// awsTime is how AWS writes times in events.
const awsTime = "2006-01-02T15:04:05.000Z"

// formatTime writes a sender's time as S3 does. It returns a time that it cannot read unchanged.
func formatTime(s string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(awsTime)
		}
	}
	return s
}
