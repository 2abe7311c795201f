package template

import (
	"regexp"
	"strings"
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

// javaClasses are the character classes of Java that other engines write in another way, as they stand within brackets.
var javaClasses = map[string]string{
	"Alnum": `A-Za-z0-9`, "Alpha": `A-Za-z`, "ASCII": `\x00-\x7F`, "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "Digit": `0-9`,
	"Graph": `\x21-\x7E`, "Lower": `a-z`, "Print": `\x20-\x7E`, "Punct": `!-/:-@\[-\x60{-~`, "Space": `\s`, "Upper": `A-Z`,
	"XDigit": `0-9A-Fa-f`,
}

var javaClass = regexp.MustCompile(`^\\p\{([A-Za-z]+)\}`)

// plainClasses replaces the classes of Java, \p{Alnum}, by their characters.
func plainClasses(text string) string {
	var result strings.Builder
	within := false
	for i := 0; i < len(text); i++ {
		if found := javaClass.FindStringSubmatch(text[i:]); found != nil && javaClasses[found[1]] != "" {
			if characters := javaClasses[found[1]]; within {
				result.WriteString(characters)
			} else {
				result.WriteString("[" + characters + "]")
			}
			i += len(found[0]) - 1
			continue
		}
		switch {
		case text[i] == '\\' && i+1 < len(text):
			result.WriteByte(text[i])
			i++
		case text[i] == '[':
			within = true
		case text[i] == ']':
			within = false
		}
		result.WriteByte(text[i])
	}
	return result.String()
}

// compile reads a pattern of Java, in which AllowedPattern is written. Those that look ahead or behind need an engine that
// goes back.
func compile(text string) (pattern, error) {
	whole := `^(?:` + plainClasses(text) + `)$`
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
