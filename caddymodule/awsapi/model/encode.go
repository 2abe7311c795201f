package model

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A FitError says that a value is not what a shape has.
type FitError struct {
	Path    string // of the value, e.g. /Code/S3Bucket; "" for the input itself
	Message string
}

func (e *FitError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// Fit makes a value of a template what the input of an operation has at a shape: numbers and
// booleans may be written as text, members of structures may begin with a capital where the
// model's begin with a small letter. A member that the shape does not have is a FitError.
func (s *Shape) Fit(value any, path string) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch s.Type {
	case "structure":
		return s.fitStructure(value, path)
	case "map":
		from, ok := value.(map[string]any)
		if !ok {
			return nil, unfit(path, value, "an object")
		}
		to := make(map[string]any, len(from))
		for key, v := range from {
			fitted, err := s.element.Fit(v, path+"/"+key)
			if err != nil {
				return nil, err
			}
			to[key] = fitted
		}
		return to, nil
	case "list":
		from, ok := value.([]any)
		if !ok {
			return nil, unfit(path, value, "a list")
		}
		to := make([]any, 0, len(from))
		for n, v := range from {
			fitted, err := s.element.Fit(v, path+"/"+strconv.Itoa(n))
			if err != nil {
				return nil, err
			}
			to = append(to, fitted)
		}
		return to, nil
	}
	return s.fitScalar(value, path)
}

func (s *Shape) fitStructure(value any, path string) (any, error) {
	from, ok := value.(map[string]any)
	if !ok {
		return nil, unfit(path, value, "an object")
	}
	to := make(map[string]any, len(from))
	for name, v := range from {
		m := s.Member(name)
		if m == nil {
			return nil, &FitError{path, "extraneous key [" + name + "] is not permitted"}
		}
		fitted, err := m.shape.Fit(v, path+"/"+name)
		if err != nil {
			return nil, err
		}
		if fitted != nil {
			to[m.Name] = fitted
		}
	}
	return to, nil
}

// Extraneous finds a member in a value that the shape does not have, whatever the values are.
func (s *Shape) Extraneous(value any, path string) error {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			shape := s.element
			if s.Type == "structure" {
				m := s.Member(name)
				if m == nil {
					return &FitError{path, "extraneous key [" + name + "] is not permitted"}
				}
				shape = m.shape
			}
			if shape != nil {
				if err := shape.Extraneous(inner, path+"/"+name); err != nil {
					return err
				}
			}
		}
	case []any:
		for n, inner := range v {
			if s.element != nil {
				if err := s.element.Extraneous(inner, path+"/"+strconv.Itoa(n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Member is the member of a structure with a name, whose first letter may be a capital or not;
// nil if there is none.
func (s *Shape) Member(name string) *Member {
	for _, m := range s.Members {
		if m.Name == name || upperFirst(m.Name) == name || m.Name == upperFirst(name) {
			return m
		}
	}
	return nil
}

// ShapeOf is the shape of the member.
func (m *Member) ShapeOf() *Shape { return m.shape }

// ElementOf is the shape of what a list or a map holds.
func (s *Shape) ElementOf() *Shape { return s.element }

func (s *Shape) fitScalar(value any, path string) (any, error) {
	switch s.Type {
	case "integer", "long":
		n, err := wholeNumber(value)
		if err != nil {
			return nil, unfit(path, value, "an integer")
		}
		return n, nil
	case "double", "float":
		switch v := value.(type) {
		case float64:
			return v, nil
		case int64:
			return float64(v), nil
		case int:
			return float64(v), nil
		case json.Number:
			return v.Float64()
		case string:
			if n, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
				return n, nil
			}
		}
		return nil, unfit(path, value, "a number")
	case "boolean":
		switch v := value.(type) {
		case bool:
			return v, nil
		case string:
			if b, err := strconv.ParseBool(v); err == nil && len(v) > 1 {
				return b, nil
			}
		}
		return nil, unfit(path, value, "a boolean")
	case "blob":
		switch v := value.(type) {
		case []byte:
			return v, nil
		case string:
			return []byte(v), nil
		}
		return nil, unfit(path, value, "a string")
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	}
	return nil, unfit(path, value, "a string")
}

func wholeNumber(value any) (int64, error) {
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	case json.Number:
		return strconv.ParseInt(v.String(), 10, 64)
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, strconv.ErrSyntax
}

func unfit(path string, value any, want string) error {
	is := "a string"
	switch value.(type) {
	case map[string]any:
		is = "an object"
	case []any:
		is = "a list"
	case bool:
		is = "a boolean"
	case json.Number, float64, int, int64:
		is = "a number"
	}
	return &FitError{path, fmt.Sprintf("expected type: %s, found: %s", want, is)}
}

// InputShape is the shape of the operation's input.
func (o *Operation) InputShape() *Shape { return o.input }

// An Encoding is a request without its host.
type Encoding struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte
}

// Encode makes the request of an operation with an input, which Fit made.
func (m *Model) Encode(operation string, input map[string]any) (*Encoding, error) {
	route, known := m.Operation(operation)
	if !known {
		return nil, fmt.Errorf("%s has no operation %s", m.Scope, operation)
	}
	fitted, err := route.input.Fit(input, "")
	if err != nil {
		return nil, err
	}
	values := fitted.(map[string]any)
	switch m.Protocol {
	case "query":
		form := url.Values{"Action": {operation}, "Version": {m.Version}}
		route.input.form(form, "", values)
		return &Encoding{http.MethodPost, &url.URL{Path: "/"}, http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, []byte(form.Encode())}, nil
	case "json":
		body, err := json.Marshal(route.input.document(values))
		return &Encoding{http.MethodPost, &url.URL{Path: "/"}, http.Header{
			"Content-Type": {"application/x-amz-json-" + m.JSONVersion}, "X-Amz-Target": {m.TargetPrefix + "." + operation},
		}, body}, err
	}
	return route.encodeREST(values)
}

func (r Route) encodeREST(values map[string]any) (*Encoding, error) {
	path, static, _ := strings.Cut(r.URI, "?")
	e := &Encoding{Method: r.Method, Header: http.Header{}}
	query := url.Values{}
	if static != "" {
		key, value, _ := strings.Cut(static, "=")
		query.Set(key, value)
	}
	body := make(map[string]any)
	escaped := path
	for _, m := range r.input.Members {
		value, given := values[m.Name]
		if m.Location == "uri" && (!given || textOf(value) == "") {
			return nil, &FitError{"", "required key [" + m.Name + "] not found"}
		}
		if !given {
			continue
		}
		switch m.Location {
		case "uri":
			escaped = strings.NewReplacer("{"+m.LocationName+"}", url.PathEscape(textOf(value)), "{"+m.LocationName+"+}", url.PathEscape(textOf(value))).Replace(escaped)
		case "querystring":
			if list, ok := value.([]any); ok {
				for _, one := range list {
					query.Add(m.LocationName, textOf(one))
				}
				continue
			}
			query.Set(m.LocationName, textOf(value))
		case "header":
			e.Header.Set(m.LocationName, textOf(value))
		default:
			if m.Name == r.Payload {
				e.Body, _ = value.([]byte)
				if m.shape.Type == "structure" || m.shape.Type == "map" {
					var err error
					if e.Body, err = json.Marshal(m.shape.document(value)); err != nil {
						return nil, err
					}
				}
				continue
			}
			name := m.Name
			if m.LocationName != "" {
				name = m.LocationName
			}
			body[name] = m.shape.document(value)
		}
	}
	if r.Payload == "" && r.Method != http.MethodGet && r.Method != http.MethodDelete {
		var err error
		if e.Body, err = json.Marshal(body); err != nil {
			return nil, err
		}
		e.Header.Set("Content-Type", "application/json")
	}
	unescaped, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	e.URL = &url.URL{Path: unescaped, RawPath: escaped, RawQuery: query.Encode()}
	return e, nil
}

// document is a fitted value as JSON has it.
func (s *Shape) document(value any) any {
	switch v := value.(type) {
	case map[string]any:
		to := make(map[string]any, len(v))
		for name, inner := range v {
			if s.Type == "map" {
				to[name] = s.element.document(inner)
				continue
			}
			index := slices.IndexFunc(s.Members, func(m *Member) bool { return m.Name == name })
			m := s.Members[index]
			if m.LocationName != "" {
				name = m.LocationName
			}
			to[name] = m.shape.document(inner)
		}
		return to
	case []any:
		to := make([]any, len(v))
		for n, inner := range v {
			to[n] = s.element.document(inner)
		}
		return to
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return value
}

// form writes a fitted value as the query protocol has it.
func (s *Shape) form(form url.Values, prefix string, value any) {
	dot := prefix
	if dot != "" {
		dot += "."
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Type == "map" {
			n := 0
			for key, inner := range v {
				n++
				form.Set(dot+"entry."+strconv.Itoa(n)+".key", key)
				s.element.form(form, dot+"entry."+strconv.Itoa(n)+".value", inner)
			}
			return
		}
		for _, m := range s.Members {
			if inner, given := v[m.Name]; given {
				m.shape.form(form, dot+m.Name, inner)
			}
		}
	case []any:
		if len(v) == 0 {
			form.Set(prefix, "")
		}
		for n, inner := range v {
			s.element.form(form, dot+"member."+strconv.Itoa(n+1), inner)
		}
	default:
		form.Set(prefix, textOf(value))
	}
}

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
