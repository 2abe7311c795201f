package insights

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// MaxQuery is how long a query may be, in bytes; AWS's limit.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
const MaxQuery = 10000

// MaxResults is how many rows a query has at most, and those that no limit is given for.
const MaxResults = 10000

// maxDepth bounds how deep expressions are nested.
const maxDepth = 100

// Parse makes a plan of a query. limit is how many rows it has at most when the query itself does
// not say; 0 is MaxResults. An error is a *SyntaxError.
func Parse(query string, limit int) (*Plan, error) {
	p := &parser{lexer: lexer{query: query}, plan: &Plan{query: query}, fields: newScope(true)}
	p.begin()
	if len(query) > MaxQuery {
		return nil, p.fail(MaxQuery, len(query), "a query has %d characters at most", MaxQuery)
	}
	if err := p.query(); err != nil {
		return nil, err
	}
	p.finish(limit)
	return p.plan, nil
}

type parser struct {
	lexer
	token   token // the next one
	plan    *Plan
	fields  *scope
	stage   *stage
	shown   []column // by fields, parse and stats
	display []column // by display
	limited bool
	counts  int // of stats commands
	depth   int
	regexes int // the cost of all regular expressions
	// Within a stats command: where its aggregates go.
	stats  *stats
	result *scope
}

func (p *parser) begin() {
	p.stage = &stage{fields: p.fields}
	p.plan.stages = append(p.plan.stages, p.stage)
}

func (p *parser) advance() error {
	t, err := p.next()
	p.token = t
	return err
}

func (p *parser) isSymbol(s string) bool { return p.token.kind == symbolToken && p.token.text == s }

func (p *parser) isWord(s string) bool {
	return p.token.kind == nameToken && strings.EqualFold(p.token.text, s)
}

// accept takes a symbol when it is the next token.
func (p *parser) accept(symbol string) (bool, error) {
	if !p.isSymbol(symbol) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(symbol string) error {
	if !p.isSymbol(symbol) {
		return p.unexpected(fmt.Sprintf("%q", symbol))
	}
	return p.advance()
}

func (p *parser) unexpected(wanted string) error {
	return p.fail(p.token.start, p.token.end, "unexpected %s: expected %s", p.token.describe(), wanted)
}

var commands = map[string]func(*parser) error{
	"fields": (*parser).fieldsCommand, "filter": (*parser).filterCommand, "parse": (*parser).parseCommand,
	"stats": (*parser).statsCommand, "sort": (*parser).sortCommand, "limit": (*parser).limitCommand,
	"dedup": (*parser).dedupCommand, "display": (*parser).displayCommand,
}

// unsupported are commands of the language that are refused by name.
var unsupported = []string{"pattern", "diff", "unmask", "unnest", "lookup", "join", "anomaly", "filterindex", "source", "addtotals", "append", "eval", "head", "tail", "set"}

func (p *parser) query() error {
	if err := p.advance(); err != nil {
		return err
	}
	if p.token.kind == endToken {
		return p.fail(0, 0, "the query is empty")
	}
	for {
		t := p.token
		run := commands[strings.ToLower(t.text)]
		switch {
		case t.kind == nameToken && run != nil:
		case t.kind == nameToken && slices.Contains(unsupported, strings.ToLower(t.text)):
			return p.fail(t.start, t.end, "the command %s is not supported: fields, filter, parse, stats, sort, limit, dedup and display are", t.text)
		default:
			return p.unexpected("a command: fields, filter, parse, stats, sort, limit, dedup or display")
		}
		if err := p.advance(); err != nil {
			return err
		}
		if err := run(p); err != nil {
			return err
		}
		if p.token.kind == endToken {
			return nil
		}
		if err := p.expect("|"); err != nil {
			return err
		}
	}
}

// source is the text of the query from a byte to the next token, for the name of a column.
func (p *parser) source(from int) string {
	s := p.lexer.query[from:p.token.start]
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

// name reads a name for a field.
func (p *parser) name() (string, error) {
	t := p.token
	if t.kind != nameToken && t.kind != quotedName || t.text == "" {
		return "", p.unexpected("the name of a field")
	}
	return t.text, p.advance()
}

// alias reads "as NAME" when it is there.
func (p *parser) alias() (string, error) {
	if !p.isWord("as") {
		return "", nil
	}
	if err := p.advance(); err != nil {
		return "", err
	}
	return p.name()
}

// list reads items between commas.
func (p *parser) list(item func() error) error {
	for {
		if err := item(); err != nil {
			return err
		}
		if more, err := p.accept(","); err != nil || !more {
			return err
		}
	}
}

// columns reads what fields and display have: expressions, with names if they like.
func (p *parser) columns() ([]column, error) {
	var columns []column
	err := p.list(func() error {
		from := p.token.start
		of, err := p.expression()
		if err != nil {
			return err
		}
		source := p.source(from)
		name, err := p.alias()
		if err != nil {
			return err
		}
		if f, ok := of.(field); ok && name == "" {
			columns = append(columns, column{f.name, f.slot})
			return nil
		}
		if name == "" {
			name = source
		}
		slot := p.fields.define(name)
		p.stage.steps = append(p.stage.steps, compute{slot, of})
		columns = append(columns, column{name, slot})
		return nil
	})
	return columns, err
}

func (p *parser) show(columns ...column) {
	for _, c := range columns {
		if i := slices.IndexFunc(p.shown, func(s column) bool { return s.name == c.name }); i >= 0 {
			p.shown[i] = c
		} else {
			p.shown = append(p.shown, c)
		}
	}
}

func (p *parser) fieldsCommand() error {
	columns, err := p.columns()
	p.show(columns...)
	return err
}

func (p *parser) displayCommand() (err error) {
	p.display, err = p.columns()
	return err
}

func (p *parser) filterCommand() error {
	condition, err := p.expression()
	p.stage.steps = append(p.stage.steps, filter{condition})
	return err
}

func (p *parser) sortCommand() error {
	if p.isWord("by") { // AWS's sample queries have it, and it changes nothing
		if err := p.advance(); err != nil {
			return err
		}
	}
	var keys []sortKey
	err := p.list(func() error {
		of, err := p.expression()
		if err != nil {
			return err
		}
		f, ok := of.(field)
		// A field that a later step computes anew has another slot.
		if !ok {
			f = field{slot: p.fields.define("")}
			p.stage.steps = append(p.stage.steps, compute{f.slot, of})
		}
		key := sortKey{slot: f.slot}
		if key.down = p.isWord("desc"); key.down || p.isWord("asc") {
			err = p.advance()
		}
		keys = append(keys, key)
		return err
	})
	p.stage.sort = append(keys, p.stage.sort...)
	if s := p.stage.sort; err == nil && len(s) == 1 && s[0].down && s[0].slot == p.times() && len(p.plan.stages) == 1 {
		p.stage.sort = nil // the newest first is the order anyhow, and one that needs not all events
	}
	return err
}

// times is the slot of @timestamp as events have it, -1 when there is none.
func (p *parser) times() int {
	slot, ok := p.fields.names["@timestamp"]
	if !ok || p.fields.fields[slot] == nil {
		return -1
	}
	return slot
}

func (p *parser) limitCommand() error {
	t := p.token
	n, err := strconv.Atoi(t.text)
	if t.kind != numberToken || err != nil || n < 1 || n > MaxResults {
		return p.unexpected(fmt.Sprintf("a whole number from 1 to %d", MaxResults))
	}
	p.stage.limit, p.limited = n, true
	p.begin()
	return p.advance()
}

func (p *parser) dedupCommand() error {
	err := p.list(func() error {
		of, err := p.expression()
		p.stage.dedup = append(p.stage.dedup, of)
		return err
	})
	p.begin()
	return err
}

// parseCommand reads parse [FIELD] "glob" as NAMES, or parse [FIELD] /regex/.
func (p *parser) parseCommand() error {
	of := p.fields.find("@message")
	if p.token.kind == nameToken || p.token.kind == quotedName {
		name, err := p.name()
		if err != nil {
			return err
		}
		of = p.fields.find(name)
	}
	if p.isSymbol("/") { // the lexer could not know
		p.at = p.token.start
		t, err := p.regex()
		if err != nil {
			return err
		}
		p.token, p.last = t, t
	}
	pattern := p.token
	switch pattern.kind {
	case textToken, regexToken:
	default:
		return p.unexpected("a text with * or a regular expression")
	}
	if err := p.advance(); err != nil {
		return err
	}
	var names []string
	if p.isWord("as") {
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.list(func() error {
			name, err := p.name()
			names = append(names, name)
			return err
		}); err != nil {
			return err
		}
	}
	s := extract{of: of}
	if pattern.kind == textToken {
		s.glob = strings.Split(pattern.text, "*")
		if n := len(s.glob) - 1; n == 0 || n != len(names) {
			return p.fail(pattern.start, pattern.end, "the pattern of parse has %d wildcards (*) for %d names after as", n, len(names))
		}
	} else {
		var err error
		if s.regex, err = p.compile(pattern); err != nil {
			return err
		}
		for i, group := range s.regex.SubexpNames() {
			if group != "" {
				s.groups = append(s.groups, i)
				if len(names) < len(s.groups) {
					names = append(names, group)
				}
			}
		}
		if len(s.groups) == 0 && len(names) > 0 && s.regex.NumSubexp() == len(names) {
			for i := range names {
				s.groups = append(s.groups, i+1)
			}
		}
		if len(s.groups) == 0 || len(s.groups) != len(names) {
			return p.fail(pattern.start, pattern.end, "the regular expression of parse needs named groups, (?<name>...)")
		}
	}
	for _, name := range names {
		slot := p.fields.define(name)
		s.slots = append(s.slots, slot)
		p.show(column{name, slot})
	}
	p.stage.steps = append(p.stage.steps, s)
	return nil
}

// maxRegexes bounds the cost of the regular expressions of a query: how many instructions they have,
// about. Each may be looked at for each character of an event.
const maxRegexes = 5000

func (p *parser) compile(t token) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(t.text, syntax.Perl)
	if err == nil {
		if p.regexes += costOf(tree); p.regexes > maxRegexes {
			return nil, p.fail(t.start, t.end, "the regular expressions of the query are too large, with their repetitions")
		}
	}
	regex, err := regexp.Compile(t.text)
	if err != nil {
		return nil, p.fail(t.start, t.end, "the regular expression is not valid, or not of RE2's kind: %v", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return regex, nil
}

// costOf is about how many instructions a regular expression has.
func costOf(re *syntax.Regexp) (cost int) {
	for _, sub := range re.Sub {
		cost += costOf(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		cost = len(re.Rune)
	case syntax.OpRepeat:
		cost *= max(re.Min, re.Max, 1)
	default:
		cost++
	}
	return min(cost, maxRegexes+1)
}

// finish decides which columns the result has.
func (p *parser) finish(limit int) {
	if !p.limited && limit > 0 {
		p.stage.limit = min(limit, MaxResults)
	}
	columns := p.shown
	if p.display != nil {
		columns = p.display
	}
	if len(columns) == 0 {
		for _, name := range []string{"@timestamp", "@message"} {
			columns = append(columns, column{name, p.fields.slot(name)})
		}
	}
	p.plan.columns = columns
	p.plan.events = p.fields.events
	p.plan.needle = p.plan.findNeedle()
}
