package cloudwatch

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// An expression of metric math: IDs of queries, numbers, + - * / ^, parentheses, and functions.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
type expression struct {
	text  string
	lines map[string]*line
	depth int
	steps int
	uses  []string // IDs, as they come
	dry   bool     // find the uses alone
	left  *int     // how many values may still be calculated; nil if dry
}

// A value is a number or a line. A list is what METRICS() or [m1, m2] is.
type value struct {
	number float64
	line   *line
	list   []*line
}

// Bounds of an expression.
const (
	maxExpression = 2048
	maxDepth      = 32
	maxSteps      = 512
)

// usesOf are the IDs that an expression has.
func usesOf(text string) ([]string, error) {
	e := &expression{text: text, dry: true}
	if len(text) > maxExpression {
		return nil, invalid("The expression is longer than %d characters.", maxExpression)
	}
	_, err := e.whole()
	return e.uses, err
}

// evaluate is the line of an expression. left is how many values it may calculate.
func evaluate(text string, lines map[string]*line, left *int) (*line, error) {
	e := &expression{text: text, lines: lines, left: left}
	v, err := e.whole()
	switch {
	case err != nil:
		return nil, err
	case v.line == nil:
		return nil, invalid("The expression %.64q must give one time series.", text)
	}
	for n, one := range v.line.values {
		if math.IsInf(one, 0) || math.IsNaN(one) { // sums of great numbers may be; answers have none
			v.line.values[n], v.line.given[n] = 0, false
		}
	}
	return v.line, nil
}

// work takes the values of a line from those that may still be calculated.
func (e *expression) work(values int) error {
	if *e.left -= values; *e.left < 0 {
		return invalid("The expressions calculate more than %d values together: ask for fewer, or a longer Period.", maxWork)
	}
	return nil
}

func (e *expression) whole() (value, error) {
	all := e.text
	v, err := e.sum()
	if e.space(); err == nil && e.text != "" {
		err = invalid("Error in expression %.64q: %.16q is not expected.", all, e.text)
	}
	return v, err
}

func (e *expression) space() { e.text = strings.TrimLeft(e.text, " \t\n") }

// takes reads one of some characters.
func (e *expression) takes(some string) byte {
	if e.space(); e.text == "" || !strings.Contains(some, e.text[:1]) {
		return 0
	}
	c := e.text[0]
	e.text = e.text[1:]
	return c
}

func (e *expression) sum() (value, error)     { return e.binary("+-", e.product) }
func (e *expression) product() (value, error) { return e.binary("*/", e.power) }

func (e *expression) binary(operators string, operand func() (value, error)) (value, error) {
	x, err := operand()
	for err == nil {
		op := e.takes(operators)
		if op == 0 {
			return x, nil
		}
		var y value
		if y, err = operand(); err == nil {
			x, err = e.combine(op, x, y)
		}
	}
	return x, err
}

func (e *expression) power() (value, error) {
	x, err := e.unary()
	if err == nil && e.takes("^") != 0 {
		var y value
		if y, err = e.unary(); err == nil {
			x, err = e.combine('^', x, y)
		}
	}
	return x, err
}

func (e *expression) unary() (value, error) {
	if e.depth++; e.depth > maxDepth {
		return value{}, invalid("The expression is too deep.")
	}
	defer func() { e.depth-- }()
	if e.takes("-") != 0 {
		x, err := e.unary()
		if err != nil {
			return x, err
		}
		return e.combine('*', value{number: -1}, x)
	}
	if e.takes("(") != 0 {
		x, err := e.sum()
		if err == nil && e.takes(")") == 0 {
			err = invalid("Error in expression: ) is missing.")
		}
		return x, err
	}
	if e.takes("[") != 0 {
		return e.array()
	}
	return e.atom()
}

func (e *expression) array() (v value, err error) {
	for {
		x, err := e.sum()
		if err != nil {
			return v, err
		}
		if x.line != nil {
			v.list = append(v.list, x.line)
		}
		if e.takes(",") == 0 {
			break
		}
	}
	if e.takes("]") == 0 {
		return v, invalid("Error in expression: ] is missing.")
	}
	return v, nil
}

func (e *expression) atom() (value, error) {
	e.space()
	n := strings.IndexFunc(e.text, func(r rune) bool {
		return r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if n < 0 {
		n = len(e.text)
	}
	word := e.text[:n]
	e.text = e.text[n:]
	switch {
	case word == "":
		return value{}, invalid("Error in expression: something is missing before %.16q.", e.text)
	case word[0] >= '0' && word[0] <= '9' || word[0] == '.':
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return value{}, invalid("Error in expression: %.32q is no number.", word)
		}
		return value{number: v}, nil
	case e.takes("(") != 0:
		return e.call(word)
	}
	e.uses = append(e.uses, word)
	if e.dry {
		return value{line: newLine(0, 1, 0)}, nil
	}
	l := e.lines[word]
	if l == nil {
		return value{}, invalid("Error in expression: there is no query %.64s.", word)
	}
	return value{line: l}, nil
}

// functions are those that expressions may have.
var functions = []string{"ABS", "AVG", "CEIL", "DIFF", "FILL", "FLOOR", "MAX", "METRICS", "MIN", "PERIOD", "RATE", "SUM"}

func (e *expression) call(name string) (value, error) {
	if !slices.Contains(functions, name) {
		return value{}, invalid("The function %.32s is not supported: this server has %s.", name, strings.Join(functions, ", "))
	}
	if e.steps++; e.steps > maxSteps {
		return value{}, invalid("The expression has too many steps.")
	}
	if name == "METRICS" {
		return e.metrics()
	}
	x, err := e.sum()
	if err != nil {
		return x, err
	}
	var fill string
	var second *value
	if e.takes(",") != 0 {
		e.space()
		for _, word := range []string{"REPEAT", "LINEAR"} {
			if rest, found := strings.CutPrefix(e.text, word); found {
				fill, e.text = word, rest
			}
		}
		if fill == "" {
			y, err := e.sum()
			if err != nil {
				return x, err
			}
			second = &y
		}
	}
	if e.takes(")") == 0 {
		return x, invalid("Error in expression: ) is missing after %s.", name)
	}
	if (name == "FILL") != (fill != "" || second != nil) {
		return x, invalid("Error in expression: %s has a wrong number of arguments.", name)
	}
	if e.dry {
		return value{line: newLine(0, 1, 0)}, nil
	}
	for _, l := range append(x.list, x.line) {
		if l == nil {
			continue
		}
		if err := e.work(len(l.values)); err != nil {
			return x, err
		}
	}
	return apply(name, x, second, fill)
}

// metrics is METRICS(), which are all queries of metrics, or METRICS("e"), those of an ID with it.
func (e *expression) metrics() (v value, err error) {
	part := ""
	if e.takes(`"`) != 0 {
		var found bool
		if part, e.text, found = strings.Cut(e.text, `"`); !found {
			return v, invalid("Error in expression: a quote is missing.")
		}
	}
	if e.takes(")") == 0 {
		return v, invalid("Error in expression: ) is missing after METRICS.")
	}
	if e.dry {
		e.uses = append(e.uses, "")
		return value{list: []*line{}}, nil
	}
	ids := make([]string, 0, len(e.lines))
	for id := range e.lines {
		if strings.Contains(id, part) && e.lines[id].metric {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		v.list = append(v.list, e.lines[id])
	}
	return v, nil
}

// combine combines two values, period by period. A period that one of them lacks has none.
func (e *expression) combine(op byte, x, y value) (value, error) {
	if e.steps++; e.steps > maxSteps {
		return value{}, invalid("The expression has too many steps.")
	}
	switch {
	case x.list != nil || y.list != nil:
		if e.dry {
			return value{line: newLine(0, 1, 0)}, nil
		}
		return value{}, invalid("Arithmetic of several time series at once is not supported: use SUM, AVG, MIN or MAX.")
	case x.line == nil && y.line == nil:
		v, ok := operate(op, x.number, y.number)
		if !ok && !e.dry {
			return value{}, invalid("Error in expression: it is not a number.")
		}
		return value{number: v}, nil
	case x.line != nil && y.line != nil && (x.line.from != y.line.from || x.line.period != y.line.period || len(x.line.values) != len(y.line.values)):
		return value{}, invalid("Metrics of an expression must have the same Period.")
	}
	like := x.line
	if like == nil {
		like = y.line
	}
	if !e.dry {
		if err := e.work(len(like.values)); err != nil {
			return value{}, err
		}
	}
	out := newLine(like.from, like.period, len(like.values))
	for n := range out.values {
		a, b := x.number, y.number
		if x.line != nil {
			if !x.line.given[n] {
				continue
			}
			a = x.line.values[n]
		}
		if y.line != nil {
			if !y.line.given[n] {
				continue
			}
			b = y.line.values[n]
		}
		out.values[n], out.given[n] = operate(op, a, b)
	}
	return value{line: out}, nil
}

func operate(op byte, a, b float64) (v float64, ok bool) {
	switch op {
	case '+':
		v = a + b
	case '-':
		v = a - b
	case '*':
		v = a * b
	case '/':
		v = a / b
	case '^':
		v = math.Pow(a, b)
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}
