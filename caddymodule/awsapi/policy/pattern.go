package policy

import "strings"

// A pattern is a text in which some characters stand for themselves whatever they are: those
// that came in place of a variable.
type pattern struct {
	text    string
	literal []bool // nil: none
}

// expand puts values in place of variables: ${aws:username}. ok is false if one is not known, or
// has no value or several.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func expand(text string, r *Request, variables bool) (p pattern, ok bool) {
	if !variables || !strings.Contains(text, "${") {
		return pattern{text: text}, true
	}
	var out strings.Builder
	var literal []bool
	add := func(s string, is bool) {
		out.WriteString(s)
		for range len(s) {
			literal = append(literal, is)
		}
	}
	for {
		before, rest, found := strings.Cut(text, "${")
		add(before, false)
		if !found {
			return pattern{out.String(), literal}, true
		}
		name, after, found := strings.Cut(rest, "}")
		if !found {
			return p, false
		}
		text = after
		if name == "*" || name == "?" || name == "$" {
			add(name, true)
			continue
		}
		name, otherwise, hasDefault := strings.Cut(name, ",")
		values := r.Context[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case len(values) == 1:
			add(values[0], true)
		case hasDefault:
			add(strings.Trim(strings.TrimSpace(otherwise), "'"), true)
		default:
			return p, false
		}
	}
}

// Like compares a text with a pattern, in which * is any text and ? is one byte. It costs at
// most the product of both lengths.
func Like(text, value string) bool { return like(pattern{text: text}, value) }

func like(of pattern, text string) bool {
	special := func(n int, c byte) bool { return of.text[n] == c && (of.literal == nil || !of.literal[n]) }
	star, from, p := -1, 0, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(of.text) && special(p, '*'):
			star, from = p, t
			p++
		case p < len(of.text) && (special(p, '?') || of.text[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for ; p < len(of.text); p++ {
		if !special(p, '*') {
			return false
		}
	}
	return true
}

// arnParts cuts a pattern at its first five colons.
func (of pattern) arnParts() (parts []pattern) {
	begin := 0
	cut := func(end int) {
		part := pattern{text: of.text[begin:end]}
		if of.literal != nil {
			part.literal = of.literal[begin:end]
		}
		parts = append(parts, part)
	}
	for n := 0; n < len(of.text) && len(parts) < 5; n++ {
		if of.text[n] == ':' && (of.literal == nil || !of.literal[n]) {
			cut(n)
			begin = n + 1
		}
	}
	cut(len(of.text))
	return parts
}

// arnLike compares the six parts of ARNs, each with its own pattern.
func arnLike(of pattern, arn string) bool {
	patterns, parts := of.arnParts(), strings.SplitN(arn, ":", 6)
	if len(patterns) != len(parts) {
		return false
	}
	for n := range parts {
		if !like(patterns[n], parts[n]) {
			return false
		}
	}
	return true
}
