package schema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A regex is a regular expression that knows what it costs.
type regex struct {
	*regexp.Regexp
	size int // of its program
}

// expression is the jsonschema.RegexpEngine. What Go's expressions do not have, such as (?=...),
// is an error: they take no longer than the text is long.
func expression(text string) (jsonschema.Regexp, error) {
	e, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the expression %.100q is not supported: %w", text, err)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	return &regex{e, len(program.Inst)}, nil
}

// cost is what a match costs, in steps.
func (e *regex) cost(text string) int { return 1 + len(text)*e.size/8 }

// maxRegex bounds an expression that a client sends, in bytes.
const maxRegex = 1000

// isRegex is the format regex.
func isRegex(value any) error {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	if len(text) > maxRegex {
		return errors.New("the expression is too long")
	}
	_, err := syntax.Parse(text, syntax.Perl)
	return err
}
