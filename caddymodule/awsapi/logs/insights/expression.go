package insights

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// expression reads an expression: or, and, not, comparisons, + -, * / %, ^, in this order.
func (p *parser) expression() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, p.fail(p.token.start, p.token.end, "the expression is nested too deep")
	}
	a, err := p.conjunction()
	for err == nil && p.isWord("or") {
		if err = p.advance(); err != nil {
			break
		}
		var b node
		b, err = p.conjunction()
		a = or{a, b}
	}
	return a, err
}

func (p *parser) conjunction() (node, error) {
	a, err := p.negation()
	for err == nil && p.isWord("and") {
		if err = p.advance(); err != nil {
			break
		}
		var b node
		b, err = p.negation()
		a = and{a, b}
	}
	return a, err
}

func (p *parser) negation() (node, error) {
	flip := false
	for p.isWord("not") || p.isSymbol("!") {
		flip = !flip
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	a, err := p.comparison()
	if flip {
		a = not{a}
	}
	return a, err
}

var comparisons = []string{"=", "!=", "<", "<=", ">", ">="}

func (p *parser) comparison() (node, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.token.kind == symbolToken && slices.Contains(comparisons, p.token.text) {
		op := p.token.text
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.token.kind == regexToken {
			return nil, p.unexpected("a value; regular expressions follow like and =~")
		}
		b, err := p.sum()
		return comparison{op, a, b}, err
	}
	if p.isSymbol("=~") {
		return p.pattern(a)
	}
	flip := p.isWord("not")
	if flip {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.isWord("like") && !p.isWord("in") {
			return nil, p.unexpected("like or in after not")
		}
	}
	switch {
	case p.isWord("like"):
		a, err = p.pattern(a)
	case p.isWord("in"):
		a, err = p.membership(a)
	}
	if flip {
		a = not{a}
	}
	return a, err
}

// pattern reads what follows like and =~.
func (p *parser) pattern(of node) (node, error) {
	operator := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	t := p.token
	switch {
	case t.kind == regexToken, t.kind == textToken && operator.text == "=~":
		regex, err := p.compile(t)
		if err != nil {
			return nil, err
		}
		return matches{of, regex}, p.advance()
	case t.kind == textToken:
		return contains{of, t.text}, p.advance()
	}
	return nil, p.unexpected("a text or a regular expression")
}

func (p *parser) membership(of node) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("["); err != nil {
		return nil, err
	}
	n := in{of: of}
	if ok, err := p.accept("]"); ok || err != nil {
		return n, err
	}
	if err := p.list(func() error {
		item, err := p.sum()
		n.list = append(n.list, item)
		return err
	}); err != nil {
		return nil, err
	}
	return n, p.expect("]")
}

// operators reads operations of one rank, from the left.
func (p *parser) operators(symbols string, operand func() (node, error)) (node, error) {
	a, err := operand()
	for err == nil && p.token.kind == symbolToken && len(p.token.text) == 1 && strings.Contains(symbols, p.token.text) {
		op := p.token.text[0]
		if err = p.advance(); err != nil {
			break
		}
		var b node
		b, err = operand()
		a = binary{op, a, b}
	}
	return a, err
}

func (p *parser) sum() (node, error) { return p.operators("+-", p.product) }

func (p *parser) product() (node, error) { return p.operators("*/%", p.power) }

func (p *parser) power() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, p.fail(p.token.start, p.token.end, "the expression is nested too deep")
	}
	if p.isSymbol("-") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		a, err := p.power()
		return negative{a}, err
	}
	a, err := p.primary()
	if err != nil || !p.isSymbol("^") {
		return a, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	b, err := p.power()
	return binary{'^', a, b}, err
}

func (p *parser) primary() (node, error) {
	t := p.token
	switch t.kind {
	case numberToken:
		n, ok := parseNumber(t.text)
		if !ok {
			return nil, p.fail(t.start, t.end, "%.64q is no number", t.text)
		}
		return constant{numberOf(n)}, p.advance()
	case textToken:
		return constant{textOf(t.text)}, p.advance()
	case quotedName:
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.reference(t)
	case nameToken:
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.isSymbol("(") {
			return p.call(t)
		}
		switch strings.ToLower(t.text) {
		case "true", "false":
			return constant{booleanOf(strings.EqualFold(t.text, "true"))}, nil
		case "null":
			return constant{}, nil
		case "and", "or", "not", "in", "like", "as", "by", "asc", "desc":
			return nil, p.fail(t.start, t.end, "unexpected %q: expected a value", t.text)
		}
		return p.reference(t)
	}
	if ok, err := p.accept("("); err != nil {
		return nil, err
	} else if ok {
		inner, err := p.expression()
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	}
	return nil, p.unexpected("a value")
}

func (p *parser) reference(t token) (node, error) {
	if p.stats != nil && !p.stats.grouping {
		if slot, ok := p.stats.result.names[t.text]; ok { // an aggregate before it
			return field{slot, t.text}, nil
		}
		return nil, p.fail(t.start, t.end, "stats needs an aggregate such as max(%s) for the field %s, or the field after by", t.text, t.text)
	}
	return p.fields.find(t.text), nil
}

// call reads a function's arguments.
func (p *parser) call(t token) (node, error) {
	name := strings.ToLower(t.text)
	if p.stats != nil && !p.stats.grouping {
		if make := aggregates[name]; make != nil {
			return p.aggregate(t, make)
		}
	}
	if name == "bin" || name == "datefloor" || name == "dateceil" {
		return p.period(t, name)
	}
	f, ok := functions[name]
	switch {
	case ok || aggregates[name] != nil:
	case p.stats != nil && !p.stats.grouping:
		return nil, p.fail(t.start, t.end, "the function %.64s is not supported: the aggregates of stats are %s", t.text, strings.Join(slices.Sorted(maps.Keys(aggregates)), ", "))
	default:
		return nil, p.fail(t.start, t.end, "the function %.64s is not supported", t.text)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var args []node
	if !p.isSymbol(")") {
		if err := p.list(func() error {
			if p.isSymbol("*") { // of count(*) after stats
				args = append(args, nil)
				return p.advance()
			}
			arg, err := p.expression()
			args = append(args, arg)
			return err
		}); err != nil {
			return nil, err
		}
	}
	end := p.token.end
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if slot, ok := p.fields.names[p.lexer.query[t.start:end]]; ok && p.fields.fields[slot] == nil {
		return field{slot, p.lexer.query[t.start:end]}, nil // as stats has named it
	}
	switch {
	case aggregates[name] != nil:
		return nil, p.fail(t.start, end, "the function %s belongs to stats", t.text)
	case slices.Contains(args, nil):
		return nil, p.fail(t.start, end, "* is no argument of %s", t.text)
	case len(args) < f.least || len(args) > f.most:
		return nil, p.fail(t.start, end, "the function %s does not take %d arguments", t.text, len(args))
	}
	return call{f.run, args}, nil
}

// period reads bin(5m), bin(@timestamp, 5m), datefloor(field, 5m) and dateceil(field, 5m).
func (p *parser) period(t token, name string) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	of := p.fields.find("@timestamp")
	if name != "bin" || p.token.kind != numberToken {
		var err error
		if of, err = p.expression(); err != nil {
			return nil, err
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
	length := p.token
	millis, ok := parsePeriod(length.text)
	if length.kind != numberToken || !ok {
		return nil, p.unexpected("a period such as 30s, 5m, 1h, 1d, 1w, 1mo or 1y")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	end := p.token.end
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if slot, ok := p.fields.names[p.lexer.query[t.start:end]]; ok && p.fields.fields[slot] == nil {
		return field{slot, p.lexer.query[t.start:end]}, nil
	}
	return floor{of, millis, name == "dateceil"}, nil
}

// units are periods in milliseconds. A month has 30 days, a quarter 91 and a year 365.
var units = []struct {
	name   string
	millis float64
}{
	{"milliseconds", 1}, {"millisecond", 1}, {"msec", 1}, {"ms", 1},
	{"seconds", 1000}, {"second", 1000}, {"sec", 1000}, {"s", 1000},
	{"months", 30 * 864e5}, {"month", 30 * 864e5}, {"mons", 30 * 864e5}, {"mon", 30 * 864e5}, {"mo", 30 * 864e5},
	{"minutes", 60e3}, {"minute", 60e3}, {"mins", 60e3}, {"min", 60e3}, {"m", 60e3},
	{"hours", 36e5}, {"hour", 36e5}, {"hrs", 36e5}, {"hr", 36e5}, {"h", 36e5},
	{"days", 864e5}, {"day", 864e5}, {"d", 864e5},
	{"weeks", 7 * 864e5}, {"week", 7 * 864e5}, {"w", 7 * 864e5},
	{"quarters", 91 * 864e5}, {"quarter", 91 * 864e5}, {"qtrs", 91 * 864e5}, {"qtr", 91 * 864e5}, {"q", 91 * 864e5},
	{"years", 365 * 864e5}, {"year", 365 * 864e5}, {"yrs", 365 * 864e5}, {"yr", 365 * 864e5}, {"y", 365 * 864e5},
}

func parsePeriod(s string) (float64, bool) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 1 {
		return 0, false
	}
	n, err := strconv.ParseInt(s[:i], 10, 32)
	for _, u := range units {
		if strings.EqualFold(u.name, s[i:]) {
			return float64(n) * u.millis, err == nil && n > 0
		}
	}
	return 0, false
}
