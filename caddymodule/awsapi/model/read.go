package model

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A FormatError says that a request cannot be read: AWS's SerializationException.
type FormatError struct {
	Message string
}

func (e *FormatError) Error() string { return e.Message }

func malformed(format string, args ...any) error {
	return &FormatError{fmt.Sprintf(format, args...)}
}

// Read checks what a request asks and puts it into a struct, whose fields have the
// names of the operation's members; those it does not have are left out. body is
// the request's, which has been read. The errors are *FormatError and
// *ValidationError.
func (r Route) Read(request *http.Request, body []byte, into any) error {
	values, err := r.Members(request, body)
	if err != nil {
		return err
	}
	var c checker
	c.check(r.input, "", values)
	if len(c.violations) > 0 {
		return &ValidationError{c.violations}
	}
	fill(values, into)
	return nil
}

// Members are what Read takes of a request, by the names of the members, before it is checked:
// nothing that the operation does not look at. The errors are *FormatError.
func (r Route) Members(request *http.Request, body []byte) (map[string]any, error) {
	values := make(map[string]any, 4)
	if err := r.readHead(request, values); err != nil {
		return nil, err
	}
	switch {
	case r.Payload != "":
		if len(body) > 0 {
			values[r.Payload] = body
		}
	case len(body) > 0 && r.Method != http.MethodGet:
		if err := r.readBody(body, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// ReadObject is Read for a body that has been decoded into what package json makes of JSON, with
// numbers as json.Number.
func (r Route) ReadObject(object map[string]any, into any) error {
	values, err := r.ObjectMembers(object)
	if err != nil {
		return err
	}
	var c checker
	c.check(r.input, "", values)
	if len(c.violations) > 0 {
		return &ValidationError{c.violations}
	}
	fill(values, into)
	return nil
}

// ObjectMembers is Members for such a body.
func (r Route) ObjectMembers(object map[string]any) (map[string]any, error) {
	values := make(map[string]any, 4)
	return values, r.readObject(object, values)
}

// readHead reads the members that are in the path, the query and the header.
func (r Route) readHead(request *http.Request, values map[string]any) error {
	var query url.Values
	for _, m := range r.input.Members {
		var given []string
		switch m.Location {
		case "uri":
			index := slices.Index(r.labels, m.LocationName)
			given = r.named[index : index+1]
		case "querystring":
			if query == nil && request.URL.RawQuery != "" {
				query = request.URL.Query()
			}
			given = query[m.LocationName]
		case "header":
			given = request.Header.Values(m.LocationName)
		}
		if len(given) == 0 {
			continue
		}
		value, err := m.shape.parse(given)
		if err != nil {
			return err
		}
		values[m.Name] = value
	}
	return nil
}

// parse reads a value that was given as text.
func (s *Shape) parse(given []string) (any, error) {
	one := given[0]
	switch s.Type {
	case "list":
		list := make([]any, len(given))
		for i, v := range given {
			list[i] = v
		}
		return list, nil
	case "integer", "long":
		n, err := strconv.ParseInt(one, 10, 64)
		if err != nil {
			return nil, malformed("STRING_VALUE can not be converted to %s", s.typeName())
		}
		return n, s.fits(n)
	case "boolean":
		b, err := strconv.ParseBool(one)
		if err != nil {
			return nil, malformed("STRING_VALUE can not be converted to %s", s.typeName())
		}
		return b, nil
	case "double", "float":
		n, err := strconv.ParseFloat(one, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, malformed("STRING_VALUE can not be converted to %s", s.typeName())
		}
		return n, nil
	case "timestamp":
		t, err := time.Parse(time.RFC3339, one)
		if err != nil {
			return nil, malformed("STRING_VALUE can not be converted to %s", s.typeName())
		}
		return t, nil
	}
	return one, nil
}

func (r Route) readBody(body []byte, values map[string]any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return malformed("Could not parse request body into json: %s", reason(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed("Could not parse request body into json: there is more after its end")
	}
	object, ok := document.(map[string]any)
	if !ok {
		return unexpected(document, "a structure")
	}
	return r.readObject(object, values)
}

// readObject reads the members of a body that has been decoded as JSON is.
func (r Route) readObject(object, values map[string]any) error {
	for _, m := range r.input.Members {
		if m.Location != "" {
			continue
		}
		if err := m.take(object, values); err != nil {
			return err
		}
	}
	return nil
}

// take reads a member of a JSON object. null is as good as nothing, to AWS too.
func (m *Member) take(object, values map[string]any) error {
	name := m.Name
	if m.LocationName != "" {
		name = m.LocationName
	}
	given := object[name]
	if given == nil {
		return nil
	}
	value, err := m.shape.convert(given)
	if err != nil {
		return err
	}
	values[m.Name] = value
	return nil
}

// convert makes a value of the shape's type of what JSON has: structures and
// maps are map[string]any, with known members only.
func (s *Shape) convert(given any) (any, error) {
	switch s.Type {
	case "structure":
		object, ok := given.(map[string]any)
		if !ok {
			return nil, unexpected(given, "a structure")
		}
		values := make(map[string]any, len(object))
		for _, m := range s.Members {
			if err := m.take(object, values); err != nil {
				return nil, err
			}
		}
		return values, nil
	case "map":
		object, ok := given.(map[string]any)
		if !ok {
			return nil, unexpected(given, "a map")
		}
		values := make(map[string]any, len(object))
		for key, v := range object {
			if v == nil {
				continue
			}
			value, err := s.element.convert(v)
			if err != nil {
				return nil, err
			}
			values[key] = value
		}
		return values, nil
	case "list":
		list, ok := given.([]any)
		if !ok {
			return nil, unexpected(given, "a list")
		}
		values := make([]any, 0, len(list))
		for _, v := range list {
			if v == nil {
				return nil, malformed("a list holds null")
			}
			value, err := s.element.convert(v)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return values, nil
	}
	return s.scalar(given)
}

func (s *Shape) scalar(given any) (any, error) {
	switch given := given.(type) {
	case string:
		switch s.Type {
		case "string":
			return given, nil
		case "blob":
			data, err := base64.StdEncoding.DecodeString(given)
			if err != nil {
				return nil, malformed("a blob is no Base64")
			}
			return data, nil
		case "timestamp":
			return s.parse([]string{given})
		}
	case bool:
		if s.Type == "boolean" {
			return given, nil
		}
	case json.Number:
		return s.numberOf(given)
	}
	return nil, unexpected(given, s.typeName())
}

func (s *Shape) numberOf(given json.Number) (any, error) {
	switch s.Type {
	case "integer", "long":
		n, err := given.Int64()
		if err != nil {
			return nil, malformed("NUMBER_VALUE can not be converted to %s", s.typeName())
		}
		return n, s.fits(n)
	case "double":
		n, err := given.Float64()
		if err != nil {
			return nil, malformed("NUMBER_VALUE can not be converted to %s", s.typeName())
		}
		return n, nil
	case "timestamp":
		seconds, err := given.Float64()
		// Past the year 9999 no client can write it.
		if err != nil || math.Abs(seconds) > 253402300799 {
			return nil, malformed("NUMBER_VALUE can not be converted to %s", s.typeName())
		}
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
	}
	return nil, malformed("NUMBER_VALUE can not be converted to %s", s.typeName())
}

func (s *Shape) fits(n int64) error {
	if s.Type == "integer" && (n < math.MinInt32 || n > math.MaxInt32) {
		return malformed("NUMBER_VALUE can not be converted to %s", s.typeName())
	}
	return nil
}

func (s *Shape) typeName() string {
	switch s.Type {
	case "integer":
		return "an Integer"
	case "long":
		return "a Long"
	case "double":
		return "a Double"
	case "boolean":
		return "a Boolean"
	case "timestamp":
		return "a Timestamp"
	case "blob":
		return "a Blob"
	}
	return "a String"
}

// unexpected says what a value is instead of what it should be.
func unexpected(given any, want string) error {
	switch given := given.(type) {
	case map[string]any:
		return malformed("Start of structure or map found where not expected.")
	case []any:
		return malformed("Start of list found where not expected.")
	case bool:
		return malformed("%s can not be converted to %s", strings.ToUpper(strconv.FormatBool(given))+"_VALUE", want)
	case json.Number:
		return malformed("NUMBER_VALUE can not be converted to %s", want)
	}
	return malformed("STRING_VALUE can not be converted to %s", want)
}

func reason(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected end of input"
	}
	return err.Error()
}
