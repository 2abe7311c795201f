package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A Transformer makes the input of a target of a template and parts of the event.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html
type Transformer struct {
	InputPathsMap map[string]string `json:",omitempty"`
	InputTemplate string
}

// An Input says what a target gets. At most one of the fields is set; without any the target
// gets the event.
type Input struct {
	Input            string       `json:",omitempty"` // JSON
	InputPath        string       `json:",omitempty"`
	InputTransformer *Transformer `json:",omitempty"`
}

// A Rule is what templates may say of the rule.
type Rule struct{ Name, ARN string }

// Variables that every template has.
const (
	ruleARN       = "aws.events.rule-arn"
	ruleName      = "aws.events.rule-name"
	ingestionTime = "aws.events.event.ingestion-time"
	eventBrief    = "aws.events.event" // without detail
	eventWhole    = "aws.events.event.json"
)

func reserved(name string) bool {
	switch name {
	case ruleARN, ruleName, ingestionTime, eventBrief, eventWhole:
		return true
	}
	return false
}

// maxInput bounds what a target gets, in bytes: a template may name an event many times.
const maxInput = 1 << 20

// Check says what is wrong with an input.
func (in *Input) Check() error {
	given := 0
	for _, is := range []bool{in.Input != "", in.InputPath != "", in.InputTransformer != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return fmt.Errorf("only one of Input, InputPath, or InputTransformer must be provided")
	}
	if in.Input != "" && !json.Valid([]byte(in.Input)) {
		return fmt.Errorf("JSON syntax error in input")
	}
	if in.InputPath != "" {
		if _, err := parsePath(in.InputPath); err != nil {
			return fmt.Errorf("invalid JSONPath: %w", err)
		}
	}
	t := in.InputTransformer
	if t == nil {
		return nil
	}
	for name, text := range t.InputPathsMap {
		if _, err := parsePath(text); err != nil {
			return fmt.Errorf("invalid JSONPath of %s: %w", name, err)
		}
		if strings.HasPrefix(strings.ToLower(name), "aws.") {
			return fmt.Errorf("the name %s is reserved", name)
		}
	}
	return t.each(func(_, name string, _ bool) error {
		if _, known := t.InputPathsMap[name]; name != "" && !known && !reserved(name) {
			return fmt.Errorf("invalid InputTemplate: there is no variable <%s>", name)
		}
		return nil
	})
}

// each visits the template in order: some text, then a variable, "" at the end. quoted says
// whether the variable is in a JSON string.
func (t *Transformer) each(visit func(text, name string, quoted bool) error) error {
	rest, quoted := t.InputTemplate, false
	begin := 0
	for n := 0; n < len(rest); n++ {
		switch rest[n] {
		case '\\':
			n++
		case '"':
			quoted = !quoted
		case '<':
			end := strings.IndexByte(rest[n:], '>')
			if end < 0 {
				continue
			}
			name := rest[n+1 : n+end]
			if !isName(name) {
				continue
			}
			if err := visit(rest[begin:n], name, quoted); err != nil {
				return err
			}
			n += end
			begin = n + 1
		}
	}
	return visit(rest[begin:], "", false)
}

func isName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool {
		return c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) < 0
}

// Of is the input that a target gets for an event, which is JSON. received is when the event
// came.
func (in *Input) Of(event []byte, rule Rule, received time.Time) ([]byte, error) {
	switch {
	case in.Input != "":
		return []byte(in.Input), nil
	case in.InputPath == "" && in.InputTransformer == nil:
		return event, nil
	}
	value, err := decode(event)
	if err != nil {
		return nil, err
	}
	if in.InputPath != "" {
		p, err := parsePath(in.InputPath)
		if err != nil {
			return nil, err
		}
		part, found := p.find(value)
		if !found {
			return []byte("null"), nil
		}
		return encode(part), nil
	}
	return in.InputTransformer.fill(value, rule, received)
}

// fill fills the template.
func (t *Transformer) fill(event any, rule Rule, received time.Time) ([]byte, error) {
	var out bytes.Buffer
	err := t.each(func(text, name string, quoted bool) error {
		out.WriteString(text)
		if name != "" {
			value, found := t.value(event, name, rule, received)
			out.Write(inserted(value, found, quoted))
		}
		if out.Len() > maxInput {
			return fmt.Errorf("the input of the target is larger than %d bytes", maxInput)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !json.Valid(out.Bytes()) { // lines of text
		return encode(out.String()), nil
	}
	return out.Bytes(), nil
}

func (t *Transformer) value(event any, name string, rule Rule, received time.Time) (any, bool) {
	switch name {
	case ruleARN:
		return rule.ARN, true
	case ruleName:
		return rule.Name, true
	case ingestionTime:
		return received.UTC().Format("2006-01-02T15:04:05.000Z"), true
	case eventWhole:
		return event, true
	case eventBrief:
		brief := make(map[string]any)
		if object, ok := event.(map[string]any); ok {
			for name, value := range object {
				if name != "detail" {
					brief[name] = value
				}
			}
		}
		return brief, true
	}
	p, err := parsePath(t.InputPathsMap[name])
	if err != nil { // Check has read it
		return nil, false
	}
	return p.find(event)
}

// inserted is a value as it stands in a template: in a JSON string as text, which is escaped,
// and else as JSON. Of a value that is not there a string has nothing (recorded from AWS).
func inserted(value any, found, quoted bool) []byte {
	switch {
	case !found && quoted:
		return nil
	case !found:
		return []byte("null")
	case !quoted:
		return encode(value)
	}
	text, is := value.(string)
	if !is {
		text = string(encode(value))
	}
	escaped := encode(text)
	return escaped[1 : len(escaped)-1]
}
