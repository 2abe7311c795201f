package policy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Conditions are the Condition of one statement, for those who read the rest of a policy
// themselves.
type Conditions struct {
	all       []condition
	variables bool
}

// ParseConditions reads a Condition. Unlike Parse, it refuses operators that are not known, and
// values that no operator could compare, because nobody has checked them before. variables: ${...}
// stand for values.
func ParseConditions(text []byte, variables bool) (*Conditions, error) {
	var operators map[string]map[string]texts
	if err := json.Unmarshal(text, &operators); err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	c := &Conditions{variables: variables}
	for operator, keys := range operators {
		if !KnownOperator(operator) {
			return nil, fmt.Errorf("condition: the operator %.80q is not supported", operator)
		}
		for key, values := range keys {
			one := newCondition(operator, key, values)
			for _, value := range values {
				if !one.comparable(value) {
					return nil, fmt.Errorf("condition: %.80s cannot compare with %.80q", operator, value)
				}
			}
			c.all = append(c.all, one)
		}
	}
	return c, nil
}

// comparable reports whether a value has the form that the operator compares.
func (c *condition) comparable(value string) bool {
	var err error
	switch {
	case c.operator == "ipaddress":
		if _, err = netip.ParseAddr(value); err != nil {
			_, err = netip.ParsePrefix(value)
		}
	case strings.HasPrefix(c.operator, "numeric"):
		_, err = strconv.ParseFloat(value, 64)
	case strings.HasPrefix(c.operator, "date"):
		_, ok := instant(value)
		return ok
	case c.operator == "binaryequals":
		_, err = base64.StdEncoding.DecodeString(value)
	case c.operator == "bool", c.operator == "null":
		return strings.EqualFold(value, "true") || strings.EqualFold(value, "false")
	}
	return err == nil
}

// Fulfilled reports whether a request fulfils the conditions. One whose key is not known is
// fulfilled if the statement denies, and not fulfilled if it allows.
func (c *Conditions) Fulfilled(r *Request, deny bool) bool {
	return fulfilled(c.all, r, c.variables, deny)
}

func fulfilled(all []condition, r *Request, variables, deny bool) bool {
	for n := range all {
		fulfilled, known := all[n].fulfilled(r, variables)
		if !known {
			fulfilled = deny
		}
		if !fulfilled {
			return false
		}
	}
	return true
}
