package vtl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxTemplate is AWS's limit, maxMade bounds what a template makes, both in bytes, and maxDepth
// bounds how deep its parts are nested.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	maxTemplate = 300 << 10
	maxMade     = 1 << 20
	maxDepth    = 32
)

// ErrTooLarge says that a template makes too much.
var ErrTooLarge = errors.New("the template makes more than 1 MB")

// A Template is ready to run, by any number of goroutines at once.
type Template struct {
	nodes []node
	body  bool // it reads the body
}

// An Input is what a template reads.
type Input struct {
	Path   map[string]string
	Query  map[string][]string
	Header http.Header
	// Context has the variables of $context, by the name that follows it: identity.sourceIp.
	// Parse knows those of Contexts alone.
	Context        map[string]string
	StageVariables map[string]string
	// Authorizer is what the authorizer says of the caller, a JSON object. nil: nothing.
	Authorizer []byte
	// Body is that of the request, or, of a response template, that of the integration's answer.
	Body []byte
}

// An Output is what a template has made.
type Output struct {
	Text []byte
	// Header and Status are the overrides of the response. 0: the status is not overridden.
	Header map[string]string
	Status int
}

// Contexts are the variables of $context that a template may read.
var Contexts = []string{
	"accountId", "apiId", "domainName", "domainPrefix", "httpMethod", "path", "protocol", "requestId", "resourcePath", "stage",
	"identity.sourceIp", "identity.userAgent",
}

// A node is a part of a template.
type node interface{ run(x *execution) error }

type text string

type print struct{ of *reference }

type assignment struct {
	target *reference
	value  expression
}

// A branch is #if: the first of the cases whose condition is true runs.
type branch struct{ cases []branchCase }

type branchCase struct {
	condition expression // nil: #else
	nodes     []node
}

// An execution is one run.
type execution struct {
	in    *Input
	out   Output
	local map[string]any
	made  int    // bytes
	text  string // the body, once it is asked for
	read  bool
	value any  // the body, once it is read
	json  bool // it is JSON
	depth int  // of definitions

	objects map[string]map[string]any // the variables of API Gateway that templates list, once they are asked for
}

// Run runs the template.
func (t *Template) Run(in *Input) (*Output, error) {
	if t.body && len(in.Body) > MaxBody {
		return nil, ErrBody
	}
	x := &execution{in: in, local: make(map[string]any)}
	if err := x.all(t.nodes); err != nil {
		return nil, err
	}
	return &x.out, nil
}

func (x *execution) all(nodes []node) error {
	for _, n := range nodes {
		if err := n.run(x); err != nil {
			return err
		}
	}
	return nil
}

// spend counts what is made.
func (x *execution) spend(n int) error {
	if x.made += n; x.made > maxMade {
		return ErrTooLarge
	}
	return nil
}

func (x *execution) write(s string) error {
	if err := x.spend(len(s)); err != nil {
		return err
	}
	x.out.Text = append(x.out.Text, s...)
	return nil
}

func (t text) run(x *execution) error { return x.write(string(t)) }

func (p print) run(x *execution) error {
	value, err := p.of.value(x)
	if err != nil {
		return err
	}
	return x.write(show(value))
}

func (a *assignment) run(x *execution) error {
	value, err := a.value.value(x)
	if err != nil {
		return err
	}
	if a.target.root != "context" {
		x.local[a.target.root] = value
		return nil
	}
	name := a.target.overridden()
	if name == "" {
		status, err := strconv.Atoi(show(value))
		if err != nil || status < 200 || status > 599 {
			return fmt.Errorf("$context.responseOverride.status is %q: it is no status", show(value))
		}
		x.out.Status = status
		return nil
	}
	if x.out.Header == nil {
		x.out.Header = make(map[string]string)
	}
	x.out.Header[http.CanonicalHeaderKey(name)] = show(value)
	return nil
}

func (b *branch) run(x *execution) error {
	for _, c := range b.cases {
		if c.condition != nil {
			value, err := c.condition.value(x)
			if err != nil {
				return err
			}
			if !truth(value) {
				continue
			}
		}
		return x.all(c.nodes)
	}
	return nil
}

// truth is whether a value counts as true. Velocity takes empty text for true, as AWS does; so
// templates compare with "".
func truth(value any) bool {
	if b, ok := value.(bool); ok {
		return b
	}
	return value != nil
}

// show is a value as text.
func show(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case int:
		return strconv.Itoa(value)
	case json.Number:
		return value.String()
	case map[string]any:
		parts := make([]string, 0, len(value))
		for _, name := range sortedNames(value) {
			parts = append(parts, name+"="+show(value[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(value))
		for n, v := range value {
			parts[n] = show(v)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(value)
}

func sortedNames(of map[string]any) []string { return slices.Sorted(maps.Keys(of)) }
