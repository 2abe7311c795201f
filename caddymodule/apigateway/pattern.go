package apigateway

import (
	"fmt"
	"strings"
)

// A pattern is the path of a route, e.g. "/pets/{id}/{proxy+}", by segments. The
// zero pattern takes no parameters.
type pattern struct {
	segments []segment
	takes    bool // there is a parameter in it
}

type segment struct {
	text   string // of a parameter, its name
	isName bool
	greedy bool // takes the rest of the path; the last segment only
}

// parsePattern reads a path with {name} and {name+} segments.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
func parsePattern(path string) (pattern, error) {
	if !strings.HasPrefix(path, "/") {
		return pattern{}, fmt.Errorf("path %q: it begins with /", path)
	}
	var p pattern
	seen := map[string]bool{}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		s := segment{text: part}
		if strings.ContainsAny(part, "{}") {
			inner, ok := strings.CutPrefix(part, "{")
			inner, closed := strings.CutSuffix(inner, "}")
			s.isName = true
			s.text, s.greedy = strings.CutSuffix(inner, "+")
			switch {
			case !ok || !closed || s.text == "" || strings.ContainsAny(s.text, "{}+"):
				return pattern{}, fmt.Errorf("segment %q: a parameter is a whole segment, {name} or {name+}", part)
			case s.greedy && i != len(parts)-1:
				return pattern{}, fmt.Errorf("segment %q: a parameter that takes the rest of the path comes last", part)
			case seen[s.text]:
				return pattern{}, fmt.Errorf("segment %q: the name comes twice", part)
			}
			seen[s.text] = true
			p.takes = true
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

// match appends the parameters that the pattern takes from path to dst; none
// when the path has another shape. As recorded from REST APIs, one slash at the
// path's end does not count.
func (p *pattern) match(dst []Parameter, path string) []Parameter {
	if !p.takes {
		return dst
	}
	rest := strings.TrimPrefix(path, "/")
	rest = strings.TrimSuffix(rest, "/")
	none := dst[:0]
	for i, s := range p.segments {
		if s.greedy {
			if rest == "" {
				return none
			}
			return append(dst, Parameter{s.text, rest})
		}
		part, after, more := strings.Cut(rest, "/")
		if more != (i < len(p.segments)-1) {
			return none
		}
		switch {
		case s.isName && part != "":
			dst = append(dst, Parameter{s.text, part})
		case s.isName || s.text != part:
			return none
		}
		rest = after
	}
	return dst
}
