package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A matcher judges a leaf of the event: string, json.Number, bool, nil, or absent.
type matcher func(value any) bool

func isOperator(name string) bool {
	switch name {
	case "exact", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists":
		return true
	}
	return false
}

func parseMatcher(value any) (matcher, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return equal(value)
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("%s: one operator to an object", inWords(value))
	}
	for name, operand := range object {
		m, err := parseOperator(name, operand)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return m, nil
	}
	return nil, nil
}

func parseOperator(name string, operand any) (matcher, error) {
	switch name {
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
		return parseString(name, operand)
	case "anything-but":
		return parseAnythingBut(operand)
	case "numeric":
		return parseNumeric(operand)
	case "cidr":
		return parseCIDR(operand)
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, errors.New("true or false is wanted")
		}
		return func(v any) bool { return (v != absent{}) == want }, nil
	}
	return nil, errors.New("no such operator; there are prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr and exists")
}

// equal compares as EventBridge does: numbers by their text, so that 300 is not 300.0.
func equal(want any) (matcher, error) {
	if _, ok := want.([]any); ok {
		return nil, errors.New("an array inside an array; name the values side by side")
	}
	return func(v any) bool { return v == want }, nil
}

func parseString(name string, operand any) (matcher, error) {
	if object, ok := operand.(map[string]any); ok && (name == "prefix" || name == "suffix") {
		folded, ok := object["equals-ignore-case"].(string)
		if !ok || len(object) != 1 {
			return nil, errors.New(`a string or {"equals-ignore-case": string} is wanted`)
		}
		if name == "prefix" {
			return onString(func(s string) bool { return hasPrefixFold(s, folded) }), nil
		}
		return onString(func(s string) bool { return hasSuffixFold(s, folded) }), nil
	}
	want, ok := operand.(string)
	if !ok {
		return nil, errors.New("a string is wanted")
	}
	switch name {
	case "prefix":
		return onString(func(s string) bool { return strings.HasPrefix(s, want) }), nil
	case "suffix":
		return onString(func(s string) bool { return strings.HasSuffix(s, want) }), nil
	case "equals-ignore-case":
		return onString(func(s string) bool { return strings.EqualFold(s, want) }), nil
	}
	w, err := parseWildcard(want)
	if err != nil {
		return nil, err
	}
	return onString(w.match), nil
}

func onString(match func(string) bool) matcher {
	return func(v any) bool {
		s, ok := v.(string)
		return ok && match(s)
	}
}

// hasPrefixFold compares rune by rune, because a letter and its other case may differ
// in length.
func hasPrefixFold(s, prefix string) bool {
	have, want := []rune(s), []rune(prefix)
	return len(have) >= len(want) && strings.EqualFold(string(have[:len(want)]), prefix)
}

func hasSuffixFold(s, suffix string) bool {
	have, want := []rune(s), []rune(suffix)
	return len(have) >= len(want) && strings.EqualFold(string(have[len(have)-len(want):]), suffix)
}

// parseAnythingBut accepts a value, an array of strings or of numbers, or one of the
// operators on strings with one or several operands.
func parseAnythingBut(operand any) (matcher, error) {
	var but []matcher
	switch operand := operand.(type) {
	case map[string]any:
		if len(operand) != 1 {
			return nil, errors.New("one operator to an object")
		}
		for name, inner := range operand {
			switch name {
			case "prefix", "suffix", "equals-ignore-case", "wildcard":
			default:
				return nil, fmt.Errorf("%s: not possible here; prefix, suffix, equals-ignore-case and wildcard are", name)
			}
			operands, ok := inner.([]any)
			if !ok {
				operands = []any{inner}
			}
			if len(operands) == 0 {
				return nil, fmt.Errorf("%s: an empty array", name)
			}
			for _, o := range operands {
				m, err := parseString(name, o)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				but = append(but, m)
			}
		}
	case []any:
		if len(operand) == 0 {
			return nil, errors.New("an empty array")
		}
		_, numbers := operand[0].(json.Number)
		for _, o := range operand {
			if _, number := o.(json.Number); number != numbers {
				return nil, errors.New("an array holds strings or numbers, not both")
			}
			m, err := parseButValue(o)
			if err != nil {
				return nil, err
			}
			but = append(but, m)
		}
	default:
		m, err := parseButValue(operand)
		if err != nil {
			return nil, err
		}
		but = append(but, m)
	}
	return func(v any) bool {
		return v != absent{} && !slices.ContainsFunc(but, func(m matcher) bool { return m(v) })
	}, nil
}

// parseButValue compares numbers by value: there is no text form to exclude by.
func parseButValue(value any) (matcher, error) {
	switch value := value.(type) {
	case string:
		return equal(value)
	case json.Number:
		return parseNumeric([]any{"=", value})
	}
	return nil, fmt.Errorf("%s: strings and numbers only", inWords(value))
}

// maxNumber bounds both sides of a numeric comparison, as EventBridge does.
const maxNumber = 5e9

func number(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && f >= -maxNumber && f <= maxNumber
}

func parseNumeric(operand any) (matcher, error) {
	operands, _ := operand.([]any)
	if len(operands) != 2 && len(operands) != 4 {
		return nil, errors.New(`["=", number] or [">", number, "<=", number] is wanted`)
	}
	var all []func(float64) bool
	var kinds string
	for i := 0; i < len(operands); i += 2 {
		bound, ok := number(operands[i+1])
		if !ok {
			return nil, fmt.Errorf("%s: a number between -5e9 and 5e9 is wanted", inWords(operands[i+1]))
		}
		switch operands[i] {
		case "=":
			all = append(all, func(f float64) bool { return f == bound })
			kinds += "="
		case "<":
			all = append(all, func(f float64) bool { return f < bound })
			kinds += "<"
		case "<=":
			all = append(all, func(f float64) bool { return f <= bound })
			kinds += "<"
		case ">":
			all = append(all, func(f float64) bool { return f > bound })
			kinds += ">"
		case ">=":
			all = append(all, func(f float64) bool { return f >= bound })
			kinds += ">"
		default:
			return nil, fmt.Errorf("%s: =, <, <=, > or >= is wanted", inWords(operands[i]))
		}
	}
	if len(kinds) == 2 {
		if kinds != "><" {
			return nil, errors.New(`a range is a lower bound, then an upper one, as in [">", 0, "<=", 5]`)
		}
		low, _ := number(operands[1])
		if high, _ := number(operands[3]); high <= low {
			return nil, errors.New("the upper bound of a range must be above the lower one")
		}
	}
	return func(v any) bool {
		f, ok := number(v)
		return ok && !slices.ContainsFunc(all, func(test func(float64) bool) bool { return !test(f) })
	}, nil
}

func parseCIDR(operand any) (matcher, error) {
	want, ok := operand.(string)
	if !ok {
		return nil, errors.New("a string is wanted")
	}
	prefix, err := netip.ParsePrefix(want)
	if err != nil {
		address, addressErr := netip.ParseAddr(want)
		if addressErr != nil {
			return nil, fmt.Errorf("%q: an address range such as 10.0.0.0/24 is wanted", want)
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	return onString(func(s string) bool {
		address, err := netip.ParseAddr(s)
		return err == nil && prefix.Contains(address)
	}), nil
}
