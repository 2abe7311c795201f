package template

import (
	"strings"
)

// piece is a part of the string of Fn::Sub: text, or the name within ${}.
type piece struct {
	text string
	name bool
}

// pieces cuts the string of Fn::Sub. ${!Literal} is the text ${Literal}.
func pieces(source string) []piece {
	var found []piece
	for {
		before, rest, ok := strings.Cut(source, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return append(found, piece{text: source})
		}
		if literal, is := strings.CutPrefix(name, "!"); is {
			found = append(found, piece{text: before + "${" + literal + "}"})
		} else {
			found = append(found, piece{text: before}, piece{text: strings.TrimSpace(name), name: true})
		}
		source = after
	}
}

const wrongSub = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"

// subParts reads the argument of Fn::Sub.
func subParts(argument any) (source string, given map[string]any, err error) {
	if source, ok := argument.(string); ok {
		return source, nil, nil
	}
	parts, ok := argument.([]any)
	if !ok || len(parts) != 2 {
		return "", nil, errorf(wrongSub)
	}
	source, ok = parts[0].(string)
	given, ok2 := parts[1].(map[string]any)
	if !ok || !ok2 {
		return "", nil, errorf(wrongSub)
	}
	return source, given, nil
}

func (e *evaluator) sub(argument any) (any, error) {
	source, given, err := subParts(argument)
	if err != nil {
		return nil, err
	}
	var result strings.Builder
	local := map[string]string{}
	for _, piece := range pieces(source) {
		if !piece.name {
			result.WriteString(piece.text)
			continue
		}
		text, known := local[piece.text]
		if !known {
			if text, err = e.substitute(piece.text, given); err != nil {
				return nil, err
			}
			local[piece.text] = text
		}
		if result.Len()+len(text) > maxResult {
			return nil, e.charge(strings.Repeat(" ", maxResult+1))
		}
		result.WriteString(text)
	}
	return result.String(), nil
}

// substitute returns what stands for ${name}.
func (e *evaluator) substitute(name string, given map[string]any) (string, error) {
	var value any
	var err error
	if from, has := given[name]; has {
		value, err = e.value(from)
	} else if id, attribute, dotted := strings.Cut(name, "."); dotted {
		value, err = e.getAtt([]any{id, attribute})
	} else {
		value, err = e.ref(name)
	}
	if err != nil {
		return "", err
	}
	text, ok := literal(value)
	if !ok {
		return "", errorf("Template error: variable %s in Fn::Sub expression does not resolve to a string", name)
	}
	return text, nil
}
