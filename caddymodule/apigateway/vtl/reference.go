package vtl

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A reference is $name and the steps after it.
type reference struct {
	source  string // as it is written
	root    string
	steps   []step
	get     func(x *execution) any          // of $input, $context and $stageVariables
	compute func(x *execution) (any, error) // of $util and of variables, in place of get
	members bool                            // the value may be an object, with members
}

// A step is .name, or .name(values).
type step struct {
	name   string
	called bool
	values []expression
	regexp *regexp.Regexp // of matches
}

// builtins are the variables that API Gateway sets.
var builtins = []string{"input", "context", "stageVariables", "util"}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isName(c byte) bool   { return isLetter(c) || c >= '0' && c <= '9' || c == '-' }

func (p *parser) name() string {
	begin := p.at
	if p.at == len(p.text) || !isLetter(p.text[p.at]) {
		return ""
	}
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	return p.text[begin:p.at]
}

// reference reads $name, nil if none begins here; then nothing is read.
func (p *parser) reference() (*reference, error) {
	begin := p.at
	if p.at == len(p.text) || p.text[p.at] != '$' {
		return nil, nil
	}
	p.at++
	if p.at < len(p.text) && p.text[p.at] == '!' {
		p.at++
	}
	braced := p.at < len(p.text) && p.text[p.at] == '{'
	if braced {
		p.at++
	}
	r := &reference{root: p.name()}
	if r.root == "" {
		p.at = begin
		return nil, nil
	}
	for p.at+1 < len(p.text) {
		if p.text[p.at] == '[' && (len(r.steps) > 0 || p.set[r.root] || p.defining) {
			p.at++
			key, err := p.values(']')
			if err != nil {
				return nil, err
			}
			r.steps = append(r.steps, step{name: "get", called: true, values: key})
			continue
		}
		if p.text[p.at] != '.' || !isLetter(p.text[p.at+1]) {
			break
		}
		p.at++
		s := step{name: p.name()}
		if p.at < len(p.text) && p.text[p.at] == '(' {
			p.at++
			s.called = true
			var err error
			if s.values, err = p.values(')'); err != nil {
				return nil, err
			}
		}
		r.steps = append(r.steps, s)
	}
	if braced {
		if p.at == len(p.text) || p.text[p.at] != '}' {
			return nil, p.fail("${%s: } is missing", r.root)
		}
		p.at++
	}
	r.source = p.text[begin:p.at]
	return r, p.resolve(r)
}

// isOverride says whether the reference is one of the response's overrides.
func (r *reference) isOverride() bool {
	return r.root == "context" && len(r.steps) > 0 && r.steps[0].name == "responseOverride"
}

// overridden is the header that an override is of, "" for the status.
func (r *reference) overridden() string {
	if len(r.steps) == 3 {
		return r.steps[2].name
	}
	return ""
}

// resolve checks a reference and finds what it reads.
func (p *parser) resolve(r *reference) error {
	refused := func() error { return p.fail("%.80s is not supported here", r.source) }
	plain := func(steps []step) bool { return !slices.ContainsFunc(steps, func(s step) bool { return s.called }) }
	switch r.root {
	case "context":
		if r.isOverride() {
			header := len(r.steps) == 3 && r.steps[1].name == "header"
			if !plain(r.steps) || !header && (len(r.steps) != 2 || r.steps[1].name != "status") {
				return refused()
			}
			return nil
		}
		if len(r.steps) > 0 && !r.steps[0].called && (r.steps[0].name == "authorizer" || r.steps[0].name == "identity" && (len(r.steps) == 1 || r.steps[1].called)) {
			r.get, r.members = (*execution).identity, true
			if r.steps[0].name == "authorizer" {
				r.get = (*execution).authorizer
			}
			r.steps = r.steps[1:]
			return p.methods(r)
		}
		var name string
		for n, s := range r.steps {
			if name = strings.TrimPrefix(name+"."+s.name, "."); !s.called && slices.Contains(Contexts, name) {
				r.get = func(x *execution) any { return x.in.Context[name] }
				r.steps = r.steps[n+1:]
				return p.methods(r)
			}
		}
		return refused()
	case "stageVariables":
		if len(r.steps) == 0 || r.steps[0].called {
			r.get = (*execution).stageVariables
			return p.methods(r)
		}
		name := r.steps[0].name
		r.get = func(x *execution) any { return x.in.StageVariables[name] }
		r.steps = r.steps[1:]
	case "input":
		known, err := p.inputBody(r)
		if err != nil {
			return err
		}
		if !known && !p.parameters(r) {
			return refused()
		}
	case "util":
		if !p.utility(r) {
			return refused()
		}
	default:
		if slices.Contains(builtins, r.root) {
			return refused()
		}
		// The target of the first #set is not set yet.
		if !p.set[r.root] && len(r.steps) > 0 {
			err := p.fail("$%s is not set", r.root)
			if !p.defining {
				return err
			}
			if p.wanted[r.root] == nil {
				p.wanted[r.root] = err
			}
		}
		root := r.root
		r.members = true
		r.compute = func(x *execution) (any, error) {
			if d, ok := x.local[root].(*definition); ok {
				return d.render(x)
			}
			return x.local[root], nil
		}
	}
	return p.methods(r)
}

// parameters resolves $input.params("x") and $input.params().header.get("x").
func (p *parser) parameters(r *reference) bool {
	if len(r.steps) == 0 || r.steps[0].name != "params" || !r.steps[0].called {
		return false
	}
	name := func(s step) (string, bool) {
		if len(s.values) != 1 {
			return "", false
		}
		of, ok := s.values[0].(literal)
		text, isText := of.of.(string)
		return text, ok && isText
	}
	if len(r.steps[0].values) > 0 {
		of, ok := name(r.steps[0])
		r.get = func(x *execution) any { return x.in.parameter(of) }
		r.steps = r.steps[1:]
		return ok
	}
	if len(r.steps) < 3 || r.steps[1].called || r.steps[2].called && r.steps[2].name != "get" {
		r.get, r.members, r.steps = (*execution).parameters, true, r.steps[1:]
		return true
	}
	of := r.steps[2].name
	if r.steps[2].called {
		var ok bool
		if of, ok = name(r.steps[2]); !ok {
			return false
		}
	}
	switch r.steps[1].name {
	case "header":
		r.get = func(x *execution) any { return x.in.header(of) }
	case "querystring":
		r.get = func(x *execution) any { return x.in.query(of) }
	case "path":
		r.get = func(x *execution) any { return x.in.Path[of] }
	default:
		return false
	}
	r.steps = r.steps[3:]
	return true
}

// parameter looks for a parameter in the path, the query and the header, in this order.
func (in *Input) parameter(name string) any {
	if value, ok := in.Path[name]; ok {
		return value
	}
	if value := in.query(name); value != "" {
		return value
	}
	return in.header(name)
}

func (in *Input) query(name string) string {
	if values := in.Query[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (in *Input) header(name string) string {
	if values := in.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}
