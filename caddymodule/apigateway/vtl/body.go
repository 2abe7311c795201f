package vtl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// ReadsBody says whether a template reads the body.
func (t *Template) ReadsBody() bool { return t.body }

// MaxBody bounds a body that a template reads, in bytes.
const MaxBody = 1 << 20

// ErrBody says that the body is larger.
var ErrBody = errors.New("the template reads a body of more than 1 MB")

// A JSONPath is $, .name, ['name'] and [0], one after the other: the part of JSONPath that leads to
// one value.
type JSONPath struct{ steps []any } // string or int

// ParsePath reads a path.
func ParsePath(text string) (JSONPath, error) {
	var p JSONPath
	rest, found := strings.CutPrefix(text, "$")
	wrong := fmt.Errorf("the path %.100q is not supported: write $.name, $['name'] or $[0]", text)
	if !found {
		return p, wrong
	}
	for rest != "" {
		if inner, isName := strings.CutPrefix(rest, "."); isName {
			end := strings.IndexAny(inner, ".[")
			if end < 0 {
				end = len(inner)
			}
			if end == 0 || strings.ContainsAny(inner[:end], "*?@() ") {
				return p, wrong
			}
			p.steps, rest = append(p.steps, inner[:end]), inner[end:]
			continue
		}
		inner, isIndex := strings.CutPrefix(rest, "[")
		inside, after, closed := strings.Cut(inner, "]")
		if !isIndex || !closed {
			return p, wrong
		}
		rest = after
		if n, err := strconv.Atoi(inside); err == nil && n >= 0 {
			p.steps = append(p.steps, n)
			continue
		}
		if len(inside) < 3 || inside[0] != inside[len(inside)-1] || inside[0] != '\'' && inside[0] != '"' {
			return p, wrong
		}
		p.steps = append(p.steps, inside[1:len(inside)-1])
	}
	return p, nil
}

// Of is the value in a body, nil if there is none. A body that is no JSON has none.
func (p JSONPath) Of(body []byte) any {
	if len(body) <= MaxBody {
		if value, ok := parseJSON(body); ok {
			return p.in(value)
		}
	}
	return nil
}

// parseJSON reads one value and nothing after it.
func parseJSON(text []byte) (value any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return value, err == io.EOF
}

func (p JSONPath) in(value any) any {
	for _, step := range p.steps {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// Text is a value as templates and headers show it.
func Text(value any) string { return show(value) }

// parsed is the body as a value, read once.
func (x *execution) parsed() any {
	if !x.read {
		x.read, x.value = true, JSONPath{}.Of(x.in.Body)
		x.json = x.value != nil
		if !x.json && len(x.in.Body) > 0 && !json.Valid(x.in.Body) {
			x.value = string(x.in.Body) // as a form is
		}
	}
	return x.value
}

// inputBody resolves $input.body, $input.json("path") and $input.path("path").
func (p *parser) inputBody(r *reference) (known bool, err error) {
	if len(r.steps) == 0 {
		return false, nil
	}
	s := r.steps[0]
	if s.name == "body" && !s.called {
		r.get = func(x *execution) any {
			if x.text == "" {
				x.text = string(x.in.Body)
			}
			return x.text
		}
		r.steps = r.steps[1:]
		p.body = true
		return true, nil
	}
	if s.name != "json" && s.name != "path" || !s.called || len(s.values) != 1 {
		return false, nil
	}
	of, ok := s.values[0].(literal)
	text, isText := of.of.(string)
	if !ok || !isText {
		return false, nil
	}
	path, err := ParsePath(text)
	if err != nil {
		return false, p.fail("%.80s: %v", r.source, err)
	}
	p.body = true
	r.steps = r.steps[1:]
	if s.name == "path" {
		r.get = func(x *execution) any { return path.in(x.parsed()) }
		return true, nil
	}
	r.compute = func(x *execution) (any, error) {
		value := path.in(x.parsed())
		if value == nil || !x.json {
			return `""`, nil
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		return string(text), x.spend(len(text) / 16)
	}
	return true, nil
}

// utilities are the functions of $util that are supported.
var utilities = map[string]func(text string) (string, error){
	"escapeJavaScript": func(text string) (string, error) {
		var b strings.Builder
		for _, c := range text {
			switch c {
			case '"', '\'', '\\', '/':
				b.WriteByte('\\')
				b.WriteRune(c)
			case '\n':
				b.WriteString(`\n`)
			case '\r':
				b.WriteString(`\r`)
			case '\t':
				b.WriteString(`\t`)
			default:
				if c < ' ' || c > '~' {
					for _, unit := range encodeUTF16(c) {
						fmt.Fprintf(&b, `\u%04X`, unit)
					}
					continue
				}
				b.WriteRune(c)
			}
		}
		return b.String(), nil
	},
	"urlEncode":    func(text string) (string, error) { return url.QueryEscape(text), nil },
	"urlDecode":    url.QueryUnescape,
	"base64Encode": func(text string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(text)), nil },
	"base64Decode": func(text string) (string, error) {
		plain, err := base64.StdEncoding.DecodeString(text)
		return string(plain), err
	},
}

func encodeUTF16(c rune) []rune {
	if c < 0x10000 {
		return []rune{c}
	}
	c -= 0x10000
	return []rune{0xd800 + c>>10, 0xdc00 + c&0x3ff}
}

// utility resolves $util.NAME(value).
func (p *parser) utility(r *reference) bool {
	if len(r.steps) == 0 || !r.steps[0].called || len(r.steps[0].values) != 1 {
		return false
	}
	if r.steps[0].name == "parseJson" {
		of := r.steps[0].values[0]
		r.compute = func(x *execution) (any, error) { return parsedText(x, of) }
		r.members, r.steps = true, r.steps[1:]
		return true
	}
	if utilities[r.steps[0].name] == nil {
		return false
	}
	run, value := utilities[r.steps[0].name], r.steps[0].values[0]
	r.compute = func(x *execution) (any, error) {
		v, err := value.value(x)
		if err != nil {
			return nil, err
		}
		text := show(v)
		if err := x.spend(6 * len(text)); err != nil {
			return nil, err
		}
		return run(text)
	}
	r.steps = r.steps[1:]
	return true
}

// parsedText is the value of $util.parseJson.
func parsedText(x *execution, of expression) (any, error) {
	value, err := of.value(x)
	if err != nil {
		return nil, err
	}
	text := show(value)
	if err := x.spend(len(text)); err != nil {
		return nil, err
	}
	value, ok := parseJSON([]byte(text))
	if !ok {
		return nil, fmt.Errorf("$util.parseJson: %.80q is no JSON", text)
	}
	return value, nil
}

// A loop is #foreach.
type loop struct {
	name  string
	of    expression
	nodes []node
}

// each reads #foreach($x in value) ... #end.
func (p *parser) each() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	p.space()
	if p.at == len(p.text) || p.text[p.at] != '$' {
		return nil, p.fail("#foreach needs a variable")
	}
	p.at++
	l := &loop{name: p.name()}
	if l.name == "" {
		return nil, p.fail("#foreach needs a variable")
	}
	p.space()
	if p.word() != "in" {
		return nil, p.fail("#foreach: in is missing")
	}
	var err error
	if l.of, err = p.expression(); err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	p.set[l.name], p.set["foreach"] = true, true
	var end string
	if l.nodes, end, err = p.block(); err != nil {
		return nil, err
	}
	if end != "end" {
		return nil, p.fail("#foreach without #end")
	}
	return l, nil
}

// run runs the nodes for each element of a list, or each value of an object, in the order of their
// names.
func (l *loop) run(x *execution) error {
	value, err := l.of.value(x)
	if err != nil {
		return err
	}
	var all []any
	switch value := value.(type) {
	case []any:
		all = value
	case map[string]any:
		for _, name := range sortedNames(value) {
			all = append(all, value[name])
		}
	}
	outer := x.local["foreach"]
	for n, v := range all {
		x.local[l.name] = v
		x.local["foreach"] = map[string]any{"index": n, "count": n + 1, "hasNext": n+1 < len(all), "first": n == 0, "last": n+1 == len(all)}
		if err := x.spend(1 + len(l.nodes)); err != nil {
			return err
		}
		if err := x.all(l.nodes); err != nil {
			return err
		}
	}
	x.local["foreach"] = outer
	return nil
}
