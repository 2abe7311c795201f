package vtl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A parser reads a template from its begin to its end.
type parser struct {
	text  string
	at    int
	depth int
	set   map[string]bool // local variables that were assigned so far
	body  bool            // the template reads the body

	defining bool             // inside #define, whose variables may be set after it
	wanted   map[string]error // what is wrong if a variable of a definition is never set
}

// An Error says what in a template is wrong, or not supported.
type Error struct {
	Line    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d of the template: %s", e.Line, e.Message) }

func (p *parser) fail(format string, args ...any) error {
	return &Error{1 + strings.Count(p.text[:min(p.at, len(p.text))], "\n"), fmt.Sprintf(format, args...)}
}

// Parse reads a template.
func Parse(template string) (*Template, error) {
	p := &parser{text: template, set: make(map[string]bool), wanted: make(map[string]error)}
	if len(template) > maxTemplate {
		return nil, p.fail("it has %d bytes, %d at most", len(template), maxTemplate)
	}
	nodes, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "" {
		return nil, p.fail("#%s without #if", end)
	}
	for _, name := range slices.Sorted(maps.Keys(p.wanted)) {
		if !p.set[name] {
			return nil, p.wanted[name]
		}
	}
	return &Template{nodes, p.body}, nil
}

// block reads until the directive that ends it, which it returns: end, else, elseif, or "" at
// the end of the template.
func (p *parser) block() (nodes []node, end string, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, "", p.fail("it is nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	for {
		next := strings.IndexAny(p.text[p.at:], "#$")
		if next < 0 {
			next = len(p.text) - p.at
		}
		if next > 0 {
			nodes = append(nodes, text(p.text[p.at:p.at+next]))
			p.at += next
		}
		if p.at == len(p.text) {
			return nodes, "", nil
		}
		var n node
		if p.text[p.at] == '$' {
			n, err = p.printed()
		} else {
			n, end, err = p.directive()
		}
		if err != nil || end != "" {
			return nodes, end, err
		}
		if n != nil {
			nodes = append(nodes, n)
		}
	}
}

// printed reads a reference in text. A $ that begins none is text.
func (p *parser) printed() (node, error) {
	r, err := p.reference()
	if err != nil {
		return nil, err
	}
	if r == nil {
		p.at++
		return text("$"), nil
	}
	if r.root == "context" && r.isOverride() {
		return nil, p.fail("$context.responseOverride can be set, not read")
	}
	return print{r}, nil
}

// word reads letters.
func (p *parser) word() string {
	begin := p.at
	for p.at < len(p.text) && p.text[p.at] >= 'a' && p.text[p.at] <= 'z' {
		p.at++
	}
	return p.text[begin:p.at]
}

// directive reads what begins with #. end is set for those that end a block.
func (p *parser) directive() (n node, end string, err error) {
	begin := p.at
	p.at++
	switch {
	case strings.HasPrefix(p.text[p.at:], "#"):
		line := strings.IndexByte(p.text[p.at:], '\n')
		if line < 0 {
			line = len(p.text) - p.at - 1
		}
		p.at += line + 1
		return nil, "", nil
	case strings.HasPrefix(p.text[p.at:], "*"):
		length := strings.Index(p.text[p.at:], "*#")
		if length < 0 {
			return nil, "", p.fail("a comment does not end")
		}
		p.at += length + 2
		return nil, "", nil
	}
	braced := p.at < len(p.text) && p.text[p.at] == '{'
	if braced {
		p.at++
	}
	word := p.word()
	if braced && word != "" {
		if p.at == len(p.text) || p.text[p.at] != '}' {
			return nil, "", p.fail("#{%s: } is missing", word)
		}
		p.at++
	}
	switch word {
	case "set":
		n, err = p.assignment()
		return n, "", err
	case "if":
		n, err = p.branch()
		return n, "", err
	case "foreach":
		n, err = p.each()
		return n, "", err
	case "define":
		n, err = p.definition()
		return n, "", err
	case "end", "else", "elseif":
		return nil, word, nil
	case "":
		p.at = begin + 1
		return text("#"), "", nil
	}
	return nil, "", p.fail("#%s is not supported here", word)
}

func (p *parser) expect(c byte) error {
	if p.space(); p.at == len(p.text) || p.text[p.at] != c {
		return p.fail("%q is missing", c)
	}
	p.at++
	return nil
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) assignment() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	p.space()
	target, err := p.reference()
	if err != nil {
		return nil, err
	}
	switch {
	case target == nil:
		return nil, p.fail("#set needs a variable")
	case target.root == "context" && target.isOverride():
	case len(target.steps) > 0 || slices.Contains(builtins, target.root):
		return nil, p.fail("%s cannot be set here", target.source)
	}
	if err := p.expect('='); err != nil {
		return nil, err
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	if target.root != "context" {
		p.set[target.root] = true
	}
	return &assignment{target, value}, p.expect(')')
}

func (p *parser) branch() (node, error) {
	b := new(branch)
	for word := "if"; ; {
		var c branchCase
		if word != "else" {
			if err := p.expect('('); err != nil {
				return nil, err
			}
			var err error
			if c.condition, err = p.expression(); err != nil {
				return nil, err
			}
			if err := p.expect(')'); err != nil {
				return nil, err
			}
		}
		var end string
		var err error
		if c.nodes, end, err = p.block(); err != nil {
			return nil, err
		}
		b.cases = append(b.cases, c)
		switch {
		case end == "end":
			return b, nil
		case end == "":
			return nil, p.fail("#%s without #end", word)
		case word == "else":
			return nil, p.fail("#%s after #else", end)
		}
		word = end
	}
}
