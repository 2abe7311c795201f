package apigateway

import (
	"fmt"
	"strings"
)

// A Pattern is the path of a route, e.g. "/pets/{id}/{proxy+}", by segments. The
// zero Pattern takes no parameters.
type Pattern struct {
	Path     string // as it was written
	Segments []Segment
	takes    bool // there is a parameter in it
}

// A Segment is what stands between two slashes of a path.
type Segment struct {
	Text   string // of a parameter, its name
	IsName bool   // it is a parameter
	Greedy bool   // takes the rest of the path; the last segment only
}

// ParseKey reads a route as API Gateway writes it: "$default", or a method (or ANY) and a
// path. The method and the pattern of "$default" are zero.
func ParseKey(key string) (method string, p Pattern, err error) {
	if key == "$default" {
		return "", Pattern{}, nil
	}
	method, path, found := strings.Cut(key, " ")
	if !found || method == "" || strings.ToUpper(method) != method {
		return "", Pattern{}, fmt.Errorf("route %q: write $default, GET /path or ANY /path/{name}", key)
	}
	if p, err = parsePattern(path); err != nil {
		return "", Pattern{}, fmt.Errorf("route %q: %w", key, err)
	}
	return method, p, nil
}

// parsePattern reads a path with {name} and {name+} segments.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
func parsePattern(path string) (Pattern, error) {
	if !strings.HasPrefix(path, "/") {
		return Pattern{}, fmt.Errorf("path %q: it begins with /", path)
	}
	p := Pattern{Path: path}
	seen := map[string]bool{}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		s := Segment{Text: part}
		if strings.ContainsAny(part, "{}") {
			inner, ok := strings.CutPrefix(part, "{")
			inner, closed := strings.CutSuffix(inner, "}")
			s.IsName = true
			s.Text, s.Greedy = strings.CutSuffix(inner, "+")
			switch {
			case !ok || !closed || s.Text == "" || strings.ContainsAny(s.Text, "{}+"):
				return Pattern{}, fmt.Errorf("segment %q: a parameter is a whole segment, {name} or {name+}", part)
			case s.Greedy && i != len(parts)-1:
				return Pattern{}, fmt.Errorf("segment %q: a parameter that takes the rest of the path comes last", part)
			case seen[s.Text]:
				return Pattern{}, fmt.Errorf("segment %q: the name comes twice", part)
			}
			seen[s.Text] = true
			p.takes = true
		}
		p.Segments = append(p.Segments, s)
	}
	return p, nil
}

// Names are those of the parameters.
func (p *Pattern) Names() []string {
	var names []string
	for _, s := range p.Segments {
		if s.IsName {
			names = append(names, s.Text)
		}
	}
	return names
}

// Match appends the parameters that the pattern takes from path to dst; none
// when the path has another shape. As recorded from REST APIs, one slash at the
// path's end does not count. If the path has another shape only because slashes are encoded, they
// are taken for slashes, as HTTP APIs do.
func (p *Pattern) Match(dst []Parameter, path string) []Parameter {
	if !p.takes {
		return dst
	}
	all := p.match(dst, path)
	if len(all) == 0 {
		if slashed := Slashed(path); len(slashed) != len(path) {
			return p.match(dst, slashed)
		}
	}
	return all
}

func (p *Pattern) match(dst []Parameter, path string) []Parameter {
	rest := strings.TrimPrefix(path, "/")
	rest = strings.TrimSuffix(rest, "/")
	none := dst[:0]
	for i, s := range p.Segments {
		if s.Greedy {
			if rest == "" {
				return none
			}
			return append(dst, Parameter{s.Text, rest})
		}
		part, after, more := strings.Cut(rest, "/")
		if more != (i < len(p.Segments)-1) {
			return none
		}
		switch {
		case s.IsName && part != "":
			dst = append(dst, Parameter{s.Text, part})
		case s.IsName || s.Text != unescape(part, false):
			return none
		}
		rest = after
	}
	return dst
}
