package template

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2/v2"
)

const (
	// matchTime is how long a pattern may take for one value, listTime for all of a list.
	matchTime = 100 * time.Millisecond
	listTime  = time.Second
)

// pattern is an AllowedPattern, which must match the whole value.
type pattern interface{ matches(value string) bool }

type linear struct{ *regexp.Regexp }

func (p linear) matches(value string) bool { return p.MatchString(value) }

type backtracking struct{ *regexp2.Regexp }

// matches is false too when the pattern takes too long.
func (p backtracking) matches(value string) bool {
	matched, err := p.MatchString(value)
	return err == nil && matched
}

// compile reads a pattern of Java, in which AllowedPattern is written. Those that look ahead or behind need an engine that
// goes back.
func compile(text string) (pattern, error) {
	whole := `^(?:` + text + `)$`
	if expression, err := regexp.Compile(whole); err == nil {
		return linear{expression}, nil
	}
	expression, err := regexp2.Compile(whole)
	if err != nil {
		return nil, err
	}
	expression.MatchTimeout = matchTime
	return backtracking{expression}, nil
}
