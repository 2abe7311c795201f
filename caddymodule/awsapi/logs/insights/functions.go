package insights

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// A function is one of the language's, with how many arguments it takes.
type function struct {
	least, most int
	run         func(args []value) value
}

const many = 100

// maxText is how long a text is at most that a function makes.
const maxText = 1 << 20

var functions = map[string]function{
	"abs": numeric(math.Abs), "ceil": numeric(math.Ceil), "floor": numeric(math.Floor), "log": numeric(math.Log), "sqrt": numeric(math.Sqrt),
	"greatest": {1, many, func(args []value) value { return most(args, 1) }},
	"least":    {1, many, func(args []value) value { return most(args, -1) }},

	"now": {0, 0, func([]value) value { return numberOf(float64(time.Now().Unix())) }},
	"frommillis": {1, 1, func(args []value) value {
		n, ok := args[0].asNumber()
		if !ok || math.Abs(n) > 1e15 {
			return value{}
		}
		return momentOf(math.Trunc(n))
	}},
	"tomillis": {1, 1, func(args []value) value {
		if args[0].kind == text {
			t, err := time.Parse(momentLayout, args[0].text)
			if err == nil {
				return numberOf(float64(t.UnixMilli()))
			}
		}
		n, ok := args[0].asNumber()
		if !ok {
			return value{}
		}
		return numberOf(n)
	}},

	"ispresent": {1, 1, func(args []value) value { return booleanOf(args[0].kind != none) }},
	"coalesce": {1, many, func(args []value) value {
		for _, v := range args {
			if v.kind != none {
				return v
			}
		}
		return value{}
	}},
	"isempty": {1, 1, func(args []value) value { return booleanOf(args[0].kind == none || args[0].String() == "") }},
	"isblank": {1, 1, func(args []value) value {
		return booleanOf(args[0].kind == none || strings.TrimSpace(args[0].String()) == "")
	}},

	"jsonparse": {1, 1, func(args []value) value {
		var v any
		if args[0].kind == none || json.Unmarshal([]byte(args[0].String()), &v) != nil {
			return value{}
		}
		return valueOf(v)
	}},
	"jsonstringify": {1, 1, func(args []value) value {
		if args[0].kind == none {
			return value{}
		}
		return textOf(args[0].String())
	}},

	"concat": {1, many, func(args []value) value {
		var b strings.Builder
		for _, v := range args {
			b.WriteString(v.String())
			if b.Len() > maxText {
				return value{}
			}
		}
		return textOf(b.String())
	}},
	"ltrim":   trimming(strings.TrimLeft),
	"rtrim":   trimming(strings.TrimRight),
	"trim":    trimming(strings.Trim),
	"toupper": textual(strings.ToUpper),
	"tolower": textual(strings.ToLower),
	"strlen": {1, 1, func(args []value) value {
		if args[0].kind == none {
			return value{}
		}
		return numberOf(float64(utf8.RuneCountInString(args[0].String())))
	}},
	"strcontains": {2, 2, func(args []value) value {
		if args[0].kind == none || args[1].kind == none {
			return value{}
		}
		n := 0.0
		if strings.Contains(args[0].String(), args[1].String()) {
			n = 1
		}
		return value{kind: boolean, number: n}
	}},
	"replace": {3, 3, func(args []value) value {
		if args[0].kind == none {
			return value{}
		}
		s, old, by := args[0].String(), args[1].String(), args[2].String()
		if len(s)+strings.Count(s, old)*len(by) > maxText {
			return value{}
		}
		return textOf(strings.ReplaceAll(s, old, by))
	}},
	"substr": {2, 3, substr},

	"isvalidip":      address(func(a netip.Addr) bool { return true }),
	"isvalidipv4":    address(netip.Addr.Is4),
	"isvalidipv6":    address(netip.Addr.Is6),
	"isipinsubnet":   subnet(func(a netip.Addr) bool { return true }),
	"isipv4insubnet": subnet(netip.Addr.Is4),
	"isipv6insubnet": subnet(netip.Addr.Is6),
}

func numeric(f func(float64) float64) function {
	return function{1, 1, func(args []value) value {
		n, ok := args[0].asNumber()
		if !ok {
			return value{}
		}
		return numberOf(f(n))
	}}
}

func textual(f func(string) string) function {
	return function{1, 1, func(args []value) value {
		if args[0].kind == none {
			return value{}
		}
		return textOf(f(args[0].String()))
	}}
}

func trimming(f func(s, cutset string) string) function {
	return function{1, 2, func(args []value) value {
		switch {
		case args[0].kind == none:
			return value{}
		case len(args) == 2:
			return textOf(f(args[0].String(), args[1].String()))
		}
		return textOf(f(args[0].String(), " \t\r\n\v\f"))
	}}
}

func most(args []value, sign float64) value {
	var best value
	for _, v := range args {
		n, ok := v.asNumber()
		if ok && (best.kind == none || (n-best.number)*sign > 0) {
			best = numberOf(n)
		}
	}
	return best
}

// substr takes the characters from an index on, as many as a third argument says.
func substr(args []value) value {
	from, ok := args[1].asNumber()
	if args[0].kind == none || !ok {
		return value{}
	}
	runes := []rune(args[0].String())
	begin := int(max(0, min(from, float64(len(runes)))))
	end := len(runes)
	if len(args) == 3 {
		n, ok := args[2].asNumber()
		if !ok {
			return value{}
		}
		end = begin + int(max(0, min(n, float64(len(runes)-begin))))
	}
	return textOf(string(runes[begin:end]))
}

func address(is func(netip.Addr) bool) function {
	return function{1, 1, func(args []value) value {
		a, err := netip.ParseAddr(args[0].String())
		return booleanOf(err == nil && is(a))
	}}
}

func subnet(is func(netip.Addr) bool) function {
	return function{2, 2, func(args []value) value {
		a, err := netip.ParseAddr(args[0].String())
		if err != nil || !is(a) {
			return booleanOf(false)
		}
		in, err := netip.ParsePrefix(args[1].String())
		return booleanOf(err == nil && in.Contains(a))
	}}
}

// floor is bin, datefloor and dateceil: the beginning of a period, or its end.
type floor struct {
	of     node
	millis float64
	up     bool
}

func (f floor) eval(r *row) value {
	n, ok := f.of.eval(r).asNumber()
	if !ok {
		return value{}
	}
	if f.up {
		return momentOf(math.Ceil(n/f.millis) * f.millis)
	}
	return momentOf(math.Floor(n/f.millis) * f.millis)
}
