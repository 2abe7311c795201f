package push

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A Rule sends events to a function. All of its conditions must match; an empty or nil one
// matches every event.
type Rule struct {
	Name    string           // glob of Event.Name, "ObjectCreated:*"; a leading "s3:" is left out
	Subject string           // glob of Event.Subject, "photos/in/*.jpg"
	Pattern *pattern.Pattern // of Event.Payload
	Target  Target
}

// A Target is the function that an event is for.
type Target struct {
	Function  string
	Qualifier string // version or alias; empty for $LATEST
}

// ParseTarget reads NAME or NAME:QUALIFIER.
func ParseTarget(s string) (Target, error) {
	name, qualifier, err := function.ParseReference(s)
	if err != nil {
		return Target{}, fmt.Errorf("%.200q: NAME or NAME:QUALIFIER of a function is wanted: %w", s, err)
	}
	if qualifier == function.Latest && len(s) == len(name) {
		qualifier = "" // none was given
	}
	return Target{name, qualifier}, nil
}

// ParseRule reads the words after "on": an event name, a subject if there are three,
// and the function.
func ParseRule(words ...string) (Rule, error) {
	if len(words) != 2 && len(words) != 3 {
		return Rule{}, errors.New("on EVENT [SUBJECT] FUNCTION[:QUALIFIER] is wanted, as in on ObjectCreated:* photos/in/*.jpg thumbnail")
	}
	target, err := ParseTarget(words[len(words)-1])
	if err != nil {
		return Rule{}, err
	}
	r := Rule{Name: strings.TrimPrefix(words[0], "s3:"), Target: target}
	if len(words) == 3 {
		r.Subject = words[1]
	}
	for _, glob := range words[:len(words)-1] {
		if glob == "" {
			return Rule{}, errors.New(`an empty glob fits nothing; ** fits everything`)
		}
	}
	return r, nil
}

// Matches says whether the rule wants the event.
func (r *Rule) Matches(e *Event) bool {
	if r.Name != "" && !matchName(r.Name, e.Name) {
		return false
	}
	if r.Subject != "" && !matchGlob(r.Subject, e.Subject) {
		return false
	}
	if r.Pattern == nil {
		return true
	}
	ok, err := r.Pattern.Match(e.Payload)
	return err == nil && ok
}

// Targets are the functions that an event goes to, each once: those of the rules that
// match, none if no rule does. Without rules the last part of the URL's path, not
// encoded, names the function; an error wraps ErrNoFunction if it cannot.
func Targets(rules []Rule, e *Event, path string) ([]Target, error) {
	if len(rules) == 0 {
		last := path[strings.LastIndexByte(path, '/')+1:]
		target, err := ParseTarget(last)
		if err != nil {
			// The text may be a secret in the wrong place, so the error does not repeat
			// it.
			return nil, fmt.Errorf("%w: without rules the last part of the URL names it, as in /events/s3/thumbnail", ErrNoFunction)
		}
		return []Target{target}, nil
	}
	var targets []Target
	for i := range rules {
		if rules[i].Matches(e) && !slices.Contains(targets, rules[i].Target) {
			targets = append(targets, rules[i].Target)
		}
	}
	return targets, nil
}
