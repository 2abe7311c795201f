package filterpattern

import (
	"errors"
	"fmt"
	"strings"
)

// A predicate is said of a JSON document or of a field.
type predicate func(any) bool

// A parser reads atoms joined by && and ||, of which && binds closer, and by
// parentheses.
type parser struct {
	rest  string
	atom  func(*parser) (predicate, error)
	depth int
}

// maxDepth bounds nested parentheses; the length of a pattern does as well.
const maxDepth = 64

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) take(token string) bool {
	p.space()
	rest, found := strings.CutPrefix(p.rest, token)
	if found {
		p.rest = rest
	}
	return found
}

// whole reads an expression that is all there is.
func (p *parser) whole() (predicate, error) {
	match, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest != "" {
		return nil, fmt.Errorf("%.40q is more than is expected", p.rest)
	}
	return match, nil
}

func (p *parser) either() (predicate, error) {
	left, err := p.both()
	for err == nil && p.take("||") {
		var right predicate
		if right, err = p.both(); err == nil {
			first := left
			left = func(v any) bool { return first(v) || right(v) }
		}
	}
	return left, err
}

func (p *parser) both() (predicate, error) {
	left, err := p.single()
	for err == nil && p.take("&&") {
		var right predicate
		if right, err = p.single(); err == nil {
			first := left
			left = func(v any) bool { return first(v) && right(v) }
		}
	}
	return left, err
}

func (p *parser) single() (predicate, error) {
	if !p.take("(") {
		return p.atom(p)
	}
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("parentheses are nested over %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	match, err := p.either()
	if err == nil && !p.take(")") {
		err = errors.New("a closing parenthesis is missing")
	}
	return match, err
}
