package vtl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An expression has a value: text, a number, true or false, a list, or nothing.
type expression interface {
	value(x *execution) (any, error)
}

type literal struct{ of any }

func (l literal) value(*execution) (any, error) { return l.of, nil }

// parts is text with references in it.
type parts []expression

func (s parts) value(x *execution) (any, error) {
	var b strings.Builder
	for _, part := range s {
		value, err := part.value(x)
		if err != nil {
			return nil, err
		}
		shown := show(value)
		if err := x.spend(len(shown)); err != nil {
			return nil, err
		}
		b.WriteString(shown)
	}
	return b.String(), nil
}

type list []expression

func (l list) value(x *execution) (any, error) {
	values := make([]any, len(l))
	for n, e := range l {
		var err error
		if values[n], err = e.value(x); err != nil {
			return nil, err
		}
		// A list shows as text what it holds, so it costs as much.
		if err := x.spend(1 + len(show(values[n]))); err != nil {
			return nil, err
		}
	}
	return values, nil
}

type negation struct{ of expression }

func (n negation) value(x *execution) (any, error) {
	value, err := n.of.value(x)
	return !truth(value), err
}

// A pair is two values and what joins them: || && == != or what compares numbers.
type pair struct {
	operator    string
	left, right expression
}

func (o *pair) value(x *execution) (any, error) {
	left, err := o.left.value(x)
	if err != nil {
		return nil, err
	}
	switch o.operator {
	case "||":
		if truth(left) {
			return true, nil
		}
	case "&&":
		if !truth(left) {
			return false, nil
		}
	}
	right, err := o.right.value(x)
	if err != nil {
		return nil, err
	}
	if o.operator == "==" || o.operator == "!=" {
		a, b := show(left), show(right)
		return (a == b) == (o.operator == "=="), x.spend((len(a) + len(b)) / 16)
	}
	if o.operator == "||" || o.operator == "&&" {
		return truth(right), nil
	}
	first, second := show(left), show(right)
	if err := x.spend((len(first) + len(second)) / 16); err != nil {
		return nil, err
	}
	return o.compare(first, second)
}

// compare compares numbers.
func (o *pair) compare(left, right string) (any, error) {
	a, err := strconv.ParseFloat(left, 64)
	b, err2 := strconv.ParseFloat(right, 64)
	if err != nil || err2 != nil {
		return nil, fmt.Errorf("%.40q %s %.40q: only numbers can be compared so", left, o.operator, right)
	}
	switch o.operator {
	case ">=":
		return a >= b, nil
	case "<=":
		return a <= b, nil
	case ">":
		return a > b, nil
	}
	return a < b, nil
}

// levels are the operators of pairs, those that bind least first.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!="}, {">=", "<=", ">", "<"}}

func (p *parser) expression() (expression, error) { return p.level(0) }

func (p *parser) level(n int) (expression, error) {
	if n == len(levels) {
		return p.operand()
	}
	left, err := p.level(n + 1)
	for err == nil {
		p.space()
		rest := p.text[p.at:]
		at := slices.IndexFunc(levels[n], func(operator string) bool { return strings.HasPrefix(rest, operator) })
		if at < 0 {
			return left, nil
		}
		p.at += len(levels[n][at])
		var right expression
		if right, err = p.level(n + 1); err == nil {
			left = &pair{levels[n][at], left, right}
		}
	}
	return nil, err
}

func (p *parser) operand() (expression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("it is nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.space(); p.at == len(p.text) {
		return nil, p.fail("a value is missing")
	}
	switch c := p.text[p.at]; {
	case c == '!':
		p.at++
		of, err := p.operand()
		return negation{of}, err
	case c == '(':
		p.at++
		of, err := p.expression()
		if err != nil {
			return nil, err
		}
		return of, p.expect(')')
	case c == '[':
		p.at++
		of, err := p.values(']')
		return list(of), err
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c == '$':
		r, err := p.reference()
		if err != nil {
			return nil, err
		}
		if r == nil || r.isOverride() {
			return nil, p.fail("a value is missing after $")
		}
		return r, nil
	case c >= '0' && c <= '9':
		begin := p.at
		for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
			p.at++
		}
		number, err := strconv.Atoi(p.text[begin:p.at])
		if err != nil {
			return nil, p.fail("the number %.20s is too large", p.text[begin:p.at])
		}
		return literal{number}, nil
	}
	switch word := p.word(); word {
	case "true", "false":
		return literal{word == "true"}, nil
	case "":
		return nil, p.fail("%q is not supported here", p.text[p.at])
	default:
		return nil, p.fail("%.40q is not supported here", word)
	}
}

// values reads expressions until the end, which a comma does not begin.
func (p *parser) values(end byte) (all []expression, err error) {
	if p.space(); p.at < len(p.text) && p.text[p.at] == end {
		p.at++
		return nil, nil
	}
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
		if p.space(); p.at < len(p.text) && p.text[p.at] == ',' {
			p.at++
			continue
		}
		return all, p.expect(end)
	}
}

// quoted reads text in quotes. A double quote lets references in.
func (p *parser) quoted(quote byte) (expression, error) {
	begin := p.at + 1
	length := strings.IndexByte(p.text[begin:], quote)
	if length < 0 {
		return nil, p.fail("a text in quotes does not end")
	}
	inner := p.text[begin : begin+length]
	p.at = begin + length + 1
	if quote == '\'' || !strings.Contains(inner, "$") {
		return literal{inner}, nil
	}
	inside := parser{text: p.text[:begin+length], at: begin, depth: p.depth, set: p.set, defining: p.defining, wanted: p.wanted}
	var all parts
	for inside.at < len(inside.text) {
		next := strings.IndexByte(inside.text[inside.at:], '$')
		if next < 0 {
			next = len(inside.text) - inside.at
		}
		if next > 0 {
			all = append(all, literal{inside.text[inside.at : inside.at+next]})
			inside.at += next
			continue
		}
		r, err := inside.reference()
		if err != nil {
			return nil, err
		}
		p.body = p.body || inside.body
		if r == nil {
			inside.at++
			all = append(all, literal{"$"})
			continue
		}
		all = append(all, r)
	}
	return all.joined(), nil
}

// joined is one text if there is no reference among the parts, as in "$.name".
func (s parts) joined() expression {
	var whole strings.Builder
	for _, part := range s {
		of, ok := part.(literal)
		text, isText := of.of.(string)
		if !ok || !isText {
			return s
		}
		whole.WriteString(text)
	}
	return literal{whole.String()}
}
