package insights

import (
	"regexp/syntax"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

type needle = logs.Needle

// findNeedle is the longest text that every event has that the filters of the first stage take.
func (p *Plan) findNeedle() needle {
	first := p.stages[0]
	var best needle
	for _, s := range first.steps {
		if f, ok := s.(filter); ok {
			best = longer(best, p.wanted(f.condition))
		}
	}
	return best
}

func longer(a, b needle) needle {
	if len(b.Text) > len(a.Text) {
		return b
	}
	return a
}

// wanted is text that every event has for which the condition is true.
func (p *Plan) wanted(condition node) needle {
	switch n := condition.(type) {
	case and:
		return longer(p.wanted(n.a), p.wanted(n.b))
	case contains:
		if p.original(n.of) == "@message" {
			return needle{Text: piece(n.text)}
		}
		return p.present(n.of)
	case matches:
		if p.original(n.of) == "@message" {
			return needle{Text: piece(literalOf(n.regex.String()))}
		}
		return p.present(n.of)
	case in:
		return p.present(n.of)
	case call:
		return needle{}
	case comparison:
		best := longer(p.present(n.a), p.present(n.b))
		c, ok := n.b.(constant)
		if !ok || n.op != "=" || c.v.kind != text {
			return best
		}
		if _, ok := c.v.asNumber(); ok {
			return best
		}
		switch name := p.original(n.a); {
		case name == "@message", name == "@requestId":
			return longer(best, needle{Text: piece(c.v.text)})
		case name == "@type":
			return needle{Text: c.v.text + " RequestId: "}
		case !strings.HasPrefix(name, "@") && name != "" && plainJSON(c.v.text) && c.v.text != "true" && c.v.text != "false":
			return longer(best, needle{Text: c.v.text, JSON: true})
		}
		return best
	}
	return needle{}
}

// original is the name of the field when it is the event's own; "" otherwise.
func (p *Plan) original(n node) string {
	f, ok := n.(field)
	if !ok || p.stages[0].fields.fields[f.slot] == nil {
		return ""
	}
	return f.name
}

// present is text that an event with the field has.
func (p *Plan) present(n node) needle {
	switch name := p.original(n); name {
	case "":
	case "@duration", "@billedDuration", "@memorySize", "@maxMemoryUsed":
		return needle{Text: reportPrefix}
	case "@initDuration":
		return needle{Text: "Init Duration: "}
	default:
		if strings.HasPrefix(name, "@") {
			break
		}
		// A key may have the dots, and numbers may be indexes: the last name will do.
		last := name[strings.LastIndexByte(name, '.')+1:]
		if plainJSON(last) && strings.Trim(last, "0123456789") != "" {
			return needle{Text: last + `"`, JSON: true}
		}
	}
	return needle{}
}

// plainJSON reports whether JSON encodes the text as itself, unless it uses \u where it need not.
func plainJSON(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '/' {
			return false
		}
	}
	return s != ""
}

// piece is the longest part of a text that stands in the file as it is.
func piece(s string) string {
	best := ""
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\t' || r == '\r' }) {
		if len(part) > len(best) {
			best = part
		}
	}
	return best
}

// literalOf is the longest text that all that a regular expression matches has.
func literalOf(expression string) string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return ""
	}
	return literalIn(re.Simplify())
}

func literalIn(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literalIn(re.Sub[0])
	case syntax.OpConcat:
		best := ""
		for _, sub := range re.Sub {
			if l := literalIn(sub); len(l) > len(best) {
				best = l
			}
		}
		return best
	}
	return ""
}
