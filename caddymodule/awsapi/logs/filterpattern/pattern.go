package filterpattern

import (
	"errors"
	"fmt"
	"strings"
)

// MaxLength is how long a pattern may be, in characters.
const MaxLength = 1024

// ErrInvalid says that a text is no pattern. The error that wraps it says where.
var ErrInvalid = errors.New("invalid filter pattern")

// A Pattern matches log messages. It may be used by several goroutines.
type Pattern struct {
	match func(message string) bool
}

// Match reports whether the pattern selects a message.
func (p *Pattern) Match(message string) bool { return p.match(message) }

// Parse reads a pattern. The empty one matches everything.
func Parse(text string) (*Pattern, error) {
	if len([]rune(text)) > MaxLength {
		return nil, fmt.Errorf("%w: it has over %d characters", ErrInvalid, MaxLength)
	}
	trimmed := strings.TrimSpace(text)
	var match func(string) bool
	var err error
	switch {
	case trimmed == "":
		match = func(string) bool { return true }
	case trimmed[0] == '{':
		match, err = parseJSON(trimmed)
	case trimmed[0] == '[':
		match, err = parseFields(trimmed)
	default:
		match, err = parseTerms(trimmed)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return &Pattern{match}, nil
}
