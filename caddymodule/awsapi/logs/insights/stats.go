package insights

import (
	bits "encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
)

// stats is a stats command: aggregates for each group of rows.
type stats struct {
	grouping bool // by is being read
	by       []node
	bySlots  []int // in the result's scope
	makers   []func() aggregate
	args     []node // by aggregate; nil for count(*)
	slots    []int  // of the aggregates, in the result's scope
	steps    []step // over the result: expressions of aggregates
	result   *scope
}

func (p *parser) statsCommand() error {
	if p.counts++; p.counts > 2 {
		return p.fail(p.token.start, p.token.end, "a query has two stats commands at most")
	}
	s := &stats{result: newScope(false)}
	p.stats, p.result = s, s.result
	p.shown, p.display = nil, nil
	var columns []column
	err := p.list(func() error {
		from := p.token.start
		of, err := p.expression()
		if err != nil {
			return err
		}
		source := p.source(from)
		name, err := p.alias()
		if name == "" {
			name = source
		}
		slot := s.result.define(name)
		s.steps = append(s.steps, compute{slot, of})
		columns = append(columns, column{name, slot})
		return err
	})
	if err == nil && p.isWord("by") {
		s.grouping = true
		var groups []column
		if err = p.advance(); err == nil {
			err = p.list(func() error {
				from := p.token.start
				of, err := p.expression()
				if err != nil {
					return err
				}
				name := p.source(from)
				if f, ok := of.(field); ok {
					name = f.name
				}
				alias, err := p.alias()
				if alias != "" {
					name = alias
				}
				slot := s.result.define(name)
				s.by, s.bySlots = append(s.by, of), append(s.bySlots, slot)
				groups = append(groups, column{name, slot})
				return err
			})
		}
		columns = append(groups, columns...)
	}
	p.stats = nil
	if err != nil {
		return err
	}
	if len(s.makers) == 0 {
		return p.unexpected("an aggregate such as count(*)")
	}
	p.stage.stats = s
	p.fields = s.result
	p.begin()
	p.show(columns...)
	return nil
}

// aggregate reads an aggregate's arguments; t is its name.
func (p *parser) aggregate(t token, maker func(args []value) (func() aggregate, bool)) (node, error) {
	s := p.stats
	if err := p.advance(); err != nil {
		return nil, err
	}
	p.stats = nil // its arguments are expressions of the rows
	defer func() { p.stats = s }()
	var of node
	var options []value
	switch {
	case p.isSymbol("*"):
		if err := p.advance(); err != nil {
			return nil, err
		}
	case !p.isSymbol(")"):
		var err error
		if of, err = p.expression(); err != nil {
			return nil, err
		}
	}
	for p.isSymbol(",") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		option := p.token
		n, ok := parseNumber(option.text)
		if option.kind != numberToken || !ok {
			return nil, p.unexpected("a number")
		}
		options = append(options, numberOf(n))
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	end := p.token.end
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if of == nil && !strings.EqualFold(t.text, "count") {
		return nil, p.fail(t.start, end, "%s needs a field", t.text)
	}
	make, ok := maker(options)
	if !ok {
		return nil, p.fail(t.start, end, "%s does not take these arguments", t.text)
	}
	s.makers, s.args = append(s.makers, make), append(s.args, of)
	slot := s.result.define("")
	s.slots = append(s.slots, slot)
	return field{slot, t.text}, nil
}

// groups are the groups of a stats command, with their aggregates so far.
type groups struct {
	of     *stats
	budget *budget
	by     map[string]*group
	only   *group // when there is no "by"
	key    []byte
	values []value
}

type group struct {
	by         []value
	aggregates []aggregate
}

func newGroups(of *stats, b *budget) *groups {
	g := &groups{of: of, budget: b, by: make(map[string]*group)}
	if len(of.by) == 0 {
		g.only = g.begin(nil)
	}
	return g
}

func (g *groups) begin(by []value) *group {
	made := &group{by: by, aggregates: make([]aggregate, len(g.of.makers))}
	for i, make := range g.of.makers {
		made.aggregates[i] = make()
	}
	return made
}

func (g *groups) add(r *row) error {
	of := g.only
	if of == nil {
		g.values, g.key = g.values[:0], g.key[:0]
		for _, by := range g.of.by {
			v := by.eval(r)
			g.values = append(g.values, v)
			g.key = appendKey(g.key, v)
		}
		if of = g.by[string(g.key)]; of == nil {
			size := 200 + len(g.key) + 100*len(g.of.makers)
			by := make([]value, len(g.values))
			for i, v := range g.values {
				by[i] = v.clone()
				size += v.size()
			}
			if err := g.budget.take(size); err != nil {
				return err
			}
			of = g.begin(by)
			g.by[string(g.key)] = of
		}
	}
	for i, a := range of.aggregates {
		v := value{kind: boolean}
		if arg := g.of.args[i]; arg != nil {
			if v = arg.eval(r); v.kind == none {
				continue
			}
		}
		if grown := a.add(v, r); grown != 0 {
			if err := g.budget.take(grown); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendKey appends what tells values apart.
func appendKey(key []byte, v value) []byte {
	switch v.kind {
	case moment, number:
		key = append(key, byte(v.kind))
		return bits.NativeEndian.AppendUint64(key, math.Float64bits(v.number+0)) // -0 is 0
	case none:
		key = append(key, byte(none))
	default:
		s := v.String()
		key = append(key, byte(text))
		key = strconv.AppendInt(key, int64(len(s)), 10)
		key = append(append(key, ':'), s...)
	}
	return append(key, 0)
}

// merge adds the groups of another part.
func (g *groups) merge(other *groups) error {
	if g.only != nil {
		for i, a := range g.only.aggregates {
			a.merge(other.only.aggregates[i])
		}
		return nil
	}
	for key, from := range other.by {
		into := g.by[key]
		if into == nil {
			g.by[key] = from
			continue
		}
		for i, a := range into.aggregates {
			a.merge(from.aggregates[i])
		}
	}
	return nil
}

// rows are the result: in the order of what they are grouped by, the newest time first.
func (g *groups) rows() ([]*row, error) {
	all := make([]*group, 0, len(g.by)+1)
	for _, one := range g.by {
		all = append(all, one)
	}
	if g.only != nil {
		all = append(all, g.only)
	}
	slices.SortFunc(all, func(a, b *group) int {
		for i := range a.by {
			c := compare(a.by[i], b.by[i])
			if a.by[i].kind == moment {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	rows := make([]*row, len(all))
	for i, one := range all {
		r := &row{}
		r.reset(g.of.result.fields, nil)
		for j, slot := range g.of.bySlots {
			r.set(slot, one.by[j])
		}
		for j, slot := range g.of.slots {
			r.set(slot, one.aggregates[j].result())
		}
		for _, s := range g.of.steps {
			s.apply(r)
		}
		if err := g.budget.take(r.made(g.of.steps)); err != nil {
			return nil, err
		}
		rows[i] = r
	}
	return rows, nil
}
