package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key of a statement's Condition.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	key      string // in small letters
	values   texts
	operator string // without what follows
	set      string // forallvalues, foranyvalue; "": the key has one value
	ifExists bool
	negated  bool
}

func newCondition(operator, key string, values texts) condition {
	c := condition{key: strings.ToLower(key), values: values, operator: strings.ToLower(operator)}
	if set, rest, found := strings.Cut(c.operator, ":"); found {
		c.set, c.operator = set, rest
	}
	c.operator, c.ifExists = strings.CutSuffix(c.operator, "ifexists")
	if positive := strings.Replace(c.operator, "not", "", 1); positive != c.operator && tests[positive] != nil {
		c.operator, c.negated = positive, true
	}
	return c
}

// KnownOperator reports whether a policy may have an operator of that name.
func KnownOperator(name string) bool {
	c := newCondition(name, "", nil)
	return (tests[c.operator] != nil || c.operator == "null" && !c.negated && !c.ifExists && c.set == "") &&
		(c.set == "" || c.set == "forallvalues" || c.set == "foranyvalue")
}

// tests compare a value of the request with one of the policy. The positive ones are here.
var tests = map[string]func(has string, want pattern) bool{
	"stringequals":           func(has string, want pattern) bool { return has == want.text },
	"stringequalsignorecase": func(has string, want pattern) bool { return strings.EqualFold(has, want.text) },
	"stringlike":             func(has string, want pattern) bool { return like(want, has) },
	"arnequals":              func(has string, want pattern) bool { return arnLike(want, has) },
	"arnlike":                func(has string, want pattern) bool { return arnLike(want, has) },
	"bool":                   func(has string, want pattern) bool { return strings.EqualFold(has, want.text) },
	"binaryequals": func(has string, want pattern) bool {
		a, err := base64.StdEncoding.DecodeString(has)
		b, err2 := base64.StdEncoding.DecodeString(want.text)
		return err == nil && err2 == nil && bytes.Equal(a, b)
	},
	"ipaddress":                func(has string, want pattern) bool { return inNetwork(has, want.text) },
	"numericequals":            number(func(a, b float64) bool { return a == b }),
	"numericlessthan":          number(func(a, b float64) bool { return a < b }),
	"numericlessthanequals":    number(func(a, b float64) bool { return a <= b }),
	"numericgreaterthan":       number(func(a, b float64) bool { return a > b }),
	"numericgreaterthanequals": number(func(a, b float64) bool { return a >= b }),
	"dateequals":               moment(func(a, b time.Time) bool { return a.Equal(b) }),
	"datelessthan":             moment(func(a, b time.Time) bool { return a.Before(b) }),
	"datelessthanequals":       moment(func(a, b time.Time) bool { return !a.After(b) }),
	"dategreaterthan":          moment(func(a, b time.Time) bool { return a.After(b) }),
	"dategreaterthanequals":    moment(func(a, b time.Time) bool { return !a.Before(b) }),
}

func number(compare func(a, b float64) bool) func(string, pattern) bool {
	return func(has string, want pattern) bool {
		a, err := strconv.ParseFloat(has, 64)
		b, err2 := strconv.ParseFloat(want.text, 64)
		return err == nil && err2 == nil && compare(a, b)
	}
}

func moment(compare func(a, b time.Time) bool) func(string, pattern) bool {
	return func(has string, want pattern) bool {
		a, ok := instant(has)
		b, ok2 := instant(want.text)
		return ok && ok2 && compare(a, b)
	}
}

// instant reads a time of ISO 8601, or seconds since 1970.
func instant(text string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func inNetwork(has, want string) bool {
	address, err := netip.ParseAddr(has)
	if err != nil {
		return false
	}
	if one, err := netip.ParseAddr(want); err == nil {
		return one.Unmap() == address.Unmap()
	}
	network, err := netip.ParsePrefix(want)
	return err == nil && network.Contains(address.Unmap())
}

// fulfilled reports whether a request fulfils the condition. known is false if the operator or
// the key is not known here.
func (c *condition) fulfilled(r *Request, variables bool) (fulfilled, known bool) {
	has, there := r.Context[c.key]
	if !there && !isKnown(c.key) {
		return false, false
	}
	if c.operator == "null" {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(len(has) == 0)) }), KnownOperator(c.operator)
	}
	test := tests[c.operator]
	if test == nil {
		return false, false
	}
	want := make([]pattern, 0, len(c.values))
	for _, v := range c.values {
		p, ok := expand(v, r, variables)
		if !ok {
			return false, false
		}
		want = append(want, p)
	}
	one := func(value string) bool {
		return slices.ContainsFunc(want, func(w pattern) bool { return test(value, w) }) != c.negated
	}
	switch {
	case len(has) == 0 && c.ifExists:
		return true, true
	case c.set == "forallvalues":
		return !slices.ContainsFunc(has, func(v string) bool { return !one(v) }), true
	case c.set == "foranyvalue":
		return slices.ContainsFunc(has, one), true
	case c.set != "":
		return false, false
	case len(has) == 0:
		return c.negated, true
	}
	return slices.ContainsFunc(has, one), true
}

// isKnown reports whether a key that a request does not have is known not to be there.
func isKnown(key string) bool {
	switch key {
	case "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:multifactorauthage", "aws:multifactorauthpresent", "aws:principalorgid",
		"aws:principalorgpaths", "aws:referer", "aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce",
		"aws:username", "aws:vpcsourceip", "aws:federatedprovider", "sts:externalid", "sts:sourceidentity", "iam:passedtoservice", "iam:associatedresourcearn":
		return true
	}
	return strings.HasPrefix(key, "aws:principaltag/")
}
